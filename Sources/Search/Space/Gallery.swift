/// Published designs as far as the space can say them; each names what it cannot say.
public enum Gallery {
    /// Every architecture by name, in the order of this file.
    public static let all: [Architecture] = [
        autoDeepLab, deepLabV3, convDeconv, stackedHourglass, dartsV2, nasNetA, amoebaNetA, pnasNet5,
    ]

    /// - Throws: `SpaceError` with the nearest right name.
    public static func named(_ name: String) throws -> Architecture {
        guard let found = all.first(where: { $0.name == name }) else {
            throw SpaceError.unknown("architecture", name, known: all.compactMap(\.name), at: "gallery")
        }
        return found
    }

    // MARK: Searched

    /// Auto-DeepLab, the network and the cell that the paper found (figure 3; the cell as in the released model).
    public static let autoDeepLab = architecture(
        "auto_deeplab", levels: autoDeepLabLevels,
        cell: CellGenotype(
            published: [
                ("atrous_conv_5x5", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("atrous_conv_3x3", 0), ("sep_conv_3x3", 3),
                ("sep_conv_3x3", 1), ("sep_conv_5x5", 4), ("sep_conv_5x5", 2), ("sep_conv_5x5", 3), ("atrous_conv_5x5", 5),
            ], notation: .previousFirst),
        source: "Liu et al., CVPR 2019, arXiv 1901.02985", data: "Cityscapes")

    static let autoDeepLabLevels = [0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1]

    // MARK: Paths (the paper's figure of what the network level contains), with a plain cell

    /// A cell without any choice: separable 3x3 everywhere, the first block on both inputs, each later block on the block
    /// before it and the previous input. It has as many convolutions as a searched cell, so that paths can be compared.
    public static let plainCell = CellGenotype(
        blocks: (1...5).map { block in
            CellBlock(CellBranch("sep_conv_3x3", block == 1 ? 1 : 2), CellBranch("sep_conv_3x3", block == 1 ? 2 : block + 1))
        })

    public static let deepLabV3 = architecture(
        "deeplab_v3", levels: [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2], cell: plainCell,
        source: "Chen et al. 2017, arXiv 1706.05587; Auto-DeepLab's figure of known designs",
        notes: [
            "Down to stride 16 and no further, as DeepLabv3 on a ResNet-50: its 3, 4, 6 and 3 units at strides 4, 8, 16, 16 scaled to"
                + " 12 layers.",
            "The growing atrous rates of its last units are not in the path; the plain cell stands for the ResNet units.",
        ])

    public static let convDeconv = architecture(
        "conv_deconv", levels: [0, 1, 1, 2, 2, 3, 3, 2, 2, 1, 1, 0], cell: plainCell,
        source: "Noh et al. 2015 (DeconvNet), Badrinarayanan et al. 2017 (SegNet); Auto-DeepLab's figure of known designs",
        notes: [
            "Down to stride 32 and back to 4, the second half the mirror of the first.",
            "Resizing is bilinear instead of unpooling by remembered places; the stem does not come back to full size.",
        ])

    public static let stackedHourglass = architecture(
        "stacked_hourglass", levels: [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0], cell: plainCell,
        source: "Newell et al. 2016, arXiv 1603.06937; Auto-DeepLab's figure of known designs",
        notes: [
            "Two hourglasses: down to stride 32 and back to 4, twice, three moves each way: 12 layers exactly.",
            "The skips across an hourglass are not in the path, and neither is the loss between the two.",
        ])

    // MARK: Cells of image classification, on Auto-DeepLab's path

    private static let normalCellOnly =
        "The normal cell only: the trellis takes the place of reduction cells. The path is Auto-DeepLab's."

    public static let dartsV2 = architecture(
        "darts_v2", levels: autoDeepLabLevels,
        cell: CellGenotype(
            published: [
                ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 1),
                ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2),
            ], notation: .twoBackFirst),
        operators: [
            "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
        ], source: "Liu et al., ICLR 2019, arXiv 1806.09055 (second order)", data: "CIFAR-10", notes: [normalCellOnly])

    public static let nasNetA = architecture(
        "nasnet_a", levels: autoDeepLabLevels,
        cell: CellGenotype(
            published: [
                ("sep_conv_5x5", 1), ("sep_conv_3x3", 0), ("sep_conv_5x5", 0), ("sep_conv_3x3", 0), ("avg_pool_3x3", 1),
                ("skip_connect", 0), ("avg_pool_3x3", 0), ("avg_pool_3x3", 0), ("sep_conv_3x3", 1), ("skip_connect", 1),
            ], notation: .twoBackFirst),
        source: "Zoph et al., CVPR 2018, arXiv 1707.07012", data: "CIFAR-10",
        notes: [
            normalCellOnly,
            "The published cell also concatenates its two-back input; here a cell's output is its five blocks.",
        ])

    public static let amoebaNetA = architecture(
        "amoebanet_a", levels: autoDeepLabLevels,
        cell: CellGenotype(
            published: [
                ("avg_pool_3x3", 0), ("max_pool_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_5x5", 2), ("sep_conv_3x3", 0),
                ("avg_pool_3x3", 3), ("sep_conv_3x3", 1), ("skip_connect", 1), ("skip_connect", 0), ("avg_pool_3x3", 1),
            ], notation: .twoBackFirst),
        source: "Real et al., AAAI 2019, arXiv 1802.01548", data: "CIFAR-10",
        notes: [
            normalCellOnly, "The published cell concatenates only the blocks that no other block reads (3, 4, 5); here all five.",
        ])

    public static let pnasNet5 = architecture(
        "pnasnet_5", levels: autoDeepLabLevels,
        cell: CellGenotype(
            published: [
                ("sep_conv_5x5", 1), ("max_pool_3x3", 1), ("sep_conv_5x5", 0), ("max_pool_3x3", 0), ("sep_conv_5x5", 0),
                ("sep_conv_3x3", 0), ("sep_conv_3x3", 4), ("max_pool_3x3", 0), ("sep_conv_3x3", 1), ("skip_connect", 0),
            ], notation: .previousFirst),
        source: "Liu et al., ECCV 2018, arXiv 1712.00559", data: "CIFAR-10",
        notes: [
            "The published cell serves strides 1 and 2 alike. The path is Auto-DeepLab's.",
            "Block 2 has a separable 7x7 convolution where this has 5x5, the largest of the ten operators.",
        ])

    private static func architecture(
        _ name: String, levels: [Int], cell: CellGenotype, operators: [String] = CellSpace.paperOperators, source: String,
        data: String? = nil, notes: [String] = []
    ) -> Architecture {
        Architecture(
            name: name,
            space: SpaceSummary(
                layers: levels.count, strides: [4, 8, 16, 32], filters: 8, blocks: cell.blocks.count, operators: operators),
            path: levels.map { 4 << $0 }, cell: cell, provenance: Provenance(data: data, source: source), notes: notes)
    }
}
