/// A network as plain data, for drawing: its modules in the order in which they compute, what each reads, and the decisions in them.
public struct NetworkDrawing: Hashable, Sendable {
    /// Whether an architecture has something.
    public enum Use: Hashable, Sendable {
        /// There is none, or it does not decide this.
        case open
        case on
        case off
    }

    public struct Node: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            /// What goes in and what comes out.
            case end
            case module
            /// Where values meet outside of modules: a sum, a concatenation.
            case junction
            /// All that stands on the arrows of a paths decision.
            case trellis(TrellisDrawing)
        }

        public var kind: Kind
        public var name: String
        /// What it is: "conv2d 8 -> 16".
        public var note: String
        /// Decisions that are made in it alone.
        public var decisions: [DecisionDrawing] = []
        /// The options under which it is there: "rates: 2"; empty: always.
        public var condition = ""
        public var use = Use.open

        public init(_ kind: Kind, name: String, note: String = "") {
            (self.kind, self.name, self.note) = (kind, name, note)
        }
    }

    /// From one node to a later one.
    public struct Edge: Hashable, Sendable {
        public var from: Int
        public var to: Int
        /// That it is used, in 0...1; NaN where none is known.
        public var probability: Double
        public var use: Use

        public init(from: Int, to: Int, probability: Double = .nan, use: Use = .open) {
            (self.from, self.to, self.probability, self.use) = (from, to, probability, use)
        }
    }

    public let nodes: [Node]
    public let edges: [Edge]

    /// - Throws: `FigureError.invalid` for an edge that does not lead from a node to a later one.
    public init(nodes: [Node], edges: [Edge]) throws {
        if let bad = edges.first(where: { !(nodes.indices.contains($0.from) && nodes.indices.contains($0.to) && $0.from < $0.to) }) {
            throw FigureError.invalid("network: an edge from node \(bad.from) to \(bad.to) of \(nodes.count); expected one from a node to a later one")
        }
        self.nodes = nodes
        self.edges = edges
    }

    /// Nodes that a node reads, each once.
    func sources(_ node: Int) -> [Int] { edges.filter { $0.to == node }.map(\.from).reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }

    var hasProbabilities: Bool { edges.contains { $0.probability.isFinite && $0.use == .open } }
}
