/// Architectures as text: the path in its trellis, then the cell.
extension Architecture: CustomStringConvertible {
    public var description: String {
        var lines = [title]
        if let score = scores.pathLogProbability {
            lines.append("path log probability \(rounded(score, digits: 4))")
        }
        lines += ["", drawing, "", cellTable]
        let notes = self.notes + (cell.undecodableNote.map { [$0] } ?? [])
        if !notes.isEmpty { lines += [""] + notes.map { "note: " + $0 } }
        return lines.joined(separator: "\n")
    }

    private var title: String {
        let strides = space.strides.map(String.init).joined(separator: " ")
        let kind = "\(plural(space.layers, "layer")), \(plural(space.blocks, "block")), strides \(strides)" + (space.arrows == nil ? "" : ", masked")
        let origin = [
            provenance.source, provenance.data.map { "found on \($0)" }, provenance.seed.map { "seed \(Int64(bitPattern: $0))" }, provenance.date,
        ].compactMap { $0 }
        return "architecture" + (name.map { " \($0)" } ?? "") + ": " + ([kind] + origin).joined(separator: ", ")
    }

    /// The path in its trellis: `●` on the path, `·` beside it.
    public var drawing: String {
        let levels = [0] + self.levels
        return drawTrellis(
            layers: levels.count - 1, strides: space.strides,
            node: { levels[$0.layer] == $0.level ? "●" : $0.level <= $0.layer ? "·" : " " },
            arrow: { levels[$0.layer - 1] == $0.from && levels[$0.layer] == $0.to })
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

/// A number with at most `digits` decimals.
private func rounded(_ value: Double, digits: Int) -> String {
    let factor = (0..<digits).reduce(1.0) { product, _ in product * 10 }
    return "\((value * factor).rounded() / factor)"
}

/// `1 block`, `5 blocks`.
func plural(_ count: Int, _ what: String) -> String { "\(count) \(what)" + (count == 1 ? "" : "s") }
