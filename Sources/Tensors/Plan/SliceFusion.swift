/// Chains of convolutions that run image by image: the depthwise and the pointwise one of a separable convolution, and in the backward pass all four of
/// their derivatives with what is computed again. What one leaves for the next never is a whole tensor: one image (or one edge's channels of it) is
/// used while it is in the second-level cache, and its memory is taken for the next image.
///
/// At a search step's large planes such chains are bound by memory and not by arithmetic. Two cores of a Sapphire Rapids, [4, 5·8, 81, 81] (4 MB),
/// 3x3: forward 0.68 ms instead of 0.96, backward 1.64 instead of 2.75; [6, 5·16, 41, 41]: 0.52 and 0.71, 1.20 and 2.08. Planes of 8x8 lose, 0.43 and
/// 0.28: there the images of a batch are better multiplied by the weights together. Wide layers neither win nor lose, [8, 512, 12, 12]. A whole step at
/// 321x321 takes 0.8 to 0.9 of its time.
///
/// Where the edges that leave a state read one input, a piece of work is a whole image, because they all add to its gradient: as few as two pieces for two
/// images of one arrow. More threads than that wait.
struct SliceFusion {
    /// Which chains are taken: `never` and `wherePossible`, on planes of any size, are for tests.
    enum Use { case whereTheyPay, wherePossible, never }
    nonisolated(unsafe) static var use = Use.whereTheyPay

    /// Smallest plane, in elements, and largest image of what is passed on, in bytes.
    private static var leastPlane: Int { use == .wherePossible ? 1 : 100 }
    private static let mostBytes = 5 << 18
    /// Most that the images' shares of weight gradients may take together: weights of 2000 channels would have more of them than a batch has values.
    private static let mostSumBytes = 32 << 20
    /// Works that may lie between one that passes something on and those that take it: no chain leads from the forward into the backward pass.
    private static let reach = 64

    private var graph: PlanGraph
    private let slicings: [Slicing?]
    private let readers: PlanGraph.Readers
    /// The chain that each work belongs to, by one of its works, and the works of each, in order.
    private var chain: [Int]
    private var members: [[Int]]
    private var passed: [Int] = []

    static func run(_ graph: inout PlanGraph) {
        guard use != .never else { return }
        NormSplitting.run(&graph)
        var pass = SliceFusion(graph)
        pass.link()
        pass.gather()
        graph = pass.graph
    }

    private init(_ graph: PlanGraph) {
        self.graph = graph
        slicings = graph.works.map { $0.isDead ? nil : graph.slicing($0) }
        chain = Array(graph.works.indices)
        members = graph.works.indices.map { [$0] }
        readers = graph.readers()
    }

    /// Makes one chain of those that works belong to, if its works can be run one behind the other.
    private mutating func join(_ works: [Int]) -> Bool {
        let chains = Set(works.map { chain[$0] })
        guard let first = chains.first, chains.count > 1 else { return true }
        let all = chains.flatMap { members[$0] }.sorted()
        guard all.allSatisfy({ graph.works[$0].regions == graph.works[all[0]].regions }), canMove(all) else { return false }
        for other in chains { members[other] = [] }
        members[first] = all
        for work in all { chain[work] = first }
        return true
    }

    /// Joins statistics with what computes the values that they are of (first, for they keep it in its place otherwise), works with those that read what
    /// they leave, where nobody else does, and the two derivatives of a convolution, which read the same gradient.
    private mutating func link() {
        for (i, work) in graph.works.enumerated() {
            guard let own = slicings[i], let source = work.operation.statisticsSource(work.inputs), let producer = graph.values[source].producer,
                slicings[producer]?.images == own.images, i - producer <= SliceFusion.reach
            else { continue }
            _ = join([i, producer])
        }
        for value in graph.values.indices where isPassable(value) {
            guard let producer = graph.values[value].producer, !readers[value].isEmpty, join([producer] + readers[value]) else { continue }
            passed.append(value)
        }
        for (i, work) in graph.works.enumerated() {
            guard let own = slicings[i], case .convWeightGradient(let options, _, _) = work.operation else { continue }
            for other in readers[work.inputs[1]] where slicings[other]?.images == own.images && abs(other - i) <= SliceFusion.reach {
                if case .convInputGradient(options, _, _) = graph.works[other].operation { _ = join([i, other]) }
            }
        }
    }

