import Glibc

/// A graph in the making: while one is current, operations are written down instead of run.
///
/// Equal operations on equal inputs become one (common subexpressions), so layers may be written as if nothing were shared. Writes in place are kept by
/// `WrittenMemory`, gradients by `RecordedGradients`, and what the graph depends on by `Dependences`.
public final class Recording {
    /// The recording that operations go to; nil: they run at once.
    public static var current: Recording? { Surroundings.now.recording }
    /// Whether there is one: for threads that may not touch `current`, and where it has to be known fast.
    public static var isActive: Bool { Surroundings.now.isRecording }

    /// What a plan will have to compute, in the order it was written.
    private(set) var tensors: [Tensor] = []
    private(set) lazy var memory = WrittenMemory(self)
    private(set) lazy var gradients = RecordedGradients(self)
    var dependences = Dependences()
    /// Things to do after the graph has run, in order: optimiser steps.
    private(set) var effects: [() throws -> Void] = []
    /// What could not be done while recording: it ends the recording, also where the function caught it, as there would be nothing to catch without one.
    private var refusal: TensorError?
    /// Tensors that effects change: nothing can be computed with them any more.
    private var changed = Set<ObjectIdentifier>()
    /// What the function sets of the world, done again at the end of each run.
    private(set) var settings: [() -> Void] = []
    private var setObjects = Set<ObjectIdentifier>()
    /// Values that somebody outside is given after each run.
    private(set) var deliveries: [(tensor: Tensor, handler: (Tensor) throws -> Void)] = []
    /// Whether others are to read the graph (`RecordedGraph`): then operations that only a plan wants, for speed, are not used.
    public internal(set) var isForReaders = false
    /// Whether it is read to be written as code that also trains: equal operations stay apart, each where it was written, and layers that only act in training leave a
    /// mark (`passing`).
    var isForCode = false
    /// What a host keeps with the recording.
    public var attachment: AnyObject?
    private var keptFor: [ObjectIdentifier: AnyObject] = [:]
    /// Called when the function has returned, before a plan is made.
    private var endings: [(Recording) throws -> Void] = []
    private var known: [Key: Tensor] = [:]
    /// Where what is written down now is computed.
    var place = Regions.everywhere
    private var regions: [RegionKey: Region] = [:]
    /// What regions give.
    var results = Set<ObjectIdentifier>()
    /// Storages that were made while recording: at each run they are as they were made.
    private var born = Set<ObjectIdentifier>()
    /// Draws of random numbers so far, of the graph and at once.
    private(set) var draws = 0
    private var aliases = 0
    /// Whether derivatives are being written down: their rules mean the values that were read, whatever stands in memory by now.
    private(set) var isDifferentiating = false

    private struct Key: Hashable {
        let operation: Operation
        let inputs: [ObjectIdentifier]
        let gradient: Bool
        /// Of the others: attributes of operations are not gone through again when the table grows.
        private let code: Int

        init(_ operation: Operation, _ inputs: [Tensor], gradient: Bool) {
            (self.operation, self.inputs, self.gradient) = (operation, inputs.map(ObjectIdentifier.init), gradient)
            var hasher = Hasher()
            hasher.combine(operation)
            hasher.combine(self.inputs)
            hasher.combine(gradient)
            code = hasher.finalize()
        }

        func hash(into hasher: inout Hasher) { hasher.combine(code) }
    }

    private struct RegionKey: Hashable {
        let guardian: ObjectIdentifier
        let parent: ObjectIdentifier?
    }

    public init() {}

    /// The region of a guard at the present place: there is one for each.
    func region(guardedBy guardian: Tensor) throws -> Region {
        guard place.isEverywhere || place.single != nil else { throw Recording.refused("when", "a region cannot be begun in derivatives") }
        let key = RegionKey(guardian: ObjectIdentifier(guardian), parent: place.single.map(ObjectIdentifier.init))
        if let known = regions[key] { return known }
        let region = Region(guardian, in: place.single)
        regions[key] = region
        return region
    }

    /// Runs `body` with this recording current.
    public func record<T>(_ body: () throws -> T) throws -> T {
        guard Recording.current == nil else { throw TensorError("compile", "a compiled function cannot be compiled from within another") }
        return try Surroundings.with(\.recording, self) {
            let result = try body()
            if let refusal { throw refusal }
            for ending in endings { try ending(self) }
            return result
        }
    }

    /// Runs `body` as if nothing were being recorded: what only looks at numbers, or makes constants.
    package static func atOnce<T>(_ body: () throws -> T) rethrows -> T {
        current == nil ? try body() : try Surroundings.with(\.recording, nil, body)
    }

