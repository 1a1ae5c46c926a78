import Base
import Tensors

/// Architecture files of version 1, which only stock trellises had and which are written no more: `path` (strides), `cell` (a list of blocks, each two branches of
/// `operator` and `state`; states count from 1: 1 = two-back, 2 = previous, 3 = block 1 ...), `space` (sizes, operators, the arrows of a mask, `head_reach`).
enum ArchitectureVersion1 {
    static func read(_ top: JSONReader, file: String) throws -> Architecture {
        try top.allow(["format", "version", "name", "space", "path", "cell", "scores", "provenance", "notes"])
        let blocks = try top.required("cell").items().map { block in
            let branches = try block.items(count: 2).map { branch in
                try branch.allow(["operator", "state"])
                return CellBranch(try branch.required("operator").string(), try branch.required("state").int())
            }
            return CellBlock(branches[0], branches[1])
        }
        let read = Architecture(
            name: try top.optional("name")?.string(), space: try SpaceSummary(json: top.required("space")), path: try top.required("path").items().map { try $0.int() },
            cell: CellGenotype(blocks: blocks), scores: try ArchitectureScores(json: top.optional("scores")),
            provenance: try top.optional("provenance").map(Provenance.init(json:)) ?? Provenance(),
            notes: try top.optional("notes")?.items().map { try $0.string() } ?? [])
        do {
            try read.validate(catalogue: read.space.naming)
        } catch let error as SpaceError {
            throw SpaceError(error.kind, at: "\(file): \(error.location)", expected: error.expected, got: error.got, remedy: error.remedy)
        }
        return read
    }
}

extension Architecture {
    /// Reads what `ArchitectureFile` writes of a stock trellis, and files of version 1.
    public init(json text: String, file: String = "architecture", catalogue: OperatorCatalogue = .standard) throws {
        self = try Self.stock(ArchitectureFile(json: text, file: file), file, catalogue)
    }

    /// Reads a file.
    public init(contentsOf path: String, catalogue: OperatorCatalogue = .standard) throws {
        self = try Self.stock(ArchitectureFile(contentsOf: path), path, catalogue)
    }

    private static func stock(_ file: ArchitectureFile, _ path: String, _ catalogue: OperatorCatalogue) throws -> Architecture {
        if let made = try file.architecture(file: path, catalogue: catalogue) { return made }
        throw SpaceError(
            .misfit, at: path, expected: "an architecture of a stock trellis", got: "one of a space of its own", remedy: "load it by nas.load, or by the space that it belongs to")
    }

    /// The text of a file of it.
    public var json: String { get throws { try ArchitectureFile(self).json } }

    public func save(to path: String) throws { try ArchitectureFile(self).save(to: path) }
}
