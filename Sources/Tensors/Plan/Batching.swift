/// Equal works side by side: a rewriting of what was recorded, made before it is differentiated, so that the derivatives are of the batched form too.
///
/// A supernet is full of equal operations that differ in their parameters or in their inputs only. Two kinds of them are one computation each, exact up to the
/// order of additions:
///
/// - Several that read one input, each with parameters of its own (the edges that leave a state of a cell), work on the channels of all of them side by side:
///   `ChannelBatching`.
/// - Several that share their parameters, each with an input of its own (the arrows into a node), work on one batch behind the other: `SampleBatching`.
///
/// What was recorded stays what it was to everybody: a member of a batch is from then on a slice of it. The parameters are put side by side in each run, so
/// they may be written, loaded and frozen as ever. Graphs that nothing differentiates are left alone: norms that are folded into convolutions serve them
/// better (`NormFolding`).
final class Batching {
    /// False: plans compute operation by operation, what tests compare with.
    nonisolated(unsafe) static var isOn = true

    /// Values side by side along one axis.
    final class Pack {
        let whole: Tensor
        let axis: Int
        let count: Int

        init(_ whole: Tensor, _ axis: Int, _ count: Int) { (self.whole, self.axis, self.count) = (whole, axis, count) }

        /// Some values that follow one another, side by side.
        func stretch(_ first: Int, _ number: Int) throws -> Tensor {
            let size = whole.shape[axis] / count
            return number == count ? whole : try whole.narrow(axis, first * size, number * size)
        }
    }

    /// A value in a pack.
    struct Part {
        let pack: Pack
        let index: Int
    }

    /// What equal operations have in common.
    struct Key: Hashable {
        enum Source: Hashable {
            /// The same tensor for all.
            case same(ObjectIdentifier)
            /// A part of this pack.
            case part(ObjectIdentifier)
            /// A tensor of its own for each, of this shape.
            case own([Int])
        }

        let operation: Operation
        let regions: Regions
        let requiresGrad: Bool
        let shape: [Int]
        let sources: [Source]

        init(_ operation: Operation, _ tensor: Tensor, _ sources: [Source]) {
            (self.operation, shape, requiresGrad, self.sources) = (operation, tensor.shape, tensor.requiresGrad, sources)
            regions = tensor.node?.regions ?? .everywhere
        }

        /// Positions of the inputs that are parts of packs.
        var parts: [Int] { sources.indices.filter { if case .part = sources[$0] { true } else { false } } }
    }

    let recording: Recording
    /// Tensors that have to stay what they are: what is differentiated, and what it is differentiated by.
    let fixed: Set<ObjectIdentifier>
    private var parts: [ObjectIdentifier: Part] = [:]

    /// Mean 0 and variance 1: a norm by them is a product with its scale.
    var unit: Tensor {
        get throws {
            let unit = try knownUnit ?? Tensor.unitMoments()
            knownUnit = unit
            return unit
        }
    }

    private var knownUnit: Tensor?

    init(_ recording: Recording, fixed: Set<ObjectIdentifier>) { (self.recording, self.fixed) = (recording, fixed) }

    /// Rewrites what `values` were computed from.
    static func run(_ recording: Recording, for values: [Tensor], by targets: Set<ObjectIdentifier>) throws {
        guard isOn, Plan.optimises, !recording.isForReaders, !recording.isDifferentiating, !recording.takeBackRedefinitions(of: targets) else { return }
        try recording.redefining { fresh in
            func needed() -> [Tensor] {
                let all = Recording.reachable(from: values)
                return fresh().filter { all.contains(ObjectIdentifier($0)) }
            }
            let fixed = targets.union(values.map(ObjectIdentifier.init)), all = needed()
            // Of a network in which each part has a region of its own, nothing; it is not gone through more than once for that.
            let isWide = hasPair(all, by: ChannelBatching.seed)
            if isWide { try ChannelBatching.run(Batching(recording, fixed: fixed), all) }
            if hasPair(all, by: SampleBatching.seed) { try SampleBatching.run(Batching(recording, fixed: fixed), isWide ? needed() : all, for: values) }
        }
    }

