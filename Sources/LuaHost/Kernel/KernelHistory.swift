import Base
import Tensors

/// What was typed: in this session, and before at the prompt. Session 0 is this one, as front ends ask for it; what was before it has session -1.
struct KernelHistory {
    private struct Entry {
        let session: Int
        let line: Int
        let input: String
        var output: String?
    }

    private var entries: [Entry]

    /// - Parameter before: of the prompt's history.
    init(before: [String]) { entries = before.enumerated().map { Entry(session: -1, line: $0 + 1, input: $1, output: nil) } }

    mutating func add(_ input: String, line: Int) { entries.append(Entry(session: 0, line: line, input: input, output: nil)) }

    /// What came out of the last entry.
    mutating func note(output: String?) {
        guard !entries.isEmpty else { return }
        entries[entries.count - 1].output = output
    }

    /// The content of the reply to `history_request`.
    func reply(to content: JSONValue) -> JSONValue {
        var found: [Entry]
        let count = content["n"].number
        switch content["hist_access_type"].text {
        case "range":
            let session = content["session"].number ?? 0, start = content["start"].number ?? 0, stop = content["stop"].number ?? Int.max
            found = entries.filter { $0.session == session && $0.line >= start && $0.line < stop }
        case "search":
            let pattern = Array(content["pattern"].text ?? "*")
            found = entries.filter { KernelHistory.matches(Array($0.input), pattern) }
            if content["unique"].flag ?? false { found = KernelHistory.unique(found) }
            if let count { found = found.suffix(max(0, count)) }
        default: found = entries.suffix(max(0, count ?? 10))
        }
        let hasOutput = content["output"].flag ?? false
        let list = found.map { entry -> JSONValue in
            let output: JSONValue = entry.output.map { .string($0) } ?? .null
            return .array([.integer(entry.session), .integer(entry.line), hasOutput ? .array([.string(entry.input), output]) : .string(entry.input)])
        }
        return .object([.init("history", .array(list)), .init("status", .string("ok"))])
    }

    /// Of equal inputs the last one.
    private static func unique(_ entries: [Entry]) -> [Entry] {
        var seen: Set<String> = []
        return entries.reversed().filter { seen.insert($0.input).inserted }.reversed()
    }

    /// As file names are matched: `*` any text, `?` any character.
    static func matches(_ text: [Character], _ pattern: [Character]) -> Bool {
        var i = 0, j = 0, star: (pattern: Int, text: Int)?
        while i < text.count {
            if j < pattern.count, pattern[j] == "*" {
                star = (j, i)
                j += 1
            } else if j < pattern.count, pattern[j] == "?" || pattern[j] == text[i] {
                i += 1
                j += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                i = last.text + 1
                j = last.pattern + 1
            } else {
                return false
            }
        }
        return pattern[j...].allSatisfy { $0 == "*" }
    }
}
