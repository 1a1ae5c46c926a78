import Base

/// Runs side by side: a row for each, a column for each fact, result or setting.
public struct RunTable: Equatable, Sendable {
    public let columns: [String]
    public let rows: [[String]]

    /// - Parameter columns: names as `Run.value` knows them.
    public init(_ runs: [Run], columns: [String]) throws {
        self.columns = columns
        rows = try runs.map { run in try columns.map { RunTable.cell(try run.value($0)) } }
    }

    /// What is to be known of each.
    public static func list(_ runs: [Run]) throws -> RunTable {
        let results = common(runs.map { $0.card.results.map(\.key) })
        let rows = runs.map { run in
            [run.name, run.card.kind, run.card.status.rawValue, run.card.progress ?? "", run.card.began] + results.map { key in
                cell(run.card.results.first { $0.key == key }?.value)
            }
        }
        return RunTable(columns: ["name", "kind", "status", "done", "began"] + results, rows: rows)
    }

    /// The settings in which they differ, then their results.
    public static func comparison(_ runs: [Run]) throws -> RunTable {
        let settings = try runs.map { try $0.settings() }
        let names = union(settings.map { $0.map(\.key) }).filter { name in
            let values = settings.map { members in members.first { $0.key == name }?.value }
            return values.contains { $0 != values[0] }
        }
        let results = union(runs.map { $0.card.results.map(\.key) })
        let differs = Set(runs.map(\.card.kind)).count > 1
        return try RunTable(runs, columns: ["name"] + (differs ? ["kind"] : []) + ["status"] + names.map { "settings." + $0 } + results).shortened
    }

    private init(columns: [String], rows: [[String]]) { (self.columns, self.rows) = (columns, rows) }

    /// Without the `settings.` of columns whose name is that of no other.
    private var shortened: RunTable {
        RunTable(columns: columns.map { name in
            let short = name.hasPrefix("settings.") ? String(name.dropFirst(9)) : name
            return short != name && columns.contains(short) ? name : short
        }, rows: rows)
    }

    /// In the order in which they come.
    private static func union(_ lists: [[String]]) -> [String] {
        var (seen, all): (Set<String>, [String]) = ([], [])
        for name in lists.joined() where seen.insert(name).inserted { all.append(name) }
        return all
    }

    /// The results that at least half of them have, at most four: more is no list for the eye.
    private static func common(_ lists: [[String]]) -> [String] {
        let counts = Dictionary(lists.joined().map { ($0, 1) }, uniquingKeysWith: +)
        return Array(union(lists).filter { 2 * counts[$0, default: 0] >= lists.count }.prefix(4))
    }

    /// A value as it stands in a cell.
    public static func cell(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null?: ""
        case .string(let text)?: text
        case .number(let number)?: NumberText.short(number, digits: 4)
        case .array(let items)?: items.map { cell($0) }.joined(separator: ",")
        case let other?: other.text()
        }
    }

    /// In characters.
    public var text: String { alignColumns([columns] + rows) }
}
