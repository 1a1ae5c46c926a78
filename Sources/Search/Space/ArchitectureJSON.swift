import Base
import Tensors

/// Architectures as text: JSON with its members in a fixed order, so that equal architectures give equal files.
///
/// Members: `format` and `version`, then `name`, `space`, `path` (strides), `cell` (a list of blocks, each two branches of
/// `operator` and `state`; states count from 1: 1 = two-back, 2 = previous, 3 = block 1 ...), `scores`, `provenance`,
/// `notes`. What is unknown is left out. The space of a mask has `arrows`: for each layer the pairs of strides, from and to, that may be; without
/// them all may.
extension Architecture {
    public static let format = "trellis.architecture"
    public static let version = 1
    /// Largest file that is read.
    private static let mostBytes = 1 << 26

    public var json: String { jsonValue.text(width: 120) + "\n" }

    var jsonValue: JSONValue {
        var members: [JSONValue.Member] = [.init("format", .string(Self.format)), .init("version", .integer(Self.version))]
        if let name { members.append(.init("name", .string(name))) }
        members.append(.init("space", space.jsonValue))
        members.append(.init("path", .array(path.map { .integer($0) })))
        members.append(
            .init(
                "cell",
                .array(
                    cell.blocks.map { block in
                        .array(
                            block.branches.map {
                                .object([.init("operator", .string($0.operation)), .init("state", .integer($0.state))])
                            })
                    })))
        var scored: [JSONValue.Member] = []
        if let score = scores.pathLogProbability { scored.append(.init("path_log_probability", .number(score))) }
        if !scores.strengths.isEmpty { scored.append(.init("strengths", .array(scores.strengths.map { .number($0) }))) }
        if !scored.isEmpty { members.append(.init("scores", .object(scored))) }
        if !provenance.isEmpty { members.append(.init("provenance", provenance.jsonValue)) }
        if !notes.isEmpty { members.append(.init("notes", .array(notes.map { .string($0) }))) }
        return .object(members)
    }

    /// Reads what `json` writes, strictly: every member known, of its type, and the whole fits its space.
    /// - Parameters:
    ///   - file: what errors call the text.
    ///   - catalogue: the operators that the space may name.
    /// - Throws: `SpaceError` with the place in the text or the member at fault.
    public init(json text: String, file: String = "architecture", catalogue: OperatorCatalogue = .standard) throws {
        let top = try JSONReader(text: text, file: file)
        let format = try top.optional("format")?.string()
        guard format == Self.format else {
            throw SpaceError(
                .format, at: "\(file).format", expected: "\"\(Self.format)\"", got: format.map { "\"\($0)\"" } ?? "nothing",
                remedy: "this is no architecture of Trellis")
        }
        let version = try top.required("version").int()
        guard version == Self.version else {
            throw SpaceError(
                .format, at: "\(file).version", expected: "\(Self.version)", got: "\(version)",
                remedy: "it was written by another version of Trellis; use that one")
        }
        try top.allow(["format", "version", "name", "space", "path", "cell", "scores", "provenance", "notes"])
        let space = try SpaceSummary(json: top.required("space"))
        let blocks = try top.required("cell").items().map { block in
            let branches = try block.items(count: 2).map(CellBranch.init(json:))
            return CellBlock(branches[0], branches[1])
        }
        let scores = try top.optional("scores")
        try scores?.allow(["path_log_probability", "strengths"])
        self.init(
            name: try top.optional("name")?.string(), space: space, path: try top.required("path").items().map { try $0.int() },
            cell: CellGenotype(blocks: blocks),
            scores: ArchitectureScores(
                pathLogProbability: try scores?.optional("path_log_probability")?.double(),
                strengths: try scores?.optional("strengths")?.items().map { try $0.double() } ?? []),
            provenance: try top.optional("provenance").map(Provenance.init(json:)) ?? Provenance(),
            notes: try top.optional("notes")?.items().map { try $0.string() } ?? [])
        do {
            try validate(catalogue: catalogue)
        } catch let error as SpaceError {
            throw SpaceError(
                error.kind, at: "\(file): \(error.location)", expected: error.expected, got: error.got, remedy: error.remedy)
        }
    }

    /// Reads a file.
    public init(contentsOf path: String, catalogue: OperatorCatalogue = .standard) throws {
        let bytes: [UInt8]
        do throws(FileError) { bytes = try Files.contents(path, limit: Self.mostBytes) } catch {
            throw SpaceError(
                .format, at: path, expected: "a file that can be read", got: error.problem, remedy: "check the name and its permissions")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SpaceError(
                .format, at: path, expected: "UTF-8 text", got: "other bytes", remedy: "this is no architecture of Trellis")
        }
        try self.init(json: text, file: path, catalogue: catalogue)
    }

    /// Writes beside the file, syncs and renames: a file of that name is the old one or the new one, never half of one.
    public func save(to path: String) throws {
        do {
            try AtomicFile.write(json.utf8, to: path)
        } catch {
            throw SpaceError(
                .format, at: path, expected: "to write it", got: error.problem, remedy: "the file of that name, if any, is as it was")
        }
    }
}

extension SpaceSummary {
    var jsonValue: JSONValue {
        var members: [JSONValue.Member] = [
            .init("layers", .integer(layers)), .init("strides", .array(strides.map { .integer($0) })),
            .init("filters", .integer(filters)), .init("blocks", .integer(blocks)),
            .init("operators", .array(operators.map { .string($0) })),
        ]
        if let arrows {
            let byLayer = (0..<max(0, layers)).map { $0 + 1 }.map { layer in
                JSONValue.array(arrows.filter { $0.layer == layer }.map { .array([.integer(strides[$0.from]), .integer(strides[$0.to])]) })
            }
            members.append(.init("arrows", .array(byLayer)))
        }
        // Files say nothing of the published reach, as those of before there was another.
        if headReach != SpaceOptions.publishedHeadReach { members.append(.init("head_reach", .integer(headReach))) }
        return .object(members)
    }

    init(json: JSONReader) throws {
        try json.allow(["layers", "strides", "filters", "blocks", "operators", "arrows", "head_reach"])
        self.init(
            layers: try json.required("layers").int(), strides: try json.required("strides").items().map { try $0.int() },
            filters: try json.required("filters").int(), blocks: try json.required("blocks").int(),
            operators: try json.required("operators").items().map { try $0.string() },
            headReach: try json.optional("head_reach")?.int() ?? SpaceOptions.publishedHeadReach)
        arrows = try json.optional("arrows").map { try SpaceSummary.arrows($0, layers: layers, strides: strides) }
    }

    /// Which of them lie on paths is for the space to say.
    private static func arrows(_ json: JSONReader, layers: Int, strides: [Int]) throws -> [TrellisArrow] {
        var arrows: [TrellisArrow] = []
        for (index, layer) in try json.items(count: layers).enumerated() {
            for pair in try layer.items() {
                let ends = try pair.items(count: 2).map { try $0.int() }
                guard let from = strides.firstIndex(of: ends[0]), let to = strides.firstIndex(of: ends[1]), let move = Move(rawValue: to - from + 1) else {
                    throw pair.error("two strides of the space, equal or next to each other", got: "\(ends)")
                }
                arrows.append(TrellisArrow(layer: index + 1, from: from, move: move))
            }
        }
        return arrows
    }
}

extension CellBranch {
    init(json: JSONReader) throws {
        try json.allow(["operator", "state"])
        self.init(try json.required("operator").string(), try json.required("state").int())
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
