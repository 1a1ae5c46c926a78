import Base
import Tensors

/// What a space is, as data: its decisions, and how it is built. The one record of a space that architecture files, checkpoints, model cards and reports keep.
///
/// JSON: `{"trellis": {...}, "script": {...}, "decisions": [...], "fixed": {...}}`; `trellis` has the sizes, the mask and the options of a stock trellis, `script` the
/// text that makes any other space; a space of a program has neither.
public struct SpaceRecord: Hashable, Sendable {
    public var decisions: DecisionList
    /// Of a stock trellis.
    public var trellis: SpaceSummary?
    /// Of a space that a script makes.
    public var script: SpaceScript?

    public init(_ decisions: DecisionList, trellis: SpaceSummary? = nil, script: SpaceScript? = nil) {
        (self.decisions, self.trellis, self.script) = (decisions, trellis, script)
    }

    /// Of a stock trellis.
    public init(_ space: TrellisSpace) throws { self.init(try space.decisionList(), trellis: space.summary) }

    public var json: JSONValue {
        var members: [JSONValue.Member] = []
        if let trellis { members.append(.init("trellis", trellis.jsonValue)) }
        if let script { members.append(.init("script", script.json)) }
        if case .object(let list) = decisions.record { members += list }
        return .object(members)
    }

    /// Reads what `json` gives.
    /// - Parameter place: what errors call the text.
    /// - Throws: `SpaceError` for what is none, and for a trellis with other decisions than the record lists.
    public init(json: JSONValue, at place: String = "space") throws {
        let reader = JSONReader(json, at: place)
        try reader.allow(["trellis", "script", "decisions", "fixed"])
        trellis = try reader.optional("trellis").map(SpaceSummary.init(json:))
        script = try reader.optional("script").map(SpaceScript.init(json:))
        guard case .object(let members) = json else { throw reader.error("an object") }
        decisions = try DecisionList(record: .object(members.filter { ["decisions", "fixed"].contains($0.key) }), at: place)
        guard let trellis else { return }
        let own = try trellis.decisionList()
        guard let difference = own.difference(from: decisions) else { return }
        throw SpaceError(
            .misfit, at: "\(place): \(difference.place)", expected: "\(difference.expected), as its trellis has it", got: difference.got,
            remedy: "trellis and decisions of a record belong together; was the file edited?")
    }

    // MARK: Comparison

    /// Where two things differ first.
    public struct Difference: Equatable, Sendable {
        public var place: String
        public var expected: String
        public var got: String
    }

    /// How much of two spaces has to be the same.
    public enum Extent: Sendable {
        /// What architectures depend on: the decisions.
        case decisions
        /// What weights depend on as well: sizes and options.
        case everything
    }

    /// The first thing in which another space differs from this one; nil: in nothing. The text of a script may: it says nothing that decisions and weights do not.
    public func difference(from other: SpaceRecord, in extent: Extent = .everything) -> Difference? {
        if let trellis, let theirs = other.trellis, let difference = trellis.difference(from: theirs, in: extent) { return difference }
        if let difference = decisions.difference(from: other.decisions) { return difference }
        guard extent == .everything, (trellis == nil) != (other.trellis == nil) else { return nil }
        func kind(_ record: SpaceRecord) -> String { record.trellis == nil ? "a space of its own" : "a stock trellis" }
        return Difference(place: "space", expected: kind(self), got: kind(other))
    }

    /// - Parameters:
    ///   - other: read at `place`.
    /// - Throws: `SpaceError` that says what differs.
    public func require(_ other: SpaceRecord, in extent: Extent = .everything, at place: String, remedy: String) throws {
        guard let difference = difference(from: other, in: extent) else { return }
        throw SpaceError(.misfit, at: "\(place): \(difference.place)", expected: difference.expected, got: difference.got, remedy: remedy)
    }
}

