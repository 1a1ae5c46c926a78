import CLua
import Figures
import Glibc
import Notebook

/// C's standard streams: a terminal, a pipe or a file.
public final class TerminalOutput: Output {
    public init() {}

    public var columns: Int { Terminal.width }
    public var coloursErrors: Bool { Terminal.hasColour(2) }
    public var showsProgress: Bool { Terminal.isTerminal(2) }

    public var progress: ProgressStyle {
        guard Terminal.isTerminal(2), Terminal.hasControls else { return .log }
        return .line(columns: Terminal.columns(of: 2) ?? 80)
    }

    /// By what the terminal knows; without one only the figure's size.
    public func drawing(of figure: any Figure) throws -> String {
        let names = [
            "TRELLIS_GRAPHICS", "TERM", "NO_COLOR", "COLORTERM", "TMUX", "STY", "TERM_PROGRAM", "KITTY_WINDOW_ID", "LC_ALL", "LC_CTYPE", "LANG", "COLUMNS",
        ]
        var environment: [String: String] = [:]
        for name in names { environment[name] = Terminal.environment(name) }
        let terminal = Figures.Terminal.detect(environment: environment, isTerminal: Terminal.isTerminal(1), columns: Terminal.columns(of: 1))
        guard var text = try figure.rendered(for: terminal) else { return "figure \(Int(figure.size.width))x\(Int(figure.size.height))" }
        if text.hasSuffix("\n") { text.removeLast() }
        return text
    }

    public func stream(_ bytes: UnsafeRawBufferPointer, isError: Bool) {
        clua_write(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, isError)
    }

    public func display(_ bundle: MIMEBundle, id: String?) { Terminal.out(bundle.plain + "\n") }

    /// Shown anew: what a terminal has scrolled away cannot be changed.
    public func update(_ bundle: MIMEBundle, id: String) { display(bundle, id: id) }

    /// What was printed stays.
    public func clear(wait: Bool) {}

    public func result(_ bundle: MIMEBundle, number: Int) { display(bundle, id: nil) }

    public func failure(_ report: ErrorReport) { Terminal.error(report.text(coloured: coloursErrors)) }

    public func input(prompt: String, isPassword: Bool) throws -> String? {
        Terminal.out(prompt)
        fflush(nil)
        let restore = isPassword ? Terminal.hideTyping() : {}
        defer { restore() }
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        defer { free(line) }
        let count = clua_piped_line(&line, &room)
        guard count >= 0, let line else { return nil }
        let bytes = UnsafeRawBufferPointer(start: line, count: count)
        return String(keeping: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...])
    }
}
