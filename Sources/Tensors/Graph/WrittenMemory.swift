/// What a function under recording has written in place, so that what it reads afterwards is what it wrote.
///
/// The values of a recording never change; memory does. A `Cell` is the memory of a stored tensor (all tensors that view one storage), of an argument or of
/// a value that the function computed, with the writes that were made to it. A tensor that is read is looked up here (`current`): where its memory has been
/// written since it was made, the value that stands there now takes its place. Stored memory itself is written at the end of a run (`assignments`).
final class WrittenMemory {
    /// Where a tensor lies.
    struct Place {
        let root: Root
        let layout: TensorLayout
        let offset: Int

        /// The range of elements that it reaches over.
        var extent: Range<Int> {
            if layout.count == 0 { return offset..<offset }
            return offset..<offset + zip(layout.shape, layout.strides).reduce(1) { $0 + ($1.0 - 1) * $1.1 }
        }

        /// Whether some element is of both; true also where that is not easily told.
        func overlaps(_ other: Place) -> Bool {
            guard extent.overlaps(other.extent) else { return false }
            guard let mine = layout.stretches(from: offset), let others = other.layout.stretches(from: other.offset) else { return true }
            var (i, j) = (0, 0)
            while i < mine.count, j < others.count {
                if mine[i].overlaps(others[j]) { return true }
                if mine[i].lowerBound < others[j].lowerBound { i += 1 } else { j += 1 }
            }
            return false
        }

        func isSame(as other: Place) -> Bool { offset == other.offset && layout == other.layout }
    }

    /// What owns memory.
    enum Root {
        case stored(Storage)
        /// An argument, or a value that the function computed.
        case value(Tensor)

        var id: ObjectIdentifier {
            switch self {
            case .stored(let storage): ObjectIdentifier(storage)
            case .value(let tensor): ObjectIdentifier(tensor)
            }
        }
    }

    private struct Write {
        let place: Place
        let target: Tensor
        let value: Tensor
    }

    private final class Cell {
        let root: Root
        var writes: [Write] = []
        /// The whole memory after all writes, [elements].
        var flat: Tensor?
        /// Values of tensors after the last write.
        var values: [ObjectIdentifier: Tensor] = [:]

        init(_ root: Root) { self.root = root }

        init(copyOf other: Cell) { (root, writes, flat, values) = (other.root, other.writes, other.flat, other.values) }
    }

    private unowned let recording: Recording
    private var cells: [ObjectIdentifier: Cell] = [:]
    private var order: [ObjectIdentifier] = []
    /// For each value that took a tensor's place: that tensor.
    private var handles: [ObjectIdentifier: Tensor] = [:]
    /// Computed values that stand for the results of several equal operations.
    private var shared = Set<ObjectIdentifier>()

    init(_ recording: Recording) { self.recording = recording }

    /// The memory as it stands, to be written apart from the original.
    init(copyOf other: WrittenMemory) {
        recording = other.recording
        cells = other.cells.mapValues { Cell(copyOf: $0) }
        (order, handles, shared, wholes) = (other.order, other.handles, other.shared, other.wholes)
    }

    /// What a copy has learned of the recording's values, but for what it wrote.
    func learn(from copy: WrittenMemory) {
        shared.formUnion(copy.shared)
        wholes = copy.wholes
    }

    var isEmpty: Bool { cells.isEmpty }

    /// Storages that are written.
    var storages: [Storage] {
        order.compactMap { id in
            if case .stored(let storage)? = cells[id]?.root { return storage }
            return nil
        }
    }

    /// Whether a computed value was written in place itself.
    func isWritten(_ value: Tensor) -> Bool { cells[ObjectIdentifier(value)] != nil }

    /// An operation is written down a second time: unless it only looks at memory, two values of a function are one tensor here.
    func noteShared(_ tensor: Tensor) throws { if try viewed(by: tensor) == nil { shared.insert(ObjectIdentifier(tensor)) } }

    // MARK: Places

