/// Operations that read one input, or parts of one pack, each with parameters of its own: convolutions are one with more output channels, and what follows them
/// (norms, functions of elements, pools, sums, products with numbers) works on the channels of all of them side by side, [N, members·C, ...].
///
/// The members of a batch are equally many operations away from the inputs of the graph, so none of them needs another, and no batch another in a circle.
///
/// It begins with convolutions that lead to sums and nowhere else, as the edges of a cell do. Others that read one input, such as those that lead from a cell into
/// several later ones, go different ways from then on: what is side by side would have to be taken apart again.
struct ChannelBatching {
    private let batching: Batching
    private let readers: [ObjectIdentifier: [Tensor]]

    /// Operations with parameters, by what they read.
    static func seed(_ node: Node) -> Batching.Seed? {
        switch node.operation {
        case .conv2d, .stackedNorm: Batching.Seed(operation: node.operation, shared: ObjectIdentifier(node.inputs[0]), regions: node.regions)
        default: nil
        }
    }

    static func run(_ batching: Batching, _ needed: [Tensor]) throws {
        var readers = [ObjectIdentifier: [Tensor]](minimumCapacity: needed.count)
        for tensor in needed { for input in tensor.node?.inputs ?? [] { readers[ObjectIdentifier(input), default: []].append(tensor) } }
        let pass = ChannelBatching(batching: batching, readers: readers)
        for level in levels(needed) {
            for (key, members) in Batching.classes(level, pass.key) {
                if let groups = pass.sharing(members, key) {
                    for (key, members) in groups { try pass.merge(members, key) }
                } else {
                    for run in pass.runs(members, key.parts) { try pass.merge(run, key) }
                }
            }
        }
        batching.recording.sort()
    }

    /// Tensors by how many operations they are away from what the graph begins with.
    private static func levels(_ needed: [Tensor]) -> [[Tensor]] {
        var levels: [[Tensor]] = []
        var level = [ObjectIdentifier: Int](minimumCapacity: needed.count)
        for tensor in needed {
            let own = (tensor.node?.inputs ?? []).reduce(0) { max($0, (level[ObjectIdentifier($1)] ?? -1) + 1) }
            level[ObjectIdentifier(tensor)] = own
            while levels.count <= own { levels.append([]) }
            levels[own].append(tensor)
        }
        return levels
    }

    private func key(_ tensor: Tensor) -> Batching.Key? {
        guard let node = tensor.node, batching.isFree(tensor), let sources = sources(node, tensor) else { return nil }
        return Batching.Key(node.operation, tensor, sources)
    }

    /// What members have in common of their inputs; nil for operations that are not batched.
    private func sources(_ node: Node, _ tensor: Tensor) -> [Batching.Key.Source]? {
        let x = node.inputs
        func own(_ inputs: ArraySlice<Tensor>) -> [Batching.Key.Source] { inputs.map { .own($0.shape) } }
        switch node.operation {
        case .conv2d(let options):
            guard x.count == 2, options.repeats == 1, batching.part(x[1]) == nil, batching.part(x[0]) != nil || leadsToSum(tensor) else { return nil }
            return [batching.source(x[0])] + own(x[1...])
        case .stackedNorm(let options):
            guard options.repeats == 1, tensor.rank == 4, batching.part(x[0]) != nil || x.count > 2 else { return nil }
            let isGiven = batching.part(x[0]) != nil && batching.part(x[1]) == nil
            guard !isGiven || !options.batchStatistics else { return nil }
            return [batching.source(x[0]), isGiven ? .own(x[1].shape) : batching.source(x[1])] + own(x[2...])
        case .stackedMoments, .unary, .scalar, .maxPool, .averagePool, .resize:
            return batching.part(x[0]).flatMap { $0.pack.axis == 1 ? [batching.source(x[0])] : nil }
        case .binary(let function):
            return sources(function, x, tensor)
        default:
            return nil
        }
    }

    /// Whether all that follows a value, one operation after the other, is a term of a sum.
    private func leadsToSum(_ tensor: Tensor) -> Bool {
        var tensor = tensor
        while true {
            // A norm reads its input and the moments of that.
            let next = (readers[ObjectIdentifier(tensor)] ?? []).filter { if case .stackedMoments? = $0.node?.operation { false } else { true } }
            guard next.count == 1, let operation = next[0].node?.operation else { return false }
            switch operation {
            case .binary(.add): return true
            case .conv2d, .stackedNorm, .unary, .scalar, .binary(.mul), .maxPool, .averagePool, .resize: tensor = next[0]
            default: return false
            }
        }
    }

