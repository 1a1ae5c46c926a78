import Base
import Networks
import Tensors

/// Writes the values of a network as ONNX nodes, in the order in which they were recorded.
///
/// What depends on parameters alone is computed here and written as a constant; what the output does not need is dropped by the builder.
final class Translator {
    /// One operation on its way into the file.
    struct Step {
        /// Position of its result among the graph's values.
        let index: Int
        /// The operation for each of `BatchedGraph.batches`.
        let operations: [Operation]
        let inputs: [Int]
        let scope: String
        let shape: [Size]
        let dtype: DType

        /// Name of its node: module path and operation.
        var name: String { scope.isEmpty ? operations[0].name : "\(scope)/\(operations[0].name)" }
    }

    static let input = "images"
    static let output = "output"

    let graph: BatchedGraph
    var builder = GraphBuilder()
    /// Names of values that are written.
    private var names: [Int: String] = [:]
    /// Numbers of values that depend on no input.
    private var constants: [Int: Tensor] = [:]
    /// The paths of the network's parameters and buffers.
    private let parameters: TensorIndex<String>
    /// Names of lists of sizes that depend on the batch, and of single numbers.
    private var sizeNames: [[Size]: String] = [:]
    private var numberNames: [Size: String] = [:]
    private var batchName: String?

    init(_ graph: BatchedGraph, parameters: TensorIndex<String>) {
        self.graph = graph
        self.parameters = parameters
    }

    /// The whole network as a graph called `name`.
    /// - Throws: `TensorError` that names the operation and its module for one that ONNX cannot say.
    func translate(_ name: String) throws -> Onnx_GraphProto {
        names[0] = builder.unique(Translator.input)
        // Taken before any node can have it.
        let result = builder.unique(Translator.output)
        for index in 0..<graph.count { try write(index) }
        let written = try self.name(graph.output)
        builder.addResult(written, as: result)
        return builder.graph(
            name, input: .tensor(Translator.input, graph.dtype(0), graph.shape(0)),
            output: .tensor(result, graph.dtype(graph.output), graph.shape(graph.output)))
    }

    private func write(_ index: Int) throws {
        let shape = graph.shape(index)
        switch graph.source(index) {
        case .input:
            return
        case .stored(let tensor):
            constants[index] = tensor
        case .filled(let number):
            let wanted = sizes(shape, name: "constant/shape")
            let one = try builder.constant(number, name: "constant")
            names[index] = builder.add("Expand", [one, wanted], name: "constant/expand")
        case .operation(let operations, let inputs, let scope):
            let step = Step(index: index, operations: operations, inputs: inputs, scope: scope, shape: shape, dtype: graph.dtype(index))
            try checkInterrupt()
            do {
                if let folded = try fold(step) {
                    constants[index] = folded
                } else {
                    let name = try translate(step)
                    names[index] = name
                    builder.note(name, graph.dtype(index), shape)
                }
            } catch var error as TensorError {
                if error.path.isEmpty { error.path = scope }
                throw error
            }
        }
    }

    /// The result of an operation whose inputs are all constants; nil when it is better left to the reader of the file.
    private func fold(_ step: Step) throws -> Tensor? {
        if case .random = step.operations[0] { return nil }
        let inputs = step.inputs.compactMap { constants[$0] }
        guard inputs.count == step.inputs.count, step.shape.allSatisfy({ $0.fixed != nil }), step.operations.allSatisfy({ $0 == step.operations[0] })
        else { return nil }
        // A small constant spread over an image would fill the file.
        let count = step.shape.reduce(1) { $0 * ($1.fixed ?? 1) }
        guard count <= max(4096, inputs.reduce(0) { $0 + $1.count }) else { return nil }
        return try step.operations[0].evaluate(inputs)
    }

    // MARK: What steps ask for

    /// The name of a value; a constant is written when it is first asked for.
    func name(_ index: Int) throws -> String {
        if let name = names[index] { return name }
        guard let tensor = constants[index] else { throw TensorError("export", "a value is used before it is computed") }
        let name = try constant(tensor, name: fallback(index))
        names[index] = name
        return name
    }

    private func fallback(_ index: Int) -> String {
        guard case .operation(let operations, _, let scope) = graph.source(index) else { return "constant" }
        return scope.isEmpty ? operations[0].name : "\(scope)/\(operations[0].name)"
    }

