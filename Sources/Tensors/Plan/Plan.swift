import CKernels
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
    }

    private let steps: [Step]
    private let arena: SharedArena.Lease
    /// Places in the table that hold an address within the arena.
    private let arenaPlaces: [(place: Int, offset: Int)]
    private var arenaBase: UnsafeMutableRawPointer?
    private let table: Block<UnsafeMutableRawPointer>
    /// Places in the table that hold an address within run input i.
    private let inputPlaces: [(place: Int, input: Int, offset: Int)]
    /// Shapes and types of the inputs; the promises themselves would keep the whole recording alive.
    private let inputs: [(shape: [Int], dtype: DType)]
    private let results: [(layout: TensorLayout, dtype: DType, source: ResultSource)]
    private let writes: [(target: Tensor, copy: Launch, from: ResultSource)]
    private let gradients: [(leaf: Tensor, place: GradientPlace, isCleared: Bool)]
    /// The gradients' tensors, for where the arena is now.
    private var gradientTensors: [Tensor] = []
    /// Whether the gradients that lie in the arena have served their purpose.
    private var areGradientsSpent = false
    private let effects: [() throws -> Void]
    /// What the addresses in the table point into: parameters, buffers and constants.
    private let stored: [Tensor]

    /// Where a result is found after a run.
    private enum ResultSource {
        case arena(Int)
        case input(Int, Int)
        case stored(Tensor, Int)
    }

    /// Where a leaf's gradient lies between runs.
    private enum GradientPlace {
        case own(Tensor)
        /// In the arena, which it shares with all plans: until the next run of any of them.
        case arena(Int)
    }

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
    public init(
        _ recording: Recording, inputs: [Tensor], outputs: [Tensor], recomputation: Recomputation = .cheap, ownsGradients: Bool = true
    ) throws {
        let leafGradients = recording.leafGradients
        let updates = recording.assignments.map { Plan.optimises ? RunningUpdate($0.target, $0.value) : nil }
        let assigned = zip(recording.assignments, updates).map { $1?.moments ?? $0.value }
        let roots = outputs + assigned + leafGradients.map(\.value)
        var graph = PlanGraph(recording, roots: roots, inputs: inputs, optimise: Plan.optimises)
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
        let builder = try PlanBuilder(graph, external: external, optimise: Plan.optimises)
        graph = builder.graph

        arena = SharedArena.Lease(bytes: builder.arenaBytes)
        table = try Block(builder.placeCount, for: "plan")
        table.start.initialize(repeating: SharedArena.nowhere, count: builder.placeCount)
        var arenaPlaces: [(Int, Int)] = []
        var inputPlaces: [(Int, Int, Int)] = []
        func locate(_ value: Int) throws -> ResultSource {
            let (owner, offset) = graph.home(value)
            let bytes = offset * DType.byteCount
            if let buffer = external[owner] { return .stored(buffer, bytes) }
            switch graph.values[owner].source {
            case .input(let i): return .input(i, bytes)
            case .stored(let tensor): return .stored(tensor, bytes)
            case .computed, .view: return .arena(builder.offset(of: owner) + bytes)
            }
        }
        for (place, value) in builder.places.enumerated() {
            switch try locate(value) {
            case .input(let i, let bytes): inputPlaces.append((place, i, bytes))
            case .stored(let tensor, let bytes): table.start[place] = try tensor.pointer(for: "plan") + bytes
            case .arena(let bytes): arenaPlaces.append((place, bytes))
            }
        }
        self.inputPlaces = inputPlaces
        self.arenaPlaces = arenaPlaces
        steps = builder.steps
        trafficBytes = builder.trafficBytes
        self.inputs = inputs.map { ($0.shape, $0.dtype) }
        results = try outputs.map { output in
            let value = graph.find(output)
            return (graph.values[value].layout, output.dtype, try locate(value))
        }
        writes = try zip(recording.assignments, zip(assigned, updates)).map { assignment, source in
            let id = graph.find(source.0)
            return (assignment.target, try source.1?.launch ?? Plan.copy(graph.values[id].layout, assignment.target), try locate(id))
        } + zip(outside.map { leafGradients[$0] }, buffers).compactMap { gradient, buffer in
            let id = graph.find(gradient.value)
            let (owner, offset) = graph.home(id)
            if let memory = external[owner], try memory.pointer() + offset * DType.byteCount == buffer.pointer() { return nil }
            return (buffer, try Plan.copy(graph.values[id].layout, buffer), try locate(id))
        }
        let own = Dictionary(uniqueKeysWithValues: zip(outside, buffers))
        gradients = try leafGradients.indices.map { i in
            let leaf = leafGradients[i].leaf
            let place: GradientPlace
            if let value = inArena[i] {
                let (owner, offset) = graph.home(value)
                place = .arena(builder.offset(of: owner) + offset * DType.byteCount)
            } else {
                place = .own(try own[i] ?? Tensor.zeros(leaf.shape))
            }
            return (leaf, place, recording.cleared.contains(ObjectIdentifier(leaf)))
        }
        effects = recording.effects
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

    deinit { vacate() }

    /// Gradients that the last run left in the arena and that a leaf still has get memory of their own, or are forgotten if they are spent.
    func vacate() {
        for (tensor, (leaf, place, _)) in zip(gradientTensors, gradients) {
            guard case .arena = place, leaf.grad === tensor else { continue }
            if areGradientsSpent {
                leaf.grad = nil
            } else if let copy = try? tensor.clone() {
                leaf.grad = copy
            } else {
                leaf.grad = nil
                trellis_memory_miss(tensor.count * DType.byteCount)
            }
        }
    }

    /// Tells that an optimiser has made its step by the gradients of the last run: those in the arena may go when a plan runs next.
    public static func spendGradients() { SharedArena.tenant?.areGradientsSpent = true }

    private func placeGradients(_ arena: Storage) {
        gradientTensors = gradients.map { leaf, place, _ in
            switch place {
            case .own(let tensor): tensor
            case .arena(let bytes):
                Tensor(storage: arena, offset: bytes / DType.byteCount, layout: TensorLayout(contiguous: leaf.shape), dtype: .float32)
            }
        }
    }

    private static func copy(_ source: TensorLayout, _ target: Tensor) throws -> Launch {
        try Operation.slice(starts: source.shape.map { _ in 0 }, sizes: source.shape, steps: source.shape.map { _ in 1 })
            .kernel([Operand(source, target.dtype)], Operand(target.layout, target.dtype))
    }

    /// Runs the graph on tensors shaped like its inputs and returns its outputs.
    public func run(_ arguments: [Tensor]) throws -> [Tensor] {
        let bound = try bind(arguments)
        SharedArena.vacate()
        let block = try SharedArena.storage(atLeast: arena.bytes)
        let arenaStart = block.pointer
        if arenaStart != arenaBase || gradientTensors.count != gradients.count {
            placeGradients(block)
            for (place, offset) in arenaPlaces { table.start[place] = arenaStart + offset }
            arenaBase = arenaStart
        }
        // A gradient that a run before left in our buffer and that nobody cleared is added to, as `backward` does.
        let kept = try zip(gradients, gradientTensors).map { gradient, tensor in
            gradient.isCleared ? nil : gradient.leaf.grad === tensor ? try tensor.clone() : gradient.leaf.grad
        }
        let base = table.start
        PlanProfile.current?.countRun()
        for step in steps {
            try checkInterrupt()
            guard let profile = PlanProfile.current else {
                try step.launch(base + step.first)
                try Memory.checkMissing(step.label)
                continue
            }
            try profile.time(step.label, in: step.module, multiplyAdds: step.multiplyAdds, isPlanned: true) { try step.launch(base + step.first) }
            try Memory.checkMissing(step.label)
        }
        let outputs = try results.map { layout, dtype, source -> Tensor in
            let output = try Tensor(shape: layout.shape, dtype: dtype, for: "plan")
            try copy(Plan.copy(layout, output), source, bound, to: output)
            return output
        }
        if let profile = PlanProfile.current, !effects.isEmpty {
            try profile.time("optimiser", in: "") { try finish(bound, kept) }
        } else {
            try finish(bound, kept)
        }
        return outputs
    }

    /// What follows the kernels: stored tensors are written, gradients left at their leaves, optimisers step.
    private func finish(_ bound: [Tensor], _ kept: [Tensor?]) throws {
        for write in writes {
            try copy(write.copy, write.from, bound, to: write.target)
            write.target.touch()
        }
        for ((gradient, tensor), before) in zip(zip(gradients, gradientTensors), kept) { gradient.leaf.grad = try before.map { try $0 + tensor } ?? tensor }
        (SharedArena.tenant, areGradientsSpent) = (self, false)
        for effect in effects { try effect() }
    }

    private func bind(_ arguments: [Tensor]) throws -> [Tensor] {
        guard arguments.count == inputs.count else { throw TensorError("plan", "expects \(inputs.count) inputs, got \(arguments.count)") }
        let bound = try zip(arguments, inputs).map { argument, input in
            guard argument.shape == input.shape, argument.dtype == input.dtype else {
                throw TensorError(
                    "plan", "was compiled for \(input.dtype) \(Shapes.text(input.shape)), got \(argument.dtype) \(Shapes.text(argument.shape))")
            }
            return try argument.detach().contiguous()
        }
        for (place, input, offset) in inputPlaces { table.start[place] = try bound[input].pointer(for: "plan") + offset }
        return bound
    }

    private func copy(_ launch: Launch, _ source: ResultSource, _ bound: [Tensor], to target: Tensor) throws {
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

/// Turns works into steps with addresses: inserts the copies that kernels need and places all buffers in the arena.
private struct PlanBuilder {
    var graph: PlanGraph
    private(set) var steps: [Plan.Step] = []
    /// The value behind each place of the address table.
    private(set) var places: [Int] = []
    private var bufferOffset: [Int: Int] = [:]
    /// Buffers that lie outside of the arena: gradients, which outlive a run.
    private let external: [Int: Tensor]
    private(set) var arenaBytes = 0
    /// Sizes of all operands of all steps.
    var trafficBytes: Int { places.reduce(0) { $0 + graph.values[$1].layout.count } * DType.byteCount }
    private var copies: [Int: Int] = [:]

    var placeCount: Int { places.count }

    init(_ graph: PlanGraph, external: [Int: Tensor], optimise: Bool) throws {
        self.graph = graph
        self.external = external
        var chain: [PlanGraph.Work] = []
        for work in graph.works where !work.isDead {
            if work.slices != chain.last?.slices { add(&chain) }
            if work.slices == nil { try add(work) } else { chain.append(work) }
        }
        add(&chain)
        place(optimise: optimise)
    }

    func offset(of value: Int) -> Int { bufferOffset[value] ?? 0 }

    private mutating func add(_ work: PlanGraph.Work) throws {
        var inputs = work.inputs
        for (i, input) in inputs.enumerated() where !work.operation.accepts(graph.values[input].layout, at: i) {
            inputs[i] = try contiguousCopy(of: input)
        }
        let launch = try work.kernel(inputs.map { operand($0) }, operand(work.output))
        steps.append(Plan.Step(launch: launch, first: places.count, label: work.operation.name + (work.isFused ? " (fused)" : ""), module: work.module,
            multiplyAdds: multiplyAdds(work)))
        places.append(contentsOf: inputs + [work.output])
    }

    /// Works that run image by image, as one step.
    private mutating func add(_ chain: inout [PlanGraph.Work]) {
        guard let slices = chain.first?.slices else { return }
        let kernel = SlicedKernel(chain, graph, slices)
        var names: [String] = []
        for work in chain where !names.contains(work.operation.name) { names.append(work.operation.name) }
        steps.append(Plan.Step(launch: kernel.run, first: places.count, label: names.joined(separator: ", ") + " (by image)",
            module: ModulePattern.common(chain.map(\.module)), multiplyAdds: chain.reduce(0) { $0 + multiplyAdds($1) }))
        places.append(contentsOf: kernel.operands)
        chain = []
    }

    private func multiplyAdds(_ work: PlanGraph.Work) -> Int {
        work.operation.multiplyAdds(work.inputs.map { graph.values[$0].layout.shape }, graph.values[work.output].layout.shape)
    }

    private func operand(_ value: Int) -> Operand { Operand(graph.values[value].layout, graph.values[value].dtype) }

    private mutating func contiguousCopy(of value: Int) throws -> Int {
        if let known = copies[value] { return known }
        let copy = graph.addCopy(of: value)
        let shape = graph.values[value].layout.shape
        let operation = Operation.slice(starts: shape.map { _ in 0 }, sizes: shape, steps: shape.map { _ in 1 })
        steps.append(Plan.Step(
            launch: try operation.kernel([operand(value)], operand(copy)), first: places.count, label: operation.name, module: "", multiplyAdds: 0))
        places.append(contentsOf: [value, copy])
        copies[value] = copy
        return copy
    }

    /// Lifetimes of the computed buffers, and their places.
    private mutating func place(optimise: Bool) {
        var first: [Int: Int] = [:]
        var last: [Int: Int] = [:]
        for (i, step) in steps.enumerated() {
            let end = i + 1 < steps.count ? steps[i + 1].first : places.count
            for value in places[step.first..<end] {
                let base = graph.home(value).owner
                guard case .computed = graph.values[base].source, external[base] == nil else { continue }
                if first[base] == nil { first[base] = i }
                last[base] = i
            }
        }
        for value in graph.values.indices where graph.values[value].isRoot { last[graph.home(value).owner] = steps.count }
        let buffers = first.keys.sorted()
        let requests = buffers.map { base in
            Arena.Request(
                bytes: graph.values[base].layout.count * DType.byteCount, first: optimise ? first[base] ?? 0 : 0,
                last: optimise ? last[base] ?? 0 : steps.count)
        }
        let arena = Arena(requests)
        arenaBytes = arena.byteCount
        for (buffer, offset) in zip(buffers, arena.offsets) { bufferOffset[buffer] = offset }
    }
}
