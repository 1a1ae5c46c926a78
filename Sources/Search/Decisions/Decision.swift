/// "Option `option` (from 0) of decision `decision` is on."
public struct Literal: Hashable, Sendable {
    public let decision: String
    public let option: Int

    public init(decision: String, option: Int) {
        self.decision = decision
        self.option = option
    }

    /// "path, 3", the option counted from 1 as people do.
    var text: String { "\(decision), \(option + 1)" }
}

/// Something that is open in a network, with its name.
public final class Decision: Sendable {
    public let name: String
    public let domain: Domain
    /// The option inside of which the decision was made: it is active only where that is on. Nil: always.
    public let parent: Literal?
    /// Where a build met it first, "script.lua:12"; may be empty.
    public let place: String
    /// The ways through the domain, made when first asked for.
    private let ways: Lazily<Diagram>

    init(name: String, domain: Domain, parent: Literal?, place: String) {
        (self.name, self.domain, self.parent, self.place) = (name, domain, parent, place)
        ways = Lazily()
    }

    private init(_ decision: Decision, parent: Literal?) {
        (name, domain, place, ways) = (decision.name, decision.domain, decision.place, decision.ways)
        self.parent = parent
    }

    /// The same decision elsewhere in the tree.
    func moved(to parent: Literal?) -> Decision { parent == self.parent ? self : Decision(self, parent: parent) }

    /// The shape of its logits.
    public var shape: [Int] { domain.shape }
    /// The number of its logits.
    public var optionCount: Int { domain.optionCount }

    func diagram() throws -> Diagram { try ways.value { try Diagram(of: domain, name: name) } }

    /// The number of values, exactly, nested decisions aside.
    /// - Throws: `SpaceError` where there are too many sets of states to go through (`many` paths).
    public func count() throws -> Natural { try diagram().counts[0] }
}

extension Decision: Hashable {
    public static func == (a: Decision, b: Decision) -> Bool {
        a === b || (a.name == b.name && a.parent == b.parent && a.domain == b.domain)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(parent)
    }
}
