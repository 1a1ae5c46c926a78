
/// An n-dimensional array of float32 or int32, or (while a plan is being recorded) the promise of one.
///
/// Tensors are views: several may share one `Storage`. Every operation makes a new tensor; writes in place go through
/// `assign` and friends. Dimensions and indices count from 0 here; the Lua side counts from 1.
///
/// The runtime keeps one recording and one gradient mode for the process: tensors are used from one thread at a time.
public final class Tensor: @unchecked Sendable {
    public let dtype: DType
    public let layout: TensorLayout
    /// First element in the storage.
    private(set) var offset: Int
    private var memory: Storage?
    /// How this tensor was computed, when a derivative may be asked for or a plan is being recorded.
    var node: Node?
    public internal(set) var requiresGrad: Bool
    /// Sum of the derivatives that `backward` has brought here; only leaves that require one keep it.
    public var grad: Tensor? {
        get {
            if gradient == nil, isOff {
                gradient = Recording.atOnce { try? Tensor.zeros(shape) }
                versionOff = gradient?.version ?? 0
            }
            return gradient
        }
        set { (gradient, isOff) = (newValue, false) }
    }
    private var gradient: Tensor?
    private var isOff = false
    private var versionOff = 0
    /// Whether its gradient is 0 because nothing that it takes part in was computed (`leavesOff` of `Compiled`): an optimiser leaves it alone, as one without a
    /// gradient. False once somebody has written into the zeros that `grad` gives then.
    package var isGradientOff: Bool { isOff && gradient?.version ?? versionOff == versionOff }
    /// `grad` without the zeros that are made when they are read.
    var heldGradient: Tensor? { gradient }

    /// The gradient is 0: zeros that are made when somebody reads them.
    func turnGradientOff() { (gradient, isOff, versionOff) = (nil, true, 0) }

    /// The recording this tensor is a promise of; nil for one that holds numbers.
    let recording: Recording?
    /// In a recording: the tensor whose later value this is, where that requires a gradient. Derivatives with respect to it are that tensor's.
    var origin: Tensor?
    private var isFreed = false

    init(storage: Storage, offset: Int = 0, layout: TensorLayout, dtype: DType) {
        memory = storage
        self.offset = offset
        self.layout = layout
        self.dtype = dtype
        requiresGrad = false
        recording = nil
    }

    /// A promise: no numbers yet.
    init(shape: [Int], dtype: DType, recording: Recording) {
        memory = nil
        offset = 0
        layout = TensorLayout(contiguous: shape)
        self.dtype = dtype
        requiresGrad = false
        self.recording = recording
    }

    /// Uninitialised contiguous tensor.
    /// - Throws: for a shape that no memory can hold, or this process cannot have now.
    convenience init(shape: [Int], dtype: DType = .float32, for operation: @autoclosure () -> String = "tensor") throws {
        let storage = try Storage(count: Shapes.count(shape, operation()), for: operation())
        self.init(storage: storage, layout: TensorLayout(contiguous: shape), dtype: dtype)
    }

    public var shape: [Int] { layout.shape }
    public var rank: Int { layout.shape.count }
    public var count: Int { layout.count }
    public var isContiguous: Bool { layout.isContiguous }
    public var isSymbolic: Bool { recording != nil }
    public var isLeaf: Bool { node == nil }
    /// Tells memory from memory; nil for a promise and for a freed tensor.
    package var storageIdentity: ObjectIdentifier? { memory.map(ObjectIdentifier.init) }

    /// The numbers' memory.
    /// - Throws: for a freed tensor, and for a promise, whose value is not known while a plan is recorded.
    public func storage(for operation: @autoclosure () -> String = "tensor") throws -> Storage {
        if let memory { return memory }
        if isFreed { throw TensorError(operation(), "tensor used after free") }
        throw Recording.refused(
            operation(),
            "the value of a tensor is not known while a function is being compiled; return it from the compiled function and read it there")
    }

    /// Gives the memory back at once instead of when the last reference goes; the tensor can then not be used any more.
    public func free() {
        guard recording == nil else { return }
        memory = nil
        node = nil
        grad = nil
        isFreed = true
        Dependences.changed()
    }

    var freed: Bool { isFreed }

    /// Moves the numbers of stored tensors into one block, one behind the other: what they hold stays, and a plan takes their concatenation for the
    /// block itself. Tensors that already lie so are left alone.
    public static func pack(_ tensors: [Tensor]) throws {
        guard tensors.count > 1, !Tensor.areAdjacent(tensors), tensors.allSatisfy({ $0.isContiguous && !$0.isSymbolic }) else { return }
        let block = try Storage(count: tensors.reduce(0) { $0 + $1.count }, for: "pack")
        var start = 0
        for tensor in tensors {
            (block.pointer + start * DType.byteCount).copyMemory(from: try tensor.pointer(for: "pack"), byteCount: tensor.count * DType.byteCount)
            (tensor.memory, tensor.offset) = (block, start)
            start += tensor.count
        }
        Dependences.changed()
    }

    /// Whether contiguous stored tensors follow one another in one block.
    static func areAdjacent(_ tensors: [Tensor]) -> Bool {
        guard let first = tensors.first, let memory = first.memory else { return false }
        var next = first.offset
        for tensor in tensors {
            guard tensor.memory === memory, tensor.offset == next, tensor.isContiguous else { return false }
            next += tensor.count
        }
        return true
    }

