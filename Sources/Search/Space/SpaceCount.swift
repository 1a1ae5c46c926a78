/// How large a space is, exactly.
public struct SpaceCount: Hashable, Sendable, CustomStringConvertible {
    /// Nodes that hold a cell (layers 1...L).
    public let nodes: Int
    public let arrows: Int
    /// Edges of the cell.
    public let edges: Int
    /// Paths from the stem to any node of layer L.
    public let paths: Natural
    /// Of these, the paths whose first layer stays at the finest stride: one move fewer is free.
    public let pathsFromFinest: Natural
    /// Cells as the paper counts them (section 3.1): every block picks two of its states and two operators, `none` among
    /// them, in order and with repetition: prod over blocks of n²·K², n = 2, 3, ... states and K operators.
    public let cells: Natural
    /// Cells that decoding can give: two different states, no `none`, order within a block aside.
    public let decodableCells: Natural
    private let isPaper: Bool

    /// Paths times cells.
    public var joint: Natural { paths * cells }

    init(of space: TrellisSpace) {
        let completions = space.completions()
        let stem = TrellisNode(layer: 0, level: 0)
        nodes = space.nodes.count - 1
        arrows = space.arrows.count
        edges = space.cell.edgeCount
        paths = completions[stem] ?? 0
        pathsFromFinest = completions[TrellisNode(layer: 1, level: 0)] ?? 0
        let operators = Natural(space.cell.operators.count)
        let useful = Natural(space.cell.decodable.count)
        var all: Natural = 1
        var decodable: Natural = 1
        for block in 1...space.cell.blocks {
            let states = space.cell.states(of: block)
            all *= Natural(states) * Natural(states) * operators * operators
            decodable *= Natural(states * (states - 1) / 2) * useful * useful
        }
        cells = all
        decodableCells = decodable
        isPaper = space.layers == 12 && space.strides == [4, 8, 16, 32] && space.trimmed.isEmpty && paths == 75_025
    }

    public var description: String {
        var lines = [
            "nodes   \(nodes), arrows \(arrows), edges of the cell \(edges)",
            "paths   \(paths.grouped)",
            "cells   \(cells.grouped) (\(decodableCells.grouped) can be decoded: two different states, never none)",
            "joint   \(joint.grouped)",
        ]
        if isPaper {
            lines.insert(
                "        The paper quotes 2.9e4 = \(pathsFromFinest.grouped): eleven moves, the first layer fixed at stride 4."
                    + " A first layer at 4 or 8 gives \(paths.grouped).", at: 2)
        }
        return lines.joined(separator: "\n")
    }
}

extension TrellisSpace {
    /// The size of the space: pure arithmetic, whatever the number of layers.
    public func count() -> SpaceCount { SpaceCount(of: self) }

    /// For every node the number of paths from it to layer L: 1 at layer L, elsewhere the sum over its outgoing arrows.
    public func completions() -> [TrellisNode: Natural] {
        var counts: [TrellisNode: Natural] = [:]
        for node in nodes.reversed() {
            counts[node] =
                node.layer == layers ? 1 : outgoing(node).reduce(Natural(0)) { $0 + (counts[$1.target] ?? 0) }
        }
        return counts
    }
}
