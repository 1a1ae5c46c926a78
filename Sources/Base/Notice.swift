@preconcurrency import Glibc

/// Words to the user about what is no error, but odd or not what was meant, and what to do about it.
public enum Notice {
    private static let lock = Lock()
    nonisolated(unsafe) private static var said: Set<String> = []
    nonisolated(unsafe) private static var listener: ((String) -> Void)?
    nonisolated(unsafe) private static var witness: ((String) -> Void)?

    /// Says `text` on standard error, from whatever thread; the same text is said once in a process.
    public static func say(_ text: String) {
        let (listener, witness, isNew) = lock.held { (Notice.listener, Notice.witness, Notice.listener == nil && said.insert(text).inserted) }
        listener?(text)
        if isNew {
            write(text)
            witness?(text)
        }
    }

    private static func write(_ text: String) {
        // What was printed comes first; on a terminal a progress bar's line goes. C's stream: a notebook has it captured.
        fflush(stdout)
        let clears = isatty(2) == 1 && getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
        var line = (clears ? "\r\u{1B}[K" : "") + "trellis: warning: \(text)\n"
        line.withUTF8 { _ = fwrite($0.baseAddress, 1, $0.count, stderr) }
    }

    /// Gives what is said from now on to `listener`, on whatever thread; nil: to standard error.
    /// - Returns: who listened before.
    @discardableResult
    public static func listen(_ listener: ((String) -> Void)?) -> ((String) -> Void)? {
        lock.held {
            defer { Notice.listener = listener }
            return Notice.listener
        }
    }

    /// Lets `witness` hear, on whatever thread, what is said on standard error from now on.
    public static func witness(_ witness: ((String) -> Void)?) { lock.held { Notice.witness = witness } }

    /// What is said while `body` runs, on whatever thread, instead of saying it.
    public static func gathered(_ body: () throws -> Void) rethrows -> [String] {
        let words = Gathered()
        let before = listen { text in words.lock.held { words.texts.append(text) } }
        defer { listen(before) }
        try body()
        return words.lock.held { words.texts }
    }

    private final class Gathered: @unchecked Sendable {
        let lock = Lock()
        var texts: [String] = []
    }
}
