/// An arrow of `Paths`: into a layer (from 1), between positions of states (from 0).
public struct Arrow: Hashable, Comparable, Sendable {
    public let layer: Int
    public let from: Int
    public let to: Int

    public init(layer: Int, from: Int, to: Int) {
        self.layer = layer
        self.from = from
        self.to = to
    }

    /// By layer, source, target.
    public static func < (a: Arrow, b: Arrow) -> Bool { (a.layer, a.from, a.to) < (b.layer, b.from, b.to) }
}

/// A way through layers of states: one arrow a layer, each leaving where the last arrived. With `isMany` several at once: a non-empty set of
/// arrows a layer, where what a layer reaches is exactly what the next leaves from, and the first leaves from a non-empty set of starts.
///
/// Any two states may be joined. An arrow exists when it is admitted and lies on a way from a start to the last layer.
public struct Paths: Sendable {
    public let layers: Int
    public let states: [String]
    /// Positions of the states in which ways begin.
    public let start: [Int]
    public let isMany: Bool
    /// All arrows by layer, source, target; an arrow's id is its position.
    public let arrows: [Arrow]
    /// Ids of the arrows of each layer; the range at 0 is empty.
    private let ranges: [Range<Int>]

    /// - Parameters:
    ///   - start: positions of states; their order does not matter.
    ///   - admits: whether the arrow into `layer` (from 1) between the states at these positions is to exist; asked once for every arrow whose
    ///     source can be reached, by layer, source, target. Its error is passed on.
    /// - Throws: `SpaceError` for sizes that make no sense and arrows without a way.
    public init(
        layers: Int, states: [String], start: [Int] = [0], isMany: Bool = false,
        admits: (_ layer: Int, _ from: Int, _ to: Int) throws -> Bool = { _, _, _ in true }
    ) throws {
        // The upper bounds are far beyond use; they keep a mistyped number from filling the memory.
        guard (1...1000).contains(layers) else {
            throw SpaceError(.size, at: "layers", expected: "1 to 1000", got: "\(layers)", remedy: "the paper has 12")
        }
        try Domain.check(states, "state", at: "states")
        guard !start.isEmpty else {
            throw SpaceError(.size, at: "start", expected: "at least one state", got: "none", remedy: "the first state when left out")
        }
        for (i, position) in start.enumerated() where !states.indices.contains(position) {
            throw SpaceError(
                .size, at: "start[\(i + 1)]", expected: "one of the \(states.count) states", got: "number \(position + 1)", remedy: "known are \(states.joined(separator: ", "))")
        }
        var admitted: [Arrow] = []
        var reached = Set(start)
        for layer in 1...layers {
            var next: Set<Int> = []
            for from in reached.sorted() {
                for to in states.indices where try admits(layer, from, to) {
                    admitted.append(Arrow(layer: layer, from: from, to: to))
                    next.insert(to)
                }
                guard admitted.count <= Self.mostArrows else {
                    throw SpaceError(.size, at: "arrows", expected: "at most \(Self.mostArrows)", got: "more", remedy: "take fewer layers or states, or admit fewer arrows")
                }
            }
            guard !next.isEmpty else {
                throw SpaceError(
                    .mask, at: "arrows", expected: "a way from a start to layer \(layers)", got: "none into layer \(layer)",
                    remedy: "let the predicate return true for some arrow into each layer")
            }
            reached = next
        }
        var alive = reached
        var kept: [Arrow] = []
        var layer = layers
        var sources: Set<Int> = []
        for arrow in admitted.reversed() {
            if arrow.layer != layer { (layer, alive, sources) = (arrow.layer, sources, []) }
            guard alive.contains(arrow.to) else { continue }
            kept.append(arrow)
            sources.insert(arrow.from)
        }
        self.layers = layers
        self.states = states
        self.start = Set(start).sorted()
        self.isMany = isMany
        arrows = kept.reversed()
        var ranges = [0..<0]
        for layer in 1...layers {
            let first = ranges[layer - 1].upperBound
            ranges.append(first..<(arrows[first...].firstIndex { $0.layer > layer } ?? arrows.count))
        }
        self.ranges = ranges
    }

    private static let mostArrows = 100_000

    /// Ids of the arrows into a layer (from 1).
    public func arrows(_ layer: Int) -> Range<Int> { ranges.indices.contains(layer) ? ranges[layer] : 0..<0 }

    /// Ids of the arrows into the next layer that leave a state that `layer` (from 0: the starts) reached, by target.
    public func outgoing(_ layer: Int, _ state: Int) -> [Int] { arrows(layer + 1).filter { arrows[$0].from == state } }

    /// Ids of the arrows into a state at a layer (from 1), by source.
    public func incoming(_ layer: Int, _ state: Int) -> [Int] { arrows(layer).filter { arrows[$0].to == state } }

    /// Positions of the states that a layer reaches; at 0 the starts that an arrow leaves.
    public func reached(_ layer: Int) -> [Int] {
        layer == 0 ? Set(arrows(1).map { arrows[$0].from }).sorted() : Set(arrows(layer).map { arrows[$0].to }).sorted()
    }

    /// The id of an arrow; nil when it does not exist.
    public func id(of arrow: Arrow) -> Int? { arrows(arrow.layer).first { arrows[$0] == arrow } }

    /// "8 -> 16 into layer 2".
    public func label(of id: Int) -> String { "\(states[arrows[id].from]) -> \(states[arrows[id].to]) into layer \(arrows[id].layer)" }
}

extension Paths: Hashable {
    public static func == (a: Paths, b: Paths) -> Bool {
        a.layers == b.layers && a.isMany == b.isMany && a.start == b.start && a.states == b.states && a.arrows == b.arrows
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(states)
        hasher.combine(arrows)
        hasher.combine(isMany)
    }
}
