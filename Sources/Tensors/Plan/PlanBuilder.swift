/// Turns works into steps with addresses: inserts the copies that kernels need and places all buffers in the arena.
struct PlanBuilder {
    var graph: PlanGraph
    private(set) var steps: [Plan.Step] = []
    /// The value behind each place of the address table.
    private(set) var places: [Int] = []
    private var bufferOffset: [Int: Int] = [:]
    /// Buffers that lie outside of the arena: gradients, which outlive a run.
    private let external: [Int: Tensor]
    private(set) var arenaBytes = 0
    /// The places of steps' conditions, see `Plan.Condition`; the first one always holds.
    private(set) var conditions: [Plan.Condition] = [[[]]]
    private var conditionNumbers: [Regions: Int] = [:]
    /// Steps before the conditions are known.
    private(set) var decidingCount = 0
    /// Sizes of all operands of all steps.
    var trafficBytes: Int { places.reduce(0) { $0 + graph.values[$1].layout.count } * DType.byteCount }
    private struct CopyKey: Hashable {
        let value: Int
        let condition: Int
    }
    private var copies: [CopyKey: Int] = [:]
    private var guardPlaces: [Int: Int] = [:]

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
        decidingCount = decidingSteps
        place(optimise: optimise)
    }

    /// The number of the condition that a part of the graph is computed under.
    mutating func condition(_ regions: Regions) -> Int {
        if regions.isEverywhere { return 0 }
        if let known = conditionNumbers[regions] { return known }
        conditionNumbers[regions] = conditions.count
        conditions.append(regions.alternatives.map { $0.guardians.map { guardPlace($0) } })
        return conditions.count - 1
    }

    private mutating func guardPlace(_ guardian: Tensor) -> Int {
        let value = graph.find(guardian)
        if let known = guardPlaces[value] { return known }
        let place = guardPlaces.count
        guardPlaces[value] = place
        return place
    }

    /// Steps until the last guard is computed.
    private var decidingSteps: Int {
        let owners = Set(guardPlaces.keys.map { graph.home($0).owner })
        let last = steps.indices.last { i in
            let end = i + 1 < steps.count ? steps[i + 1].first : places.count
            return owners.contains(graph.home(places[end - 1]).owner)
        }
        return last.map { $0 + 1 } ?? 0
    }

    /// The values behind the numbers in `conditions`.
    var guardValues: [Int] { guardPlaces.sorted { $0.value < $1.value }.map(\.key) }

    func offset(of value: Int) -> Int { bufferOffset[value] ?? 0 }

    private mutating func add(_ work: PlanGraph.Work) throws {
        var inputs = work.inputs
        for (i, input) in inputs.enumerated() where !work.operation.accepts(graph.values[input].layout, at: i) {
            inputs[i] = try contiguousCopy(of: input, condition(work.regions))
        }
        let launch = try work.kernel(inputs.map { operand($0) }, operand(work.output))
        steps.append(Plan.Step(launch: launch, first: places.count, label: work.operation.name + (work.isFused ? " (fused)" : ""), module: work.module,
            multiplyAdds: multiplyAdds(work), condition: condition(work.regions)))
        places.append(contentsOf: inputs + [work.output])
    }

    /// Works that run image by image, as one step.
    private mutating func add(_ chain: inout [PlanGraph.Work]) {
        guard let slices = chain.first?.slices else { return }
        let kernel = SlicedKernel(chain, graph, slices)
        var names: [String] = []
        for work in chain where !names.contains(work.operation.name) { names.append(work.operation.name) }
        steps.append(Plan.Step(launch: kernel.run, first: places.count, label: names.joined(separator: ", ") + " (by image)",
            module: ModulePattern.common(chain.map(\.module)), multiplyAdds: chain.reduce(0) { $0 + multiplyAdds($1) },
            condition: condition(chain[0].regions)))
        places.append(contentsOf: kernel.operands)
        chain = []
    }

    private func multiplyAdds(_ work: PlanGraph.Work) -> Int {
        work.operation.multiplyAdds(work.inputs.map { graph.values[$0].layout.shape }, graph.values[work.output].layout.shape)
    }

    private func operand(_ value: Int) -> Operand { Operand(graph.values[value].layout, graph.values[value].dtype) }

    private mutating func contiguousCopy(of value: Int, _ condition: Int) throws -> Int {
        let key = CopyKey(value: value, condition: condition)
        if let known = copies[key] { return known }
        let copy = graph.addCopy(of: value)
        let shape = graph.values[value].layout.shape
        let operation = Operation.slice(starts: shape.map { _ in 0 }, sizes: shape, steps: shape.map { _ in 1 })
        steps.append(Plan.Step(
            launch: try operation.kernel([operand(value)], operand(copy)), first: places.count, label: operation.name, module: "", multiplyAdds: 0,
            condition: condition))
        places.append(contentsOf: [value, copy])
        copies[key] = copy
        return copy
    }

    /// Lifetimes of the computed buffers, and their places.
    private mutating func place(optimise: Bool) {
        // Steps that write and read each buffer first and last.
        var lifetimes = [(first: Int, last: Int)?](repeating: nil, count: graph.values.count)
        for (i, step) in steps.enumerated() {
            let end = i + 1 < steps.count ? steps[i + 1].first : places.count
            for value in places[step.first..<end] {
                let base = graph.home(value).owner
                if let known = lifetimes[base] {
                    lifetimes[base] = (known.first, i)
                } else if case .computed = graph.values[base].source, external[base] == nil {
                    lifetimes[base] = (i, i)
                }
            }
        }
        for value in graph.values.indices where graph.values[value].isRoot {
            let owner = graph.home(value).owner
            if let known = lifetimes[owner] { lifetimes[owner] = (known.first, steps.count) }
        }
        let buffers = lifetimes.indices.filter { lifetimes[$0] != nil }
        let requests = buffers.map { base in
            let bytes = graph.values[base].layout.count * DType.byteCount
            guard optimise, let (first, last) = lifetimes[base] else { return Arena.Request(bytes: bytes, first: 0, last: steps.count) }
            return Arena.Request(bytes: bytes, first: first, last: last)
        }
        let arena = Arena(requests)
        arenaBytes = arena.byteCount
        for (buffer, offset) in zip(buffers, arena.offsets) { bufferOffset[buffer] = offset }
    }
}
