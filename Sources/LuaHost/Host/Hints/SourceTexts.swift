import CLua
import Glibc

/// The texts that were run, for what is said about them: entries of the prompt and cells by the names of their chunks, files from the disk.
final class SourceTexts {
    private var texts: [String: String] = [:]

    /// - Parameter name: as messages show it: "[3]".
    func note(_ text: String, as name: String) { texts[name] = text }

    /// The source that messages call `name`: an entry, else the file of that name; nil when there is none, or one too large to look at.
    func text(_ name: String) -> String? { texts[name] ?? SourceTexts.file(name) }

    static func file(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size < 1 << 24, let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Line `number` of a source, from 1.
    func line(_ number: Int, of name: String) -> String? {
        guard let text = text(name) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.contains(number - 1) ? String(lines[number - 1]) : nil
    }
}

/// A message taken apart: "file.lua:3: what is wrong".
struct LocatedMessage {
    let source: String
    let line: Int
    let text: String

    init?(_ message: String) {
        // Names of files may have colons, too.
        var start = message.startIndex
        while let colon = message[start...].firstIndex(of: ":") {
            let rest = message[message.index(after: colon)...]
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            if let number = Int(digits), rest[digits.endIndex...].hasPrefix(": "), colon > message.startIndex {
                source = String(message[..<colon])
                line = number
                text = String(rest[digits.endIndex...].dropFirst(2))
                return
            }
            start = message.index(after: colon)
        }
        return nil
    }
}