/// The text of a script that makes a space, with its hash. Nothing runs it unasked.
public struct SpaceScript: Hashable, Sendable {
    /// Of the file, for people.
    public let name: String
    public let text: String
    /// Sixteen hexadecimal digits.
    public let hash: String

    public init(name: String, text: String) {
        (self.name, self.text, hash) = (name, text, Fingerprint.of(text))
    }

    var json: JSONValue { .object([.init("name", .string(name)), .init("hash", .string(hash)), .init("text", .string(text))]) }

    init(json: JSONReader) throws {
        try json.allow(["name", "hash", "text"])
        self.init(name: try json.required("name").string(), text: try json.required("text").string())
        let stored = try json.required("hash").string()
        guard stored == hash else { throw json.error("the text of the hash \(stored)", got: "one of hash \(hash): it was edited") }
    }
}

extension DecisionList {
    /// The first decision in which another list differs from this one.
    func difference(from other: DecisionList) -> SpaceRecord.Difference? {
        guard self != other else { return nil }
        for decision in all {
            let place = "decision '\(decision.name)'"
            guard let theirs = other[decision.name] else { return .init(place: place, expected: decision.domain.inFull, got: "none of that name") }
            if theirs.domain != decision.domain { return Self.difference(decision.domain, theirs.domain, at: place) }
            if theirs.parent != decision.parent {
                func text(_ parent: Literal?) -> String { parent.map { "one where option \($0.option + 1) of '\($0.decision)' is on" } ?? "one that always matters" }
                return .init(place: place, expected: text(decision.parent), got: text(theirs.parent))
            }
        }
        if let more = other.all.first(where: { self[$0.name] == nil }) { return .init(place: "decision '\(more.name)'", expected: "none of that name", got: more.domain.inFull) }
        for decision in all where fixed[decision.name] != other.fixed[decision.name] {
            func text(_ list: DecisionList) -> String { list.fixed[decision.name].map { "fixed: \(decision.domain.json($0).text())" } ?? "open" }
            return .init(place: "decision '\(decision.name)'", expected: text(self), got: text(other))
        }
        return .init(place: "decisions", expected: all.map(\.name).joined(separator: ", "), got: other.all.map(\.name).joined(separator: ", "))
    }

    private static func difference(_ own: Domain, _ theirs: Domain, at place: String) -> SpaceRecord.Difference {
        guard case .paths(let a) = own, case .paths(let b) = theirs, (a.layers, a.states, a.isMany) == (b.layers, b.states, b.isMany) else {
            return .init(place: place, expected: own.inFull, got: theirs.inFull)
        }
        // Of many arrows the one that only one of them has.
        if let lost = a.arrows.indices.first(where: { b.id(of: a.arrows[$0]) == nil }) { return .init(place: place, expected: "an arrow \(a.label(of: lost))", got: "none") }
        if let more = b.arrows.indices.first(where: { a.id(of: b.arrows[$0]) == nil }) { return .init(place: place, expected: "no arrow \(b.label(of: more))", got: "one") }
        func starts(_ paths: Paths) -> String { "starts \(paths.start.map { paths.states[$0] }.joined(separator: ", "))" }
        return .init(place: place, expected: starts(a), got: starts(b))
    }
}

extension Domain {
    /// "choice of a, b, c", for messages; of many options the first.
    fileprivate var inFull: String {
        func list(_ labels: [String]) -> String { labels.prefix(12).joined(separator: ", ") + (labels.count > 12 ? ", ... (\(labels.count))" : "") }
        switch self {
        case .choice(let choice): return (choice.isOrdered ? "an ordered choice of " : "a choice of ") + list(choice.options)
        case .subset(let subset): return "\(subset.least) to \(subset.most) of \(list(subset.options))"
        case .number(let number): return "a number of \(list(number.labels))"
        case .branches(let branches): return "\(branches.keep) branches of states \(list(branches.states)) and options \(list(branches.options))"
        case .paths(let paths): return "\(paths.isMany ? "several paths" : "a path") of \(paths.layers) layers over states \(list(paths.states))"
        }
    }
}
