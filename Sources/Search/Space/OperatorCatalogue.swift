/// The operators that a space may name, with what each costs.
public struct OperatorCatalogue: Sendable {
    /// Names in the order in which they were added.
    public private(set) var names: [String]
    private var costs: [String: any OperatorCost]

    /// The operator that gives nothing; it takes part in a search and is never decoded.
    public static let none = StandardOperator.none.rawValue
    public static let skipConnect = StandardOperator.skipConnect.rawValue

    /// The ten operators of the design.
    public static let standard = OperatorCatalogue(
        names: StandardOperator.allCases.map(\.rawValue),
        costs: Dictionary(uniqueKeysWithValues: StandardOperator.allCases.map { ($0.rawValue, $0) }))

    private init(names: [String], costs: [String: any OperatorCost]) {
        self.names = names
        self.costs = costs
    }

    /// Adds an operator, or gives one that exists another cost (its place stays).
    /// - Throws: `SpaceError` when the name is empty, or is that of `none`, whose meaning decoding relies on.
    public mutating func add(_ name: String, cost: any OperatorCost) throws {
        guard !name.isEmpty, name != Self.none else {
            throw SpaceError(
                .unknownName, at: "operator", expected: "a name other than '\(Self.none)'", got: "'\(name)'",
                remedy: "choose another name; '\(Self.none)' always means no connection")
        }
        if costs.updateValue(cost, forKey: name) == nil { names.append(name) }
    }

    public func contains(_ name: String) -> Bool { costs[name] != nil }

    /// - Throws: `SpaceError` with the nearest right name, or for a cost that no operator can have.
    public func cost(of name: String, at site: OperatorSite) throws -> Cost {
        guard let operatorCost = costs[name] else {
            throw SpaceError.unknown("operator", name, known: names, at: "operators")
        }
        let cost = operatorCost.cost(at: site)
        guard cost.parameters >= 0, cost.multiplyAdds >= 0, cost.activations >= 0 else {
            throw SpaceError(
                .size, at: "operators.\(name)", expected: "a cost of at least 0", got: "\(cost)",
                remedy: "count parameters, multiply-adds and kept floats of one image")
        }
        return cost
    }
}
