/// Architectures as text: the path in its trellis, then the cell.
///
///          4  ●───●   ·
///                   ╲
///          8      ·   ●
///      layer  0   1   2
extension Architecture: CustomStringConvertible {
    public var description: String {
        var lines = [title]
        if let score = scores.pathLogProbability {
            lines.append("path log probability \(rounded(score, digits: 4))")
        }
        lines += ["", drawing, "", cellTable]
        if !notes.isEmpty { lines += [""] + notes.map { "note: " + $0 } }
        return lines.joined(separator: "\n")
    }

    private var title: String {
        let kind = "\(space.layers) layers, \(space.blocks) blocks, strides \(space.strides.map(String.init).joined(separator: " "))"
        let origin = [
            provenance.source, provenance.data.map { "found on \($0)" }, provenance.seed.map { "seed \($0)" }, provenance.date,
        ].compactMap { $0 }
        return "architecture" + (name.map { " \($0)" } ?? "") + ": " + ([kind] + origin).joined(separator: ", ")
    }

    /// The trellis: a row for each stride, a column for each layer; layer 0 is the stem; `●` on the path, `·` beside it.
    public var drawing: String {
        let levels = [0] + self.levels
        let labels = space.strides.map(String.init)
        let margin = max(6, labels.map(\.count).max() ?? 0)
        func label(_ text: String) -> String { String(repeating: " ", count: max(0, margin - text.count)) + text + "  " }
        var lines: [String] = []
        for level in space.strides.indices {
            var row = ""
            for layer in levels.indices {
                row += levels[layer] == level ? "●" : level <= layer ? "·" : " "
                guard layer + 1 < levels.count else { continue }
                row += levels[layer] == level && levels[layer + 1] == level ? "───" : "   "
            }
            lines.append(label(labels[level]) + row)
            guard level + 1 < space.strides.count else { continue }
            var between = ""
            for layer in levels.indices.dropLast() {
                let (from, to) = (levels[layer], levels[layer + 1])
                between += from == level && to == level + 1 ? "  ╲ " : from == level + 1 && to == level ? "  ╱ " : "    "
            }
            lines.append(label("") + between)
        }
        let layers = levels.indices.map { layer in
            "\(layer)" + String(repeating: " ", count: max(1, 4 - "\(layer)".count))
        }
        lines.append(label("layer") + layers.joined())
        return lines.map(trimEnd).joined(separator: "\n")
    }

    /// The cell: a row for each block.
    public var cellTable: String {
        var rows: [[String]] = []
        for (b, block) in cell.blocks.enumerated() {
            var row = ["block \(b + 1)"]
            for (i, branch) in block.branches.enumerated() {
                let place = 2 * b + i
                let strength = place < scores.strengths.count ? " " + rounded(scores.strengths[place], digits: 3) : ""
                row.append((i == 0 ? "= " : "+ ") + "\(branch.operation)(\(CellSpace.name(ofState: branch.state)))" + strength)
            }
            rows.append(row)
        }
        let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            trimEnd(row.enumerated().map { $1 + String(repeating: " ", count: widths[$0] - $1.count) }.joined(separator: "  "))
        }.joined(separator: "\n")
    }
}

private func trimEnd(_ line: String) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    return line
}

/// A number with at most `digits` decimals.
private func rounded(_ value: Double, digits: Int) -> String {
    let factor = (0..<digits).reduce(1.0) { product, _ in product * 10 }
    return "\((value * factor).rounded() / factor)"
}
