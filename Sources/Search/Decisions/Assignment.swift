/// What one decision was decided to be. Positions count from 0.
public enum Value: Hashable, Sendable {
    /// Of a choice or a number.
    case option(Int)
    /// Of a subset, a flag for each option; of paths with `isMany`, one for each arrow.
    case set([Bool])
    /// Of paths: the id of an arrow for each layer.
    case path([Int])
    /// Of branches; by state, then option (`Assignment` keeps them so).
    case branches([Branches.Pick])

    /// Branches in their order: addition does not mind it.
    var canonical: Value {
        if case .branches(let picks) = self { .branches(picks.sorted()) } else { self }
    }
}

/// An architecture as data: a value for each decision that is active. An inactive one has none.
public struct Assignment: Hashable, Sendable {
    public private(set) var values: [String: Value]

    public init(_ values: [String: Value] = [:]) { self.values = values.mapValues(\.canonical) }

    public subscript(name: String) -> Value? {
        get { values[name] }
        set { values[name] = newValue?.canonical }
    }
}

extension Domain {
    /// The options (arrows; pairs of state and option row by row) that a value has on, ascending; a pair that branches name twice stands there twice.
    public func options(of value: Value) -> [Int] {
        switch (self, value) {
        case (.branches(let branches), .branches(let picks)): picks.map(branches.position).sorted()
        case (_, .option(let option)): [option]
        case (_, .set(let flags)): flags.indices.filter { flags[$0] }
        case (_, .path(let ids)): ids
        case (_, .branches): []
        }
    }

    /// The value that has these options on; whether it is one of the domain is not looked at.
    /// - Parameter options: ascending.
    public func value(of options: [Int]) -> Value {
        switch self {
        case .choice, .number: return .option(options.first ?? 0)
        case .paths(let paths) where !paths.isMany: return .path(options)
        case .subset, .paths:
            var flags = [Bool](repeating: false, count: optionCount)
            for option in options { flags[option] = true }
            return .set(flags)
        case .branches(let branches): return .branches(options.map(branches.pick))
        }
    }
}
