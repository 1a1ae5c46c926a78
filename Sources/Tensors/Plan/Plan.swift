import Base
import Glibc

/// A recorded graph made ready to run again and again: one arena for all that is computed on the way, kernels with their sizes fixed.
public final class Plan {
    /// How plans are made. `TRELLIS_PLAN=0` runs the same graph without the optimising passes: the oracle of the fast one.
    nonisolated(unsafe) public static var optimises = getenv("TRELLIS_PLAN").map { String(cString: $0) } != "0"

    struct Step {
        let launch: Launch
        /// Where its addresses start in the table.
        let first: Int
        /// What it does, for profiles.
        let label: String
        /// Module in which it was written.
        let module: String
        let multiplyAdds: Int
        /// In which runs it is done: a position in `conditions`.
        let condition: Int
    }

    /// Holds where, of one of the lists, no guard is 0; guards are numbered.
    typealias Condition = [[Int]]

    /// Conditions one behind the other: a supernet has tens of thousands.
    private struct Conditions {
        private let guards: Int
        /// Of each condition the alternatives, of each alternative the number of its guards and then those.
        private var numbers: [Int32] = []
        private var ends: [Int] = []

        init(_ conditions: [Condition], guards: Int) {
            self.guards = guards
            for condition in conditions {
                for alternative in condition { numbers += [Int32(alternative.count)] + alternative.map(Int32.init) }
                ends.append(numbers.count)
            }
        }

        func decide(_ addresses: UnsafeMutablePointer<UnsafeMutableRawPointer>, _ holds: inout [Bool]) {
            let isOpen = (0..<guards).map { addresses[$0].load(as: Float.self) != 0 }
            isOpen.withUnsafeBufferPointer { isOpen in
                numbers.withUnsafeBufferPointer { numbers in
                    var at = 0
                    for (i, end) in ends.enumerated() {
                        var isThere = false
                        while at < end, !isThere {
                            let next = at + 1 + Int(numbers[at])
                            isThere = (at + 1..<next).allSatisfy { isOpen[Int(numbers[$0])] }
                            at = next
                        }
                        holds[i] = isThere
                        at = end
                    }
                }
            }
        }
    }

    private let steps: [Step]
    /// Steps that follow one another under one condition.
    private let stretches: [(steps: Range<Int>, condition: Int)]
    private let conditions: Conditions
    /// Where the guards' numbers start in the table.
    private let firstGuard: Int
    /// Which conditions hold in the run that is under way, or was last.
    private var holds: [Bool]
    private let arena: SharedArena.Lease
    /// Places in the table that hold an address within the arena.
    private let arenaPlaces: [(place: Int, offset: Int)]
    private var arenaBase: UnsafeMutableRawPointer?
    private let table: Block<UnsafeMutableRawPointer>
    /// Places in the table that hold an address within run input i.
    private let inputPlaces: [(place: Int, input: Int, offset: Int)]
    /// Shapes and types of the inputs; the promises themselves would keep the whole recording alive.
    private let inputs: [(shape: [Int], dtype: DType)]
    private let results: [Result]
    /// How many of the results the caller gets; the others are deliveries.
    private let deliveries: [(Tensor) throws -> Void]
    private let writes: [(target: WriteTarget, copy: Launch, from: Source, condition: Int)]
    /// How many of the writes are assignments of the function, which come first; the others leave gradients in their buffers.
    private let assignmentCount: Int
    /// What stored tensors held before the last run that kept it.
    private var overwritten: [(target: Tensor, before: Tensor)] = []
    /// Copies for it, by assignment.
    private var copies: [Int: Tensor] = [:]
    /// Storages that a run writes; an argument may not be one of them.
    private let written: Set<ObjectIdentifier>
    private let gradients: GradientBuffers
    /// The conditions under which they are made.
    private let gradientConditions: [Int]
    /// Leaves whose gradient of before a run is an input, after the arguments.
    private let gradientInputs: [Tensor]
    private let draws: Int
    private var writesInputs: Bool {
        writes.contains { if case .input = $0.target { true } else { false } }
    }
    private let effects: [() throws -> Void]
    private let settings: [() -> Void]
    /// What the addresses in the table point into: parameters, buffers and constants.
    private let stored: [Tensor]

    /// Where a value is found after the kernels have run.
    private enum Source {
        case arena(Int)
        case input(Int, Int)
        case stored(Tensor, Int)
    }

