import Base
import Glibc
import Tensors

/// Completion as front ends ask for it: positions count Unicode's code points.
enum KernelCompletion {
    /// The members of a `complete_reply`.
    static func reply(_ session: Session, _ content: JSONValue) -> [JSONValue.Member] {
        let code = content["code"].text ?? ""
        let cursor = max(0, min(content["cursor_pos"].number ?? Int.max, code.unicodeScalars.count))
        let before = String(code.unicodeScalars.prefix(cursor))
        let start: Int, matches: [Completer.Match]
        switch session.complete(before) {
        case .words(let from, let words):
            start = from
            matches = session.matches(words, before, from: from)
        case .files: (start, matches) = files(before)
        }
        let from = codePoints(before: start, in: before)
        let types = matches.map { match in
            JSONValue.object([
                .init("end", .integer(cursor)), .init("signature", .string(match.signature)), .init("start", .integer(from)), .init("text", .string(match.text)),
                .init("type", .string(match.type)),
            ])
        }
        return [
            .init("cursor_end", .integer(cursor)), .init("cursor_start", .integer(from)), .init("matches", .array(matches.map { .string($0.text) })),
            .init("metadata", .object([.init("_jupyter_types_experimental", .array(types))])),
        ]
    }

    /// Names in the folder that a string that is not closed names.
    private static func files(_ before: String) -> (Int, [Completer.Match]) {
        let bytes = Array(before.utf8)
        let quote = bytes.lastIndex { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") } ?? -1
        let path = String(decoding: bytes[(quote + 1)...], as: UTF8.self)
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let word = slash.map { String(path[path.index(after: $0)...]) } ?? path
        var names: [String] = []
        if let directory = opendir(folder) {
            defer { closedir(directory) }
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                guard name.hasPrefix(word), !name.hasPrefix(".") || word.hasPrefix("."), name != ".", name != ".." else { continue }
                names.append(entry.pointee.d_type == UInt8(DT_DIR) ? name + "/" : name)
            }
        }
        return (bytes.count - word.utf8.count, names.sorted().map { Completer.Match(text: $0, type: "path", signature: "") })
    }

    /// The offset in bytes of a position in code points.
    static func byteOffset(of position: Int, in text: String) -> Int {
        text.unicodeScalars.prefix(max(0, position)).reduce(0) { $0 + String($1).utf8.count }
    }

    private static func codePoints(before offset: Int, in text: String) -> Int {
        String(decoding: Array(text.utf8.prefix(offset)), as: UTF8.self).unicodeScalars.count
    }
}
