/// A rectangle of coloured characters.
struct TextGrid {
    struct Cell: Hashable {
        var character: Character = " "
        var ink: Colour?
        var ground: Colour?
        var bold = false
        /// Covered by the wide character before it; nothing is written for it.
        var covered = false
    }

    let width: Int
    private(set) var rows: [[Cell]] = []

    init(width: Int, height: Int = 0) {
        self.width = max(0, width)
        extend(to: height)
    }

    var height: Int { rows.count }

    /// Adds empty rows until there are `height`.
    mutating func extend(to height: Int) {
        while rows.count < height { rows.append([Cell](repeating: Cell(), count: width)) }
    }

    /// The cell at a column and row; places outside are ignored and read as empty.
    subscript(x: Int, y: Int) -> Cell {
        get { x >= 0 && x < width && y >= 0 && y < rows.count ? rows[y][x] : Cell() }
        set {
            guard x >= 0, x < width, y >= 0 else { return }
            extend(to: y + 1)
            rows[y][x] = newValue
        }
    }

    /// Writes text from column `x` on; what does not fit is cut.
    mutating func write(_ text: String, _ x: Int, _ y: Int, ink: Colour? = nil, ground: Colour? = nil, bold: Bool = false) {
        var column = x
        for character in text {
            let columns = character.columns
            guard column + columns <= width else { return }
            self[column, y] = Cell(character: character, ink: ink, ground: ground, bold: bold)
            if columns == 2 { self[column + 1, y] = Cell(covered: true) }
            column += columns
        }
    }

    /// The lines, with colours as escape sequences where the style has them; blanks at line ends are left out.
    func text(_ style: TextStyle) -> String {
        rows.map { line($0, style) }.joined(separator: "\n")
    }

    private func line(_ row: [Cell], _ style: TextStyle) -> String {
        var end = row.count
        while end > 0, row[end - 1].character == " ", !row[end - 1].covered, row[end - 1].ground == nil || !style.hasColour { end -= 1 }
        var result = ""
        var current = ""
        for cell in row[..<end] where !cell.covered {
            let wanted = style.hasColour ? TextGrid.escape(cell, style.colour) : ""
            if wanted != current {
                result += wanted.isEmpty ? "\u{1B}[0m" : (current.isEmpty ? "" : "\u{1B}[0m") + wanted
                current = wanted
            }
            result.append(cell.character)
        }
        return current.isEmpty ? result : result + "\u{1B}[0m"
    }

    private static func escape(_ cell: Cell, _ depth: TextStyle.ColourDepth) -> String {
        var codes: [String] = []
        if cell.bold { codes.append("1") }
        if let ink = cell.ink { codes.append(code(ink, depth, base: 38)) }
        if let ground = cell.ground { codes.append(code(ground, depth, base: 48)) }
        return codes.isEmpty ? "" : "\u{1B}[" + codes.joined(separator: ";") + "m"
    }

    private static func code(_ colour: Colour, _ depth: TextStyle.ColourDepth, base: Int) -> String {
        let (r, g, b) = colour.bytes
        guard depth == .indexed else { return "\(base);2;\(r);\(g);\(b)" }
        return "\(base);5;\(xterm(r, g, b))"
    }

    /// The nearest of xterm's 6x6x6 cube and its 24 greys.
    static func xterm(_ r: UInt8, _ g: UInt8, _ b: UInt8) -> Int {
        let levels = [0, 95, 135, 175, 215, 255]
        func nearest(_ v: UInt8) -> Int {
            levels.indices.min { abs(levels[$0] - Int(v)) < abs(levels[$1] - Int(v)) } ?? 0
        }
        func distance(_ red: Int, _ green: Int, _ blue: Int) -> Int {
            let (dr, dg, db) = (red - Int(r), green - Int(g), blue - Int(b))
            return dr * dr + dg * dg + db * db
        }
        let (i, j, k) = (nearest(r), nearest(g), nearest(b))
        let grey = max(0, min(23, (Int(r) + Int(g) + Int(b) - 24) / 30 ))
        let greyLevel = 8 + 10 * grey
        if distance(greyLevel, greyLevel, greyLevel) < distance(levels[i], levels[j], levels[k]) { return 232 + grey }
        return 16 + 36 * i + 6 * j + k
    }
}

/// A drawing in Braille characters: two by four dots a character, one colour a character.
struct BrailleCanvas {
    let columns, rows: Int
    private var bits: [UInt8]
    private var inks: [Colour?]

    init(columns: Int, rows: Int) {
        self.columns = max(1, columns)
        self.rows = max(1, rows)
        bits = [UInt8](repeating: 0, count: self.columns * self.rows)
        inks = [Colour?](repeating: nil, count: self.columns * self.rows)
    }

    var width: Int { columns * 2 }
    var height: Int { rows * 4 }

    /// Sets the dot at (x, y), counted from the top left; places outside are ignored.
    mutating func set(_ x: Int, _ y: Int, _ ink: Colour?) {
        guard x >= 0, y >= 0, x < width, y < height else { return }
        let cell = (y / 4) * columns + x / 2
        // Unicode numbers the dots 1-3 and 7 down the left column, 4-6 and 8 down the right one.
        let left: [UInt8] = [0x01, 0x02, 0x04, 0x40]
        let right: [UInt8] = [0x08, 0x10, 0x20, 0x80]
        bits[cell] |= x % 2 == 0 ? left[y % 4] : right[y % 4]
        inks[cell] = ink
    }

    mutating func line(_ x0: Int, _ y0: Int, _ x1: Int, _ y1: Int, _ ink: Colour?) {
        for (x, y) in Raster.line(x0, y0, x1, y1) { set(x, y, ink) }
    }

    /// Puts the dots into a grid with the top left character at (x, y).
    func write(into grid: inout TextGrid, _ x: Int, _ y: Int) {
        for row in 0..<rows {
            for column in 0..<columns where bits[row * columns + column] != 0 {
                guard let scalar = Unicode.Scalar(0x2800 + UInt32(bits[row * columns + column])) else { continue }
                grid[x + column, y + row] = TextGrid.Cell(character: Character(scalar), ink: inks[row * columns + column])
            }
        }
    }
}

extension Raster {
    /// Every raster point of a straight line, both ends included (Bresenham).
    static func line(_ x0: Int, _ y0: Int, _ x1: Int, _ y1: Int) -> [(Int, Int)] {
        let (dx, dy) = (abs(x1 - x0), -abs(y1 - y0))
        let (sx, sy) = (x0 < x1 ? 1 : -1, y0 < y1 ? 1 : -1)
        var (x, y, error) = (x0, y0, dx + dy)
        var points: [(Int, Int)] = []
        while true {
            points.append((x, y))
            if x == x1, y == y1 { return points }
            let twice = 2 * error
            if twice >= dy { error += dy; x += sx }
            if twice <= dx { error += dx; y += sy }
        }
    }
}
