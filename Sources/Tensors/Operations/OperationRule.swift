/// All that an operation says of itself: what it takes and gives, its derivative, its kernel, and what others may know of it. One file for each operation, its
/// adjoints with it, holds its rule and the functions of `Tensor` that use it.
///
/// A rule is a value whose properties are the operation's attributes. The planner recognises the operations that are cases of `Operation`; a rule that is none
/// is an operation as `Operation.other`.
protocol OperationRule: Hashable, Sendable {
    /// As the user writes it, for messages and profiles.
    var name: String { get }
    /// What it takes: checked before all else, as kernels read memory as the type that the rule promises. float32 by default.
    var operands: OperandTypes { get }
    /// Shape of the result. Types have been checked.
    /// - Throws: `TensorError` that says what was expected and what came.
    func shape(_ x: [Tensor]) throws -> [Int]
    /// Type of the result; by default that of the first input.
    func dtype(_ x: [Tensor]) -> DType
    /// dL/dx for y = f(x) and g = dL/dy. It is made of operations, so it can be differentiated again and recorded like everything else. nil: it is zero everywhere,
    /// or not defined (indices, conditions).
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?]
    /// The same value from simpler operations: what derivatives of fused operations go through, and what readers of a graph are given where they know no node of
    /// this kind. nil by default.
    func decomposition(_ x: [Tensor]) throws -> Tensor?
    /// - Parameter form: plain, or with what `traits.fusions` says that the kernel can do beside.
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch
    /// Whether input `index` may have this layout; others are copied into a contiguous one first. By default contiguous ones may.
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool
    /// Layout of the result within the input's memory, and where it begins, for what can be a view of it. nil by default.
    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)?
    /// Of inputs of these shapes for a result of this one. 0 by default.
    func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int
    var traits: OperationTraits { get }
    /// An input that has no derivative though one might be asked for, and what errors call it. nil by default.
    var withoutDerivative: (place: Int, name: String)? { get }
    /// The node of ONNX that means the same, with the same inputs. nil by default: a file has what `decomposition` gives.
    var onnx: ONNXNode? { get }
}

extension OperationRule {
    var operands: OperandTypes { .float32 }
    func dtype(_ x: [Tensor]) -> DType { x.first?.dtype ?? .float32 }
    func decomposition(_ x: [Tensor]) throws -> Tensor? { nil }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous }
    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? { nil }
    func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int { 0 }
    var traits: OperationTraits { OperationTraits() }
    var withoutDerivative: (place: Int, name: String)? { nil }
    var onnx: ONNXNode? { nil }

    /// Differentiates `decomposition`: for fused operations whose derivative nobody needs fast.
    func derivativeOfDecomposition(_ x: [Tensor], _ g: Tensor) throws -> [Tensor?] {
        guard let value = try GradientMode.with(true, { try decomposition(x) }) else { throw TensorError(name, "has no decomposition") }
        let wanted = x.filter(\.requiresGrad)
        // The inputs may depend on each other; the decomposition's derivative stops at each of them.
        let found = try Gradient.compute(of: [value], seeds: [g], with: wanted, createGraph: GradientMode.isEnabled, stopAtTargets: true)
        var next = 0
        return x.map { input in
            guard input.requiresGrad else { return nil }
            defer { next += 1 }
            return found[next]
        }
    }

    fileprivate func isEqual(_ other: any OperationRule) -> Bool { (other as? Self) == self }
}

/// An operation whose kernel never throws: one that can run within a chain of works, see `SlicedKernel`.
protocol PlainOperationRule: OperationRule {
    func plainKernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) -> PlainLaunch
}

extension PlainOperationRule {
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { plainKernel(x, y, form) }
}

/// A rule of any kind, as an attribute of `Operation.other`.
public struct AnyOperationRule: Hashable, Sendable {
    let rule: any OperationRule

    public static func == (a: AnyOperationRule, b: AnyOperationRule) -> Bool { a.rule.isEqual(b.rule) }
    public func hash(into hasher: inout Hasher) { rule.hash(into: &hasher) }
}

/// What the planner, and who counts, may know of an operation.
struct OperationTraits {
    /// Each element of the result depends on the same element (after broadcasting) of each input only, and `ElementwiseChain` runs it.
    var isElementwise = false
    /// The result is another look at the input's memory, where that can be, so that writes to one are seen in the other.
    var isView = false
    /// The result has the input's elements as they are.
    var isIdentity = false
    /// There is something to differentiate: comparisons and positions are steps without a slope, statistics that run along are not of the function.
    var hasDerivative = true
    /// It computes a derivative, and stands in no network.
    var isOfDerivative = false
    /// The result is a value of a network: no view of one, nothing that only brings one from place to place, no statistics beside.
    var makesValue = true
    /// What its kernel can do beside.
    var fusions: KernelForm.Parts = []
    var writes = Writes.contiguous
    var repetition = Repetition.never

    /// Layouts that its kernel can write.
    enum Writes {
        case contiguous
        /// Images [N, C, H, W] with any distance from one to the next, too.
        case images
        case any
    }

    /// When a plan computes it again in the backward pass instead of keeping its result, see `Recomputation`.
    enum Repetition {
        case never
        /// Where anything is computed again: it takes one pass over memory or little more.
        case cheap
        /// As long as not much is fused into it: in a chain of up to four, or alone, with two inputs.
        case shortChain
        case pair
        /// A convolution: depthwise ones as `cheap`, others only at the level that computes convolutions again.
        case convolution
    }
}

/// How a kernel is wanted: alone, or with neighbours that the planner has put into it.
struct KernelForm {
    struct Parts: OptionSet {
        let rawValue: Int
        /// ReLU the image input as it is loaded.
        static let relu = Parts(rawValue: 1)
        /// A further input after the others, shaped as the result: zero where it is not positive.
        static let mask = Parts(rawValue: 2)
        /// Add to the output instead of writing it.
        static let accumulate = Parts(rawValue: 4)
        /// The statistics among the inputs are computed first, in their place.
        static let statistics = Parts(rawValue: 8)
        /// The result lies where it is to stand: write zeros where it was not computed.
        static let clears = Parts(rawValue: 16)
        /// Nothing differentiates it: in whatever form is fastest.
        static let infers = Parts(rawValue: 32)
        /// max(·, 0) at the end.
        static let rectify = Parts(rawValue: 64)
    }

    var parts: Parts = []
    /// A batch norm behind it, whose tensors follow its own inputs.
    var folded: FoldedNorm?

    static let plain = KernelForm()

    func has(_ part: Parts) -> Bool { parts.contains(part) }
}

/// A node of an ONNX file.
public struct ONNXNode: Sendable {
    public enum Attribute: Sendable {
        case int(Int)
        case ints([Int])
        case float(Float)
        case string(String)
    }

    public let type: String
    public let attributes: [(name: String, value: Attribute)]

    init(_ type: String, _ attributes: [(name: String, value: Attribute)] = []) { (self.type, self.attributes) = (type, attributes) }
}
