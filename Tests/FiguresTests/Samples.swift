import Figures

/// Figures of realistic and of extreme data, for the tests and the gallery.
enum Samples {
    /// All arrows between neighbouring strides, with softmax-like probabilities that favour one path.
    static func trellis(
        layers: Int, strides: [Int] = [4, 8, 16, 32], path: [Int]? = nil, probabilities: Bool = true
    ) throws -> TrellisDrawing {
        var arrows: [TrellisArrow] = []
        for layer in 1...layers {
            for from in 0..<min(strides.count, layer) {
                let targets = [from - 1, from, from + 1].filter(strides.indices.contains)
                let weights = targets.map { to -> Double in
                    let state = (layer * 7 + from * 5 + to * 3) % 11
                    return 0.08 + Double(state * state) / 50
                }
                let sum = weights.reduce(0, +)
                for (to, weight) in zip(targets, weights) {
                    arrows.append(
                        TrellisArrow(layer: layer, from: strides[from], to: strides[to], probability: probabilities ? weight / sum : .nan))
                }
            }
        }
        return try TrellisDrawing(layers: layers, strides: strides, arrows: arrows, path: path)
    }

    /// The path published with Auto-DeepLab.
    static let published = [4, 4, 4, 8, 16, 8, 16, 16, 32, 32, 16, 8]

    /// The cell published with Auto-DeepLab.
    static func publishedCell() throws -> CellDrawing {
        func op(_ name: String, _ state: Int) -> CellOperator { CellOperator(state: state, name: name) }
        return try CellDrawing(blocks: [
            [op("atrous_conv_5x5", 1), op("sep_conv_3x3", 2)],
            [op("sep_conv_3x3", 1), op("atrous_conv_3x3", 2)],
            [op("sep_conv_3x3", 4), op("sep_conv_3x3", 1)],
            [op("sep_conv_5x5", 5), op("sep_conv_5x5", 3)],
            [op("sep_conv_5x5", 4), op("atrous_conv_5x5", 6)],
        ])
    }

    /// Blocks that each read the one before.
    static func chainCell(blocks: Int, name: String = "sep_conv_3x3") throws -> CellDrawing {
        try CellDrawing(blocks: (1...blocks).map { b in
            [CellOperator(state: b + 1, name: name, weight: 0.31), CellOperator(state: max(1, b - 1), name: "skip_connect", weight: 0.2)]
        })
    }
}
