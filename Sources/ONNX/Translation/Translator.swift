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
        /// The operation in each recording.
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

    let graph: SizedGraph
    var builder = GraphBuilder()
    /// Names of values that are written.
    private var names: [Int: String] = [:]
    /// Numbers of values that depend on no input.
    private var constants: [Int: Tensor] = [:]
    /// The paths of the network's parameters and buffers.
    private let parameters: TensorIndex<String>
    /// Sizes that depend on the images, by what they can be read from.
    var table = SizeTable()

    init(_ graph: SizedGraph, parameters: TensorIndex<String>) {
        self.graph = graph
        self.parameters = parameters
    }

    /// The whole network as a graph called `name`.
    /// - Throws: `TensorError` that names the operation and its module for one that ONNX cannot say.
    func translate(_ name: String) throws -> Onnx_GraphProto {
        let image = graph.values[0]
        let images = builder.unique(Translator.input)
        names[0] = images
        table.add(images, image.shape, areImages: true)
        // Taken before any node can have it.
        let result = builder.unique(Translator.output)
        for (index, value) in graph.values.enumerated() { try write(index, value) }
        let output = graph.values[graph.output]
        let written = try self.name(graph.output)
        builder.addResult(written, as: result)
        return builder.graph(
            name, input: .tensor(Translator.input, image.dtype, dimensions(image.shape)), output: .tensor(result, output.dtype, dimensions(output.shape)))
    }

    /// A shape as readers of the file see it.
    private func dimensions(_ shape: [Size]) -> [Dimension] {
        shape.map { size in size.fixed.map { .size($0) } ?? table.text(size, probes: graph.probes).map { .named($0) } ?? .open }
    }

    private func write(_ index: Int, _ value: SizedGraph.Value) throws {
        switch value.source {
        case .input:
            return
        case .stored(let tensor):
            constants[index] = tensor
        case .filled(let number):
            let shape = try sizes(value.shape, name: "constant/shape")
            let one = try builder.constant(number, name: "constant")
            names[index] = builder.add("Expand", [one, shape], name: "constant/expand")
        case .operation(let operations, let inputs, let scope):
            let step = Step(index: index, operations: operations, inputs: inputs, scope: scope, shape: value.shape, dtype: value.dtype)
            try checkInterrupt()
            do {
                if let folded = try fold(step) {
                    constants[index] = folded
                } else {
                    let name = try translate(step)
                    names[index] = name
                    // A broadcast that its reader does is the value before it.
                    if !inputs.contains(where: { names[$0] == name && shape($0) != value.shape }) { table.add(name, value.shape) }
                    builder.note(name, value.dtype, dimensions(value.shape))
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
        guard case .operation(let operations, _, let scope) = graph.values[index].source else { return "constant" }
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

    func shape(_ index: Int) -> [Size] { graph.values[index].shape }

    /// The operation that made a value, with its inputs.
    func source(_ index: Int) -> (operations: [Operation], inputs: [Int])? {
        guard case .operation(let operations, let inputs, _) = graph.values[index].source else { return nil }
        return (operations, inputs)
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

    /// The step's operation, when it is the same in all recordings.
    func operation(_ step: Step) throws -> Operation {
        guard step.operations.allSatisfy({ $0 == step.operations[0] }) else {
            throw TensorError(step.operations[0].name, "its options depend on the number or size of the images, which a file cannot say")
        }
        return step.operations[0]
    }
}