    private func isPassable(_ id: Int) -> Bool {
        let value = graph.values[id]
        guard case .computed = value.source, !value.isRoot, value.base == id, value.dependents.isEmpty, value.layout.isContiguous,
            let producer = value.producer, let own = slicings[producer], !graph.works[producer].accumulate, !graph.works[producer].operation.sumsOverImages
        else { return false }
        return readers[id].allSatisfy {
            slicings[$0]?.images == own.images && $0 - producer <= SliceFusion.reach && !graph.works[$0].operation.isStatistics
        }
    }

    /// Puts the works of each chain that pays behind one another, in the place of its last one.
    private mutating func gather() {
        let inside = Dictionary(grouping: passed) { chain[graph.values[$0].producer ?? 0] }
        var keys = graph.works.indices.map(Double.init)
        for (id, works) in members.enumerated() {
            guard works.count > 1, let values = inside[id], let last = works.last, let images = slicings[last]?.images else { continue }
            let slices = PlanGraph.Slices(chain: id, images: images, sets: sets(of: works))
            guard pays(works, values, slices) else { continue }
            for i in works {
                keys[i] = Double(last)
                graph.works[i].slices = slices
            }
            for value in values { graph.pass(value) }
        }
        graph.reorder(by: keys)
    }

    /// Sets of channels that all works of a chain can be cut into.
    private func sets(of chain: [Int]) -> Int {
        let known = Set(chain.compactMap { slicings[$0]?.sets })
        guard known.count == 1, let sets = known.first else { return 1 }
        return chain.allSatisfy { (slicings[$0]?.channels ?? 1) % sets == 0 } ? sets : 1
    }

    private func pays(_ chain: [Int], _ values: [Int], _ slices: PlanGraph.Slices) -> Bool {
        let bytes = values.map { graph.values[$0].layout.count / slices.pieces * DType.byteCount }.max() ?? 0
        var weights = 0
        for i in chain {
            if case .convWeightGradient = graph.works[i].operation { weights += graph.values[graph.works[i].output].layout.count }
        }
        guard bytes <= SliceFusion.mostBytes, slices.images * weights * DType.byteCount <= SliceFusion.mostSumBytes else { return false }
        return chain.allSatisfy { slicings[$0].map { SliceFusion.pays($0, slices.sets) } ?? false }
    }

    /// Whether a work is worth it, cut into so many sets. Pieces are of equal size: an odd one at the end has one thread wait for the other.
    static func pays(_ slicing: Slicing, _ sets: Int) -> Bool {
        let pieces = slicing.images * sets
        return slicing.plane >= leastPlane && pieces > 1 && (pieces % 2 == 0 || pieces > 8)
    }

    /// Whether every work of the chain may wait until the last one: nobody reads what it leaves, or changes what it reads, before that. Nor may an image's
    /// result lie in memory that an earlier work of the chain has to do with: the other thread may be at that work, for another image.
    private func canMove(_ chain: [Int]) -> Bool {
        guard let first = chain.first, let last = chain.last else { return false }
        var (written, touched, sums) = (Set<Int>(), Set<Int>(), Set<Int>())
        var next = 0
        for i in first...last where !graph.works[i].isDead {
            let work = graph.works[i]
            let output = graph.home(work.output).owner
            if next < chain.count, chain[next] == i {
                next += 1
                if touched.contains(output), !work.operation.sumsOverImages { return false }
                written.insert(output)
                touched.insert(output)
                for input in work.inputs { touched.insert(graph.home(input).owner) }
                // All images have to be there before a sum over them is read.
                if !sums.isDisjoint(with: work.inputs) { return false }
                if work.operation.sumsOverImages { sums.insert(work.output) }
            } else if touched.contains(output) || work.inputs.contains(where: { written.contains(graph.home($0).owner) }) {
                return false
            }
        }
        return true
    }
}

extension Operation {
    /// Whether all images contribute to the result.
    fileprivate var sumsOverImages: Bool {
        if case .convWeightGradient = self { return true }
        return isStatistics
    }

    fileprivate var isStatistics: Bool {
        switch self {
        case .stackedMoments, .stackedNormSums: true
        default: false
        }
    }

    /// Of what statistics are taken from: the value that is computed last.
    func statisticsSource(_ inputs: [Int]) -> Int? {
        switch self {
        case .stackedMoments: inputs[0]
        case .stackedNormSums: inputs[1]
        default: nil
        }
    }
}
