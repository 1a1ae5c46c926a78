import Kernels

/// An element-wise function of one value. Its entry in `UnaryFunctions.swift` is all that there is to say: the operation, its plans, the method and the
/// functions of Lua, their help and their examples, and ONNX files follow from it.
public final class UnaryFunction: Hashable, Sendable, CustomStringConvertible {
    /// As it is written in Lua, and in messages.
    public let name: String
    /// "square root": help says "Element-wise" before it.
    public let equation: String
    /// A sentence of help about odd arguments, or "".
    public let note: String
    /// For help and tests; nil: scripts have no function of this kind.
    public let example: String?
    let kernel: Kernel
    /// Of int32 in 64 bits; nil: int32 is made float32 first.
    let integer: (@Sendable (Int) -> Int)?
    /// dL/dx of (x, y, dL/dy); nil: 0 everywhere.
    let derivative: (@Sendable (_ x: Tensor, _ y: Tensor, _ g: Tensor) throws -> Tensor)?
    public let onnx: ONNXFunction

    /// What computes it.
    enum Kernel: Sendable {
        /// An instruction of the element-wise kernels.
        case opcode(ElementwiseProgram.Opcode)
        /// Several, in one pass over memory.
        case formula(Formula)
    }

    /// A function with an instruction of its own.
    init(
        _ name: String, _ equation: String, note: String = "", example: String?, _ opcode: ElementwiseProgram.Opcode, onnx: ONNXFunction,
        integer: (@Sendable (Int) -> Int)? = nil, derivative: (@Sendable (_ x: Tensor, _ y: Tensor, _ g: Tensor) throws -> Tensor)?
    ) {
        (self.name, self.equation, self.example, self.onnx, self.integer, self.derivative) = (name, equation, example, onnx, integer, derivative)
        self.note = UnaryFunction.note(note, takesIntegers: integer != nil)
        kernel = .opcode(opcode)
    }

    /// A function that is composed of others.
    init(
        _ name: String, _ equation: String, note: String = "", example: String?, _ formula: Formula,
        derivative: (@Sendable (_ x: Tensor, _ y: Tensor, _ g: Tensor) throws -> Tensor)?
    ) {
        (self.name, self.equation, self.example, self.derivative) = (name, equation, example, derivative)
        self.note = UnaryFunction.note(note, takesIntegers: false)
        kernel = .formula(formula)
        onnx = .formula(formula)
        integer = nil
    }

    private static func note(_ note: String, takesIntegers: Bool) -> String {
        [note, takesIntegers ? "" : "int32 tensors give float32."].filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// The instruction, where one is enough.
    var opcode: ElementwiseProgram.Opcode? { if case .opcode(let opcode) = kernel { opcode } else { nil } }

    public var description: String { name }
    public static func == (a: UnaryFunction, b: UnaryFunction) -> Bool { a === b }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

    func callAsFunction(_ x: Formula) -> Formula { .unary(self, x) }
}