    /// What stored tensors that lie side by side are together, along their first dimension; nil for others.
    static func block(of tensors: [Tensor]) -> Tensor? {
        guard areAdjacent(tensors), let first = tensors.first, let memory = first.memory, first.rank > 0 else { return nil }
        var shape = first.shape
        shape[0] = tensors.reduce(0) { $0 + $1.shape[0] }
        return Tensor(storage: memory, offset: first.offset, layout: TensorLayout(contiguous: shape), dtype: first.dtype)
    }

    /// Counts the writes to its memory; 0 for a promise.
    package var version: Int { memory?.version ?? 0 }

    /// Address of the first element.
    func pointer(for operation: @autoclosure () -> String = "tensor") throws -> UnsafeMutableRawPointer {
        // Operations are recorded; what asks for memory meanwhile looks at numbers.
        try look(for: operation())
        return try storage(for: operation()).pointer + offset * DType.byteCount
    }

    /// Whether no other tensor views the memory.
    func ownsMemoryAlone() -> Bool {
        guard memory != nil else { return true }
        return isKnownUniquelyReferenced(&memory)
    }

    /// See `Storage.moveOut`.
    func moveOut() throws { try memory?.moveOut() }

    /// A tensor over the same memory with another layout.
    func view(_ layout: TensorLayout, offset: Int) throws -> Tensor {
        Tensor(storage: try storage(for: "view"), offset: offset, layout: layout, dtype: dtype)
    }

    /// Marks a leaf as one that derivatives are wanted for.
    @discardableResult
    public func requireGrad(_ on: Bool = true) throws -> Tensor {
        if on && dtype != .float32 { throw TensorError("requires_grad", "only float32 tensors have derivatives, this one is \(dtype)") }
        if isSymbolic, on != requiresGrad {
            throw Recording.refused("requires_grad", "an argument of a compiled function cannot be marked inside of it; mark the tensor before, and let the function capture it")
        }
        if !isLeaf { throw TensorError("requires_grad", "only a leaf can be marked; this tensor was computed by \(node?.operation.name ?? "an operation"), use detach() first") }
        if requiresGrad != on { Dependences.changed() }
        requiresGrad = on
        return self
    }

    /// Whether it requires a gradient, for hosts: what a function that is being compiled sees of it, its plan depends on.
    public var isMarked: Bool {
        if !isSymbolic { Recording.current?.dependences.note(self) }
        return requiresGrad
    }

    /// Gives a result whose history is not kept the look of one that has it: taking derivatives through it is an error.
    /// - Parameter reason: why there is no history.
    public func withoutHistory(_ reason: String) -> Tensor {
        Node(.lost(reason), []).computed(self)
        return self
    }

    /// The same numbers without their history.
    public func detach() -> Tensor {
        if let recording { return (try? recording.record(.detach, [self], shape, dtype)) ?? self }
        guard let memory else { return self }
        return Tensor(storage: memory, offset: offset, layout: layout, dtype: dtype)
    }
}

/// One step of a tensor's history.
final class Node {
    let operation: Operation
    private(set) var inputs: [Tensor]
    /// Storage versions of the inputs when they were read, and of the output when it was computed: what was written in place later, a derivative must
    /// not read. Of tensors with numbers only; the values of a recording do not change.
    private let versions: [Int]
    private var outputVersion = 0
    /// The module in which a recorded operation was written (`ModulePath.text`); empty for one that ran at once.
    let scope: String
    /// Where a recorded operation is computed.
    private(set) var regions: Regions

    init(_ operation: Operation, _ inputs: [Tensor], scope: String = "", regions: Regions = .everywhere) {
        self.operation = operation
        self.inputs = inputs
        self.scope = scope
        self.regions = regions
        versions = inputs.map(\.version)
    }

    /// It is read at another place, too.
    func widen(_ place: Regions) { if !regions.isEverywhere { regions = regions.union(place) } }

    /// Inputs and output that were written since.
    func stale(_ output: Tensor) -> [Tensor] {
        let written = zip(inputs, versions).compactMap { $0.version == $1 ? nil : $0 }
        return output.version == outputVersion ? written : written + [output]
    }

    /// Makes it the history of a tensor.
    func computed(_ output: Tensor) {
        outputVersion = output.version
        output.node = self
        output.requiresGrad = true
    }

    /// Lets go of long chains one by one: the default, recursive release overflows the stack after some 50,000 steps.
    deinit {
        var pending = inputs
        inputs = []
        while var tensor = pending.popLast() {
            if isKnownUniquelyReferenced(&tensor), var node = tensor.node {
                tensor.node = nil
                if isKnownUniquelyReferenced(&node) {
                    pending.append(contentsOf: node.inputs)
                    node.inputs = []
                }
            }
        }
    }
}

/// Whether operations keep what a derivative needs.
public enum GradientMode {
    public static var isEnabled: Bool { Surroundings.now.keepsHistory }

    /// Runs `body` without keeping history.
    public static func disabled<T>(_ body: () throws -> T) rethrows -> T { try with(false, body) }

    static func with<T>(_ enabled: Bool, _ body: () throws -> T) rethrows -> T { try Surroundings.with(\.keepsHistory, enabled, body) }

    /// For hosts whose scripts switch the mode across calls; returns what it was.
    @discardableResult
    public static func set(_ enabled: Bool) -> Bool {
        defer { Surroundings.now.keepsHistory = enabled }
        return isEnabled
    }
}
