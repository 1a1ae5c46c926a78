/// Operations that share their parameters, each with an input of its own: they run on one batch behind the other, [members·N, ...], with statistics of their own
/// for each (`StackedNorm.groups`); a weighted sum of what comes out is one operation.
///
/// The members of a batch are equally many operations away from the end of the graph, the terms of a sum counted alike, so none of them needs another.
struct SampleBatching {
    private let batching: Batching
    private let level: [ObjectIdentifier: Level]
    private let uses: [ObjectIdentifier: Int]
    /// Parts of packs times a number.
    private var scaled: [ObjectIdentifier: (value: Tensor, number: Tensor)] = [:]

    /// How far from the end, and how deep within a sum.
    private struct Level: Hashable, Comparable {
        var height = 0
        var depth = 0

        static func < (a: Level, b: Level) -> Bool { (-a.height, a.depth) < (-b.height, b.depth) }
    }

    /// Operations with parameters, by those.
    static func seed(_ node: Node) -> Batching.Seed? {
        switch node.operation {
        case .conv2d, .stackedNorm: node.regions.isEverywhere ? node.inputs.last.map { Batching.Seed(operation: node.operation, shared: ObjectIdentifier($0), regions: node.regions) } : nil
        default: nil
        }
    }

    static func run(_ batching: Batching, _ needed: [Tensor], for values: [Tensor]) throws {
        var uses: [ObjectIdentifier: Int] = [:]
        for tensor in needed { for input in tensor.node?.inputs ?? [] { uses[ObjectIdentifier(input), default: 0] += 1 } }
        for value in values { uses[ObjectIdentifier(value), default: 0] += 1 }
        let level = levels(needed)
        var pass = SampleBatching(batching: batching, level: level, uses: uses)
        let byLevel = Dictionary(grouping: needed) { level[ObjectIdentifier($0)] ?? Level() }
        for tensors in byLevel.sorted(by: { $0.key < $1.key }).map(\.value) {
            for (key, members) in Batching.classes(tensors, pass.key) { try pass.merge(members, key) }
            for tensor in tensors { pass.noteProduct(tensor) }
        }
        try pass.sum(needed)
        batching.recording.sort()
    }

    private static func isSum(_ tensor: Tensor) -> Bool { tensor.node?.operation == .binary(.add) }

    private static func levels(_ needed: [Tensor]) -> [ObjectIdentifier: Level] {
        var level = [ObjectIdentifier: Level](minimumCapacity: needed.count)
        for tensor in needed.reversed() {
            let height = level[ObjectIdentifier(tensor), default: Level()].height
            for input in tensor.node?.inputs ?? [] {
                let further = height + (isSum(tensor) && isSum(input) ? 0 : 1)
                level[ObjectIdentifier(input), default: Level()].height = max(level[ObjectIdentifier(input)]?.height ?? 0, further)
            }
        }
        for tensor in needed where isSum(tensor) {
            let height = level[ObjectIdentifier(tensor)]?.height
            let depths = (tensor.node?.inputs ?? []).compactMap { level[ObjectIdentifier($0)] }.filter { $0.height == height }.map(\.depth)
            level[ObjectIdentifier(tensor), default: Level()].depth = (depths.max() ?? -1) + 1
        }
        return level
    }

    /// Of regions nothing: arrows have guards of their own.
    private func key(_ tensor: Tensor) -> Batching.Key? {
        guard let node = tensor.node, node.regions.isEverywhere, batching.isFree(tensor), let sources = sources(node, tensor) else { return nil }
        return Batching.Key(node.operation, tensor, sources)
    }

    private func sources(_ node: Node, _ tensor: Tensor) -> [Batching.Key.Source]? {
        let x = node.inputs
        func isPart(_ tensor: Tensor) -> Bool { batching.part(tensor) != nil }
        func values(_ tensor: Tensor) -> Batching.Key.Source { isPart(tensor) ? batching.source(tensor) : .own(tensor.shape) }
        switch node.operation {
        case .conv2d:
            guard !x.dropFirst().contains(where: isPart) else { return nil }
            return [values(x[0])] + x.dropFirst().map(batching.source)
        case .stackedNorm(let options):
            guard x.count > 2 || isPart(x[0]), tensor.rank == 4, options.batchStatistics || options.groups == 1 else { return nil }
            return [values(x[0]), options.batchStatistics ? .own(x[1].shape) : batching.source(x[1])] + x.dropFirst(2).map(batching.source)
        case .stackedMoments, .unary, .scalar, .maxPool, .averagePool, .resize:
            return isPart(x[0]) ? [batching.source(x[0])] : nil
        case .slice(let starts, let sizes, let steps):
            guard isPart(x[0]), x[0].rank == 4, starts[0] == 0, sizes[0] == x[0].shape[0], steps.allSatisfy({ $0 == 1 }) else { return nil }
            return [batching.source(x[0])]
        case .concat(let axis):
            return axis > 0 && x.allSatisfy(isPart) ? x.map(batching.source) : nil
        case .binary(let function):
            let isNumber = x.map { function == .mul && $0.count == 1 && !isPart($0) }
            guard tensor.rank == 4, x.contains(where: isPart), x.indices.allSatisfy({ x[$0].shape == tensor.shape || isNumber[$0] }) else { return nil }
            return x.map(batching.source)
        default:
            return nil
        }
    }

