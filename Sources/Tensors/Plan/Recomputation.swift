/// What a plan computes again in the backward pass instead of keeping it from the forward pass.
public enum Recomputation: String, CaseIterable, Sendable {
    /// Nothing: the fastest, where memory does not matter.
    case none
    /// What takes one pass over memory or little more: normalised values, activations, depthwise convolutions, pools, resized images.
    case cheap
    /// All convolutions too: the intermediate values of one cell (or block of a network) at a time, for about a third more arithmetic.
    case convolutions
}

/// Copies works to where their results are read again, long after they were read first; between the two nothing has to be kept.
struct RecomputationPass {
    private var graph: PlanGraph
    private let level: Recomputation
    /// Place of each work in the order of the plan; copies come half a step before their first reader.
    private var place: [Double]
    /// Works that read from each buffer.
    private var readers: PlanGraph.Readers
    private var isWrittenOften = Set<Int>()
    /// Between readers that are fewer works apart a value is kept.
    private let gap: Double

    static func run(_ graph: inout PlanGraph, _ level: Recomputation) {
        guard level != .none else { return }
        var pass = RecomputationPass(graph, level)
        for i in graph.works.indices.reversed() where !graph.works[i].isDead { pass.visit(i) }
        pass.graph.reorder(by: pass.place)
        graph = pass.graph
    }

    private init(_ graph: PlanGraph, _ level: Recomputation) {
        self.graph = graph
        self.level = level
        place = graph.works.indices.map(Double.init)
        gap = Double(max(24, graph.works.count / 100))
        readers = graph.readers { graph.home($0).owner }
        var written = Set<Int>()
        for work in graph.works where !work.isDead {
            let owner = graph.home(work.output).owner
            if !written.insert(owner).inserted { isWrittenOften.insert(owner) }
        }
    }

    private mutating func visit(_ i: Int) {
        let work = graph.works[i]
        let value = work.output
        guard mayRepeat(work), graph.values[value].base == value, !isWrittenOften.contains(value), !isKept(value) else { return }
        let list = readers[value].sorted { place[$0] < place[$1] }
        // The widest pause between uses.
        var (widest, cut) = (0.0, 0)
        var before = place[i]
        for (k, reader) in list.enumerated() {
            if place[reader] - before > widest { (widest, cut) = (place[reader] - before, k) }
            before = place[reader]
        }
        guard cut > 0, widest > gap else { return }
        let at = place[list[cut]] - 0.5
        guard work.inputs.allSatisfy({ isThere($0, at) }) else { return }
        let copy = graph.addCopy(of: value)
        let again = work.copy(to: copy)
        again.computesStatistics = false
        graph.setProducer(copy, graph.works.count)
        let index = graph.works.count
        graph.works.append(again)
        place.append(at)
        for input in work.inputs { readers.add(index, to: graph.home(input).owner) }
        for reader in list[cut...] {
            graph.works[reader].inputs = graph.works[reader].inputs.map { $0 == value ? copy : $0 }
        }
        readers[copy] = Array(list[cut...])
        readers[value] = Array(list[..<cut])
    }

    /// Views of it would have to follow, so it must have none.
    private func isKept(_ value: Int) -> Bool { graph.values[value].isRoot || !graph.values[value].dependents.isEmpty || !graph.values[value].layout.isContiguous }

    /// Whether an input is there at a later time: kept for other reasons, or computed again itself.
    private func isThere(_ value: Int, _ time: Double) -> Bool {
        let (owner, _) = graph.home(value)
        switch graph.values[owner].source {
        case .input, .stored: return true
        case .view: return false
        case .computed:
            if graph.values[owner].isRoot || readers[owner].contains(where: { place[$0] >= time }) { return true }
            // Statistics that a norm computes for itself are no result of it.
            guard let producer = graph.values[owner].producer, owner == value, graph.works[producer].output == owner, mayRepeat(graph.works[producer]), !isWrittenOften.contains(owner), !isKept(owner)
            else { return false }
            return graph.works[producer].inputs.allSatisfy { isThere($0, time) }
        }
    }

    private func mayRepeat(_ work: PlanGraph.Work) -> Bool {
        guard !work.accumulate else { return false }
        return switch work.operation.traits.repetition {
        case .never: false
        case .cheap: true
        case .shortChain: (work.chain?.length ?? 1) <= 4
        case .pair: work.inputs.count == 2
        case .convolution: level == .convolutions || graph.values[work.inputs[1]].layout.shape[1] == 1
        }
    }
}
