import Base
import Glibc
import Tensors

/// Whether a run that was made again came to the same numbers.
///
/// The lines of the file that the card names are compared as they stand, then the results of the cards, with every bit. Of a run that did not end only what it did counts.
public struct Repetition {
    public let first, second: Run
    /// What differs; empty where nothing does.
    public private(set) var differences: [String] = []
    /// What was compared.
    public private(set) var compared: [String] = []

    /// - Throws: `FileError`.
    public init(_ first: Run, _ second: Run) throws {
        (self.first, self.second) = (first, second)
        if let file = first.card.numbers { try compare(file: file) }
        if first.card.status == .done { compareResults() }
        if second.card.status != .done { differences.append("\(second.directory) did not end: \(second.card.status)\(second.card.reason.map { ": " + $0 } ?? "")") }
    }

    public var isSame: Bool { differences.isEmpty && !compared.isEmpty }

    private mutating func compare(file: String) throws {
        func lines(_ run: Run) throws -> [Substring]? {
            let path = run.directory + "/" + file
            guard access(path, F_OK) == 0 else { return nil }
            return String(decoding: try Files.contents(path), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        }
        guard let known = try lines(first), known.count > 2 else { return }
        guard let made = try lines(second) else {
            differences.append("\(second.directory) has no \(file)")
            return
        }
        // The last one is behind the last newline.
        let count = known.count - 1
        if let row = (0..<count).first(where: { $0 >= made.count || made[$0] != known[$0] }) {
            differences.append("line \(row + 1) of \(file): \(Repetition.difference(known[0], known[row], row < made.count ? made[row] : ""))")
        } else if first.card.status == .done, made.count != known.count {
            differences.append("\(file) has \(made.count - 2) rows, it had \(count - 1)")
        }
        compared.append("\(count - 1) row\(count == 2 ? "" : "s") of \(file)")
    }

    /// "loss 1.25, it was 1.5": the first cell that differs, by the name of its column.
    private static func difference(_ head: Substring, _ known: Substring, _ made: Substring) -> String {
        guard !made.isEmpty else { return "is missing" }
        func cells(_ line: Substring) -> [Substring] { line.split(separator: ",", omittingEmptySubsequences: false) }
        let (names, a, b) = (cells(head), cells(known), cells(made))
        guard a.count == b.count, let at = a.indices.first(where: { a[$0] != b[$0] }) else { return "'\(made)', it was '\(known)'" }
        return "\(at < names.count ? names[at] : "cell \(at + 1)") \(b[at].isEmpty ? "nothing" : b[at]), it was \(a[at].isEmpty ? "nothing" : a[at])"
    }

    private mutating func compareResults() {
        guard !first.card.results.isEmpty else { return }
        for member in first.card.results {
            let made = second.card.results.first { $0.key == member.key }?.value
            if made != member.value { differences.append("\(member.key) \(made?.text() ?? "nothing"), it was \(member.value.text())") }
        }
        compared.append("the results " + first.card.results.map { "\($0.key) \(RunTable.cell($0.value))" }.joined(separator: ", "))
    }

    /// What else is another one: the program and the machine.
    public var circumstances: [String] {
        func changes(_ a: [JSONValue.Member], _ b: [JSONValue.Member]) -> [String] {
            a.compactMap { member in
                guard let now = b.first(where: { $0.key == member.key })?.value, now != member.value else { return nil }
                return "\(member.key) \(RunTable.cell(now)), it was \(RunTable.cell(member.value))"
            }
        }
        return changes(first.card.versions, second.card.versions) + changes(first.card.machine, second.card.machine)
    }

    /// One line.
    public var text: String {
        if compared.isEmpty, differences.isEmpty { return "\(first.name) left no numbers to compare" }
        if isSame { return "the numbers are the same: \(compared.joined(separator: ", "))" }
        return "the numbers differ: " + differences.joined(separator: "; ") + (circumstances.isEmpty ? "" : "\nwhat else is another one: " + circumstances.joined(separator: "; "))
    }
}
