import Base
import Tensors

/// The graph of a network's modules as JSON, for pictures where the network itself is not at hand: `{"nodes": [{"kind", "name", "note", "decisions", "shared", "gates"}],
/// "edges": [{"from", "to", "gates"}], "elsewhere": [...]}`; nodes count from 1, a gate is `[decision, option]` or `[decision, layer, state]`, options and states from 1.
extension NetworkFlow {
    public var json: JSONValue {
        func list(_ names: [String]) -> JSONValue { .array(names.map(JSONValue.string)) }
        func gates(_ gates: [Gate.Condition]) -> JSONValue { .array(gates.map(\.json)) }
        return .object([
            .init("nodes", .array(nodes.map { node in
                .object([
                    .init("kind", .string(node.kind.text.kind)), .init("name", .string(node.kind.text.name)), .init("note", .string(node.note)),
                    .init("decisions", list(node.decisions)), .init("shared", list(node.shared)), .init("gates", gates(node.gates)),
                ])
            })),
            .init("edges", .array(edges.map { edge in
                .object([.init("from", .integer(edge.from + 1)), .init("to", .integer(edge.to + 1)), .init("gates", .array(edge.gates.map(gates)))])
            })),
            .init("elsewhere", list(elsewhere)),
        ])
    }

    /// Reads what `json` gives.
    /// - Throws: `SpaceError` for what is none.
    public init(json: JSONValue, at place: String = "flow") throws {
        let reader = JSONReader(json, at: place)
        func names(_ reader: JSONReader) throws -> [String] { try reader.items().map { try $0.string() } }
        let nodes = try reader.required("nodes").items().map { item -> Node in
            var node = Node(kind: try Node.Kind(item), note: try item.required("note").string())
            node.decisions = try names(item.required("decisions"))
            node.shared = try names(item.required("shared"))
            node.gates = try item.required("gates").items().map(Gate.Condition.init(json:))
            return node
        }
        let edges = try reader.required("edges").items().map { item -> Edge in
            let (from, to) = (try item.required("from").int() - 1, try item.required("to").int() - 1)
            guard nodes.indices.contains(from), nodes.indices.contains(to), from < to else { throw item.error("an edge from a node to a later one") }
            return Edge(from: from, to: to, gates: try item.required("gates").items().map { try $0.items().map(Gate.Condition.init(json:)) })
        }
        self.init(nodes, edges, elsewhere: try names(reader.required("elsewhere")))
    }
}

extension NetworkFlow.Node.Kind {
    fileprivate var text: (kind: String, name: String) {
        switch self {
        case .input: ("input", "")
        case .output: ("output", "")
        case .junction: ("junction", "")
        case .module(let path): ("module", path)
        case .paths(let name): ("paths", name)
        }
    }

    fileprivate init(_ json: JSONReader) throws {
        let name = try json.required("name").string(), kind = try json.required("kind")
        switch try kind.string() {
        case "input": self = .input
        case "output": self = .output
        case "junction": self = .junction
        case "module": self = .module(name)
        case "paths": self = .paths(name)
        default: throw kind.error("input, output, junction, module or paths")
        }
    }
}

extension Gate.Condition {
    fileprivate var json: JSONValue {
        switch self {
        case .option(let name, let i): .array([.string(name), .integer(i + 1)])
        case .reached(let name, let layer, let state): .array([.string(name), .integer(layer), .integer(state + 1)])
        }
    }

    fileprivate init(json: JSONReader) throws {
        let items = try json.items()
        switch items.count {
        case 2: self = .option(try items[0].string(), try items[1].int() - 1)
        case 3: self = .reached(try items[0].string(), layer: try items[1].int(), state: try items[2].int() - 1)
        default: throw json.error("a decision and an option, or a decision, a layer and a state")
        }
    }
}
