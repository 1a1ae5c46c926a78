/// Sums whose terms add themselves to one buffer: `a + f(x) + h(y)` where nobody else reads the terms. The buffer may be a part of a larger one, so that
/// what is added to slices of a tensor is added in place.
enum SumFusion {
    static func run(_ graph: inout PlanGraph) {
        let sums = graph.works.indices.filter { isSum($0, graph) }
        var inner = Set<Int>()
        for i in sums {
            for input in graph.works[i].inputs {
                if let producer = graph.soleProducer(input), isSum(producer, graph) { inner.insert(producer) }
            }
        }
        var keys = graph.works.indices.map(Double.init)
        for root in sums where !inner.contains(root) { fuse(Terms(root, graph), &graph, &keys) }
        graph.reorder(by: keys)
    }

    fileprivate static func isSum(_ i: Int, _ graph: PlanGraph) -> Bool {
        let work = graph.works[i]
        guard !work.isDead, case .binary(.add) = work.operation, work.inputs[0] != work.inputs[1], graph.values[work.output].dtype == .float32 else { return false }
        let shape = graph.values[work.output].layout.shape
        return work.inputs.allSatisfy { graph.values[$0].layout.shape == shape }
    }

    /// A sum of several terms, taken apart.
    private struct Terms {
        let root: Int
        /// The additions below the root.
        private(set) var inner: [Int] = []
        /// Terms that can add themselves, in the order they are computed.
        private(set) var adders: [Adder] = []
        /// All others.
        private(set) var plain: [Int] = []

        init(_ root: Int, _ graph: PlanGraph) {
            self.root = root
            for input in graph.works[root].inputs { collect(input, graph) }
            if Set(plain).count != plain.count { adders = [] }
            adders.sort { (graph.values[$0.value].producer ?? 0) < (graph.values[$1.value].producer ?? 0) }
        }

        private mutating func collect(_ value: Int, _ graph: PlanGraph) {
            if let producer = graph.soleProducer(value), SumFusion.isSum(producer, graph) {
                for input in graph.works[producer].inputs { collect(input, graph) }
                inner.append(producer)
            } else if let adder = Adder(value, graph) {
                adders.append(adder)
            } else {
                plain.append(value)
            }
        }
    }

    /// A term that can add itself.
    private struct Adder {
        /// What is added.
        let value: Int
        /// The term of the sum.
        let term: Int
        /// The work that brings a value out of its region: in runs where it is not computed, nothing is added, and there is nothing to bring.
        let exit: Int?

        init?(_ term: Int, _ graph: PlanGraph) {
            guard let producer = graph.soleProducer(term), graph.values[term].base == term, !graph.works[producer].accumulate else { return nil }
            self.term = term
            if case .emerge(_, otherwise: false) = graph.works[producer].operation, let inner = Adder.own(graph.works[producer].inputs[0], graph) {
                (value, exit) = (inner, producer)
            } else if graph.works[producer].canAccumulate {
                (value, exit) = (term, nil)
            } else {
                return nil
            }
        }

        private static func own(_ value: Int, _ graph: PlanGraph) -> Int? {
            guard let producer = graph.soleProducer(value), graph.values[value].base == value, graph.works[producer].canAccumulate,
                !graph.works[producer].accumulate
            else { return nil }
            return value
        }
    }

    private static func fuse(_ terms: Terms, _ graph: inout PlanGraph, _ keys: inout [Double]) {
        guard let first = terms.adders.first else { return }
        let output = graph.works[terms.root].output
        if terms.plain.isEmpty {
            guard accumulate(Array(terms.adders.dropFirst()), onto: first.term, sum: output, &graph, &keys) else { return }
            finish(terms, &graph)
        } else if terms.plain.count == 1, let base = terms.plain.first, graph.canOverwrite(base) {
            if accumulate(terms.adders, onto: base, sum: output, &graph, &keys) { finish(terms, &graph) }
        } else if terms.plain.count == 1, let base = terms.plain.first, terms.adders.count > 1, let last = terms.inner.last {
            // The one that somebody else reads too is added at the end.
            let sum = graph.works[last].output
            guard accumulate(Array(terms.adders.dropFirst()), onto: first.term, sum: sum, &graph, &keys) else { return }
            for i in terms.inner { graph.works[i].isDead = true }
            graph.works[terms.root].inputs = [base, sum]
        } else if terms.plain.count > 1, terms.inner.count >= terms.plain.count - 1 {
            addPlain(terms, &graph, &keys)
        }
    }

    /// Several plain terms: their sum first, element by element, then the others onto it.
    private static func addPlain(_ terms: Terms, _ graph: inout PlanGraph, _ keys: inout [Double]) {
        let used = terms.inner.sorted().suffix(terms.plain.count - 1)
        var sum = terms.plain[0]
        guard let last = used.last else { return }
        let base = graph.works[last].output
        guard terms.adders.allSatisfy({ graph.canLie($0.value, graph.values[base].layout) }), graph.canLie(graph.works[terms.root].output, graph.values[base].layout)
        else { return }
        for (i, term) in zip(used, terms.plain.dropFirst()) {
            graph.works[i].inputs = [sum, term]
            sum = graph.works[i].output
            keys[i] = Double(terms.root)
        }
        for i in terms.inner where !used.contains(i) { graph.works[i].isDead = true }
        _ = accumulate(terms.adders, onto: base, sum: graph.works[terms.root].output, &graph, &keys)
        graph.works[terms.root].isDead = true
    }

    private static func finish(_ terms: Terms, _ graph: inout PlanGraph) {
        for i in terms.inner { graph.works[i].isDead = true }
        graph.works[terms.root].isDead = true
    }

    /// Lets each adder add to the buffer of `base`, which then holds `sum`. Returns false, having done nothing, where the layouts do not allow it.
    private static func accumulate(_ adders: [Adder], onto base: Int, sum: Int, _ graph: inout PlanGraph, _ keys: inout [Double]) -> Bool {
        let layout = graph.values[base].layout
        let isPart = graph.values[base].base != base
        guard layout.isContiguous || layout.isBatchContiguous, !(isPart && graph.values[sum].isRoot), graph.canLie(sum, layout) else { return false }
        for adder in adders {
            guard let producer = graph.values[adder.value].producer, graph.works[producer].canWrite(layout), graph.canLie(adder.value, layout) else { return false }
        }
        var ready = readiness(base, graph, keys)
        for adder in adders {
            guard let producer = graph.values[adder.value].producer else { continue }
            graph.works[producer].accumulate = true
            graph.share(adder.value, with: base)
            if let exit = adder.exit { graph.works[exit].isDead = true }
            // Behind what it adds to, but before the work that follows that.
            if keys[producer] <= ready { keys[producer] = ready + 1.0 / 4096 }
            ready = max(ready, keys[producer])
            graph.setProducer(sum, producer)
        }
        graph.share(sum, with: base)
        return true
    }

    /// When the numbers of a value are there.
    private static func readiness(_ value: Int, _ graph: PlanGraph, _ keys: [Double]) -> Double {
        var node = value
        while true {
            if let producer = graph.values[node].producer { return keys[producer] }
            let base = graph.values[node].base
            if base == node { return -1 }
            node = base
        }
    }
}
