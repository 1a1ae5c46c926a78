/// The trellis as text: a row for each stride, a column for each layer (0 is the stem), arrows between.
///
///          4  ●───●   ·
///                   ╲
///          8      ·   ●
///      layer  0   1   2
///
/// - Parameters:
///   - node: the sign of a node.
///   - arrow: whether an arrow is drawn.
func drawTrellis(layers: Int, strides: [Int], node: (TrellisNode) -> String, arrow: (TrellisArrow) -> Bool) -> String {
    let margin = max(6, strides.map { "\($0)".count }.max() ?? 0)
    func line(_ label: String, _ text: String) -> String {
        trimEnd(String(repeating: " ", count: margin - label.count) + label + "  " + text)
    }
    func drawn(_ layer: Int, _ from: Int, _ move: Move) -> Bool { arrow(TrellisArrow(layer: layer, from: from, move: move)) }
    var lines: [String] = []
    for level in strides.indices {
        var row = ""
        for layer in 0...layers {
            row += node(TrellisNode(layer: layer, level: level))
            if layer < layers { row += drawn(layer + 1, level, .same) ? "───" : "   " }
        }
        lines.append(line("\(strides[level])", row))
        guard level + 1 < strides.count else { continue }
        var between = ""
        for layer in 1...layers {
            switch (drawn(layer, level, .coarser), drawn(layer, level + 1, .finer)) {
            case (true, true): between += "  ╳ "
            case (true, false): between += "  ╲ "
            case (false, true): between += "  ╱ "
            case (false, false): between += "    "
            }
        }
        lines.append(line("", between))
    }
    let labels = (0...layers).map { "\($0)" + String(repeating: " ", count: max(1, 4 - "\($0)".count)) }
    lines.append(line("layer", labels.joined()))
    return lines.joined(separator: "\n")
}

func trimEnd(_ line: String) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    return line
}

extension TrellisSpace: CustomStringConvertible {
    /// What the space is, its trellis, its size.
    public var description: String {
        let strides = strides.map(String.init).joined(separator: " ")
        var lines = [
            "trellis: \(plural(layers, "layer")), strides \(strides), filters \(filters)",
            "cell: \(plural(cell.blocks, "block")) of \(cell.operators.joined(separator: ", "))",
        ]
        // A wider one would be folded by the terminal.
        if layers <= 24 { lines += ["", drawing, ""] }
        lines.append(count().description)
        if !trimmed.isEmpty {
            let names = trimmed.map { "(\($0.layer), \(self.strides[$0.level]))" }.joined(separator: " ")
            lines.append("the mask leaves no path through the nodes (layer, stride) \(names)")
        }
        return lines.joined(separator: "\n")
    }

    /// The nodes and arrows that exist.
    public var drawing: String {
        drawTrellis(layers: layers, strides: strides, node: { contains($0) ? "●" : " " }, arrow: contains)
    }
}