    /// What a batch can begin with: an operation at a place, and what it has in common with others.
    struct Seed: Hashable {
        let operation: Operation
        let shared: ObjectIdentifier
        let regions: Regions
    }

    private static func hasPair(_ tensors: [Tensor], by seed: (Node) -> Seed?) -> Bool {
        var seen = Set<Seed>()
        return tensors.contains { tensor in tensor.node.flatMap(seed).map { !seen.insert($0).inserted } ?? false }
    }

    func part(_ tensor: Tensor) -> Part? { parts[ObjectIdentifier(tensor)] }

    /// Whether a tensor may become a part of a batch.
    func isFree(_ tensor: Tensor) -> Bool { tensor.isSymbolic && !fixed.contains(ObjectIdentifier(tensor)) && !recording.memory.isWritten(tensor) }

    func source(_ tensor: Tensor) -> Key.Source { part(tensor).map { .part(ObjectIdentifier($0.pack)) } ?? .same(ObjectIdentifier(tensor)) }

    /// Those of some tensors that have equal keys, in order.
    static func classes(_ tensors: [Tensor], _ key: (Tensor) -> Key?) -> [(key: Key, members: [Tensor])] {
        var places: [Key: Int] = [:]
        var classes: [(key: Key, members: [Tensor])] = []
        for tensor in tensors {
            guard let key = key(tensor) else { continue }
            if let place = places[key] {
                classes[place].members.append(tensor)
            } else {
                places[key] = classes.count
                classes.append((key, [tensor]))
            }
        }
        return classes.filter { $0.members.count > 1 }
    }

    /// Writes down what `members` are together, and makes each its part of that.
    @discardableResult
    func merge(_ members: [Tensor], _ axis: Int, _ body: () throws -> Tensor) throws -> Pack {
        let whole = try write(members, body)
        let pack = Pack(whole, axis, members.count)
        let size = whole.shape[axis] / members.count
        for (i, member) in members.enumerated() {
            var starts = [Int](repeating: 0, count: whole.rank), sizes = whole.shape
            (starts[axis], sizes[axis]) = (i * size, size)
            recording.redefine(member, as: .slice(starts: starts, sizes: sizes, steps: sizes.map { _ in 1 }), [whole])
        }
        note(members, in: pack)
        return pack
    }

    /// From here on tensors count as the parts of a pack.
    func note(_ members: [Tensor], in pack: Pack) {
        for (i, member) in members.enumerated() { parts[ObjectIdentifier(member)] = Part(pack: pack, index: i) }
    }

    /// Writes down something in place of tensors: where they stand, and in the module that they have in common.
    func write(_ members: [Tensor], _ body: () throws -> Tensor) throws -> Tensor {
        try GradientMode.with(members.contains(where: \.requiresGrad)) {
            try ModulePath.at(ModulePattern.common(members.map { $0.node?.scope ?? "" })) {
                try recording.at(members[0].node?.regions ?? .everywhere) { try recording.differentiating(body) }
            }
        }
    }

    /// Input `place` of all of `members` as one tensor: a stretch of a pack, or what they have in common.
    func operand(_ members: [Tensor], _ place: Int, _ key: Key) throws -> Tensor {
        let first = members[0].input(place)
        guard case .part = key.sources[place], let part = part(first) else { return first }
        return try part.pack.stretch(part.index, members.count)
    }
}

extension Tensor {
    /// Where it is a product with a number: the positions of what is multiplied, and of the number.
    var product: (wide: Int, number: Int)? {
        guard let node, node.operation == .binary(.mul) else { return nil }
        if node.inputs[0].shape == shape, node.inputs[1].count == 1 { return (0, 1) }
        return node.inputs[1].shape == shape && node.inputs[0].count == 1 ? (1, 0) : nil
    }

    /// An input of what it was computed by.
    func input(_ place: Int) -> Tensor { node?.inputs[place] ?? self }
}

extension [Tensor] {
    /// Input `place` of each.
    func inputs(_ place: Int) -> [Tensor] { map { $0.input(place) } }
}