    /// A part times a number of its own: what weighs an arrow.
    private mutating func noteProduct(_ tensor: Tensor) {
        guard let node = tensor.node, node.operation == .binary(.mul), tensor.rank == 4, node.regions.isEverywhere, batching.isFree(tensor), batching.part(tensor) == nil
        else { return }
        for (value, number) in [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])]
        where number.count == 1 && value.shape == tensor.shape && batching.part(value) != nil {
            scaled[ObjectIdentifier(tensor)] = (value, number)
        }
    }

    private func merge(_ members: [Tensor], _ key: Batching.Key) throws {
        let members = key.parts.first.map { place in
            members.sorted { (batching.part($0.input(place))?.index ?? 0) < (batching.part($1.input(place))?.index ?? 0) }
        } ?? members
        // A pack's members are computed at different times: who reads it waits for all of them, as all of its readers do.
        for place in key.parts {
            guard let pack = batching.part(members[0].input(place))?.pack, pack.count == members.count,
                members.indices.allSatisfy({ batching.part(members[$0].input(place))?.index == $0 })
            else { return }
        }
        let count = members.count
        switch key.operation {
        case .stackedNorm(let options):
            guard let x = try pack(members.inputs(0)) else { return }
            try normalise(members, options, x)
        case .stackedMoments(let groups):
            try batching.merge(members, 0) { try Operation.stackedMoments(groups: groups * count)(batching.operand(members, 0, key)) }
        case .slice(let starts, var sizes, let steps):
            sizes[0] *= count
            try batching.merge(members, 0) { try Operation.slice(starts: starts, sizes: sizes, steps: steps)(batching.operand(members, 0, key)) }
        case .binary:
            let unit = try batching.unit
            try batching.merge(members, 0) {
                let x = try key.sources.indices.map { try batching.operand(members, $0, key) }
                if let (wide, number) = members[0].product {
                    return try x[wide].scaledChannels(x[number].reshape([1]).expand([x[wide].shape[1]]), repeats: 1, unit: unit)
                }
                return try key.operation.apply(x.indices.map { key.parts.contains($0) ? x[$0] : try x[$0].spreadGroups(count) })
            }
        default:
            guard let x = try pack(members.inputs(0)) else { return }
            try batching.merge(members, 0) { try key.operation.apply([x.whole] + key.sources.indices.dropFirst().map { try batching.operand(members, $0, key) }) }
        }
    }

    private func normalise(_ members: [Tensor], _ options: StackedNorm, _ x: Batching.Pack) throws {
        var options = options
        let statistics: Tensor
        if options.batchStatistics {
            let moments = members.inputs(1)
            if let known = batching.part(moments[0])?.pack, known.count == members.count {
                statistics = known.whole
            } else {
                guard moments.indices.allSatisfy({ moments[$0].node?.operation == .stackedMoments(groups: options.groups) && moments[$0].input(0) === members[$0].input(0) })
                else { return }
                statistics = try batching.merge(moments, 0) { try Operation.stackedMoments(groups: options.groups * members.count)(x.whole) }.whole
            }
            options.groups *= members.count
        } else {
            statistics = members[0].input(1)
        }
        let parameters = (members[0].node?.inputs ?? []).dropFirst(2)
        try batching.merge(members, 0) { try Operation.stackedNorm(options).apply([x.whole, statistics] + parameters) }
    }

    /// Tensors as one, behind one another. Functions of single values that lead to them are batched too, so that what several operations read is put together once.
    private func pack(_ tensors: [Tensor]) throws -> Batching.Pack? {
        guard Set(tensors.map(ObjectIdentifier.init)).count == tensors.count else { return nil }
        if let pack = batching.part(tensors[0])?.pack {
            return pack.count == tensors.count && tensors.indices.allSatisfy { batching.part(tensors[$0])?.pack === pack && batching.part(tensors[$0])?.index == $0 } ? pack : nil
        }
        guard tensors.allSatisfy({ batching.part($0) == nil }) else { return nil }
        if let operation = commonFunction(tensors), let x = try pack(tensors.inputs(0)) { return try batching.merge(tensors, 0) { try operation(x.whole) } }
        guard tensors.allSatisfy({ $0.rank == 4 && $0.isSymbolic && $0.node?.regions.isEverywhere != false }) else { return nil }
        let whole = try batching.write(tensors) { try Tensor.concat(tensors, 0) }
        let pack = Batching.Pack(whole, 0, tensors.count)
        batching.note(tensors, in: pack)
        return pack
    }

    /// The operation of tensors that are one function of something each.
    private func commonFunction(_ tensors: [Tensor]) -> Operation? {
        guard let operation = tensors[0].node?.operation else { return nil }
        switch operation {
        case .unary, .scalar, .maxPool, .averagePool: break
        default: return nil
        }
        let first = tensors[0]
        return tensors.allSatisfy {
            $0.node?.operation == operation && $0.node?.regions.isEverywhere == true && batching.isFree($0) && $0.requiresGrad == first.requiresGrad
                && level[ObjectIdentifier($0)] == level[ObjectIdentifier(first)] && level[ObjectIdentifier($0)] != nil
        } ? operation : nil
    }

    // MARK: Sums

    /// Sums over all parts of a pack, each times its number, as one operation.
    private func sum(_ needed: [Tensor]) throws {
        let sums = needed.filter { SampleBatching.isSum($0) && $0.rank == 4 && $0.node?.regions.isEverywhere == true }
        var inner = Set<ObjectIdentifier>()
        for tensor in sums { for input in tensor.node?.inputs ?? [] where isInner(input) { inner.insert(ObjectIdentifier(input)) } }
        for tensor in sums where !inner.contains(ObjectIdentifier(tensor)) && batching.part(tensor) == nil && !batching.recording.memory.isWritten(tensor) {
            try replace(tensor, terms(of: tensor))
        }
    }

    /// Whether a sum is read by one other operation only.
    private func isInner(_ tensor: Tensor) -> Bool { SampleBatching.isSum(tensor) && uses[ObjectIdentifier(tensor)] == 1 && batching.isFree(tensor) && batching.part(tensor) == nil }

    private func terms(of sum: Tensor) -> [Tensor] {
        var terms: [Tensor] = []
        var stack = [sum.input(1), sum.input(0)]
        while let tensor = stack.popLast() {
            if isInner(tensor), tensor.shape == sum.shape { stack += [tensor.input(1), tensor.input(0)] } else { terms.append(tensor) }
        }
        return terms
    }

    private func replace(_ sum: Tensor, _ terms: [Tensor]) throws {
        func value(_ term: Tensor) -> Tensor { uses[ObjectIdentifier(term)] == 1 ? scaled[ObjectIdentifier(term)]?.value ?? term : term }
        let packed = terms.filter { $0.shape == sum.shape && batching.part(value($0)) != nil }
        guard let pack = packed.first.flatMap({ batching.part(value($0))?.pack }), pack.axis == 0 else { return }
        let members = packed.filter { batching.part(value($0))?.pack === pack }.sorted { index(value($0)) < index(value($1)) }
        guard members.count == pack.count, members.indices.allSatisfy({ index(value(members[$0])) == $0 }) else { return }
        let numbers = members.map { uses[ObjectIdentifier($0)] == 1 ? scaled[ObjectIdentifier($0)]?.number : nil }
        let ids = Set(members.map(ObjectIdentifier.init))
        let rest = terms.filter { !ids.contains(ObjectIdentifier($0)) }
        guard numbers.allSatisfy({ ($0 == nil) == (numbers[0] == nil) }), rest.count + members.count == terms.count else { return }
        let result = try batching.write([sum]) {
            let weights = try numbers[0] == nil ? [] : [Tensor.concat(numbers.compactMap { try $0?.reshape([1]) }, 0)]
            let total = try Operation.weightGroups(groups: pack.count, weighted: !weights.isEmpty).apply([pack.whole] + weights)
            return try rest.reduce(total) { try $0 + $1 }
        }
        if let node = result.node { batching.recording.redefine(sum, as: node.operation, node.inputs) }
    }

    private func index(_ tensor: Tensor) -> Int { batching.part(tensor)?.index ?? 0 }
}
