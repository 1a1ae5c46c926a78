import Base
import Tensors

/// A truth as JSON: `format`, `version`, `name`, `settings`, `space` (a `SpaceRecord`), `seeds`, `checkpoints`, and `architectures`, a row for each in the order of the space, null for one that was not
/// trained: `[parameters, multiply-adds, [validation of each seed], [test of each seed], [loss of each seed]]`, a number for each checkpoint in units of 0.00001. The losses may be missing, and single ones null.
extension Truth {
    static let format = "trellis.truth"
    static let version = 1
    private static let unit = 100_000.0

    public var json: JSONValue {
        get throws {
            func list(_ numbers: [Int]) -> JSONValue { .array(numbers.map { .integer($0) }) }
            func numbers(_ table: [[Double?]]) -> JSONValue {
                .array(table.map { .array($0.map { number in number.map { .integer(Int(($0 * Truth.unit).rounded())) } ?? .null }) })
            }
            let rows: [JSONValue] = try space.decisions.each().map { assignment in
                guard let entry = entries[assignment] else { return .null }
                let row: [JSONValue] = [.integer(entry.parameters), .integer(entry.multiplyAdds), numbers(entry.validation), numbers(entry.test)]
                return .array(entry.loss.isEmpty ? row : row + [numbers(entry.loss)])
            }
            return .object([
                .init("format", .string(Truth.format)), .init("version", .integer(Truth.version)), .init("name", .string(name)), .init("settings", settings),
                .init("space", space.json), .init("seeds", list(seeds)), .init("checkpoints", list(checkpoints)), .init("architectures", .array(rows)),
            ])
        }
    }

    /// A line for each architecture.
    public func save(to path: String) throws { try AtomicFile.write((try json.text(width: 400) + "\n").utf8, to: path) }

    /// Reads what `json` gives.
    /// - Parameter place: what errors call the text.
    /// - Throws: `SpaceError` with the place at fault.
    public init(json: JSONValue, at place: String) throws {
        let reader = JSONReader(json, at: place)
        try reader.allow(["format", "version", "name", "settings", "space", "seeds", "checkpoints", "architectures"])
        let (format, version) = (try reader.required("format").string(), try reader.required("version").int())
        guard format == Truth.format, version == Truth.version else { throw reader.error("\(Truth.format) of version \(Truth.version)", got: "\(format) of version \(version)") }
        let space = try SpaceRecord(json: reader.required("space").value, at: "\(place): space")
        let rows = try reader.required("architectures")
        let assignments = try Array(space.decisions.each())
        let items = try rows.items(count: assignments.count)
        func scores(_ reader: JSONReader) throws -> [[Double]] { try reader.items().map { try $0.items().map { try Double($0.int()) / Truth.unit } } }
        func losses(_ reader: JSONReader) throws -> [[Double?]] {
            try reader.items().map { try $0.items().map { $0.value == .null ? nil : try Double($0.int()) / Truth.unit } }
        }
        var entries: [Assignment: Entry] = [:]
        for (assignment, item) in zip(assignments, items) where item.value != .null {
            let row = try item.items()
            guard row.count == 4 || row.count == 5 else { throw item.error("parameters, multiply-adds, validation, test, and loss or not", got: "\(row.count) items") }
            entries[assignment] = Entry(
                parameters: try row[0].count(), multiplyAdds: try row[1].count(), validation: try scores(row[2]), test: try scores(row[3]), loss: row.count == 5 ? try losses(row[4]) : [])
        }
        try self.init(
            name: reader.required("name").string(), space: space, seeds: reader.required("seeds").items().map { try $0.int() },
            checkpoints: reader.required("checkpoints").items().map { try $0.int() }, settings: reader.required("settings").value, entries: entries)
    }

    public init(contentsOf path: String) throws {
        let json: JSONValue
        do throws(FileError) { json = try Files.json(path) } catch {
            throw SpaceError(.format, at: path, expected: "a truth that can be read", got: error.problem, remedy: "scripts/truth.lua makes truths")
        }
        try self.init(json: json, at: path)
    }
}
