/// What a decision decides between.
///
/// Every domain has numbered options, which carry the logits and may hold nested decisions: the options themselves, the arrows of `Paths`, the
/// pairs of state and option of `Branches`. They count from 0 in Swift.
public enum Domain: Hashable, Sendable {
    /// One of several options.
    case choice(Choice)
    /// A set of options.
    case subset(Subset)
    /// A way through layers of states, or several at once.
    case paths(Paths)
    /// One number of a grid.
    case number(Number)
    /// Pairs of a state and an option, as a block of a cell has them.
    case branches(Branches)

    /// The name in Lua and in files.
    public var kind: String {
        switch self {
        case .choice: "choice"
        case .subset: "subset"
        case .paths: "paths"
        case .number: "number"
        case .branches: "branches"
        }
    }

    /// The shape of the logits.
    public var shape: [Int] {
        switch self {
        case .branches(let branches): [branches.states.count, branches.options.count]
        default: [optionCount]
        }
    }

    /// The number of options, or of arrows, or of pairs of state and option.
    public var optionCount: Int {
        switch self {
        case .choice(let choice): choice.options.count
        case .subset(let subset): subset.options.count
        case .paths(let paths): paths.arrows.count
        case .number(let number): number.values.count
        case .branches(let branches): branches.states.count * branches.options.count
        }
    }

    /// An option for people: its label, `8 -> 16 into layer 2`, `state 1: skip_connect`.
    /// - Precondition: `option` is one.
    public func label(of option: Int) -> String {
        switch self {
        case .choice(let choice): choice.options[option]
        case .subset(let subset): subset.options[option]
        case .paths(let paths): paths.label(of: option)
        case .number(let number): number.labels[option]
        case .branches(let branches):
            "\(branches.states[option / branches.options.count]): \(branches.options[option % branches.options.count])"
        }
    }

    /// Of the options; the states of paths and branches, of which options are pairs.
    public var labels: [String] {
        switch self {
        case .choice(let choice): choice.options
        case .subset(let subset): subset.options
        case .number(let number): number.labels
        case .paths(let paths): paths.states
        case .branches(let branches): branches.options
        }
    }

    /// Whether an option can be on at all: `none` of a choice or of branches cannot.
    public func canBeOn(_ option: Int) -> Bool {
        switch self {
        case .choice(let choice): choice.options.indices.contains(option) && choice.options[option] != Choice.none
        case .branches(let branches):
            (0..<optionCount).contains(option) && branches.options[option % branches.options.count] != Choice.none
        default: (0..<optionCount).contains(option)
        }
    }

    /// Options may be on without others being off: their weight when off counts, too.
    var isSet: Bool {
        switch self {
        case .subset: true
        case .paths(let paths): paths.isMany
        default: false
        }
    }

    /// The options of a list, each named once.
    static func check(_ labels: [String], _ what: String, at place: String) throws {
        guard !labels.isEmpty else {
            throw SpaceError(.size, at: place, expected: "at least one \(what)", got: "none", remedy: "list them")
        }
        guard labels.count <= mostOptions else {
            throw SpaceError(.size, at: place, expected: "at most \(mostOptions)", got: "\(labels.count)", remedy: "split the decision")
        }
        var first: [String: Int] = [:]
        for (i, label) in labels.enumerated() {
            guard !label.isEmpty else {
                throw SpaceError(.size, at: "\(place)[\(i + 1)]", expected: "a name", got: "an empty one", remedy: "name the \(what)")
            }
            if let before = first.updateValue(i, forKey: label) {
                throw SpaceError(
                    .size, at: "\(place)[\(i + 1)]", expected: "every \(what) once", got: "'\(label)' again (first at \(before + 1))",
                    remedy: "leave one of them out, or rename it")
            }
        }
    }

    /// Far beyond use; keeps a mistyped number from filling the memory.
    static let mostOptions = 10_000
}
