import Foundation
import Tensors

/// A dimension as the file tells it: a number, a name that is the same for equal ones, or neither.
enum Dimension {
    case size(Int)
    case named(String)
    case open
}

/// ONNX nodes and constants in the making. Every tensor has a name of its own; a node is called like its first output.
struct GraphBuilder {
    private(set) var nodes: [Onnx_NodeProto] = []
    private(set) var constants: [String: Onnx_TensorProto] = [:]
    private(set) var types: [String: Onnx_ValueInfoProto] = [:]
    private var taken = Set<String>()
    /// Names of small constants by what they hold.
    private var known: [String: String] = [:]

    /// The name, or the first free one of `name_2`, `name_3`, ...
    mutating func unique(_ name: String) -> String {
        var free = name
        var n = 1
        while !taken.insert(free).inserted {
            n += 1
            free = "\(name)_\(n)"
        }
        return free
    }

    /// Adds a node and returns the names of its outputs.
    mutating func add(_ type: String, _ inputs: [String], name: String, _ attributes: [Onnx_AttributeProto] = [], outputs count: Int) -> [String] {
        var node = Onnx_NodeProto()
        node.name = unique(name)
        node.opType = type
        node.input = inputs
        node.output = [node.name]
        for i in stride(from: 1, to: count, by: 1) { node.output.append(unique("\(name)/\(i + 1)")) }
        node.attribute = attributes
        nodes.append(node)
        return node.output
    }

    /// Adds a node with one output and returns its name.
    mutating func add(_ type: String, _ inputs: [String], name: String, _ attributes: [Onnx_AttributeProto] = []) -> String {
        add(type, inputs, name: name, attributes, outputs: 1)[0]
    }

    /// A constant of the file.
    mutating func constant(_ tensor: Tensor, name: String) throws -> String {
        let data = try tensor.withBytes { Data($0) }
        return constant(data, tensor.shape, tensor.dtype.onnx, name: name)
    }

    /// A list of whole numbers (shapes, axes): one constant for all that hold the same.
    mutating func integers(_ values: [Int]) -> String {
        let text = "list." + values.map(String.init).joined(separator: "_")
        if let name = known[text] { return name }
        let name = constant(values.map(Int64.init).withUnsafeBytes { Data($0) }, [values.count], .int64, name: text)
        known[text] = name
        return name
    }

    /// One number, of no dimensions.
    mutating func number(_ value: Float, _ dtype: DType) -> String {
        let text = dtype == .float32 ? "number.\(value)" : "integer.\(Int32(value))"
        if let name = known[text] { return name }
        let data = dtype == .float32 ? withUnsafeBytes(of: value) { Data($0) } : withUnsafeBytes(of: Int32(value)) { Data($0) }
        let name = constant(data, [], dtype.onnx, name: text)
        known[text] = name
        return name
    }

    /// `count` times the same number.
    mutating func filled(_ value: Float, count: Int) throws -> String {
        let text = (value == 0 ? "zeros." : value == 1 ? "ones." : "\(value).") + "\(count)"
        if let name = known[text] { return name }
        let name = try constant(Tensor.full([count], value), name: text)
        known[text] = name
        return name
    }

    private mutating func constant(_ data: Data, _ shape: [Int], _ type: Onnx_TensorProto.DataType, name: String) -> String {
        var tensor = Onnx_TensorProto()
        tensor.name = unique(name)
        tensor.dims = shape.map(Int64.init)
        tensor.dataType = Int32(type.rawValue)
        tensor.rawData = data
        constants[tensor.name] = tensor
        return tensor.name
    }

    /// Gives a value the name of the result: as the output of the node that makes it, or of a node of its own where that one's name is needed too.
    mutating func addResult(_ value: String, as result: String) {
        let isRead = nodes.contains { $0.input.contains(value) }
        if !isRead, let at = nodes.firstIndex(where: { $0.output == [value] }) {
            nodes[at].output = [result]
        } else {
            var node = Onnx_NodeProto()
            (node.name, node.opType, node.input, node.output) = (unique("identity"), "Identity", [value], [result])
            nodes.append(node)
        }
    }

    /// Notes the type of a value, for those who read the file. Another value that is the same in the file (a broadcast that its reader does) changes nothing.
    mutating func note(_ name: String, _ dtype: DType, _ shape: [Dimension]) {
        if types[name] == nil { types[name] = .tensor(name, dtype, shape) }
    }

    /// The graph of what `output` needs, in order; everything else is left out.
    func graph(_ name: String, input: Onnx_ValueInfoProto, output: Onnx_ValueInfoProto) -> Onnx_GraphProto {
        var needed = Set([output.name])
        var kept: [Onnx_NodeProto] = []
        for node in nodes.reversed() where node.output.contains(where: needed.contains) {
            kept.append(node)
            needed.formUnion(node.input)
        }
        var graph = Onnx_GraphProto()
        graph.name = name
        graph.node = kept.reversed()
        graph.input = [input]
        graph.output = [output]
        var listed = Set<String>()
        for node in graph.node {
            for name in node.input { if listed.insert(name).inserted, let constant = constants[name] { graph.initializer.append(constant) } }
            for name in node.output where name != output.name { if let type = types[name] { graph.valueInfo.append(type) } }
        }
        return graph
    }
}

extension DType {
    var onnx: Onnx_TensorProto.DataType { self == .float32 ? .float : .int32 }
}

extension Onnx_ValueInfoProto {
    static func tensor(_ name: String, _ dtype: DType, _ shape: [Dimension]) -> Onnx_ValueInfoProto {
        var info = Onnx_ValueInfoProto()
        info.name = name
        info.type.tensorType.elemType = Int32(dtype.onnx.rawValue)
        info.type.tensorType.shape.dim = shape.map { size in
            var dimension = Onnx_TensorShapeProto.Dimension()
            switch size {
            case .size(let size): dimension.dimValue = Int64(size)
            case .named(let name): dimension.dimParam = name
            case .open: break
            }
            return dimension
        }
        return info
    }
}

extension Onnx_AttributeProto {
    static func int(_ name: String, _ value: Int) -> Self {
        var attribute = Self()
        (attribute.name, attribute.type, attribute.i) = (name, .int, Int64(value))
        return attribute
    }

    static func ints(_ name: String, _ values: [Int]) -> Self {
        var attribute = Self()
        (attribute.name, attribute.type, attribute.ints) = (name, .ints, values.map(Int64.init))
        return attribute
    }

    static func float(_ name: String, _ value: Float) -> Self {
        var attribute = Self()
        (attribute.name, attribute.type, attribute.f) = (name, .float, value)
        return attribute
    }

    static func string(_ name: String, _ value: String) -> Self {
        var attribute = Self()
        (attribute.name, attribute.type, attribute.s) = (name, .string, Data(value.utf8))
        return attribute
    }
}
