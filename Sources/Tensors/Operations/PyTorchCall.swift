/// A call of PyTorch that means what a function of several operations means: `F.pixel_shuffle(x, 2)`.
///
/// Functions that PyTorch has, too, are kept whole in graphs that are read to be written as code: one line where their operations would be many, and one whose
/// sizes nobody has to say.
public struct PyTorchCall: Hashable, Sendable {
    public enum Argument: Hashable, Sendable {
        /// A tensor, by its place among the inputs.
        case input(Int)
        /// int32 positions, which PyTorch wants as int64.
        case positions(Int)
        /// Python as it stands: `2`, `dim=1`.
        case text(String)
    }

    /// `F.pixel_shuffle`; one that begins with a dot is a method of the first argument.
    public let function: String
    public let arguments: [Argument]

    init(_ function: String, _ arguments: [Argument]) { (self.function, self.arguments) = (function, arguments) }

    /// All inputs, then options.
    init(_ function: String, inputs: Int, _ options: String...) {
        self.init(function, (0..<inputs).map { .input($0) } + options.filter { !$0.isEmpty }.map { .text($0) })
    }

    /// `2`, or `(2, 3)`.
    static func pair(_ a: Int, _ b: Int) -> String { a == b ? "\(a)" : "(\(a), \(b))" }

    /// `name=2`, or nothing where that is what it is without being said.
    static func option(_ name: String, _ a: Int, _ b: Int, usual: Int) -> String { (a, b) == (usual, usual) ? "" : "\(name)=\(pair(a, b))" }

    /// `(2, 3)`, also of one number: `(2,)`.
    static func tuple(_ numbers: [Int]) -> String { numbers.count == 1 ? "(\(numbers[0]),)" : "(" + numbers.map(String.init).joined(separator: ", ") + ")" }
}

/// What such a graph holds in the place of the operations. Nothing computes it.
struct PyTorchCallRule: OperationRule {
    let name: String
    let call: PyTorchCall
    let result: [Int]
    let type: DType

    var operands: OperandTypes { .any }
    func shape(_ x: [Tensor]) throws -> [Int] { result }
    func dtype(_ x: [Tensor]) -> DType { type }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { throw unread }
    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { throw unread }

    private var unread: TensorError { TensorError(name, "is of a graph that is only read") }
}

extension Operation {
    /// The call of PyTorch that stands in the graph.
    public var pyTorchCall: PyTorchCall? {
        guard case .other(let any) = self else { return nil }
        return (any.rule as? PyTorchCallRule)?.call
    }
}

extension Tensor {
    /// What `body` computes of `inputs`; kept as one call where the graph is to be written as code.
    static func whole(_ name: String, _ inputs: [Tensor], _ call: @autoclosure () -> PyTorchCall, _ body: () throws -> Tensor) throws -> Tensor {
        let result = try body()
        guard let recording = Recording.current, recording.isForCode else { return result }
        // The operations of the body have no reader and fall out of the graph.
        let rule = PyTorchCallRule(name: name, call: call(), result: result.shape, type: result.dtype)
        return try recording.record(Operation(rule), inputs, result.shape, result.dtype)
    }
}