    /// Where a tensor lies; views of one another share their root.
    func place(of tensor: Tensor) throws -> Place {
        if let handle = handles[ObjectIdentifier(tensor)] { return try place(of: handle) }
        guard tensor.isSymbolic else {
            return Place(root: .stored(try tensor.storage(for: "assign")), layout: tensor.layout, offset: tensor.offset)
        }
        if let node = tensor.node, node.operation.traits.isView, let input = node.inputs.first {
            let base = try place(of: input)
            if let (layout, shift) = node.operation.viewLayout(base.layout, tensor.shape) {
                return Place(root: base.root, layout: layout, offset: base.offset + shift)
            }
        }
        return Place(root: .value(tensor), layout: tensor.layout, offset: 0)
    }

    /// What a promise looks at in another way; nil for one in memory of its own.
    private func viewed(by tensor: Tensor) throws -> Tensor? {
        guard tensor.isSymbolic, let node = tensor.node, node.operation.traits.isView, let input = node.inputs.first,
            node.operation.viewLayout(try place(of: input).layout, tensor.shape) != nil
        else { return nil }
        return input
    }

    /// The tensor that a view of stored memory or of an argument was made from, and the operations that lead from there to it.
    func chain(to tensor: Tensor) throws -> (base: Tensor, operations: [Operation]) {
        if let handle = handles[ObjectIdentifier(tensor)] { return try chain(to: handle) }
        guard let input = try viewed(by: tensor), let node = tensor.node else { return (tensor, []) }
        let (base, operations) = try chain(to: input)
        return (base, operations + [node.operation])
    }

    // MARK: Writing

    /// - Parameter value: of the target's shape and type, as it stands now.
    func write(_ value: Tensor, to target: Tensor) throws {
        let place = try place(of: target)
        guard !place.layout.hasRepeats else { throw TensorError.repeated("assign", target.shape) }
        if case .value(let root) = place.root, shared.contains(ObjectIdentifier(root)) {
            throw Recording.refused(
                "assign",
                "this value is computed a second time in the compiled function, and both are one: it cannot be written in place; write x = x + y instead of x:add_(y)")
        }
        let id = place.root.id
        let cell = cells[id] ?? Cell(place.root)
        if cells[id] == nil {
            cells[id] = cell
            order.append(id)
        }
        // What an equal write covers is never seen again.
        if let covered = cell.writes.lastIndex(where: { $0.place.overlaps(place) }), cell.writes[covered].place.isSame(as: place) {
            cell.writes.remove(at: covered)
        }
        cell.writes.append(Write(place: place, target: target, value: value))
        cell.flat = nil
        cell.values = [:]
    }

    // MARK: Reading

    /// What stands now where a tensor lies: the tensor itself where nothing was written since it was made.
    func current(_ tensor: Tensor) throws -> Tensor {
        if let handle = handles[ObjectIdentifier(tensor)] { return try current(handle) }
        if tensor.isSymbolic {
            if let cell = cells[ObjectIdentifier(tensor)] { return try value(of: tensor, in: cell, try place(of: tensor)) }
            guard let input = try viewed(by: tensor), let node = tensor.node else { return tensor }
            let now = try current(input)
            // Made of what stands there now, the view is found again among the equal operations.
            return now === input ? tensor : try GradientMode.with(tensor.requiresGrad) { try recording.append(node.operation, [now], tensor.shape, tensor.dtype) }
        }
        guard let storage = try? tensor.storage(), let cell = cells[ObjectIdentifier(storage)] else { return tensor }
        return try value(of: tensor, in: cell, try place(of: tensor))
    }

    private func value(of tensor: Tensor, in cell: Cell, _ place: Place) throws -> Tensor {
        if let known = cell.values[ObjectIdentifier(tensor)] { return known }
        guard let content = try content(at: place, in: cell) else { return tensor }
        let value = try GradientMode.disabled { try recording.alias(of: content) }
        value.requiresGrad = tensor.requiresGrad
        value.origin = tensor.requiresGrad ? tensor : nil
        handles[ObjectIdentifier(value)] = tensor
        cell.values[ObjectIdentifier(tensor)] = value
        return value
    }

    /// nil where no write reaches.
    private func content(at place: Place, in cell: Cell) throws -> Tensor? {
        guard let last = cell.writes.lastIndex(where: { $0.place.overlaps(place) }) else { return nil }
        if cell.writes[last].place.isSame(as: place) { return cell.writes[last].value }
        return try GradientMode.disabled {
            try recording.append(.asStrided(place.layout, offset: place.offset), [flat(cell)], place.layout.shape, cell.writes[last].value.dtype)
        }
    }