    private func sources(_ function: BinaryFunction, _ x: [Tensor], _ tensor: Tensor) -> [Batching.Key.Source]? {
        guard tensor.rank == 4 else { return nil }
        if let (wide, number) = tensor.product {
            return wide == 0 ? [batching.source(x[0]), .own(x[number].shape)] : [.own(x[number].shape), batching.source(x[1])]
        }
        guard x[0].shape == tensor.shape, x[1].shape == tensor.shape else { return nil }
        switch (batching.part(x[0]), batching.part(x[1])) {
        case (nil, nil): return nil
        case (.some, .some): return x.map(batching.source)
        case (.some, nil): return function == .add && batching.isFree(x[1]) ? [batching.source(x[0]), .own(x[1].shape)] : nil
        case (nil, .some): return function == .add && batching.isFree(x[0]) ? [.own(x[0].shape), batching.source(x[1])] : nil
        }
    }

    /// Members that read the same part of a pack, or share their weights, are not side by side in it: those that read one part are those of one input. (What
    /// shares weights is a matter of `SampleBatching`.) Nil for others.
    private func sharing(_ members: [Tensor], _ key: Batching.Key) -> [(key: Batching.Key, members: [Tensor])]? {
        let places = switch key.operation {
        case .conv2d: [1]
        case .binary(.mul): key.parts
        default: [Int]()
        }
        guard !key.parts.isEmpty, places.contains(where: { Set(members.inputs($0).map(ObjectIdentifier.init)).count < members.count }) else { return nil }
        return Batching.classes(members) { tensor in
            let sources = key.sources.indices.map { place -> Batching.Key.Source in
                if case .part = key.sources[place] { .same(ObjectIdentifier(tensor.input(place))) } else { key.sources[place] }
            }
            return Batching.Key(key.operation, tensor, sources)
        }
    }

    /// Members whose parts follow one another in all of their packs.
    private func runs(_ members: [Tensor], _ places: [Int]) -> [[Tensor]] {
        guard let first = places.first else { return [members] }
        func index(_ tensor: Tensor, _ place: Int) -> Int { batching.part(tensor.input(place))?.index ?? 0 }
        var runs: [[Tensor]] = []
        let order = members.indices.sorted { (index(members[$0], first), $0) < (index(members[$1], first), $1) }
        for tensor in order.map({ members[$0] }) {
            let place = runs.firstIndex { run in places.allSatisfy { index(tensor, $0) == index(run[run.count - 1], $0) + 1 } }
            if let place { runs[place].append(tensor) } else { runs.append([tensor]) }
        }
        return runs.filter { $0.count > 1 }
    }

    private func merge(_ members: [Tensor], _ key: Batching.Key) throws {
        let isShared = if case .same = key.sources[0] { true } else { false }
        switch key.operation {
        case .conv2d(let options): try batching.merge(members, 1) { try convolve(members, options, key, isShared) }
        case .stackedNorm(let options): try batching.merge(members, 1) { try normalise(members, options, key, isShared) }
        case .stackedMoments: try batching.merge(members, 2) { try key.operation.apply([batching.operand(members, 0, key)]) }
        case .binary(.mul) where members[0].product != nil: try multiply(members, key)
        case .binary: try batching.merge(members, 1) { try key.operation.apply([0, 1].map { try term(members, $0, key) }) }
        default: try batching.merge(members, 1) { try key.operation.apply([batching.operand(members, 0, key)]) }
        }
    }

    private func convolve(_ members: [Tensor], _ options: ConvOptions, _ key: Batching.Key, _ isShared: Bool) throws -> Tensor {
        var options = options
        if !isShared {
            options.groups *= members.count
        } else if options.groups > 1 {
            options.groups *= members.count
            options.repeats = members.count
        }
        return try batching.operand(members, 0, key).conv2d(Tensor.concat(members.inputs(1), 0), options)
    }

    private func normalise(_ members: [Tensor], _ options: StackedNorm, _ key: Batching.Key, _ isShared: Bool) throws -> Tensor {
        var options = options
        if isShared { options.repeats = members.count }
        let statistics = if case .own = key.sources[1] { try Tensor.concat(members.inputs(1), 2) } else { try batching.operand(members, 1, key) }
        let parameters = try (2..<key.sources.count).map { try Tensor.concat(members.inputs($0), 0) }
        return try Operation.stackedNorm(options).apply([batching.operand(members, 0, key), statistics] + parameters)
    }

    /// Products with numbers: a factor for each channel.
    private func multiply(_ members: [Tensor], _ key: Batching.Key) throws {
        guard let (wide, number) = members[0].product else { return }
        let unit = try batching.unit
        let channels = members[0].shape[1]
        try batching.merge(members, 1) {
            let factors = try Tensor.concat(members.inputs(number).map { try $0.reshape([1]).expand([channels]) }, 0)
            let x = try batching.operand(members, wide, key)
            return try x.scaledChannels(factors, repeats: members.count * channels / x.shape[1], unit: unit)
        }
    }

    /// One side of an operation of elements: values that lie apart are put side by side.
    private func term(_ members: [Tensor], _ place: Int, _ key: Batching.Key) throws -> Tensor {
        if case .own = key.sources[place] { return try Tensor.concat(members.inputs(place), 1) }
        return try batching.operand(members, place, key)
    }
}
