/// Chains of convolutions that run image by image: the depthwise and the pointwise one of a separable convolution, and in the backward pass all four of
/// their derivatives with what is computed again. What one leaves for the next never is a whole tensor: one image (or one edge's channels of it) is
/// used while it is in the second-level cache, and its memory is taken for the next image.
///
/// At a search step's large planes such chains are bound by memory and not by arithmetic. Two cores of a Sapphire Rapids, [4, 5·8, 81, 81] (4 MB),
/// 3x3: forward 0.68 ms instead of 0.96, backward 1.64 instead of 2.75; [6, 5·16, 41, 41]: 0.52 and 0.71, 1.20 and 2.08. Planes of 8x8 lose, 0.43 and
/// 0.28: there the images of a batch are better multiplied by the weights together.
struct SliceFusion {
    /// Smallest plane, in elements, and largest image of what is passed on, in bytes.
    private static let leastPlane = 100, mostBytes = 5 << 18

    private var graph: PlanGraph
    private let slicings: [Slicing?]
    private var readers: [Int: [Int]] = [:]
    /// Works of a chain lead to its first one.
    private var leader: [Int]
    private var passed: [Int] = []

    static func run(_ graph: inout PlanGraph) {
        var pass = SliceFusion(graph)
        pass.link()
        pass.gather()
        graph = pass.graph
    }

    private init(_ graph: PlanGraph) {
        self.graph = graph
        slicings = graph.works.map { $0.isDead ? nil : graph.slicing($0) }
        leader = Array(graph.works.indices)
        for (i, work) in graph.works.enumerated() where !work.isDead { for input in Set(work.inputs) { readers[input, default: []].append(i) } }
    }

    private mutating func find(_ i: Int) -> Int {
        var root = i
        while leader[root] != root { root = leader[root] }
        leader[i] = root
        return root
    }

    private mutating func join(_ a: Int, _ b: Int) {
        let (x, y) = (find(a), find(b))
        leader[max(x, y)] = min(x, y)
    }

    /// Joins works with those that read what they leave, where nobody else does; and the two derivatives of a convolution, which read the same gradient.
    private mutating func link() {
        for value in graph.values.indices where isPassable(value) {
            guard let producer = graph.values[value].producer, let list = readers[value], !list.isEmpty else { continue }
            for reader in list { join(producer, reader) }
            passed.append(value)
        }
        for (i, work) in graph.works.enumerated() {
            guard case .convWeightGradient(let options, _, _) = work.operation, let own = slicings[i] else { continue }
            for other in readers[work.inputs[1]] ?? [] where slicings[other]?.images == own.images {
                if case .convInputGradient(options, _, _) = graph.works[other].operation { join(i, other) }
            }
        }
    }

    private func isPassable(_ id: Int) -> Bool {
        let value = graph.values[id]
        guard case .computed = value.source, !value.isRoot, value.base == id, value.dependents.isEmpty, value.layout.isContiguous,
            let producer = value.producer, let own = slicings[producer], !graph.works[producer].accumulate
        else { return false }
        if case .convWeightGradient = graph.works[producer].operation { return false }
        return (readers[id] ?? []).allSatisfy { slicings[$0]?.images == own.images }
    }

    /// Puts the works of each chain that pays behind one another, in the place of its last one.
    private mutating func gather() {
        var chains: [Int: [Int]] = [:]
        for i in graph.works.indices where slicings[i] != nil { chains[find(i), default: []].append(i) }
        let inside = Dictionary(grouping: passed) { find(graph.values[$0].producer ?? 0) }
        var keys = graph.works.indices.map(Double.init)
        for (root, chain) in chains.sorted(by: { $0.key < $1.key }) {
            guard chain.count > 1, let values = inside[root], let last = chain.last, let sets = sets(of: chain), pays(chain, values, sets), canMove(chain)
            else { continue }
            for i in chain {
                keys[i] = Double(last)
                graph.works[i].slices = PlanGraph.Slices(chain: root, sets: sets)
            }
            for value in values { graph.pass(value) }
        }
        graph.reorder(by: keys)
    }

    /// Sets of channels that all works of a chain can be cut into.
    private func sets(of chain: [Int]) -> Int? {
        let known = Set(chain.compactMap { slicings[$0]?.sets })
        guard known.count == 1, let sets = known.first else { return 1 }
        return chain.allSatisfy { (slicings[$0]?.channels ?? 1) % sets == 0 } ? sets : 1
    }

    private func pays(_ chain: [Int], _ values: [Int], _ sets: Int) -> Bool {
        guard let images = slicings[chain[0]]?.images else { return false }
        let pieces = images * sets
        // Pieces of equal size: an odd one at the end has one thread wait for the other.
        guard pieces > 1, pieces % 2 == 0 || pieces > 8 else { return false }
        let bytes = values.map { graph.values[$0].layout.count / pieces * DType.byteCount }.max() ?? 0
        return bytes <= SliceFusion.mostBytes && chain.allSatisfy { (slicings[$0]?.plane ?? 0) >= SliceFusion.leastPlane }
    }

    /// Whether every work of the chain may wait until the last one: nobody reads what it leaves, or changes what it reads, before that.
    private func canMove(_ chain: [Int]) -> Bool {
        guard let first = chain.first, let last = chain.last else { return false }
        var (written, touched) = (Set<Int>(), Set<Int>())
        var next = 0
        for i in first...last where !graph.works[i].isDead {
            let work = graph.works[i]
            let output = graph.home(work.output).owner
            if next < chain.count, chain[next] == i {
                next += 1
                written.insert(output)
                touched.insert(output)
                for input in work.inputs { touched.insert(graph.home(input).owner) }
            } else if touched.contains(output) || work.inputs.contains(where: { written.contains(graph.home($0).owner) }) {
                return false
            }
        }
        return true
    }
}
