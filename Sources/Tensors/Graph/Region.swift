/// A part of a recording that is computed only in runs where a number, its guard, is not 0; within a region that is open, if it stands in one.
final class Region {
    /// One float32 number, a value outside of the region.
    let guardian: Tensor
    let parent: Region?
    /// The regions around it, the outermost first, and itself.
    private var line: [ObjectIdentifier]
    /// The guards that are to be open, the outermost first.
    let guardians: [Tensor]

    init(_ guardian: Tensor, in parent: Region?) {
        self.guardian = guardian
        self.parent = parent
        guardians = (parent?.guardians ?? []) + [guardian]
        line = parent?.line ?? []
        line.append(ObjectIdentifier(self))
    }

    func isInside(_ other: Region) -> Bool { other.line.count <= line.count && line[other.line.count - 1] == ObjectIdentifier(other) }
}

/// Where a value is computed: in runs in which one of these regions is open, or in every run.
///
/// A value may be read where it is computed for certain (`covers`). Out of its regions it comes by `Operation.emerge`, which takes it for zeros in runs that
/// did not compute it.
struct Regions: Hashable {
    /// None of the regions is inside of another; no first one: everywhere. Nearly always there is one at most, and then there is no list.
    private let first: Region?
    private let others: [Region]

    static var everywhere: Regions { Regions(nil) }

    init(_ region: Region?) { (first, others) = (region, []) }
    private init(_ all: [Region]) { (first, others) = (all.first, Array(all.dropFirst())) }

    var alternatives: [Region] { first.map { [$0] + others } ?? [] }
    var isEverywhere: Bool { first == nil }
    /// The one region, where it is one.
    var single: Region? { others.isEmpty ? first : nil }

    /// Whether what is computed here is there in every run that computes something at `other`.
    func covers(_ other: Regions) -> Bool {
        guard let first else { return true }
        guard let inner = other.first else { return false }
        if others.isEmpty, other.others.isEmpty { return inner.isInside(first) }
        return other.alternatives.allSatisfy { inner in inner.isInside(first) || others.contains { inner.isInside($0) } }
    }

    func union(_ other: Regions) -> Regions {
        if covers(other) { return self }
        if other.covers(self) { return other }
        var all = alternatives
        for region in other.alternatives where !all.contains(where: { region.isInside($0) }) { all = all.filter { !$0.isInside(region) } + [region] }
        return Regions(all)
    }

    static func == (a: Regions, b: Regions) -> Bool {
        if a.others.isEmpty, b.others.isEmpty { return a.first === b.first }
        // No list has a region twice.
        let mine = a.alternatives, theirs = b.alternatives
        return mine.count == theirs.count && mine.allSatisfy { region in theirs.contains { $0 === region } }
    }

    /// In whatever order they stand.
    func hash(into hasher: inout Hasher) {
        guard let first else { return }
        hasher.combine(others.reduce(ObjectIdentifier(first).hashValue) { $0 ^ ObjectIdentifier($1).hashValue })
    }
}

extension Recording {
    /// Writes down what `body` does as a region.
    /// - Parameter weight: one number, the region's guard; not read where it is 0.
    /// - Returns: what `body` gives, where the region is open, else zeros.
    func region(_ weight: Tensor, _ body: () throws -> Tensor) throws -> Tensor {
        let region = try self.region(guardedBy: weight)
        let outside = place
        let inner = try at(Regions(region)) { try own(body(), in: region) }
        return try emerge(inner, from: Regions(region), to: outside)
    }

    /// A region's result is a value of that region alone, so that its derivative is 0 wherever the region is closed: one that is computed elsewhere too is
    /// taken in, and an equal operation of another region does not share it.
    private func own(_ result: Tensor, in region: Region) throws -> Tensor {
        try checkVisible(result, .detach)
        let mine = result.node?.regions == Regions(region) ? result : try alias(of: value(of: result))
        results.insert(ObjectIdentifier(mine))
        return mine
    }

    /// Runs `body` at a place: what it writes down is computed there.
    func at<T>(_ place: Regions, _ body: () throws -> T) rethrows -> T {
        let before = self.place
        self.place = place
        defer { self.place = before }
        return try body()
    }

