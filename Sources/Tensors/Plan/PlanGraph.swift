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
    }

    struct Work {
        var operation: Operation
        var inputs: [Int]
        var output: Int
        /// Fused forms, see `Fusion`.
        var relu = false
        var mask = false
        /// The buffer holds an earlier value that the result is added to.
        var accumulate = false
        var chain: ElementwiseChain?
        var isDead = false
    }

    private(set) var values: [Value] = []
    var works: [Work] = []
    private var index: [ObjectIdentifier: Int] = [:]

    /// - Parameters:
    ///   - roots: what the plan has to deliver.
    ///   - inputs: promises that each run binds.
    init(_ recording: Recording, roots: [Tensor], inputs: [Tensor]) {
        for (i, input) in inputs.enumerated() { add(input, .input(i)) }
        var needed = Set<ObjectIdentifier>()
        var stack = roots
        while let tensor = stack.popLast() {
            guard needed.insert(ObjectIdentifier(tensor)).inserted, tensor.isSymbolic, let node = tensor.node else { continue }
            stack.append(contentsOf: node.inputs)
        }
        for tensor in recording.tensors where needed.contains(ObjectIdentifier(tensor)) {
            guard let node = tensor.node else { continue }
            let sources = node.inputs.map { find($0) }
            if let base = sources.first, let (layout, shift) = node.operation.viewLayout(values[base].layout, tensor.shape) {
                let value = add(tensor, .view)
                values[value].layout = layout
                values[value].base = base
                values[value].offset = shift
                values[base].uses += 1
            } else {
                let value = add(tensor, .computed)
                values[value].producer = works.count
                for source in sources { values[source].uses += 1 }
                works.append(Work(operation: node.operation, inputs: sources, output: value))
            }
        }
        for root in roots {
            let value = find(root)
            values[value].uses += 1
            values[value].isRoot = true
        }
    }

    @discardableResult
    private mutating func add(_ tensor: Tensor, _ source: Source) -> Int {
        let id = values.count
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

    // Edits by the passes.

    mutating func release(_ value: Int) {
        values[value].uses -= 1
        if values[value].uses == 0, let producer = values[value].producer, !works[producer].isDead {
            works[producer].isDead = true
            for input in works[producer].inputs { release(input) }
        }
    }

    mutating func retain(_ value: Int) { values[value].uses += 1 }

    mutating func setProducer(_ value: Int, _ work: Int) { values[value].producer = work }

    /// `value` is computed in the buffer of `earlier`.
    mutating func share(_ value: Int, with earlier: Int) {
        values[value].base = earlier
        values[value].offset = 0
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
