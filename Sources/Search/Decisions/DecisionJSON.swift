import Base

// MARK: - Architectures

extension DecisionList {
    /// The values by name, in the order of the decisions:
    /// `{"op": "conv", "width": 16, "edges": ["1", "2"], "paths": [["4", "8"], ...], "block": [["previous", "conv"], ...]}`.
    /// Paths have a pair of states for each layer, `many` paths a list of pairs for each layer.
    /// - Throws: `SpaceError` for an assignment of another space.
    public func json(_ assignment: Assignment) throws -> JSONValue {
        try check(assignment)
        return .object(
            all.compactMap { decision in
                assignment[decision.name].map { JSONValue.Member(decision.name, decision.domain.json($0)) }
            })
    }

    /// Reads what `json` wrote.
    /// - Parameter place: what errors call the text, a file's name by preference.
    /// - Throws: `SpaceError` for what is none, with the decision and what is allowed, and for an assignment of another space.
    public func assignment(json: JSONValue, at place: String = "decisions") throws -> Assignment {
        guard case .object(let members) = json else {
            throw SpaceError(.format, at: place, expected: "an object of decisions", got: json.kind, remedy: "compare with a file that Trellis wrote")
        }
        var values: [String: Value] = [:]
        for member in members {
            guard let decision = self[member.key] else {
                throw SpaceError.unknown("decision", member.key, known: all.map(\.name), at: place)
            }
            values[member.key] = try decision.domain.value(json: member.value, at: "\(place).\(member.key)")
        }
        let assignment = Assignment(values)
        try check(assignment)
        return assignment
    }
}

extension Domain {
    /// A value as files have it.
    public func json(_ value: Value) -> JSONValue {
        switch (self, value) {
        case (.choice(let choice), .option(let option)): .string(choice.options[option])
        case (.number(let number), .option(let option)): Self.json(number.values[option])
        case (.subset(let subset), .set(let flags)): .array(flags.indices.filter { flags[$0] }.map { .string(subset.options[$0]) })
        case (.paths(let paths), .path(let ids)): .array(ids.map(paths.pair))
        case (.paths(let paths), .set(let flags)): .array((1...paths.layers).map { .array(paths.arrows($0).filter { flags[$0] }.map(paths.pair)) })
        case (.branches(let branches), .branches(let picks)):
            .array(picks.map { .array([.string(branches.states[$0.state]), .string(branches.options[$0.option])]) })
        default: .null
        }
    }

    static func json(_ number: Double) -> JSONValue { Int(exactly: number).map(JSONValue.integer) ?? .number(number) }

    /// The value of a text; `DecisionList.check` says whether it is one of the domain.
    func value(json: JSONValue, at place: String) throws -> Value {
        switch self {
        case .choice(let choice): return .option(try position(json, "option", in: choice.options, at: place))
        case .number(let number):
            let read: Double
            switch json {
            case .integer(let whole): read = Double(whole)
            case .number(let real): read = real
            default: throw wrong(json, "a number", at: place)
            }
            guard let position = number.position(of: read) else {
                throw SpaceError(
                    .misfit, at: place, expected: "one of \(number.labels.joined(separator: ", "))", got: NumberText.plain(read), remedy: "is it a value of another space?")
            }
            return .option(position)
        case .subset(let subset):
            var flags = [Bool](repeating: false, count: subset.options.count)
            for (i, item) in try items(json, "a list of options", at: place).enumerated() {
                let option = try position(item, "option", in: subset.options, at: "\(place)[\(i + 1)]")
                guard !flags[option] else {
                    throw SpaceError(.misfit, at: "\(place)[\(i + 1)]", expected: "every option once", got: "'\(subset.options[option])' again", remedy: "leave it out")
                }
                flags[option] = true
            }
            return .set(flags)
        case .paths(let paths):
            let layers = try items(json, paths.isMany ? "a list of arrows for each layer" : "an arrow for each layer", at: place)
            guard layers.count == paths.layers else {
                throw SpaceError(.misfit, at: place, expected: "\(paths.layers) layers", got: "\(layers.count)", remedy: "is it a value of another space?")
            }
            guard paths.isMany else {
                return .path(try layers.enumerated().map { try arrow($1, into: $0 + 1, of: paths, at: "\(place)[\($0 + 1)]") })
            }
            var flags = [Bool](repeating: false, count: paths.arrows.count)
            for (l, layer) in layers.enumerated() {
                for (i, item) in try items(layer, "a list of arrows", at: "\(place)[\(l + 1)]").enumerated() {
                    flags[try arrow(item, into: l + 1, of: paths, at: "\(place)[\(l + 1)][\(i + 1)]")] = true
                }
            }
            return .set(flags)
        case .branches(let branches):
            return .branches(
                try items(json, "a list of pairs", at: place).enumerated().map { i, item in
                    let at = "\(place)[\(i + 1)]"
                    let pair = try pair(item, "a state and an option", at: at)
                    return Branches.Pick(
                        state: try position(pair.0, "state", in: branches.states, at: at), option: try position(pair.1, "option", in: branches.options, at: at))
                })
        }
    }