    /// What a run returns.
    private enum Result {
        /// A tensor of its own.
        case computed(TensorLayout, DType, Source)
        /// The very tensor that the function captured or got, or a view of it.
        case stored(Tensor, [Operation])
        case input(Int, [Operation])
    }

    private enum WriteTarget {
        case stored(Tensor)
        case input(Int)
    }

    /// What a host keeps with the plan.
    public var attachment: AnyObject?

    /// Bytes of the arena, number of kernels a run launches.
    public var arenaBytes: Int { arena.bytes }
    public var stepCount: Int { steps.count }
    /// Multiply-adds of the run's convolutions, what is computed again for want of memory not counted; bytes that its kernels read and write, as if
    /// nothing stayed in the caches.
    public let multiplyAdds: Int
    public let trafficBytes: Int

    /// - Parameters:
    ///   - inputs: promises of the recording that `run` binds, in order.
    ///   - outputs: what `run` returns.
    ///   - recomputation: what is computed again in the backward pass instead of being kept.
    ///   - ownsGradients: false: gradients of leaves lie in the arena, so they need no memory of their own; those that somebody still holds when any
    ///     plan runs next are copied out, unless `spendGradients` was called.
    ///   - leavesOff: see `Compiled`.
    public init(
        _ recording: Recording, inputs: [Tensor], outputs: [Tensor], recomputation: Recomputation = .cheap, ownsGradients: Bool = true,
        leavesOff: Bool = false
    ) throws {
        let leafGradients = try recording.gradients.final()
        let assignments = try recording.memory.assignments()
        let deliveries = recording.deliveries
        let sources = try (outputs + deliveries.map(\.tensor)).map { try recording.outcome($0) }
        let inputs = inputs + recording.gradients.inputs.map(\.promise)
        let updates = assignments.map { Plan.optimises ? RunningUpdate($0.target, $0.value) : nil }
        let assigned = zip(assignments, updates).map { $1?.moments ?? $0.value }
        let reaches = leafGradients.map { leavesOff ? Plan.reach(of: $0.value) : .everywhere }
        let roots = sources.compactMap(\.computed).map { ($0, Regions.everywhere) } + zip(leafGradients.map(\.value), reaches)
            + zip(assigned, updates).map { ($0, $1?.regions ?? .everywhere) }
        var graph = try PlanGraph(recording, roots: roots, inputs: inputs, optimise: Plan.optimises)
        if Plan.optimises { Fusion.run(&graph) }
        multiplyAdds = graph.multiplyAdds
        if Plan.optimises {
            RecomputationPass.run(&graph, recomputation)
            SliceFusion.run(&graph)
        }
        var inArena = [Int: Int]()
        if !ownsGradients, Plan.optimises {
            for (i, gradient) in leafGradients.enumerated() { if graph.ownerIfStretch(graph.find(gradient.value)) != nil { inArena[i] = graph.find(gradient.value) } }
        }
        let outside = leafGradients.indices.filter { inArena[$0] == nil }
        let (buffers, external) = try Plan.gradientBuffers(outside.map { leafGradients[$0] }, &graph)
        var builder = try PlanBuilder(graph, external: external, optimise: Plan.optimises)
        let writeConditions = updates.map { builder.condition($0?.regions ?? .everywhere) }
        let gradientConditions = reaches.map { builder.condition($0) }
        self.gradientConditions = gradientConditions
        graph = builder.graph

        arena = SharedArena.Lease(bytes: builder.arenaBytes)
        let allPlaces = builder.places + builder.guardValues
        table = try Block(allPlaces.count, for: "plan")
        table.start.initialize(repeating: SharedArena.nowhere, count: allPlaces.count)
        var arenaPlaces: [(Int, Int)] = []
        var inputPlaces: [(Int, Int, Int)] = []
        func locate(_ value: Int) throws -> Source {
            let (owner, offset) = graph.home(value)
            let bytes = offset * DType.byteCount
            if let buffer = external[owner] { return .stored(buffer, bytes) }
            switch graph.values[owner].source {
            case .input(let i): return .input(i, bytes)
            case .stored(let tensor): return .stored(tensor, bytes)
            case .computed, .view: return .arena(builder.offset(of: owner) + bytes)
            }
        }
        for (place, value) in allPlaces.enumerated() {
            switch try locate(value) {
            case .input(let i, let bytes): inputPlaces.append((place, i, bytes))
            case .stored(let tensor, let bytes): table.start[place] = try tensor.pointer(for: "plan") + bytes
            case .arena(let bytes): arenaPlaces.append((place, bytes))
            }
        }
        self.inputPlaces = inputPlaces
        self.arenaPlaces = arenaPlaces
        steps = builder.steps
        conditions = Conditions(builder.conditions, guards: builder.guardValues.count)
        firstGuard = builder.placeCount
        holds = builder.conditions.map { _ in true }
        stretches = Plan.stretches(steps, deciding: builder.decidingCount)
        trafficBytes = builder.trafficBytes
        self.inputs = inputs.map { ($0.shape, $0.dtype) }
        func position(_ promise: Tensor) -> Int? { inputs.firstIndex { $0 === promise } }
        results = try sources.map { source in
            switch source {
            case .computed(let tensor):
                let value = graph.find(tensor)
                return .computed(graph.values[value].layout, tensor.dtype, try locate(value))
            case .view(let base, let operations):
                return position(base).map { .input($0, operations) } ?? .stored(base, operations)
            }
        }
        self.deliveries = deliveries.map(\.handler)
        assignmentCount = assignments.count
        writes = try assignments.indices.map { i in
            let (id, target) = (graph.find(assigned[i]), assignments[i].target)
            let launch = try updates[i]?.launch(graph.values[id].layout) ?? Plan.copy(graph.values[id].layout, target)
            return (position(target).map { .input($0) } ?? .stored(target), launch, try locate(id), writeConditions[i])
        } + zip(outside, buffers).compactMap { i, buffer in
            let id = graph.find(leafGradients[i].value)
            let (owner, offset) = graph.home(id)
            if let memory = external[owner], try memory.pointer() + offset * DType.byteCount == buffer.pointer() { return nil }
            return (.stored(buffer), try Plan.copy(graph.values[id].layout, buffer), try locate(id), gradientConditions[i])
        }
        written = Set(recording.memory.storages.map(ObjectIdentifier.init))
        let own = Dictionary(uniqueKeysWithValues: zip(outside, buffers))
        gradients = GradientBuffers(try leafGradients.indices.map { i in
            guard let value = inArena[i] else { return (leafGradients[i].leaf, .own(try own[i] ?? Tensor.zeros(leafGradients[i].leaf.shape))) }
            let (owner, offset) = graph.home(value)
            return (leafGradients[i].leaf, .arena(builder.offset(of: owner) + offset * DType.byteCount))
        }, cleared: recording.gradients.cleared)
        gradientInputs = recording.gradients.inputs.map(\.leaf)
        draws = recording.draws
        effects = recording.effects
        settings = recording.settings
        stored = graph.values.compactMap { value in
            if case .stored(let tensor) = value.source { return tensor }
            return nil
        }
    }

