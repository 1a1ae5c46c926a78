import Base
import Tensors

/// A stock trellis as JSON: `layers`, `strides`, `filters`, `blocks`, `operators`; `arrows` where a mask takes some away, for each layer the pairs of strides, from and
/// to, that may be; `options` that are not the usual ones, by the names that scripts give them.
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
        let own = options.members
        if !own.isEmpty { members.append(.init("options", .object(own))) }
        return .object(members)
    }

    /// Also of files of version 1, where of the options only `head_reach` stands, beside the sizes.
    init(json: JSONReader) throws {
        try json.allow(["layers", "strides", "filters", "blocks", "operators", "arrows", "options", "head_reach"])
        var options = try json.optional("options").map(SpaceOptions.init(json:)) ?? SpaceOptions()
        if let reach = try json.optional("head_reach") { options.headReach = try reach.int() }
        self.init(
            layers: try json.required("layers").int(), strides: try json.required("strides").items().map { try $0.int() },
            filters: try json.required("filters").int(), blocks: try json.required("blocks").int(),
            operators: try json.required("operators").items().map { try $0.string() }, options: options)
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

    /// The first thing in which another trellis differs. What no architecture depends on: filters and options.
    func difference(from other: SpaceSummary, in extent: SpaceRecord.Extent) -> SpaceRecord.Difference? {
        func text(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }
        var parts = [
            ("layers", "\(layers)", "\(other.layers)"), ("strides", text(strides), text(other.strides)), ("blocks", "\(blocks)", "\(other.blocks)"),
            ("operators", operators.joined(separator: ", "), other.operators.joined(separator: ", ")),
        ]
        if extent == .everything {
            parts.append(("filters", "\(filters)", "\(other.filters)"))
            let (own, theirs) = (options.all, other.options.all)
            parts += zip(own, theirs).map { ($0.key, $0.value.text(), $1.value.text()) }
        }
        return parts.first { $0.1 != $0.2 }.map { .init(place: $0.0, expected: $0.1, got: $0.2) }
    }
}

extension SpaceOptions {
    /// All of them that decide weights or what they start as.
    var all: [JSONValue.Member] {
        func number(_ value: Float) -> JSONValue { .number(Double("\(value)") ?? Double(value)) }
        return [
            .init("stem", .string(stem.rawValue)), .init("stem_width", stemWidth.map { .integer($0) } ?? .null), .init("down", .string(down.rawValue)),
            .init("down_kernel", .integer(downKernel)), .init("operator_sets", .string(operatorSets.rawValue)), .init("affine", .bool(affine)),
            .init("eps", number(batchNormEpsilon)), .init("momentum", number(batchNormMomentum)), .init("initial_deviation", number(initialDeviation)),
            .init("head_reach", .integer(headReach)), .init("head_width", headWidth.map { .integer($0) } ?? .null),
        ]
    }

    /// Those that are not the usual ones.
    var members: [JSONValue.Member] { zip(all, SpaceOptions().all).filter { $0 != $1 }.map(\.0) }

    init(json: JSONReader) throws {
        self.init()
        try json.allow(all.map(\.key))
        func one<T: RawRepresentable & CaseIterable>(_ key: String, _ usual: T) throws -> T where T.RawValue == String {
            guard let reader = try json.optional(key) else { return usual }
            guard let value = T(rawValue: try reader.string()) else {
                throw SpaceError.unknown(key, try reader.string(), known: T.allCases.map(\.rawValue), at: reader.place)
            }
            return value
        }
        stem = try one("stem", stem)
        down = try one("down", down)
        operatorSets = try one("operator_sets", operatorSets)
        stemWidth = try json.optional("stem_width")?.int()
        downKernel = try json.optional("down_kernel")?.int() ?? downKernel
        if let flag = try json.optional("affine") {
            guard let value = flag.boolean else { throw flag.error("true or false") }
            affine = value
        }
        batchNormEpsilon = try json.optional("eps").map { Float(try $0.double()) } ?? batchNormEpsilon
        batchNormMomentum = try json.optional("momentum").map { Float(try $0.double()) } ?? batchNormMomentum
        initialDeviation = try json.optional("initial_deviation").map { Float(try $0.double()) } ?? initialDeviation
        headReach = try json.optional("head_reach")?.int() ?? headReach
        headWidth = try json.optional("head_width")?.int()
    }
}