    /// The name of a tensor of the network by its path, or of another constant.
    func constant(_ tensor: Tensor, name: String) throws -> String {
        if tensor.count == 1, tensor.rank == 0, parameters[tensor] == nil { return builder.number(Float(try tensor.item()), tensor.dtype) }
        guard let path = parameters[tensor] else { return try builder.constant(tensor, name: name) }
        if let known = parameterNames[path] { return known }
        let name = try builder.constant(tensor, name: path)
        parameterNames[path] = name
        return name
    }
    private var parameterNames: [String: String] = [:]

    /// The numbers of a value that depends on no input.
    func constantValue(_ index: Int) -> Tensor? { constants[index] }

    func shape(_ index: Int) -> [Size] { graph.shape(index) }

    /// The operation that made a value, with its inputs.
    func source(_ index: Int) -> (operations: [Operation], inputs: [Int])? {
        guard case .operation(let operations, let inputs, _) = graph.source(index) else { return nil }
        return (operations, inputs)
    }

    // MARK: Sizes

    /// A list of whole numbers; where the batch is in it, it is computed from the images.
    func sizes(_ sizes: [Size], name: String) -> String {
        let fixed = sizes.compactMap(\.fixed)
        if fixed.count == sizes.count { return builder.integers(fixed) }
        if let known = sizeNames[sizes] { return known }
        var parts: [String] = []
        var run: [Int] = []
        func endRun() {
            if !run.isEmpty { parts.append(builder.integers(run)) }
            run = []
        }
        for size in sizes {
            if let fixed = size.fixed {
                run.append(fixed)
            } else {
                endRun()
                parts.append(number(size))
            }
        }
        endRun()
        let made = parts.count == 1 ? parts[0] : builder.add("Concat", parts, name: name, [.int("axis", 0)])
        sizeNames[sizes] = made
        return made
    }

    /// A size as a list of one.
    private func number(_ size: Size) -> String {
        if let known = numberNames[size] { return known }
        var name = batch()
        if size.factor != 1 { name = builder.add("Mul", [name, builder.integers([size.factor])], name: "batch/mul") }
        if size.offset != 0 { name = builder.add("Add", [name, builder.integers([size.offset])], name: "batch/add") }
        numberNames[size] = name
        return name
    }

    private func batch() -> String {
        if let batchName { return batchName }
        let shape = builder.add("Shape", [Translator.input], name: "batch/shape", [.int("start", 0), .int("end", 1)])
        batchName = shape
        return shape
    }

    /// A size as a number of a type, of no dimensions.
    func scalar(_ size: Size, _ dtype: DType) -> String {
        if let fixed = size.fixed { return builder.number(Float(fixed), dtype) }
        let single = builder.add("Squeeze", [number(size), builder.integers([0])], name: "batch/number")
        return builder.add("Cast", [single], name: "batch/cast", [.int("to", dtype.onnx.rawValue)])
    }

    // MARK: Steps

    private func translate(_ step: Step) throws -> String {
        if let name = try elementwise(step) ?? reshaping(step) ?? reduction(step) ?? layer(step) ?? stack(step) ?? ownNode(step) { return name }
        throw TensorError(
            step.operations[0].name, "has no counterpart in ONNX; write this part of the network with other operations, or export the network without it")
    }

    /// The node that an operation says to be the same.
    private func ownNode(_ step: Step) throws -> String? {
        guard let own = try operation(step).onnx else { return nil }
        return try node(own.type, step, own.attributes.map { name, value in
            switch value {
            case .int(let number): .int(name, number)
            case .ints(let numbers): .ints(name, numbers)
            case .float(let number): .float(name, number)
            case .string(let text): .string(name, text)
            }
        })
    }

    /// A node of the step's own name and with its inputs.
    func node(_ type: String, _ step: Step, _ attributes: [Onnx_AttributeProto] = [], more: [String] = []) throws -> String {
        builder.add(type, try step.inputs.map(name) + more, name: step.name, attributes)
    }

    /// The step's operation, when it is the same for every batch.
    func operation(_ step: Step) throws -> Operation {
        guard step.operations.allSatisfy({ $0 == step.operations[0] }) else {
            throw TensorError(step.operations[0].name, "its options depend on the number of images, which a file cannot say")
        }
        return step.operations[0]
    }
}
