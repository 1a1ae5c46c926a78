import Glibc

/// Words to the user that are no error: what was found to be odd and what to do about it.
public enum Notice {
    /// Where they go: standard error unless a host says otherwise.
    nonisolated(unsafe) public static var show: (String) -> Void = { text in
        // What was printed comes first; on a terminal a progress bar's line goes.
        fflush(nil)
        let clears = isatty(2) == 1 && getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
        var line = (clears ? "\r\u{1B}[K" : "") + "trellis: \(text)\n"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }

    /// Says something that the user should know.
    public static func say(_ text: String) { show(text) }
}