    private func arrow(_ json: JSONValue, into layer: Int, of paths: Paths, at place: String) throws -> Int {
        let pair = try pair(json, "two states", at: place)
        let from = try position(pair.0, "state", in: paths.states, at: place)
        let to = try position(pair.1, "state", in: paths.states, at: place)
        guard let id = paths.id(of: Arrow(layer: layer, from: from, to: to)) else {
            throw SpaceError(
                .misfit, at: place, expected: "an arrow that exists", got: "\(paths.states[from]) -> \(paths.states[to]) into layer \(layer)",
                remedy: "into layer \(layer) there are \(paths.arrows(layer).prefix(20).map { "\(paths.states[paths.arrows[$0].from]) -> \(paths.states[paths.arrows[$0].to])" }.joined(separator: ", "))")
        }
        return id
    }

    private func items(_ json: JSONValue, _ expected: String, at place: String) throws -> [JSONValue] {
        guard case .array(let items) = json else { throw wrong(json, expected, at: place) }
        return items
    }

    private func pair(_ json: JSONValue, _ expected: String, at place: String) throws -> (JSONValue, JSONValue) {
        guard case .array(let items) = json, items.count == 2 else { throw wrong(json, "a list of two, \(expected)", at: place) }
        return (items[0], items[1])
    }

    /// The position of a label. Labels that are numbers may be written as such.
    private func position(_ json: JSONValue, _ what: String, in labels: [String], at place: String) throws -> Int {
        let label: String
        switch json {
        case .string(let text): label = text
        case .integer(let number): label = String(number)
        case .number(let number): label = NumberText.plain(number)
        default: throw wrong(json, "the name of a \(what)", at: place)
        }
        guard let position = labels.firstIndex(of: label) else { throw SpaceError.unknown(what, label, known: labels, at: place) }
        return position
    }

    private func wrong(_ json: JSONValue, _ expected: String, at place: String) -> SpaceError {
        SpaceError(.format, at: place, expected: expected, got: json.kind, remedy: "compare with a file that Trellis wrote")
    }
}

extension Paths {
    fileprivate func pair(_ id: Int) -> JSONValue { .array([.string(states[arrows[id].from]), .string(states[arrows[id].to])]) }
}

// MARK: - Lists

extension DecisionList {
    /// The list as data: `{"decisions": [{"name": ..., "kind": ..., ...}, ...], "fixed": {...}}`. A decision that is nested has
    /// `"within": [decision, option]`, the option counted from 1.
    public var record: JSONValue {
        var members = [JSONValue.Member("decisions", .array(all.map(\.record)))]
        if !fixed.isEmpty {
            let values = all.compactMap { decision in fixed[decision.name].map { JSONValue.Member(decision.name, decision.domain.json($0)) } }
            members.append(JSONValue.Member("fixed", .object(values)))
        }
        return .object(members)
    }

    /// What two lists have in common exactly if they are equal: the record as text on one line.
    public var identity: String { record.text() }

    /// A short name of the identity: 16 hexadecimal digits (FNV-1a).
    public var fingerprint: String { Fingerprint.of(identity) }

    /// The value of a decision as files have it.
    public func value(json: JSONValue, of decision: Decision, at place: String) throws -> Value { try decision.domain.value(json: json, at: place) }

    /// Reads a record.
    /// - Parameter place: what errors call the text, a file's name by preference.
    /// - Throws: `SpaceError` for what is none.
    public init(record: JSONValue, at place: String = "space") throws {
        let reader = JSONReader(record, at: place)
        try reader.allow(["decisions", "fixed"])
        var builder = DecisionListBuilder()
        var names: Set<String> = []
        for item in try reader.required("decisions").items() {
            let name = try item.required("name").string()
            guard names.insert(name).inserted else { throw item.error("every decision once", got: "'\(name)' again") }
            let chain = try item.optional("within").map { within in
                let pair = try within.items(count: 2)
                return [Literal(decision: try pair[0].string(), option: try pair[1].int(in: 1...Domain.mostArrowsOrOptions) - 1)]
            }
            try builder.meet(name, Domain(record: item), within: chain ?? [])
        }
        let list = builder.list()
        guard case .object(let values)? = record["fixed"] else {
            if let fixed = try reader.optional("fixed") { throw fixed.error("an object") }
            self.init(all: list.all)
            return
        }
        var fixed: [String: Value] = [:]
        for member in values {
            guard let decision = list[member.key] else { throw SpaceError.unknown("decision", member.key, known: list.all.map(\.name), at: "\(place).fixed") }
            fixed[member.key] = try decision.domain.value(json: member.value, at: "\(place).fixed.\(member.key)")
        }
        let smaller = try list.fixing(fixed)
        self.init(all: smaller.all, fixed: smaller.fixed)
    }
}

