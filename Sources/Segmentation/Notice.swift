import Glibc

/// Words on what is no error, but may not be what was meant.
public enum Notice {
    private static let lock = Lock()
    nonisolated(unsafe) private static var said: Set<String> = []
    nonisolated(unsafe) private static var listener: ((String) -> Void)?

    /// Says `text` on stderr; the same text is said once in a process.
    public static func say(_ text: String) {
        let (listener, isNew) = lock.held { (Notice.listener, Notice.listener == nil && said.insert(text).inserted) }
        listener?(text)
        if isNew { write(text) }
    }

    private static func write(_ text: String) {
        // What was printed before comes first.
        fflush(nil)
        _ = Array("trellis: warning: \(text)\n".utf8).withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }

    /// What is said while `body` runs, on whatever thread, instead of saying it.
    static func gathered(_ body: () throws -> Void) rethrows -> [String] {
        let words = Gathered()
        lock.held { listener = { text in words.lock.held { words.texts.append(text) } } }
        defer { lock.held { listener = nil } }
        try body()
        return words.texts
    }

    private final class Gathered: @unchecked Sendable {
        let lock = Lock()
        var texts: [String] = []
    }
}