    /// What `owner` keeps for as long as this is recorded: made when it is asked for first.
    public func kept<T: AnyObject>(for owner: AnyObject, _ make: () throws -> T) rethrows -> T {
        if let known = keptFor[ObjectIdentifier(owner)] as? T { return known }
        let made = try make()
        keptFor[ObjectIdentifier(owner)] = made
        return made
    }

    /// A tensor with numbers of its own that outlives the recording, from one that holds some: what the library keeps beside a function.
    package static func kept(copyOf tensor: Tensor) throws -> Tensor {
        try atOnce { try GradientMode.disabled { try tensor.detach().clone() } }
    }

    /// A tensor whose numbers are given at each run.
    public func input(_ shape: [Int], _ dtype: DType) -> Tensor { Tensor(shape: shape, dtype: dtype, recording: self) }

    /// The error for what cannot be done while a function is recorded.
    public static func refused(_ operation: String, _ problem: String) -> TensorError {
        let error = TensorError(operation, problem)
        if let current, current.refusal == nil { current.refusal = error }
        return error
    }

    // MARK: Operations

    func record(_ operation: Operation, _ inputs: [Tensor], _ shape: [Int], _ dtype: DType) throws -> Tensor {
        for input in inputs where !input.isSymbolic { try meet(input, operation) }
        let inputs = try values(of: inputs)
        for input in inputs { try checkVisible(input, operation) }
        if let simpler = try rewrite(operation, inputs) { return simpler }
        return try append(operation, inputs, shape, dtype)
    }

    /// Writes an operation down as it stands.
    func append(_ operation: Operation, _ inputs: [Tensor], _ shape: [Int], _ dtype: DType) throws -> Tensor {
        let requiresGrad = GradientMode.isEnabled && dtype == .float32 && inputs.contains(where: \.requiresGrad) && operation.traits.hasDerivative
        if requiresGrad { try operation.rule.refuseWithoutDerivative(inputs) }
        let key = Key(operation, inputs, gradient: requiresGrad)
        if !isForCode, let same = known[key], !results.contains(ObjectIdentifier(same)) || same.node?.regions.covers(place) == true {
            same.node?.widen(place)
            // The value as it was computed, where that memory was written since.
            if memory.isWritten(same) { return try alias(of: same) }
            try memory.noteShared(same)
            return same
        }
        let tensor = Tensor(shape: shape, dtype: dtype, recording: self)
        tensor.node = Node(operation, inputs, scope: ModulePath.text, regions: place)
        tensor.requiresGrad = requiresGrad
        tensors.append(tensor)
        known[key] = tensor
        return tensor
    }

    // MARK: Redefinitions

    /// Tensors that are computed in another way than they were written down, and how they were.
    private var redefined: [ObjectIdentifier: (tensor: Tensor, node: Node)] = [:]
    /// Tensors that were looked at for redefinitions.
    private var considered = 0
    private var mayRedefine = true

    /// Goes through what was written since it was done last: `body` may redefine some of it.
    func redefining(_ body: (_ fresh: () -> ArraySlice<Tensor>) throws -> Void) throws {
        let first = considered
        guard mayRedefine, first < tensors.count else { return }
        try body { [unowned self] in tensors[first...] }
        considered = tensors.count
    }

    /// From here on `tensor` is what `operation` gives: equal, computed in another way. `sort` has to follow.
    func redefine(_ tensor: Tensor, as operation: Operation, _ inputs: [Tensor]) {
        guard let node = tensor.node else { return }
        // At another place than its own what it is computed from now may not be there.
        if !node.regions.isEverywhere { known[Key(node.operation, node.inputs, gradient: tensor.requiresGrad)] = nil }
        if redefined[ObjectIdentifier(tensor)] == nil { redefined[ObjectIdentifier(tensor)] = (tensor, node) }
        tensor.node = Node(operation, inputs, scope: node.scope, regions: node.regions)
    }

    /// Where one of these is computed in another way, what follows it does not go through it: all is computed as it was written from here on.
    /// - Returns: whether that was so.
    func takeBackRedefinitions(of targets: Set<ObjectIdentifier>) -> Bool {
        guard targets.contains(where: { redefined[$0] != nil }) else { return false }
        for (tensor, node) in redefined.values { tensor.node = node }
        redefined = [:]
        mayRedefine = false
        sort()
        return true
    }