extension Decision {
    fileprivate var record: JSONValue {
        var members = [JSONValue.Member("name", .string(name)), JSONValue.Member("kind", .string(domain.kind))] + domain.members
        if let parent { members.append(JSONValue.Member("within", .array([.string(parent.decision), .integer(parent.option + 1)]))) }
        return .object(members)
    }
}

extension Domain {
    static var mostArrowsOrOptions: Int { 1_000_000 }

    fileprivate var members: [JSONValue.Member] {
        func list(_ labels: [String]) -> JSONValue { .array(labels.map(JSONValue.string)) }
        switch self {
        case .choice(let choice):
            return [.init("options", list(choice.options))] + (choice.isOrdered ? [.init("ordered", .bool(true))] : [])
        case .subset(let subset):
            return [.init("options", list(subset.options)), .init("least", .integer(subset.least)), .init("most", .integer(subset.most))]
        case .number(let number):
            return [.init("low", Self.json(number.low)), .init("high", Self.json(number.high)), .init("step", Self.json(number.step))]
                + (number.isLogarithmic ? [.init("log", .bool(true))] : [])
        case .branches(let branches):
            return [.init("states", list(branches.states)), .init("options", list(branches.options)), .init("keep", .integer(branches.keep))]
        case .paths(let paths):
            // For each layer the pairs of positions, from 1.
            let arrows = (1...paths.layers).map { layer in
                JSONValue.array(paths.arrows(layer).map { .array([.integer(paths.arrows[$0].from + 1), .integer(paths.arrows[$0].to + 1)]) })
            }
            return [.init("states", list(paths.states)), .init("start", list(paths.start.map { paths.states[$0] }))]
                + (paths.isMany ? [.init("many", .bool(true))] : []) + [.init("arrows", .array(arrows))]
        }
    }

    fileprivate init(record: JSONReader) throws {
        func labels(_ key: String) throws -> [String] { try record.required(key).items().map { try $0.string() } }
        func flag(_ key: String) throws -> Bool { try record.optional(key)?.bool() ?? false }
        func allow(_ keys: [String]) throws { try record.allow(["name", "kind", "within"] + keys) }
        switch try record.required("kind").string() {
        case "choice":
            try allow(["options", "ordered"])
            self = .choice(try Choice(options: labels("options"), isOrdered: flag("ordered")))
        case "subset":
            try allow(["options", "least", "most"])
            self = .subset(try Subset(options: labels("options"), least: record.required("least").int(), most: record.required("most").int()))
        case "number":
            try allow(["low", "high", "step", "log"])
            self = .number(
                try Number(
                    low: record.required("low").double(), high: record.required("high").double(), step: record.required("step").double(), isLogarithmic: flag("log")))
        case "branches":
            try allow(["states", "options", "keep"])
            self = .branches(try Branches(states: labels("states"), options: labels("options"), keep: record.required("keep").int()))
        case "paths":
            try allow(["states", "start", "many", "arrows"])
            let states = try labels("states")
            let start = try record.required("start").items().map { item in
                let name = try item.string()
                guard let position = states.firstIndex(of: name) else { throw item.error("one of the states", got: "'\(name)'") }
                return position
            }
            let layers = try record.required("arrows").items()
            var arrows: Set<Arrow> = []
            for (l, layer) in layers.enumerated() {
                for item in try layer.items() {
                    let pair = try item.items(count: 2).map { try $0.int(in: 1...states.count) - 1 }
                    arrows.insert(Arrow(layer: l + 1, from: pair[0], to: pair[1]))
                }
            }
            let paths = try Paths(layers: layers.count, states: states, start: start, isMany: flag("many")) { arrows.contains(Arrow(layer: $0, from: $1, to: $2)) }
            guard paths.arrows.count == arrows.count else {
                throw try record.required("arrows").error("arrows on a way from a start to the last layer", got: "\(arrows.count - paths.arrows.count) that are not")
            }
            self = .paths(paths)
        case let other:
            throw SpaceError.unknown(
                "kind of decision", other, known: ["choice", "subset", "paths", "number", "branches"], at: "decision '\(try record.required("name").string())'")
        }
    }
}

extension JSONReader {
    fileprivate func bool() throws -> Bool {
        guard let flag = boolean else { throw error("true or false") }
        return flag
    }

    fileprivate func int(in range: ClosedRange<Int>) throws -> Int {
        let number = try int()
        guard range.contains(number) else { throw error("\(range.lowerBound) to \(range.upperBound)", got: "\(number)") }
        return number
    }
}
