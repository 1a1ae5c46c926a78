import Base

/// A heat map in characters: each number on its colour, or behind a shade where there are no colours.
struct HeatMapText {
    private let map: HeatMap
    private let style: TextStyle

    init(_ map: HeatMap, _ style: TextStyle) {
        self.map = map
        self.style = style
    }

    private func written(_ value: Double) -> String {
        let text = map.written(value)
        return style.isUnicode ? text : text == "∞" ? "inf" : text == "-∞" ? "-inf" : style.clean(text)
    }

    func render() -> String {
        let heading = map.title.map { style.fitted($0, style.width) + "\n" } ?? ""
        guard map.width > 0 else { return heading + "no data" }
        let names = map.rows.isEmpty ? map.values.indices.map { String($0 + 1) } : map.rows.map(style.clean)
        let gutter = min(style.width / 3, names.map(\.columns).max() ?? 0)
        let numbers = map.values.map { $0.map(written) }
        let widest = (numbers.joined().map(\.columns).max() ?? 1) + (style.hasColour ? 2 : 1)
        let room = style.width - gutter - 1
        // Numbers where they fit and are wanted, else two columns of colour or shade a cell, else as many as the width allows.
        let writes = map.writesValues != false && widest * map.width <= room
        let cell = writes ? widest : 2 * map.width <= room ? 2 : 1
        let shown = min(map.width, room / cell)
        var grid = TextGrid(width: style.width)
        let top = header(&grid, gutter, cell, shown)
        for (row, line) in map.values.enumerated() {
            grid.write(style.fitted(names[row], gutter).indented(gutter), 0, top + row)
            for column in 0..<shown {
                let x = gutter + 1 + column * cell
                let number = writes ? numbers[row][column] : nil
                cellText(line[column], number, map.marked.contains([row, column]), x, top + row, cell, &grid)
            }
        }
        let cut = shown < map.width ? "\n" + style.fitted("(\(map.width - shown) more columns)", style.width) : ""
        return heading + grid.text(style) + key() + cut
    }

    /// Names of the columns: above them when they fit, else numbered and listed. Returns the first free row.
    private func header(_ grid: inout TextGrid, _ gutter: Int, _ cell: Int, _ shown: Int) -> Int {
        guard !map.columns.isEmpty else { return 0 }
        let names = map.columns.prefix(shown).map(style.clean)
        if (names.map(\.columns).max() ?? 0) < cell {
            for (column, name) in names.enumerated() { grid.write(name.indented(cell), gutter + 1 + column * cell, 0) }
            return 1
        }
        // Letters over the columns; what they stand for is said first.
        let letters = (0..<names.count).map { String(UnicodeScalar(UInt8(97 + $0 % 26))) }
        var (x, y) = (0, 0)
        for (letter, name) in zip(letters, names) {
            let entry = style.fitted("\(letter) \(name)", style.width)
            if x > 0, x + entry.columns > style.width { (x, y) = (0, y + 1) }
            grid.write(entry, x, y)
            x += entry.columns + 3
        }
        for (column, letter) in letters.enumerated() {
            grid.write(letter, gutter + 1 + column * cell + (cell > 2 ? cell - 2 : 0), y + 1)
        }
        return y + 2
    }

    private func cellText(_ value: Double, _ number: String?, _ marked: Bool, _ x: Int, _ y: Int, _ cell: Int, _ grid: inout TextGrid) {
        if style.hasColour {
            let ground = map.shownMap(map.share(value))
            let text = number.map { $0.indented(cell - 1).padded(cell) } ?? String(repeating: " ", count: cell)
            grid.write(text, x, y, ink: ground.ink, ground: ground, bold: marked)
        } else if let number {
            grid.write((marked ? "*" + number : number).indented(cell), x, y)
        } else {
            let shades = style.isUnicode ? [" ", "░", "▒", "▓", "█"] : [".", ":", "+", "#", "@"]
            let share = map.share(value)
            let shade = share.isNaN ? "?" : shades[max(0, min(4, Int(share * 5)))]
            grid.write(String(repeating: shade, count: cell), x, y)
        }
    }

    private func key() -> String {
        let range = map.shownRange
        let text = "\(NumberText.short(range.lowerBound)) to \(NumberText.short(range.upperBound))"
            + (map.valueTitle.isEmpty ? "" : " " + map.valueTitle)
        return "\n" + style.fitted(text, style.width)
    }
}
