/// The part of a recording that a plan computes, as flat arrays: values (tensors) and the work that makes them.
struct PlanGraph {
    /// Where a value's numbers live.
    enum Source {
        /// Given at each run.
        case input(Int)
        /// A stored tensor: a parameter, a buffer, a constant.
        case stored(Tensor)
        /// Computed into a buffer of the plan.
        case computed
        /// Another layout of the buffer of value `base`.
        case view
    }

    struct Value {
        let source: Source
        let dtype: DType
        var layout: TensorLayout
        /// The value whose buffer this one lies in (itself, unless it is a view or computed in place), and where from its start.
        var base: Int
        var offset: Int
        /// Number of works that read it, plus one if it leaves the plan.
        var uses = 0
        var isRoot = false
        /// Index of the work that computes it.
        var producer: Int?
        /// How a view follows from its base; nil for a value that fills a buffer, or is computed in that of another.
        var derivation: Operation?
        /// Views of it, and values that are computed in its place.
        var dependents: [Int] = []
        /// Never there as a whole: handed on within a chain of works, see `SliceFusion`.
        fileprivate(set) var isPassed = false
    }

    /// The chain that a work belongs to, and the images and sets of channels that it is cut into.
    struct Slices: Equatable {
        let chain, images, sets: Int
        var pieces: Int { images * sets }
    }

    /// A class: passes go over them many times, and a supernet has hundreds of thousands.
    final class Work {
        let operation: Operation
        var inputs: [Int]
        var output: Int
        /// Path of the module in which it was written.
        let module: String
        /// Runs that compute it.
        var regions: Regions
        /// Of what leaves regions: the runs in which it reads its value.
        var source = Regions.everywhere
        /// Fused forms, see `Fusion`.
        var relu = false
        var mask = false
        /// The buffer holds an earlier value that the result is added to.
        var accumulate = false
        /// Of what leaves a region: it is computed where it is to stand, and only has to be cleared where it is not.
        var clears = false
        /// The statistics among its inputs are computed by it.
        var computesStatistics = false
        var chain: ElementwiseChain?
        /// Of a graph that nothing differentiates: a convolution in whatever form is fastest, with the batch norm and the ReLU behind it.
        var infers = false
        var folded: FoldedNorm?
        var rectify = false
        /// Runs image by image with the works next to it, see `SliceFusion`.
        var slices: Slices?
        var isDead = false

        init(_ operation: Operation, inputs: [Int], output: Int, module: String, regions: Regions) {
            (self.operation, self.inputs, self.output, self.module, self.regions) = (operation, inputs, output, module, regions)
        }

        /// The same work once more, with a result of its own.
        func copy(to output: Int) -> Work {
            let copy = Work(operation, inputs: inputs, output: output, module: module, regions: regions)
            copy.source = source
            (copy.relu, copy.mask, copy.accumulate, copy.clears, copy.rectify) = (relu, mask, accumulate, clears, rectify)
            (copy.computesStatistics, copy.chain, copy.infers, copy.folded, copy.slices) = (computesStatistics, chain, infers, folded, slices)
            return copy
        }
    }

    private(set) var values: [Value] = []
    var works: [Work] = []
    private var index: [ObjectIdentifier: Int] = [:]
    /// Numbers that decide which works of regions are done.
    private(set) var guards: [Int] = []
    /// What is read instead of tensors that the recorded function made and wrote: at each run they are as they were made.
    private let constants: [ObjectIdentifier: Storage]

    /// - Parameters:
    ///   - roots: what the plan has to deliver, and in which runs.
    ///   - inputs: promises that each run binds.
    ///   - optimise: take parameters that lie side by side for their concatenation.
    init(_ recording: Recording, roots: [(tensor: Tensor, regions: Regions)], inputs: [Tensor], optimise: Bool) throws {
        constants = try recording.constants()
        for (i, input) in inputs.enumerated() { add(input, .input(i)) }
        var needed = Set<ObjectIdentifier>(minimumCapacity: recording.tensors.count)
        var places = Set<Regions>()
        var guardians: [Tensor] = []
        var stack = roots.map(\.tensor)
        while let tensor = stack.popLast() {
            guard needed.insert(ObjectIdentifier(tensor)).inserted, tensor.isSymbolic, let node = tensor.node else { continue }
            stack.append(contentsOf: node.inputs)
            guard !node.regions.isEverywhere, places.insert(node.regions).inserted else { continue }
            let guards = node.regions.alternatives.flatMap(\.guardians)
            guardians += guards
            stack += guards
        }
        index.reserveCapacity(needed.count)
        for tensor in recording.tensors where needed.contains(ObjectIdentifier(tensor)) {
            guard let node = tensor.node else { continue }
            if optimise, case .concat(axis: 0) = node.operation, let block = Tensor.block(of: node.inputs) {
                add(tensor, .stored(block))
                continue
            }
            let sources = node.inputs.map { find($0) }
            if let base = sources.first, let (layout, shift) = node.operation.viewLayout(values[base].layout, tensor.shape) {
                let value = add(tensor, .view)
                values[value].layout = layout
                values[value].base = base
                values[value].offset = shift
                values[value].derivation = node.operation
                values[base].dependents.append(value)
                values[base].uses += 1
            } else {
                let value = add(tensor, .computed)
                values[value].producer = works.count
                for source in sources { values[source].uses += 1 }
                let work = Work(node.operation, inputs: sources, output: value, module: node.scope, regions: node.regions)
                if case .emerge = node.operation { work.source = node.inputs[0].node?.regions ?? .everywhere }
                works.append(work)
            }
        }
        guards = Set(guardians.map { find($0) }).sorted()
        for value in guards + roots.map({ find($0.tensor) }) {
            values[value].uses += 1
            values[value].isRoot = true
        }
        if !guards.isEmpty { decideFirst(roots.map { (find($0.tensor), $0.regions) }) }
    }