    /// Puts everything behind what it is computed from, in the order in which it was written otherwise.
    func sort() {
        var order: [Tensor] = []
        order.reserveCapacity(tensors.count)
        var done = Set<ObjectIdentifier>(minimumCapacity: tensors.count)
        var stack: [(tensor: Tensor, next: Int)] = []
        for tensor in tensors where !done.contains(ObjectIdentifier(tensor)) {
            stack.append((tensor, 0))
            while let (tensor, next) = stack.last {
                if let inputs = tensor.node?.inputs, next < inputs.count {
                    stack[stack.count - 1].next += 1
                    if inputs[next].isSymbolic, inputs[next].node != nil, !done.contains(ObjectIdentifier(inputs[next])) { stack.append((inputs[next], 0)) }
                } else {
                    stack.removeLast()
                    if done.insert(ObjectIdentifier(tensor)).inserted { order.append(tensor) }
                }
            }
        }
        tensors = order
    }

    /// A tensor with numbers is read.
    private func meet(_ tensor: Tensor, _ operation: Operation) throws {
        _ = try tensor.storage(for: operation.name)
        dependences.note(tensor)
        guard changed.contains(ObjectIdentifier(tensor)) else { return }
        throw Recording.refused(operation.name, "a compiled function can compute nothing with parameters after an optimiser's step: the step comes last")
    }

    /// What stands now in the memory of tensors.
    private func values(of tensors: [Tensor]) throws -> [Tensor] {
        memory.isEmpty || isDifferentiating ? tensors : try tensors.map { try memory.current($0) }
    }

    /// What stands now in the memory of a tensor.
    func value(of tensor: Tensor) throws -> Tensor { try values(of: [tensor])[0] }

    /// The value in memory of its own: later writes to the tensor do not change it, nor writes to it the tensor.
    func alias(of tensor: Tensor) throws -> Tensor {
        aliases += 1
        return try append(.alias(aliases), [tensor], tensor.shape, tensor.dtype)
    }

    /// What a layer gives that does nothing in evaluation: x, and where the graph is read as code a mark that it stood here.
    public static func passing(_ x: Tensor) throws -> Tensor {
        guard let current, current.isForCode, x.isSymbolic else { return x }
        return try current.alias(of: x)
    }

    /// A copy that may be written in place.
    func clone(_ tensor: Tensor) throws -> Tensor {
        if !tensor.isSymbolic { try meet(tensor, .copy) }
        return try alias(of: value(of: tensor))
    }

    /// Writes down derivatives.
    func differentiating<T>(_ body: () throws -> T) rethrows -> T {
        let before = isDifferentiating
        isDifferentiating = true
        defer { isDifferentiating = before }
        return try body()
    }

    // MARK: Writes

    func assign(_ value: Tensor, to target: Tensor) throws {
        for tensor in [value, target] where !tensor.isSymbolic { try meet(tensor, .detach) }
        let value = try self.value(of: value.cast(target.dtype).expand(target.shape))
        try memory.write(ofEveryRun(value, for: target), to: target)
    }

    /// What is written in a region stands in runs where it is open; in others what stood before.
    private func ofEveryRun(_ value: Tensor, for target: Tensor) throws -> Tensor {
        guard !place.isEverywhere, !isMadeInside(target) else { return value }
        let before = try self.value(of: target)
        return try emerge(value, otherwise: before, from: place, to: before.node?.regions ?? .everywhere)
    }

    /// Runs `body` on a copy of memory: what it writes in place is seen by itself alone, and by no run.
    func withMemoryOfItsOwn<T>(_ body: () throws -> T) rethrows -> T {
        let before = memory
        let own = WrittenMemory(copyOf: before)
        memory = own
        defer {
            before.learn(from: own)
            memory = before
        }
        return try body()
    }

    /// Whether a stored tensor was made by the function.
    public func isMadeInside(_ tensor: Tensor) -> Bool { tensor.storageIdentity.map(born.contains) ?? false }

    /// Copies of what the function made and writes, as it was made.
    func constants() throws -> [ObjectIdentifier: Storage] {
        try Dictionary(uniqueKeysWithValues: memory.storages.filter { born.contains(ObjectIdentifier($0)) }.map { (ObjectIdentifier($0), try $0.copy()) })
    }

    /// What a function returns: a value of the run, or a tensor of before it, looked at through some operations.
    enum Outcome {
        case computed(Tensor)
        case view(of: Tensor, [Operation])

        var computed: Tensor? { if case .computed(let tensor) = self { tensor } else { nil } }
    }

