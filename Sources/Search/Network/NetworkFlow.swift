import Networks
import Tensors

/// A network as the graph of its modules, found by writing its computation down: what reads what, which decisions are made where, and under which options
/// each part is there. What pictures of a space are made of.
public struct NetworkFlow {
    public struct Node {
        public enum Kind: Hashable {
            case input
            case output
            /// A module, by its path in the network.
            case module(String)
            /// Where values meet outside of modules.
            case junction
            /// All that stands on the arrows and states of a paths decision.
            case paths(String)
        }

        public let kind: Kind
        /// How the module prints, without what is in it: "conv2d(8 -> 16, 3x3)"; empty for others.
        public let note: String
        /// Decisions that are made here and nowhere else.
        public internal(set) var decisions: [String] = []
        /// Decisions that are made here and in other places.
        public internal(set) var shared: [String] = []
        /// What has to be on for the node to be there.
        public internal(set) var gates: [Gate.Condition] = []
    }

    public struct Edge {
        public let from: Int
        public let to: Int
        /// What has to be on for it to be used, beyond what its ends need: one of the lists; empty: nothing.
        public let gates: [[Gate.Condition]]
    }

    /// In an order in which they can compute.
    public private(set) var nodes: [Node] = []
    public private(set) var edges: [Edge] = []
    /// Decisions that stand in no node of their own.
    public private(set) var elsewhere: [String] = []

    init(_ nodes: [Node], _ edges: [Edge], elsewhere: [String]) { (self.nodes, self.edges, self.elsewhere) = (nodes, edges, elsewhere) }

    /// More boxes than these nobody can read: modules that only lead from one to another become lines.
    private static let many = 40

    /// - Parameters:
    ///   - root: the network, as a build gave it.
    ///   - input: the shape of what it is called with.
    /// - Throws: what the network throws for such an input.
    init(_ root: Module, decisions: DecisionList, input: [Int]) throws {
        let (steps, output) = try CostMeasure.steps(input: input) { try root($0) }
        let units = FlowUnits(root, steps: steps, output: output, decisions: decisions)
        var graph = FlowGraph(units, steps: steps, output: output)
        graph.contract { $0.kind == .junction }
        if graph.count > Self.many { graph.contract { $0.isPassage } }
        graph.place(decisions)
        (nodes, edges) = graph.result()
        let placed = Set(nodes.flatMap(\.decisions)).union(nodes.compactMap { if case .paths(let name) = $0.kind { name } else { nil } })
        elsewhere = decisions.all.map(\.name).filter { !placed.contains($0) }
    }
}

extension ModuleSpace {
    /// The graph of the supernet's modules.
    /// - Parameter input: the shape of what the network is called with.
    public func flow(input: [Int], classes: Int? = nil) throws -> NetworkFlow {
        let root = try RandomStreams.keeping {
            RandomStreams.start(seed: 0)
            return try build(.supernet, classes: classes, seed: 0).root
        }
        return try NetworkFlow(root, decisions: decisions, input: input)
    }
}
