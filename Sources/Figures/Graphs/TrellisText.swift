extension TrellisFigure {
    /// The trellis in characters. Without arrows: the path alone (`TrellisText.path`).
    public func text(_ style: TextStyle) -> String {
        let heading = title.map { style.fitted($0, style.width) + "\n" } ?? ""
        if drawing.arrows.isEmpty, let path = drawing.path, let text = try? TrellisText.path(path, strides: drawing.strides, style) {
            return heading + text
        }
        return heading + TrellisText.full(self, style)
    }
}

/// Trellises in characters.
public enum TrellisText {
    /// A path as a small drawing, one row a stride:
    /// ```
    /// stride   1  2  3  4
    ///      4 ──●──●─╮
    ///      8        ╰●─╮
    ///     16           ╰●
    /// ```
    /// Rows are the strides in the order given; all columns are broken into several drawings where the width does not suffice.
    ///
    /// - Throws: `FigureError.invalid` when a stride of the path is none of `strides`.
    public static func path(_ path: [Int], strides: [Int], _ style: TextStyle = TextStyle()) throws -> String {
        guard !path.isEmpty else { throw FigureError.invalid("trellis: the path is empty") }
        let drawing = try TrellisDrawing(path: path, strides: strides)
        let rows = [0] + (drawing.path ?? []).compactMap { drawing.strides.firstIndex(of: $0) }
        let labels = max(6, strides.map { String($0).count }.max() ?? 0)
        let perChunk = max(1, (style.width - labels - 2) / 3)
        var parts: [String] = []
        var first = 1
        while first <= path.count {
            let last = min(path.count, first + perChunk - 1)
            parts.append(chunk(rows, first...last, strides, labels, style))
            first = last + 1
        }
        return parts.joined(separator: "\n\n")
    }

    private static func chunk(_ rows: [Int], _ layers: ClosedRange<Int>, _ strides: [Int], _ labels: Int, _ style: TextStyle) -> String {
        var grid = TextGrid(width: labels + 2 + 3 * layers.count, height: strides.count + 1)
        grid.write("stride".indented(labels), 0, 0)
        for (row, stride) in strides.enumerated() { grid.write(String(stride).indented(labels), 0, row + 1) }
        let accent = Theme.light.accent
        func put(_ unicode: Character, _ ascii: Character, _ x: Int, _ y: Int) {
            grid[x, y] = TextGrid.Cell(character: style.mark(unicode, ascii), ink: accent)
        }
        for layer in layers {
            // Three columns a layer: the connection's two, then the node.
            let x = labels + 1 + 3 * (layer - layers.lowerBound)
            let (from, to) = (rows[layer - 1] + 1, rows[layer] + 1)
            grid.write(String(layer).indented(2), x + 1, 0)
            if from == to {
                put("─", "-", x, to)
                put("─", "-", x + 1, to)
            } else {
                put("─", "-", x, from)
                put(to > from ? "╮" : "╯", to > from ? "." : "'", x + 1, from)
                for y in (min(from, to) + 1)..<max(from, to) { put("│", "|", x + 1, y) }
                put(to > from ? "╰" : "╭", to > from ? "'" : ".", x + 1, to)
            }
            put("●", "o", x + 2, to)
        }
        return grid.text(style)
    }

    /// The whole trellis: horizontal and diagonal strokes between the nodes, stronger or coloured by probability, ● on the path.
    static func full(_ figure: TrellisFigure, _ style: TextStyle) -> String {
        let drawing = figure.drawing
        let labels = max(6, drawing.rowNames.map { style.clean($0).columns }.max() ?? 0)
        let perChunk = max(1, (style.width - labels - 4) / 4)
        var parts: [String] = []
        var first = 1
        while first <= drawing.layers {
            let last = min(drawing.layers, first + perChunk - 1)
            parts.append(fullChunk(figure, first...last, labels, style))
            first = last + 1
        }
        if let key = key(figure, style) { parts.append(key) }
        return parts.joined(separator: "\n\n")
    }