    /// What the guards are computed from comes first, in every run; all else only in runs that read it.
    private mutating func decideFirst(_ roots: [(value: Int, regions: Regions)]) {
        var isFirst = [Bool](repeating: false, count: works.count)
        var stack = guards
        while let value = stack.popLast() {
            guard let producer = values[home(value).owner].producer, !isFirst[producer] else { continue }
            isFirst[producer] = true
            works[producer].regions = .everywhere
            stack += works[producer].inputs
        }
        // Of each buffer, where it is read.
        var readers = [Regions?](repeating: nil, count: values.count)
        func note(_ value: Int, _ regions: Regions) {
            let owner = home(value).owner
            guard let known = readers[owner] else { return readers[owner] = regions }
            if !known.covers(regions) { readers[owner] = known.union(regions) }
        }
        for (value, regions) in roots { note(value, regions) }
        for (i, work) in works.enumerated().reversed() {
            if !isFirst[i], let needed = readers[work.output], work.regions.covers(needed) { work.regions = needed }
            for (place, input) in work.inputs.enumerated() {
                if place == 0, case .emerge = work.operation { note(input, work.source) } else { note(input, work.regions) }
            }
        }
        reorder(by: isFirst.map { $0 ? -1 : 0 })
    }

    @discardableResult
    private mutating func add(_ tensor: Tensor, _ source: Source) -> Int {
        let id = values.count
        var source = source
        if case .stored(let stored) = source, let constant = stored.storageIdentity.flatMap({ constants[$0] }) {
            source = .stored(Tensor(storage: constant, offset: stored.offset, layout: stored.layout, dtype: stored.dtype))
        }
        values.append(Value(source: source, dtype: tensor.dtype, layout: tensor.layout, base: id, offset: 0))
        index[ObjectIdentifier(tensor)] = id
        return id
    }

    /// The value of a tensor; stored tensors become values when they are first met.
    mutating func find(_ tensor: Tensor) -> Int {
        if let known = index[ObjectIdentifier(tensor)] { return known }
        return add(tensor, .stored(tensor))
    }

    func value(of tensor: Tensor) -> Int? { index[ObjectIdentifier(tensor)] }

    /// Multiply-adds of all convolutions and their derivatives.
    var multiplyAdds: Int {
        works.reduce(0) { total, work in
            if work.isDead { return total }
            switch work.operation {
            case .conv2d, .convInputGradient, .convWeightGradient:
                return total + work.operation.multiplyAdds(work.inputs.map { values[$0].layout.shape }, values[work.output].layout.shape)
            default: return total
            }
        }
    }

    /// The works that read each value, in order: each once. `key` tells what counts as the same, as the owner of the memory.
    func readers(by key: (Int) -> Int = { $0 }) -> Readers {
        var readers = Readers(count: values.count)
        for i in works.indices where !works[i].isDead { for input in works[i].inputs { readers.add(i, to: key(input)) } }
        return readers
    }

    /// Lists of works by value.
    struct Readers {
        private var lists: [[Int]]

        init(count: Int) { lists = [[Int]](repeating: [], count: count) }

        subscript(value: Int) -> [Int] {
            get { value < lists.count ? lists[value] : [] }
            set {
                while lists.count <= value { lists.append([]) }
                lists[value] = newValue
            }
        }

        /// Adds a work behind those that are there, once.
        mutating func add(_ work: Int, to value: Int) {
            while lists.count <= value { lists.append([]) }
            if lists[value].last != work { lists[value].append(work) }
        }
    }

    // Edits by the passes.

    mutating func release(_ value: Int) {
        values[value].uses -= 1
        if values[value].uses == 0, let producer = values[value].producer, !works[producer].isDead {
            works[producer].isDead = true
            for input in works[producer].inputs { release(input) }
        }
    }

    mutating func retain(_ value: Int) { values[value].uses += 1 }

    mutating func pass(_ value: Int) { values[value].isPassed = true }

    mutating func setProducer(_ value: Int, _ work: Int?) { values[value].producer = work }

    /// `value` is computed where `earlier` lies, whose numbers it takes in or replaces.
    mutating func share(_ value: Int, with earlier: Int) { place(value, in: earlier, offset: 0, values[earlier].layout) }

    /// `value` lies in the buffer of `base`. Its own views follow; `canLie` tells whether they can.
    mutating func place(_ value: Int, in base: Int, offset: Int, _ layout: TensorLayout) {
        values[value].base = base
        values[value].offset = offset
        values[base].dependents.append(value)
        lay(value, layout)
    }

