import CLua
import Glibc

/// The texts that were run, for what is said about them: entries of the prompt and cells by the names of their chunks, files from the disk.
final class SourceTexts {
    private var texts: [String: String] = [:]

    /// - Parameter name: as messages show it: "[3]".
    func note(_ text: String, as name: String) { texts[name] = text }

    /// The source that messages call `name`: an entry, else the file of that name; nil when there is none, or one too large to look at.
    func text(_ name: String) -> String? { texts[name] ?? SourceTexts.file(name) }

    /// The lines in which a function is written, with the comment above them; nil when the source is gone, or has fewer lines by now.
    func text(of place: LuaFunctionInfo.Place) -> String? {
        guard let lines = text(place.source)?.split(separator: "\n", omittingEmptySubsequences: false), place.last <= lines.count else { return nil }
        var first = place.first
        while first > 1, lines[first - 2].drop(while: { $0 == " " }).hasPrefix("--") { first -= 1 }
        return lines[(first - 1)..<place.last].joined(separator: "\n")
    }

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
