/// A place in the trellis: layer 0 is the stem, layers 1...L hold cells; level d (from 0) stands for the d-th stride.
public struct TrellisNode: Hashable, Comparable, Sendable {
    public let layer: Int
    public let level: Int

    public init(layer: Int, level: Int) {
        self.layer = layer
        self.level = level
    }

    public static func < (a: TrellisNode, b: TrellisNode) -> Bool { (a.layer, a.level) < (b.layer, b.level) }
}

/// Where an arrow leads, in the order of beta's last axis.
public enum Move: Int, CaseIterable, Sendable {
    /// To half the stride (an "up" arrow: the size doubles).
    case finer = 0
    case same = 1
    /// To twice the stride (a "down" arrow).
    case coarser = 2

    /// What the move adds to the level.
    public var step: Int { rawValue - 1 }
}

/// An arrow of the trellis, from node (layer - 1, from) to node (layer, to).
public struct TrellisArrow: Hashable, Sendable {
    /// The layer it leads into, 1...L.
    public let layer: Int
    /// Level of its source.
    public let from: Int
    public let move: Move

    public init(layer: Int, from: Int, move: Move) {
        self.layer = layer
        self.from = from
        self.move = move
    }

    /// Level of its target.
    public var to: Int { from + move.step }
    public var source: TrellisNode { TrellisNode(layer: layer - 1, level: from) }
    public var target: TrellisNode { TrellisNode(layer: layer, level: to) }
}