    func outcome(_ output: Tensor) throws -> Outcome {
        let (base, operations) = try memory.chain(to: output)
        let isOfBefore = base.isSymbolic ? base.node == nil : !isMadeInside(base)
        if isOfBefore {
            if !base.isSymbolic { try meet(base, .detach) }
            return .view(of: base, operations)
        }
        let result = try value(of: output)
        try checkVisible(result, .detach)
        return .computed(result)
    }

    /// Told by storages when they are made, on any thread.
    static func noteBirth(_ storage: Storage) {
        guard pthread_equal(pthread_self(), Surroundings.now.recordingThread) != 0 else { return }
        current?.born.insert(ObjectIdentifier(storage))
    }

    // MARK: Random numbers

    func random(_ distribution: RandomDistribution, _ shape: [Int]) throws -> Tensor {
        draws += 1
        return try record(.random(distribution, shape: shape, draw: draws), [], shape, .float32)
    }

    func permutation(_ n: Int) throws -> Tensor {
        draws += 1
        return try record(.permutation(n, draw: draws), [], [n], .int32)
    }

    /// The number of a draw that is made at once, between those of the graph.
    func drawAtOnce() -> Int {
        draws += 1
        mustNotRepeat("random numbers are drawn while it is recorded (layers or loaders made inside)")
        return draws
    }

    // MARK: What it depends on

    /// The recorded function depends on something that may change: its plan is used while `condition` gives nil. What it gives else says what has changed.
    /// - Parameter atEachCall: false for what tells of a change by `StateClock.tick`.
    public func depends(atEachCall: Bool = false, on condition: @escaping () -> String?) { dependences.add(condition, atEachCall: atEachCall) }

    /// The recorded function does something that is different each time, or that a plan does not do: it is recorded anew at each call.
    public func mustNotRepeat(_ reason: String) { dependences.mustNotRepeat(reason) }

    /// Whether a stored tensor holds the numbers that the function would find: neither it nor an optimiser's step has written them.
    func knows(_ tensor: Tensor) throws -> Bool { try value(of: tensor) === tensor && !changed.contains(ObjectIdentifier(tensor)) }

    /// Numbers of a stored tensor are looked at: the plan is used while nobody writes them.
    func look(at tensor: Tensor, for operation: String) throws {
        guard try knows(tensor) else {
            throw Recording.refused(operation, "what the compiled function has written into a tensor is not known while it is compiled; return the tensor and read it outside")
        }
        guard !isMadeInside(tensor) else { return }
        let storage = try tensor.storage(for: operation), version = storage.version
        dependences.note(tensor)
        depends(atEachCall: true) { [weak storage] in storage?.version == version ? nil : "a tensor whose numbers the function looked at was written" }
    }

    // MARK: Effects

    /// Does `effect` after each run of the graph.
    /// - Parameter changing: tensors that it changes: nothing can be computed with them afterwards.
    public func after(changing tensors: [Tensor] = [], _ effect: @escaping () throws -> Void) {
        effects.append(effect)
        changed.formUnion(tensors.map(ObjectIdentifier.init))
    }

    /// Whether effects come before what is written down now.
    public var hasEffects: Bool { !effects.isEmpty }

    /// The function sets the state of an object (a module's mode): it is set at the end of each run, too, and what the function reads of it afterwards is its
    /// own.
    public func sets(_ object: AnyObject, _ setting: @escaping () -> Void) {
        settings.append(setting)
        setObjects.insert(ObjectIdentifier(object))
    }

    public func hasSet(_ object: AnyObject) -> Bool { setObjects.contains(ObjectIdentifier(object)) }

    /// Gives `handler` the numbers of a tensor after each run.
    public func deliver(_ tensor: Tensor, to handler: @escaping (Tensor) throws -> Void) { deliveries.append((tensor, handler)) }

    /// Calls `ending` when the recorded function has returned.
    public func atEnd(_ ending: @escaping (Recording) throws -> Void) { endings.append(ending) }

    /// Lets go of everything once a plan is made of it, or will not be: tensors know their recording and the recording its tensors, so
    /// that neither would ever be freed, nor the parameters they were computed from.
    public func dismantle() {
        tensors = []
        memory = WrittenMemory(self)
        gradients = RecordedGradients(self)
        effects = []
        settings = []
        deliveries = []
        endings = []
        known = [:]
        redefined = [:]
        regions = [:]
        results = []
        attachment = nil
        keptFor = [:]
    }
}

/// Counts changes of modes, of which tensors want a gradient, and of where tensors lie: only after one do plans look whether they still hold.
public enum StateClock {
    public static func tick() { Dependences.changed() }
}