    /// A value that was computed at one place, for a wider one; zeros, or another value, where it was not computed.
    func emerge(_ value: Tensor, otherwise: Tensor? = nil, from inner: Regions, to outer: Regions) throws -> Tensor {
        if inner.covers(outer) { return value }
        var guardians: [Tensor] = []
        func position(_ tensor: Tensor) -> Int {
            if let known = guardians.firstIndex(where: { $0 === tensor }) { return known }
            guardians.append(tensor)
            return guardians.count - 1
        }
        let alternatives = inner.alternatives.map { $0.guardians.map(position) }
        let operation = Operation.emerge(alternatives, otherwise: otherwise != nil)
        try at(inner) { try checkVisible(value, .detach) }
        return try at(outer) { try record(operation, [value] + (otherwise.map { [$0] } ?? []) + guardians, value.shape, value.dtype) }
    }

    /// - Throws: where a value is read at a place where it may not have been computed.
    func checkVisible(_ input: Tensor, _ operation: Operation) throws {
        // Its guards are looked at from the outermost on, and the value where all are open.
        if case .emerge = operation { return }
        guard let regions = input.node?.regions, !regions.covers(place) else { return }
        throw Recording.refused(
            operation.name,
            "reads a value that is computed inside of a region (`when`), and not in every run; outside of it only the result of `when` may be read: return the value from its function")
    }
}

extension Tensor {
    /// weight · body(), as a region: in runs where the number `weight` is exactly 0 nothing of `body` is computed. The result counts as zeros then, derivatives
    /// of everything inside are 0, and running statistics inside stay. Regions nest.
    ///
    /// While a function is recorded, values of the region are read outside of it only through the result.
    /// - Parameters:
    ///   - weight: float32, one element.
    ///   - shape: of what `body` gives, where it is known: else, at once, it is found out by writing `body` down.
    public static func when(_ weight: Tensor, shape: [Int]? = nil, _ body: () throws -> Tensor) throws -> Tensor {
        try weight.checkGuard("weight")
        let number = try weight.reshape([])
        if Recording.current?.isForReaders == true { return try body() * number }
        return try within(number, shape: shape) { try body() * number }
    }

    /// `body()`, as a region whose guard only opens and closes it and multiplies nothing: see `when`.
    public static func within(_ guardian: Tensor, shape: [Int]? = nil, _ body: () throws -> Tensor) throws -> Tensor {
        try guardian.checkGuard("guard")
        guard let recording = Recording.current else {
            return try guardian.item() != 0 ? body() : Tensor.zeros(shape ?? Recording.shape(body))
        }
        if recording.isForReaders { return try body() * guardian.reshape([]).compare(.ne, 0) }
        return try recording.region(guardian.reshape([]), body)
    }

    private func checkGuard(_ what: String) throws {
        guard count == 1, dtype == .float32 else {
            throw TensorError("when", "the \(what) of a region is one float32 number, got \(dtype) \(Shapes.text(shape))")
        }
    }
}

extension Recording {
    /// Goes through what `roots` need, in the order in which it was written: each operation with its inputs, its result, the lists of guards of its regions (none:
    /// it is computed in every run), and the path of the module that it was written in (`ModulePath.text`). What leaves a region counts as an operation.
    public func eachNeeded(
        for roots: [Tensor], _ visit: (_ operation: Operation, _ inputs: [Tensor], _ result: Tensor, _ regions: [[Tensor]], _ scope: String) throws -> Void
    ) rethrows {
        let needed = Recording.reachable(from: roots)
        for tensor in tensors where needed.contains(ObjectIdentifier(tensor)) {
            guard let node = tensor.node else { continue }
            try visit(node.operation, node.inputs, tensor, node.regions.alternatives.map(\.guardians), node.scope)
        }
    }

    /// All that tensors are computed from, themselves included.
    static func reachable(from results: [Tensor]) -> Set<ObjectIdentifier> {
        var found = Set<ObjectIdentifier>()
        var pending = results
        while let tensor = pending.popLast() {
            if found.insert(ObjectIdentifier(tensor)).inserted, tensor.isSymbolic { pending += tensor.node?.inputs ?? [] }
        }
        return found
    }

    /// Runs `body` outside of all regions: what it computes is there in every run.
    public static func everywhere<T>(_ body: () throws -> T) rethrows -> T { try atPlace(.everywhere, body) }

    /// Runs `body` at a place of the present recording, if there is one.
    static func atPlace<T>(_ place: Regions, _ body: () throws -> T) rethrows -> T {
        guard let current else { return try body() }
        return try current.at(place, body)
    }

    /// The shape of what `body` gives; nothing is computed or written.
    static func shape(_ body: () throws -> Tensor) throws -> [Int] {
        let recording = Recording()
        defer { recording.dismantle() }
        return try recording.record { try body().shape }
    }
}