    /// Where the gradients of leaves go: each straight to memory of its own, or, where one computation makes those of several leaves, to its part of
    /// a common block. What cannot be written there directly is copied after a run.
    /// - Returns: a buffer for each leaf, and the memory of values that lie outside of the arena.
    private static func gradientBuffers(
        _ gradients: [(leaf: Tensor, value: Tensor)], _ graph: inout PlanGraph
    ) throws -> (buffers: [Tensor], external: [Int: Tensor]) {
        var external: [Int: Tensor] = [:]
        var buffers = [Tensor?](repeating: nil, count: gradients.count)
        var parts: [Int: [(index: Int, offset: Int, count: Int)]] = [:]
        for (i, (_, tensor)) in gradients.enumerated() {
            let value = graph.find(tensor)
            if let owner = graph.ownerIfWhole(value) {
                guard external[owner] == nil else { continue }
                let buffer = try Tensor.zeros(gradients[i].leaf.shape)
                (buffers[i], external[owner]) = (buffer, buffer)
            } else if let (owner, offset) = graph.ownerIfStretch(value) {
                parts[owner, default: []].append((i, offset, graph.values[value].layout.count))
            }
        }
        for (owner, list) in parts where external[owner] == nil {
            let sorted = list.sorted { $0.offset < $1.offset }
            var end = 0
            guard sorted.allSatisfy({ part in
                defer { end += part.count }
                return part.offset == end
            }), end == graph.values[owner].layout.count else { continue }
            let block = try Tensor.zeros([end])
            external[owner] = block
            for part in sorted { buffers[part.index] = try block.narrow(0, part.offset, part.count).reshape(gradients[part.index].leaf.shape) }
        }
        return (try buffers.indices.map { try buffers[$0] ?? Tensor.zeros(gradients[$0].leaf.shape) }, external)
    }

