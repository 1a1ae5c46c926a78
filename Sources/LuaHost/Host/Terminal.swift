import CLua
import Glibc

/// Where text goes. C's streams, so that what Lua prints and what the host prints stay in order.
public enum Terminal {
    public static func out(_ text: String) { write(text, isError: false) }
    public static func error(_ text: String) { write(text, isError: true) }

    private static func write(_ text: String, isError: Bool) {
        var text = text
        text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { clua_write($0.baseAddress, $0.count, isError) }
        }
    }

    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    /// Whether text to `descriptor` may carry colours: a terminal that has them, and no NO_COLOR (https://no-color.org).
    static func hasColour(_ descriptor: Int32) -> Bool {
        guard isTerminal(descriptor), (environment("NO_COLOR") ?? "").isEmpty else { return false }
        return hasControls
    }

    /// Whether the terminal knows control sequences, by its name.
    static var hasControls: Bool { environment("TERM").map { !$0.isEmpty && $0 != "dumb" } ?? false }

    static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Columns of the terminal behind a descriptor, if one is there that knows.
    static func columns(of descriptor: Int32) -> Int? {
        var size = winsize()
        return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : nil
    }

    /// Columns of the terminal: asked of it, else COLUMNS, else 80.
    static var width: Int { columns(of: 1) ?? environment("COLUMNS").flatMap { Int($0) } ?? 80 }

    /// Lets the terminal keep to itself what is typed; the function returned ends that.
    static func hideTyping() -> () -> Void {
        var settings = termios()
        guard tcgetattr(0, &settings) == 0 else { return {} }
        let before = settings
        settings.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(0, TCSAFLUSH, &settings)
        return {
            var before = before
            tcsetattr(0, TCSAFLUSH, &before)
        }
    }
}
