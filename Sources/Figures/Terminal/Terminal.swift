/// How figures can be shown at a prompt.
public enum TerminalGraphics: String, CaseIterable, Sendable {
    /// Pictures by the kitty graphics protocol (kitty, Ghostty, WezTerm, Konsole).
    case kitty
    /// Pictures as sixels (foot, mlterm, xterm with -ti vt340, iTerm2 and others).
    case sixel
    /// Box, block and Braille characters.
    case unicode
    /// ASCII characters.
    case ascii
    /// Nothing is shown.
    case none
}

/// What is known of the terminal that figures are shown in.
public struct Terminal: Hashable, Sendable {
    public var graphics: TerminalGraphics
    /// Width in columns.
    public var columns: Int
    public var colour: TextStyle.ColourDepth

    /// A terminal that is known already; widths below 20 columns become 20.
    public init(graphics: TerminalGraphics, columns: Int = 80, colour: TextStyle.ColourDepth = .none) {
        self.graphics = graphics
        self.columns = max(20, columns)
        self.colour = colour
    }

    /// Style of text shown in this terminal.
    public var style: TextStyle {
        TextStyle(width: columns, charset: graphics == .ascii ? .ascii : .unicode, colour: colour)
    }

    /// Finds out from the environment, asking the terminal nothing.
    ///
    /// `TRELLIS_GRAPHICS` (kitty, sixel, unicode, ascii, none) decides where it is set. Else pictures are sent to terminals known to
    /// show them, unless a multiplexer stands between; everything else gets characters: Unicode where the locale has UTF-8, ASCII
    /// where it has not and where the output is no terminal (logs and pipes). `NO_COLOR` switches colours off.
    ///
    /// - Parameters:
    ///   - environment: the process's variables.
    ///   - isTerminal: whether the output is a terminal (`isatty`).
    ///   - columns: its width; when nil, `COLUMNS` or 80.
    public static func detect(environment: [String: String], isTerminal: Bool, columns: Int? = nil) -> Terminal {
        func has(_ name: String) -> Bool { !(environment[name] ?? "").isEmpty }
        let term = environment["TERM"] ?? ""
        let width = columns ?? environment["COLUMNS"].flatMap { Int($0) } ?? 80
        let asked = environment["TRELLIS_GRAPHICS"].flatMap { TerminalGraphics(rawValue: $0.lowercased()) }
        var colour = TextStyle.ColourDepth.none
        if isTerminal, !has("NO_COLOR"), term != "dumb", !term.isEmpty {
            let depth = environment["COLORTERM"] ?? ""
            colour = depth == "truecolor" || depth == "24bit" || term == "xterm-kitty" ? .full : .indexed
        }
        if let asked { return Terminal(graphics: asked, columns: width, colour: colour) }
        guard isTerminal, term != "dumb" else { return Terminal(graphics: .ascii, columns: width, colour: colour) }
        let multiplexed = has("TMUX") || has("STY") || term.hasPrefix("screen") || term.hasPrefix("tmux")
        if !multiplexed, let graphics = pictures(term, environment["TERM_PROGRAM"] ?? "", kitty: has("KITTY_WINDOW_ID")) {
            return Terminal(graphics: graphics, columns: width, colour: colour)
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        let name = locale.lowercased()
        // The Linux console's font has neither Braille nor diagonals.
        let unicode = (name.contains("utf-8") || name.contains("utf8")) && term != "linux"
        return Terminal(graphics: unicode ? .unicode : .ascii, columns: width, colour: colour)
    }

    /// The picture protocol of terminals known by name.
    private static func pictures(_ term: String, _ program: String, kitty: Bool) -> TerminalGraphics? {
        if term == "xterm-kitty" || term == "xterm-ghostty" || kitty { return .kitty }
        if program == "ghostty" || program == "WezTerm" { return .kitty }
        if term == "foot" || term.contains("sixel") || ["foot-", "mlterm", "yaft"].contains(where: term.hasPrefix) { return .sixel }
        if program == "iTerm.app" || program == "mintty" { return .sixel }
        return nil
    }
}

extension Figure {
    /// The figure as bytes to print in a terminal, with a line break at the end; nil when nothing is to be shown.
    public func rendered(for terminal: Terminal) throws -> String? {
        switch terminal.graphics {
        case .none:
            return nil
        case .unicode, .ascii:
            return text(terminal.style) + "\n"
        case .kitty:
            // A column is about nine units wide at the sizes people use; the terminal scales the crisp picture to that.
            let page = Surfaces.page(self)
            let columns = max(1, min(terminal.columns, Int((page.width / 9).rounded())))
            return Kitty.encode(png: try png(scale: page.width > 2000 ? 1 : 2), columns: columns) + "\n"
        case .sixel:
            let page = Surfaces.page(self)
            return Sixel.encode(try Raster.pixels(self, scale: min(1, Double(terminal.columns) * 9 / page.width))) + "\n"
        }
    }
}