    private static func fullChunk(_ figure: TrellisFigure, _ layers: ClosedRange<Int>, _ labels: Int, _ style: TextStyle) -> String {
        let drawing = figure.drawing
        let left = labels + 2
        var grid = TextGrid(width: left + 2 + 4 * layers.count, height: 2 * drawing.strides.count)
        func column(_ layer: Int) -> Int { left + 4 * (layer - layers.lowerBound + 1) }
        func line(_ row: Int) -> Int { 1 + 2 * row }
        grid.write(drawing.rowTitle.indented(labels), 0, 0)
        for (row, name) in drawing.rowNames.enumerated() { grid.write(style.clean(name).indented(labels), 0, line(row)) }
        // Weak ones first: where two cross in one character the stronger one gives the colour.
        let arrows = drawing.arrows.filter { layers.contains($0.layer) }
            .sorted { (drawing.isDecided($0) ? 2 : $0.probability) < (drawing.isDecided($1) ? 2 : $1.probability) }
        for arrow in arrows {
            guard let from = drawing.strides.firstIndex(of: arrow.from), let to = drawing.strides.firstIndex(of: arrow.to) else { continue }
            stroke(figure, arrow, &grid, (column(arrow.layer - 1), line(from)), (column(arrow.layer), line(to)), style)
        }
        for layer in (layers.lowerBound - 1)...layers.upperBound {
            if layer >= layers.lowerBound { grid.write(String(layer), column(layer) - (String(layer).count - 1), 0) }
            for row in drawing.strides.indices where drawing.nodes[layer][row] {
                let chosen = drawing.isDecided(layer, row)
                let mark = chosen ? style.mark("●", "@") : style.mark("○", "o")
                grid[column(layer), line(row)] = TextGrid.Cell(character: mark, ink: chosen ? figure.theme.accent : nil, bold: chosen)
            }
        }
        return grid.text(style)
    }

    /// One arrow: three characters for a straight one; for others one diagonal character in each line between.
    private static func stroke(
        _ figure: TrellisFigure, _ arrow: TrellisArrow, _ grid: inout TextGrid, _ from: (x: Int, y: Int), _ to: (x: Int, y: Int),
        _ style: TextStyle
    ) {
        let onPath = figure.drawing.isDecided(arrow)
        let known = arrow.probability.isFinite
        let ink = onPath ? figure.theme.accent : known ? TextColours.onAnyGround(arrow.probability) : nil
        let level = !known ? 1 : arrow.probability < 0.2 ? 0 : arrow.probability < 0.5 ? 1 : 2
        if from.y == to.y {
            let marks: [Character] = style.isUnicode ? ["┄", "─", "━"] : [".", "-", "="]
            for x in (from.x + 1)..<to.x {
                grid[x, from.y] = TextGrid.Cell(character: marks[onPath && !known ? 2 : level], ink: ink, bold: onPath)
            }
            return
        }
        // Without colour a weak diagonal is only a dot, or the picture would be all crosses.
        let faint = level == 0 && !style.hasColour && !onPath
        let falling = to.y > from.y
        let step = falling ? 1 : -1
        let count = abs(to.y - from.y) - 1
        for index in 1...max(1, count) {
            let y = from.y + step * index
            let x = from.x + Int((Double(to.x - from.x) * Double(index) / Double(count + 1)).rounded())
            let mark = faint ? style.mark("·", ".") : falling ? style.mark("╲", "\\") : style.mark("╱", "/")
            let there = grid[x, y].character
            if faint, there != " " { continue }
            let crossed = !faint && there != mark && ["╲", "╱", "╳", "\\", "/", "X"].contains(there)
            grid[x, y] = TextGrid.Cell(character: crossed ? style.mark("╳", "X") : mark, ink: ink, bold: onPath)
        }
    }

    private static func key(_ figure: TrellisFigure, _ style: TextStyle) -> String? {
        var parts: [String] = []
        if figure.drawing.decided != nil { parts.append(style.pick("● decoded path", "@ decoded path")) }
        if figure.drawing.hasProbabilities {
            parts += style.isUnicode ? ["β:", "┄ · < 0.2", "─ < 0.5", "━ more"] : ["beta:", ". < 0.2", "- < 0.5", "= more"]
        }
        guard !parts.isEmpty else { return nil }
        // In as many lines as the width calls for.
        var lines = [""]
        for part in parts {
            let last = lines[lines.count - 1]
            if last.isEmpty || last.columns + 2 + part.columns > style.width {
                lines.append(part)
            } else {
                lines[lines.count - 1] = last + "  " + part
            }
        }
        return lines.dropFirst().joined(separator: "\n")
    }
}

/// Colours for text whose background is not known.
enum TextColours {
    /// Blue over green to yellow in middle lightness: readable on black and on white.
    static func onAnyGround(_ t: Double) -> Colour {
        ColourMap(name: "text", [0x6C6C9C, 0x3F7FBF, 0x1F9E89, 0x5FB040, 0xC8A000])(t)
    }
}