    deinit {
        // Without the memory to move out, what somebody holds of them stays the arena's tenant.
        if SharedArena.tenant === gradients { try? SharedArena.vacate() }
    }

    /// Tells that an optimiser has made its step by the gradients of the last run: those in the arena may go when a plan runs next.
    public static func spendGradients() { SharedArena.tenant?.spend() }

    private static func copy(_ source: TensorLayout, _ target: Tensor) throws -> Launch {
        try Operation.slice(starts: source.shape.map { _ in 0 }, sizes: source.shape, steps: source.shape.map { _ in 1 })
            .kernel([Operand(source, target.dtype)], Operand(target.layout, target.dtype))
    }

    /// Puts stored tensors back to what they held before the last run that kept it.
    func takeBack() throws {
        try GradientMode.disabled { for (target, before) in overwritten { try target.assign(before) } }
    }

    /// Copies what the writes of this run are about to change.
    private func keepWritten() throws {
        try GradientMode.disabled {
            for (i, write) in writes.prefix(assignmentCount).enumerated() where holds[write.condition] {
                guard case .stored(let target) = write.target else { continue }
                let copy = try copies[i] ?? Tensor(shape: target.shape, dtype: target.dtype)
                copies[i] = copy
                if target.layout.isContiguous {
                    memcpy(try copy.pointer(), try target.pointer(), target.count * DType.byteCount)
                } else {
                    try copy.assign(target)
                }
                overwritten.append((target, copy))
            }
        }
    }

    /// Runs in which a gradient can be anything but 0.
    private static func reach(of value: Tensor) -> Regions {
        guard let node = value.node else { return .everywhere }
        switch node.operation {
        case .emerge(_, otherwise: false), .alias: return reach(of: node.inputs[0])
        case .binary(.add):
            let parts = node.inputs.map { reach(of: $0) }
            return parts[0].isEverywhere || parts[1].isEverywhere ? .everywhere : parts[0].union(parts[1])
        default: return node.regions
        }
    }

    /// Runs the graph on tensors shaped like its inputs and returns its outputs.
    /// - Parameter keepingWritten: for `takeBack`.
    public func run(_ arguments: [Tensor], keepingWritten: Bool = false) throws -> [Tensor] {
        try check(arguments)
        if ReadOnly.isActive, !writes.isEmpty || !effects.isEmpty || !gradients.isEmpty { throw ReadOnly.refusal("compiled function") }
        if keepingWritten { overwritten.removeAll(keepingCapacity: true) }
        let given = try arguments + gradientInputs.map { leaf in
            guard let gradient = leaf.grad else { throw TensorError("plan", "was compiled for a leaf with a gradient, which has none") }
            return gradient
        }
        try SharedArena.vacate()
        let block = try SharedArena.storage(atLeast: arena.bytes)
        let kept = try gradients.begin(block.pointer)
        if block.pointer != arenaBase {
            for (place, offset) in arenaPlaces { table.start[place] = block.pointer + offset }
            arenaBase = block.pointer
        }
        let bound = try bind(given)
        let base = table.start
        PlanProfile.current?.countRun()
        RandomState.beginRun(draws: draws)
        for stretch in stretches {
            if stretch.condition == Plan.deciding {
                decide()
            } else if holds[stretch.condition] {
                for step in steps[stretch.steps] { try run(step, base) }
            }
        }
        let computed = try results.map { result -> Tensor? in
            guard case .computed(let layout, let dtype, let source) = result else { return nil }
            let output = try Tensor(shape: layout.shape, dtype: dtype, for: "plan")
            try copy(Plan.copy(layout, output), source, bound, to: output)
            return output
        }
        if keepingWritten { try keepWritten() }
        if let profile = PlanProfile.current, !effects.isEmpty {
            try profile.time("optimiser", in: "") { try finish(given, bound, kept) }
        } else {
            try finish(given, bound, kept)
        }
        let outputs = try zip(results, computed).map { result, computed in try computed ?? view(result, given) }
        for (delivery, output) in zip(deliveries, outputs.suffix(deliveries.count)) { try delivery(output) }
        return Array(outputs.dropLast(deliveries.count))
    }

    @inline(__always)
    private func run(_ step: Step, _ table: UnsafeMutablePointer<UnsafeMutableRawPointer>) throws {
        try checkInterrupt()
        guard let profile = PlanProfile.current else {
            try step.launch(table + step.first)
            return try Memory.checkMissing(step.label)
        }
        try profile.time(step.label, in: step.module, multiplyAdds: step.multiplyAdds, isPlanned: true) { try step.launch(table + step.first) }
        try Memory.checkMissing(step.label)
    }

