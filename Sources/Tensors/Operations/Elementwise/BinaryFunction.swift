import Kernels

/// An element-wise function of two values that broadcast. Its entry in `BinaryFunctions.swift` is all that there is to say.
public final class BinaryFunction: Hashable, Sendable, CustomStringConvertible {
    /// For messages and profiles.
    public let name: String
    let opcode: ElementwiseProgram.Opcode
    /// The method of Lua; nil: there is none, or one that does more.
    public let method: Method?
    let kind: Kind
    /// dL/da and dL/db of (a, b, y, dL/dy), of the result's shape.
    let derivative: @Sendable (_ a: Tensor, _ b: Tensor, _ y: Tensor, _ g: Tensor) throws -> (Tensor?, Tensor?)
    /// dL/dx where the other operand is a number.
    let scalarDerivative: @Sendable (_ x: Tensor, _ number: Double, _ numberFirst: Bool, _ y: Tensor, _ g: Tensor) throws -> Tensor?
    public let onnx: ONNXFunction

    public struct Method: Sendable {
        public let name: String
        /// "sum x + other": help says "Element-wise" before it.
        public let equation: String
        public let example: String
    }

    enum Kind: Sendable {
        /// Of two int32 in 64 bits.
        case whole(@Sendable (Int, Int) -> Int)
        /// int32 has fractions as results.
        case fractional
        /// Gives 1 or 0; no derivative.
        case comparison(@Sendable (Double, Double) -> Bool)
    }

    init(
        _ name: String, _ opcode: ElementwiseProgram.Opcode, method: Method?, onnx: ONNXFunction, _ kind: Kind,
        derivative: @escaping @Sendable (_ a: Tensor, _ b: Tensor, _ y: Tensor, _ g: Tensor) throws -> (Tensor?, Tensor?),
        scalarDerivative: @escaping @Sendable (_ x: Tensor, _ number: Double, _ numberFirst: Bool, _ y: Tensor, _ g: Tensor) throws -> Tensor?
    ) {
        (self.name, self.opcode, self.method, self.onnx, self.kind) = (name, opcode, method, onnx, kind)
        (self.derivative, self.scalarDerivative) = (derivative, scalarDerivative)
    }

    /// A comparison.
    init(_ name: String, _ opcode: ElementwiseProgram.Opcode, _ equation: String, example: String, onnx: ONNXFunction, _ holds: @escaping @Sendable (Double, Double) -> Bool) {
        (self.name, self.opcode, self.onnx, kind) = (name, opcode, onnx, .comparison(holds))
        method = Method(name: name, equation: equation, example: example)
        derivative = { _, _, _, _ in (nil, nil) }
        scalarDerivative = { _, _, _, _, _ in nil }
    }

    public var isComparison: Bool { if case .comparison = kind { true } else { false } }
    var isFractional: Bool { if case .fractional = kind { true } else { false } }

    public var description: String { name }
    public static func == (a: BinaryFunction, b: BinaryFunction) -> Bool { a === b }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
