import Base
import Glibc
import Tensors

/// A run as its directory tells it.
public struct Run: Sendable {
    public let directory: String
    /// The directory below the one that was listed; its last name where it was opened alone.
    public let name: String
    public let card: RunCard

    static let cardName = "run.json", settingsName = "settings.json", logName = "run.log"

    /// - Throws: `FileError` for a directory without a card, or with a damaged one.
    public init(_ directory: String, name: String? = nil) throws {
        self.directory = directory
        self.name = name ?? String(directory.split(separator: "/").last ?? "/")
        let path = directory + "/" + Run.cardName
        guard access(path, F_OK) == 0 else { throw FileError(directory, "expected the directory of a run, which holds \(Run.cardName)", remedy: "trellis runs DIR lists those below DIR") }
        var card = try RunCard(Files.json(path, limit: 1 << 24), at: path)
        if card.status == .running, !DirectoryLock.isHeld(directory) { card.status = .killed }
        self.card = card
    }

    init(_ directory: String, name: String, card: RunCard) { (self.directory, self.name, self.card) = (directory, name, card) }

    /// All runs below a directory, itself included, by name. A card that is damaged is passed over with a word. Links are not followed.
    public static func all(below directory: String) throws -> [Run] {
        var runs: [Run] = []
        try collect(directory, name: "", depth: 0, into: &runs)
        return runs.sorted { natural($0.name, $1.name) }
    }

    /// Runs lie in runs: a comparison holds its search and its trainings.
    private static let deepest = 6

    private static func collect(_ directory: String, name: String, depth: Int, into runs: inout [Run]) throws {
        try checkInterrupt()
        let entries: [(name: String, isDirectory: Bool)]
        do { entries = try Folder.entries(directory) } catch {
            // What lies below may be somebody else's.
            if depth == 0 { throw error }
            return
        }
        if entries.contains(where: { $0.name == cardName }) {
            do { runs.append(try Run(directory, name: name.isEmpty ? "." : name)) } catch let error as FileError { Notice.say("\(error): passed over") }
        }
        guard depth < deepest else { return }
        for entry in entries where entry.isDirectory && !entry.name.hasPrefix(".") {
            try collect(directory + "/" + entry.name, name: name.isEmpty ? entry.name : name + "/" + entry.name, depth: depth + 1, into: &runs)
        }
    }

    /// Numbers in names by their value: search-9 before search-10.
    static func natural(_ a: String, _ b: String) -> Bool {
        var (x, y) = (Substring(a), Substring(b))
        while let u = x.first, let v = y.first {
            let (m, n) = (x.prefix { $0.isASCII && $0.isNumber }, y.prefix { $0.isASCII && $0.isNumber })
            if let i = Int(m), let j = Int(n) {
                if i != j { return i < j }
                (x, y) = (x.dropFirst(m.count), y.dropFirst(n.count))
            } else {
                if u != v { return u < v }
                (x, y) = (x.dropFirst(), y.dropFirst())
            }
        }
        return x.isEmpty && !y.isEmpty
    }

    /// The options that it began with, by name as on the command line: what `--config` takes. None of a run whose script gave none.
    public func settings() throws -> [JSONValue.Member] {
        let path = directory + "/" + Run.settingsName
        guard access(path, F_OK) == 0 else { return [] }
        guard case .object(let members) = try Files.json(path, limit: 1 << 24) else { throw FileError(path, "expected an object of options by name") }
        return members
    }

    public func curves() throws -> Curves { try Curves(of: directory) }

    /// Names that `value` knows, besides settings and results.
    static let facts = ["name", "kind", "status", "seed", "began", "seconds", "starts", "done", "planned", "run", "script", "reason"]

    /// A fact, a result or a setting by its name, in this order; `settings.NAME` is the setting. Nil where it has none of that name.
    public func value(_ name: String) throws -> JSONValue? {
        switch name {
        case "name": return .string(self.name)
        case "kind": return .string(card.kind)
        case "status": return .string(card.status.rawValue)
        case "seed": if let seed = card.seed { return .integer(seed) }
        case "began": return .string(card.began)
        case "seconds": return .number(card.seconds)
        case "starts": return .integer(card.starts)
        case "done": return card.done.map { .integer($0) }
        case "planned": return card.planned.map { .integer($0) }
        case "run": return card.identity.map { .string($0) }
        case "script": return card.script.map { .string($0) }
        case "reason": return card.reason.map { .string($0) }
        default: break
        }
        if let result = card.results.first(where: { $0.key == name }) { return result.value }
        let key = name.hasPrefix("settings.") ? String(name.dropFirst(9)) : name
        // As in scripts, dashes are underscores.
        return try settings().first { $0.key == key || $0.key.replacing("-", with: "_") == key }?.value
    }
}
