/// Channels of the parts of a derived network that no search decides; the defaults are those of the released model.
public struct DerivedWidths: Hashable, Sendable {
    /// Of the stem's layers but the last.
    public var stem = 64
    /// Of the stem's last layer.
    public var stemOutput = 128
    /// Of each ASPP branch and of what the ASPP gives.
    public var aspp = 256
    /// Of the decoder's low-level features.
    public var lowLevel = 48
    /// Of the decoder's two 3x3 convolutions.
    public var decoder = 256

    public init(stem: Int = 64, stemOutput: Int = 128, aspp: Int = 256, lowLevel: Int = 48, decoder: Int = 256) {
        self.stem = stem
        self.stemOutput = stemOutput
        self.aspp = aspp
        self.lowLevel = lowLevel
        self.decoder = decoder
    }

    /// - Throws: `SpaceError` for a width below 1 or beyond 65536.
    func validate() throws {
        for (name, value) in [("stem", stem), ("stemOutput", stemOutput), ("aspp", aspp), ("lowLevel", lowLevel), ("decoder", decoder)]
        where !(1...65_536).contains(value) {
            throw SpaceError(.size, at: "network.\(name)", expected: "1 to 65536", got: "\(value)", remedy: "leave it out for the published width")
        }
    }
}

/// Channels, strides and rates of a derived network (search-space.md, "Derived network"): the network is built from them, and its
/// estimate counts them.
struct DerivedLayout {
    /// A 3x3 convolution of the stem, with BN and ReLU.
    struct StemLayer {
        let inChannels: Int
        let outChannels: Int
        let stride: Int
    }

    struct Cell {
        /// Levels before and after.
        let from: Int
        let level: Int
        /// Of a block.
        let channels: Int
        /// Of the output of the cell before, and of the one before that.
        let previousChannels: Int
        let backChannels: Int

        var isDown: Bool { level > from }
        /// Whether the two-back input gets a 1x1 convolution of its own.
        var projectsBack: Bool { backChannels != channels }
        /// Of the operator on a branch: those that read a cell input halve on a down arrow.
        func stride(of branch: CellBranch) -> Int { isDown && branch.state <= CellSpace.inputStates ? 2 : 1 }
    }

    let widths: DerivedWidths
    let stem: [StemLayer]
    let cells: [Cell]
    /// Of the last cell's output.
    let outChannels: Int
    /// Rates of the ASPP's three atrous branches: the reach and twice and three times it over the stride at which the path ends, at least 1, 2,
    /// 3; with the published reach of 96 they are 12, 24, 36 at output stride 8 and 6, 12, 18 at 16.
    let rates: [Int]
    /// The cell, from 0, whose output the decoder reads: the third, or the last of a shorter network.
    let lowCell: Int
    let lowChannels: Int

    init(_ architecture: Architecture, filters: Int, widths: DerivedWidths) {
        self.widths = widths
        stem = DerivedLayout.stem(halvings: (architecture.space.strides.first ?? 4).trailingZeroBitCount, widths)
        let blocks = architecture.cell.blocks.count
        var (back, previous, from) = (widths.stem, widths.stemOutput, 0)
        var cells: [Cell] = []
        for level in architecture.levels {
            let channels = filters << level
            cells.append(Cell(from: from, level: level, channels: channels, previousChannels: previous, backChannels: back))
            (back, previous, from) = (previous, blocks * channels, level)
        }
        self.cells = cells
        outChannels = previous
        let rate = max(1, architecture.space.headReach / (architecture.path.last ?? 8))
        rates = [rate, 2 * rate, 3 * rate]
        lowCell = min(2, cells.count - 1)
        lowChannels = cells.isEmpty ? previous : blocks * cells[lowCell].channels
    }

    /// Halving, not, halving: 64, 64, 128 to stride 4. More halvings are more layers of 64 before, fewer make the first layers keep the size.
    private static func stem(halvings: Int, _ widths: DerivedWidths) -> [StemLayer] {
        var steps = [Int](repeating: 2, count: max(0, halvings - 1)) + [1]
        if halvings < 2 { steps.insert(1, at: 0) }
        steps.append(halvings >= 1 ? 2 : 1)
        return steps.enumerated().map { i, step in
            StemLayer(inChannels: i == 0 ? 3 : widths.stem, outChannels: i == steps.count - 1 ? widths.stemOutput : widths.stem, stride: step)
        }
    }
}