    /// In place of a condition: here the guards are known.
    private static let deciding = -1

    /// - Parameter count: steps that the guards need, which are done in every run.
    private static func stretches(_ steps: [Step], deciding count: Int) -> [(steps: Range<Int>, condition: Int)] {
        var result: [(steps: Range<Int>, condition: Int)] = [(0..<count, 0), (count..<count, deciding)]
        for i in steps.indices.dropFirst(count) {
            if let last = result.last, last.condition == steps[i].condition {
                result[result.count - 1].steps = last.steps.lowerBound..<i + 1
            } else {
                result.append((i..<i + 1, steps[i].condition))
            }
        }
        return result
    }

    /// Looks at the guards.
    private func decide() {
        guard holds.count > 1 else { return }
        conditions.decide(table.start + firstGuard, &holds)
    }

    /// A result that is no tensor of its own.
    private func view(_ result: Result, _ given: [Tensor]) throws -> Tensor {
        switch result {
        case .stored(let base, let operations): try operations.reduce(base) { try $1.apply([$0]) }
        case .input(let i, let operations): try operations.reduce(given[i]) { try $1.apply([$0]) }
        case .computed(let layout, let dtype, _): try Tensor(shape: layout.shape, dtype: dtype)
        }
    }

    /// What follows the kernels: stored tensors are written, gradients left at their leaves, optimisers step.
    private func finish(_ given: [Tensor], _ bound: [Tensor], _ kept: [Tensor?]) throws {
        for write in writes where holds[write.condition] {
            switch write.target {
            case .stored(let target):
                try copy(write.copy, write.from, bound, to: target)
                target.touch()
            case .input(let i):
                let value = try Tensor(shape: given[i].shape, dtype: given[i].dtype, for: "plan")
                try copy(write.copy, write.from, bound, to: value)
                try GradientMode.disabled { try given[i].assign(value) }
            }
        }
        try gradients.hand(over: kept) { holds[gradientConditions[$0]] }
        if !gradients.isEmpty { SharedArena.tenant = gradients }
        for effect in effects { try effect() }
        for setting in settings { setting() }
    }

    private func check(_ arguments: [Tensor]) throws {
        let count = inputs.count - gradientInputs.count
        guard arguments.count == count else { throw TensorError("plan", "expects \(count) inputs, got \(arguments.count)") }
        for (argument, input) in zip(arguments, inputs) where argument.shape != input.shape || argument.dtype != input.dtype {
            throw TensorError("plan", "was compiled for \(input.dtype) \(Shapes.text(input.shape)), got \(argument.dtype) \(Shapes.text(argument.shape))")
        }
        guard !written.isEmpty || writesInputs else { return }
        var seen = written
        if writesInputs { seen.formUnion(stored.compactMap(\.storageIdentity)) }
        for argument in arguments {
            guard let id = argument.storageIdentity else { continue }
            guard writesInputs ? seen.insert(id).inserted : !seen.contains(id) else {
                throw TensorError(
                    "compiled function", "an argument shares memory with a tensor that the function writes in place; give a clone() of it, or do not compile the function")
            }
        }
    }

    private func bind(_ given: [Tensor]) throws -> [Tensor] {
        let bound = try given.map { try $0.detach().contiguous() }
        for (place, input, offset) in inputPlaces { table.start[place] = try bound[input].pointer(for: "plan") + offset }
        return bound
    }

    private func copy(_ launch: Launch, _ source: Source, _ bound: [Tensor], to target: Tensor) throws {
        let address: UnsafeMutableRawPointer
        switch source {
        case .arena(let bytes): address = try SharedArena.storage(atLeast: arena.bytes).pointer + bytes
        case .input(let i, let bytes): address = try bound[i].pointer() + bytes
        case .stored(let tensor, let bytes): address = try tensor.pointer() + bytes
        }
        try withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer.self, capacity: 2) { pair in
            pair[0] = address
            pair[1] = try target.pointer()
            if let base = pair.baseAddress { try launch(base) }
        }
    }

    /// Names and counts of the kernels a run launches, most frequent first.
    public var summary: [(name: String, count: Int)] {
        var counts: [String: Int] = [:]
        for step in steps { counts[step.label, default: 0] += 1 }
        return counts.map { ($0.key, $0.value) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
    }
}
