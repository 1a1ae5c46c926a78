import Base
import Tensors

/// Architectures of spaces of decisions as JSON files: `format`, `version`, the record of the space (its decisions), and a value for each that matters.
public enum AssignmentFile {
    private static let version = 2
    /// Largest file that is read.
    private static let mostBytes = 1 << 26

    public static func text(_ assignment: Assignment, of decisions: DecisionList) throws -> String {
        let value = JSONValue.object([
            .init("format", .string(Architecture.format)), .init("version", .integer(version)), .init("space", decisions.record),
            .init("decisions", try decisions.json(assignment)),
        ])
        return value.text(width: 120) + "\n"
    }

    /// Whole or not at all.
    public static func write(_ assignment: Assignment, of decisions: DecisionList, to path: String) throws {
        let text = try text(assignment, of: decisions)
        do { try AtomicFile.write(text.utf8, to: path) } catch {
            throw SpaceError(.format, at: path, expected: "to write it", got: error.problem, remedy: "the file of that name, if any, is as it was")
        }
    }

    /// Reads an architecture of a space.
    /// - Throws: for a file that is none, and for one of another space.
    public static func read(_ path: String, of decisions: DecisionList) throws -> Assignment {
        let bytes: [UInt8]
        do { bytes = try Files.contents(path, limit: mostBytes) } catch {
            throw SpaceError(.format, at: path, expected: "an architecture", got: error.problem, remedy: "name a file that architecture:save wrote")
        }
        let json: JSONValue
        do throws(JSONError) { json = try JSONValue.document(bytes) } catch {
            throw SpaceError(
                .format, at: "\(path): line \(error.line), column \(error.column)", expected: error.expected, got: error.got,
                remedy: "the text is not JSON; was it cut short or edited?")
        }
        guard json["format"] == .string(Architecture.format), json["version"] == .integer(version), let space = json["space"], let values = json["decisions"] else {
            throw SpaceError(
                .format, at: path, expected: "an architecture of decisions (version \(version))", got: "another file",
                remedy: "architectures of nas.trellis are read by nas.load, others by the space that they belong to")
        }
        let own = try DecisionList(record: space, at: "\(path): space")
        guard own == decisions else {
            let known = Set(decisions.all.map(\.name))
            let strange = own.all.first { !known.contains($0.name) || decisions[$0.name]?.domain != $0.domain } ?? own.all.first
            throw SpaceError(
                .misfit, at: path, expected: "an architecture of this space", got: "one of another space: decision '\(strange?.name ?? "")' differs",
                remedy: "load it by the space that it was searched in")
        }
        return try decisions.assignment(json: values, at: "\(path): decisions")
    }
}

extension DecisionList {
    public func json(_ value: Value, of decision: Decision) -> JSONValue { decision.domain.json(value) }

    /// The value of a decision as files have it.
    public func value(json: JSONValue, of decision: Decision, at place: String) throws -> Value { try decision.domain.value(json: json, at: place) }
}