    private mutating func lay(_ value: Int, _ layout: TensorLayout) {
        values[value].layout = layout
        for dependent in values[value].dependents {
            guard let derivation = values[dependent].derivation else {
                lay(dependent, layout)
                continue
            }
            guard let (next, shift) = derivation.viewLayout(layout, values[dependent].layout.shape) else { continue }
            values[dependent].offset = shift
            lay(dependent, next)
        }
    }

    /// Whether all views of a value can follow it into a layout.
    func canLie(_ value: Int, _ layout: TensorLayout) -> Bool {
        values[value].dependents.allSatisfy { dependent in
            guard let derivation = values[dependent].derivation else {
                // One that a pass found to be a part of it stays where it is.
                return values[dependent].offset == 0 && values[dependent].layout == values[value].layout && canLie(dependent, layout)
            }
            guard let (next, _) = derivation.viewLayout(layout, values[dependent].layout.shape) else { return false }
            return canLie(dependent, next)
        }
    }

    /// The value lies where a view is: `derivation` nil, for what a pass found to be a part of another buffer already.
    mutating func becomeView(_ value: Int, of owner: Int, offset: Int, _ layout: TensorLayout) {
        values[value].producer = nil
        place(value, in: owner, offset: offset, layout)
    }

    /// Whether the only reader of a value may write its result over it: nobody else reads that part of the buffer.
    func canOverwrite(_ value: Int) -> Bool {
        guard values[value].uses == 1, !values[value].isRoot else { return false }
        if soleProducer(value) != nil { return true }
        var (path, node) = (value, values[value].base)
        while values[path].derivation != nil {
            let views = values[node].dependents
            guard path != node, !values[node].isRoot, values[node].uses == views.count, views.allSatisfy({ values[$0].derivation != nil }) else { return false }
            for other in views where other != path && !areDisjoint(other, value) { return false }
            switch values[node].source {
            case .computed: return true
            case .view: (path, node) = (node, values[node].base)
            case .input, .stored: return false
            }
        }
        return false
    }

    /// Whether two parts of one buffer have no element in common; false when that is not easily seen.
    private func areDisjoint(_ a: Int, _ b: Int) -> Bool {
        let (first, second) = (home(a).offset, home(b).offset)
        let (x, y) = (values[a].layout, values[b].layout)
        if x.isContiguous, y.isContiguous { return first + x.count <= second || second + y.count <= first }
        guard x.isBatchContiguous, y.isBatchContiguous, x.shape[0] == y.shape[0], x.strides[0] == y.strides[0], x.strides[0] > 0 else { return false }
        let (step, images) = (x.strides[0], max(x.shape[0], 1))
        let (low, high) = (first % step, second % step)
        let (width, otherWidth) = (x.count / images, y.count / images)
        return low + width <= step && high + otherWidth <= step && (low + width <= high || high + otherWidth <= low)
    }

    /// Puts the works into the order of their keys; equal ones stay as they are.
    mutating func reorder(by keys: [Double]) {
        if zip(keys, keys.dropFirst()).allSatisfy({ $0 <= $1 }) { return }
        let order = works.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
        var place = [Int](repeating: 0, count: works.count)
        for (new, old) in order.enumerated() { place[old] = new }
        works = order.map { works[$0] }
        for i in values.indices { values[i].producer = values[i].producer.map { place[$0] } }
    }

    /// The value that owns the memory in which `value` lies, and the offset (in elements) there.
    func home(_ value: Int) -> (owner: Int, offset: Int) {
        var (owner, offset) = (value, 0)
        while values[owner].base != owner {
            offset += values[owner].offset
            owner = values[owner].base
        }
        return (owner, offset)
    }

    /// The owner of a value that fills its whole computed buffer as a contiguous tensor.
    func ownerIfWhole(_ value: Int) -> Int? {
        let (owner, offset) = home(value)
        guard case .computed = values[owner].source, offset == 0, values[value].layout.isContiguous,
            values[value].layout.count == values[owner].layout.count
        else { return nil }
        return owner
    }

    /// The computed, contiguous buffer of which a value is a contiguous stretch, and where that starts.
    func ownerIfStretch(_ value: Int) -> (owner: Int, offset: Int)? {
        let (owner, offset) = home(value)
        guard case .computed = values[owner].source, values[value].layout.isContiguous, values[owner].layout.isContiguous else { return nil }
        return (owner, offset)
    }

    /// A new contiguous copy of a value.
    mutating func addCopy(of value: Int) -> Int {
        let id = values.count
        values.append(Value(source: .computed, dtype: values[value].dtype, layout: TensorLayout(contiguous: values[value].layout.shape), base: id, offset: 0))
        return id
    }

    /// The work that computes `value` when nothing else reads it, so that it may be merged into its reader.
    func soleProducer(_ value: Int) -> Int? {
        guard values[value].uses == 1, !values[value].isRoot, case .computed = values[value].source, let producer = values[value].producer,
            !works[producer].isDead
        else { return nil }
        return producer
    }
}
