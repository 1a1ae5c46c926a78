import Base
import Tensors

/// An architecture as text, of any space: JSON with its members in a fixed order, so that equal architectures give equal files.
///
/// Members: `format` and `version`, then `name`, `space` (a `SpaceRecord`), `decisions` (a value for each that matters, by name), `scores`, `provenance`, `notes`. What is
/// unknown is left out. Files of version 1, of stock trellises only, are read (`ArchitectureVersion1`).
public struct ArchitectureFile {
    public static let format = "trellis.architecture"
    public static let version = 2
    /// Largest file that is read.
    private static let mostBytes = 1 << 26

    public let space: SpaceRecord
    public let assignment: Assignment
    /// The values by name; pairs of branches in the order in which they are counted (`scores.strengths`).
    private let values: [String: Value]
    public let name: String?
    public let scores: ArchitectureScores
    public let provenance: Provenance
    public let notes: [String]

    public init(_ assignment: Assignment, of space: SpaceRecord) {
        (self.assignment, self.space, values) = (assignment, space, assignment.values)
        (name, scores, provenance, notes) = (nil, ArchitectureScores(), Provenance(), [])
    }

    /// - Throws: `SpaceError` for an architecture that does not fit its space.
    public init(_ architecture: Architecture) throws {
        space = SpaceRecord(try architecture.space.decisionList(), trellis: architecture.space)
        values = try architecture.values(of: space.decisions)
        assignment = Assignment(values)
        try space.decisions.check(assignment)
        (name, scores, provenance, notes) = (architecture.name, architecture.scores, architecture.provenance, architecture.notes)
    }

    // MARK: Writing

    public var json: String { document.text(width: 120) + "\n" }

    public var document: JSONValue {
        var members: [JSONValue.Member] = [.init("format", .string(Self.format)), .init("version", .integer(Self.version))]
        if let name { members.append(.init("name", .string(name))) }
        members.append(.init("space", space.json))
        members.append(.init("decisions", .object(space.decisions.all.compactMap { decision in values[decision.name].map { .init(decision.name, decision.domain.json($0)) } })))
        let scored = scores.members
        if !scored.isEmpty { members.append(.init("scores", .object(scored))) }
        if !provenance.isEmpty { members.append(.init("provenance", provenance.jsonValue)) }
        if !notes.isEmpty { members.append(.init("notes", .array(notes.map { .string($0) }))) }
        return .object(members)
    }

    /// Writes beside the file, syncs and renames: a file of that name is the old one or the new one, never half of one.
    public func save(to path: String) throws {
        do {
            try AtomicFile.write(json.utf8, to: path)
        } catch {
            throw SpaceError(.format, at: path, expected: "to write it", got: error.problem, remedy: "the file of that name, if any, is as it was")
        }
    }

    // MARK: Reading

    /// Reads what `json` gives, strictly: every member known, of its type, and the whole fits its space.
    /// - Parameter file: what errors call the text.
    /// - Throws: `SpaceError` with the place in the text or the member at fault.
    public init(json text: String, file: String = "architecture") throws {
        let top = try JSONReader(text: text, file: file)
        let format = try top.optional("format")?.string()
        guard format == Self.format else {
            throw SpaceError(
                .format, at: "\(file).format", expected: "\"\(Self.format)\"", got: format.map { "\"\($0)\"" } ?? "nothing",
                remedy: "this is no architecture of Trellis")
        }
        let version = try top.required("version").int()
        switch version {
        case 1: try self.init(ArchitectureVersion1.read(top, file: file))
        case Self.version: try self.init(top, file: file)
        default:
            throw SpaceError(
                .format, at: "\(file).version", expected: "1 or \(Self.version)", got: "\(version)", remedy: "it was written by another version of Trellis; use that one")
        }
    }

    private init(_ top: JSONReader, file: String) throws {
        try top.allow(["format", "version", "name", "space", "decisions", "scores", "provenance", "notes"])
        space = try SpaceRecord(json: top.required("space").value, at: "\(file): space")
        let decided = try top.required("decisions")
        assignment = try space.decisions.assignment(json: decided.value, at: "\(file): decisions")
        var values: [String: Value] = [:]
        for decision in space.decisions.all {
            if let value = try decided.optional(decision.name) { values[decision.name] = try decision.domain.value(json: value.value, at: value.place) }
        }
        self.values = values
        (name, scores, provenance, notes) = (
            try top.optional("name")?.string(), try ArchitectureScores(json: top.optional("scores")), try top.optional("provenance").map(Provenance.init(json:)) ?? Provenance(),
            try top.optional("notes")?.items().map { try $0.string() } ?? []
        )
    }

    public init(contentsOf path: String) throws {
        let bytes: [UInt8]
        do throws(FileError) { bytes = try Files.contents(path, limit: Self.mostBytes) } catch {
            throw SpaceError(.format, at: path, expected: "a file that can be read", got: error.problem, remedy: "check the name and its permissions")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SpaceError(.format, at: path, expected: "UTF-8 text", got: "other bytes", remedy: "this is no architecture of Trellis")
        }
        try self.init(json: text, file: path)
    }

    /// What it decides, for a space.
    /// - Parameter path: what errors call the file.
    /// - Throws: `SpaceError` that says what differs for one of another space.
    public func assignment(in other: SpaceRecord, at path: String) throws -> Assignment {
        try other.require(space, in: .decisions, at: path, remedy: "it is an architecture of another space; load it by the space that it was searched in, or by nas.load")
        return assignment
    }

    /// Path and cell, for a stock trellis; nil for other spaces.
    /// - Parameters:
    ///   - file: what errors call the text.
    ///   - catalogue: the operators that the space may name.
    public func architecture(file: String = "architecture", catalogue: OperatorCatalogue = .standard) throws -> Architecture? {
        guard let trellis = space.trellis else { return nil }
        let made = try Architecture(values, in: trellis, space.decisions, name: name, scores: scores, provenance: provenance, notes: notes)
        do {
            try made.validate(catalogue: catalogue)
        } catch let error as SpaceError {
            throw SpaceError(error.kind, at: "\(file): \(error.location)", expected: error.expected, got: error.got, remedy: error.remedy)
        }
        return made
    }
}

extension ArchitectureScores {
    var members: [JSONValue.Member] {
        (pathLogProbability.map { [.init("path_log_probability", .number($0))] } ?? [])
            + (strengths.isEmpty ? [] : [.init("strengths", .array(strengths.map { .number($0) }))])
    }

    init(json: JSONReader?) throws {
        try json?.allow(["path_log_probability", "strengths"])
        self.init(
            pathLogProbability: try json?.optional("path_log_probability")?.double(), strengths: try json?.optional("strengths")?.items().map { try $0.double() } ?? [])
    }
}

extension Provenance {
    var jsonValue: JSONValue {
        var members: [JSONValue.Member] = []
        if let seed { members.append(.init("seed", Int(exactly: seed).map { .integer($0) } ?? .unsigned(seed))) }
        if let date { members.append(.init("date", .string(date))) }
        if let data { members.append(.init("data", .string(data))) }
        if let source { members.append(.init("source", .string(source))) }
        return .object(members)
    }

    init(json: JSONReader) throws {
        try json.allow(["seed", "date", "data", "source"])
        self.init(
            seed: try json.optional("seed")?.uint64(), date: try json.optional("date")?.string(),
            data: try json.optional("data")?.string(), source: try json.optional("source")?.string())
    }
}
