import Base
import Tensors
@testable import Search

/// Architecture files of version 1 as they were written before all spaces had decisions.
enum Version1 {
    static func text(_ architecture: Architecture) -> String {
        var members: [JSONValue.Member] = [.init("format", .string("trellis.architecture")), .init("version", .integer(1))]
        if let name = architecture.name { members.append(.init("name", .string(name))) }
        members.append(.init("space", space(architecture.space)))
        members.append(.init("path", .array(architecture.path.map { .integer($0) })))
        members.append(.init("cell", .array(architecture.cell.blocks.map { block in
            .array(block.branches.map { .object([.init("operator", .string($0.operation)), .init("state", .integer($0.state))]) })
        })))
        let scored = architecture.scores.members
        if !scored.isEmpty { members.append(.init("scores", .object(scored))) }
        if !architecture.provenance.isEmpty { members.append(.init("provenance", architecture.provenance.jsonValue)) }
        if !architecture.notes.isEmpty { members.append(.init("notes", .array(architecture.notes.map { .string($0) }))) }
        return JSONValue.object(members).text(width: 120) + "\n"
    }

    private static func space(_ space: SpaceSummary) -> JSONValue {
        guard case .object(let members) = space.jsonValue else { return .null }
        let sizes = members.filter { $0.key != "options" }
        return .object(sizes + (space.headReach == SpaceOptions.publishedHeadReach ? [] : [.init("head_reach", .integer(space.headReach))]))
    }
}