    private func flat(_ cell: Cell) throws -> Tensor {
        if let flat = cell.flat { return flat }
        var flat = try base(cell)
        for write in cell.writes {
            flat = try recording.append(.overwrite(write.place.layout, offset: write.place.offset), [flat, write.value], flat.shape, flat.dtype)
        }
        cell.flat = flat
        return flat
    }

    private func base(_ cell: Cell) throws -> Tensor {
        switch cell.root {
        case .value(let tensor): return try recording.append(.reshape([tensor.count]), [tensor], [tensor.count], tensor.dtype)
        case .stored(let storage):
            let whole = Tensor(
                storage: storage, layout: TensorLayout(contiguous: [storage.byteCount / DType.byteCount]), dtype: cell.writes[0].value.dtype)
            wholes.append(whole)
            return whole
        }
    }
    /// Tensors over whole storages, which recorded operations know by their address.
    private var wholes: [Tensor] = []

    // MARK: At the end

    /// What a run has to write into memory that outlives it: stored tensors, and arguments.
    func assignments() throws -> [(target: Tensor, value: Tensor)] {
        try order.flatMap { id -> [(target: Tensor, value: Tensor)] in
            guard let cell = cells[id] else { return [] }
            return try assignments(cell).map { ($0.target, try independent($0.value)) }
        }
    }

    /// A value that no write of the end of a run can change before it is read: itself, or a copy.
    func independent(_ value: Tensor) throws -> Tensor {
        var source = value
        while let node = source.node, source.isSymbolic, node.operation.traits.isIdentity || node.operation.traits.isView, let input = node.inputs.first { source = input }
        let root = source.isSymbolic ? ObjectIdentifier(source) : source.storageIdentity
        guard let root, cells[root] != nil, source.node == nil else { return value }
        return try GradientMode.disabled { try recording.append(.copy, [value], value.shape, value.dtype) }
    }

    private func assignments(_ cell: Cell) throws -> [(target: Tensor, value: Tensor)] {
        if case .value(let root) = cell.root, root.node != nil { return [] }
        let places = cell.writes.map(\.place)
        let areApart = places.indices.allSatisfy { i in places[..<i].allSatisfy { !$0.overlaps(places[i]) } }
        if areApart, case .stored = cell.root { return try cell.writes.map { (try target(of: $0), $0.value) } }
        let flat = try flat(cell)
        switch cell.root {
        case .stored: return [(try base(cell), flat)]
        case .value(let argument): return [(argument, try recording.append(.reshape(argument.shape), [flat], argument.shape, argument.dtype))]
        }
    }

    /// A tensor with numbers over the memory that was written.
    private func target(of write: Write) throws -> Tensor {
        if !write.target.isSymbolic { return write.target }
        guard case .stored(let storage) = write.place.root else { return write.target }
        return Tensor(storage: storage, offset: write.place.offset, layout: write.place.layout, dtype: write.target.dtype)
    }
}

extension TensorLayout {
    /// The elements as ranges of memory, in order; nil where they are many, or not that simple.
    func stretches(from offset: Int) -> [Range<Int>]? {
        if count == 0 { return [] }
        if isContiguous { return [offset..<offset + count] }
        guard let width = shape.last, strides.allSatisfy({ $0 > 0 }), strides.last == 1 || width == 1 else { return nil }
        let rows = count / width
        guard rows <= 64 else { return nil }
        var starts = [offset]
        for (size, stride) in zip(shape, strides).dropLast() { starts = starts.flatMap { start in (0..<size).map { start + $0 * stride } } }
        return starts.sorted().map { $0..<$0 + width }
    }

    /// Whether elements share memory: a tensor that was expanded.
    var hasRepeats: Bool { zip(shape, strides).contains { $0 > 1 && $1 == 0 } }
}

extension TensorError {
    static func repeated(_ operation: String, _ shape: [Int]) -> TensorError {
        TensorError(operation, "several elements of this expanded tensor \(Shapes.text(shape)) are one number in memory; write into a clone() of it")
    }
}
