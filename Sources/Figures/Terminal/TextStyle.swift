/// How a figure is written in characters.
public struct TextStyle: Hashable, Sendable {
    /// Characters that may be used.
    public enum Charset: String, Sendable {
        /// Box drawing, block and Braille characters.
        case unicode
        /// The 95 printable characters of ASCII.
        case ascii
    }

    /// Colours as escape sequences.
    public enum ColourDepth: String, Sendable {
        case none
        /// The 256 colours of xterm.
        case indexed
        /// 24 bits.
        case full
    }

    /// Largest number of columns.
    public var width: Int
    public var charset: Charset
    public var colour: ColourDepth

    /// A style; widths below 20 columns become 20.
    public init(width: Int = 80, charset: Charset = .unicode, colour: ColourDepth = .none) {
        self.width = max(20, width)
        self.charset = charset
        self.colour = colour
    }

    var isUnicode: Bool { charset == .unicode }
    var hasColour: Bool { colour != .none }

    /// The first text, or the second where only ASCII may be used.
    func pick(_ unicode: String, _ ascii: String) -> String { isUnicode ? unicode : ascii }
    func mark(_ unicode: Character, _ ascii: Character) -> Character { isUnicode ? unicode : ascii }

    /// User text for this style: without control characters, and where only ASCII may be used with `?` for everything else.
    func clean(_ text: String) -> String {
        let text = text.printable
        guard charset == .ascii else { return text }
        let replaced = text.map { character -> String in
            switch character {
            case "α": return "alpha"
            case "β": return "beta"
            case "×": return "x"
            case "←": return "<-"
            case "→": return "->"
            case "–", "—", "−": return "-"
            case "…": return "..."
            default: return character.isASCII ? String(character) : "?"
            }
        }
        return replaced.joined()
    }

    /// The text cut to `columns`, ending in an ellipsis where something was cut.
    func fitted(_ text: String, _ columns: Int) -> String {
        let text = clean(text)
        guard text.columns > columns else { return text }
        var kept = "", taken = 0
        for character in text {
            taken += character.columns
            if taken > columns - 1 { break }
            kept.append(character)
        }
        return columns > 0 ? kept + pick("…", "~") : ""
    }
}

extension Character {
    /// Columns this character takes in a terminal: two for East Asian wide characters and emoji, else one.
    var columns: Int {
        guard let value = unicodeScalars.first?.value else { return 0 }
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
            0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default:
            return 1
        }
    }
}

extension String {
    /// Columns the text takes in a terminal.
    var columns: Int { reduce(0) { $0 + $1.columns } }

    /// The text with blanks on the right up to `columns`.
    func padded(_ columns: Int) -> String { self + String(repeating: " ", count: max(0, columns - self.columns)) }

    /// The text with blanks on the left up to `columns`.
    func indented(_ columns: Int) -> String { String(repeating: " ", count: max(0, columns - self.columns)) + self }
}
