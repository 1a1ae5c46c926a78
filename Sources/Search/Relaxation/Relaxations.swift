import Tensors

/// Which relaxation belongs to which decision: by name, or by pattern, in which `*` stands for any characters.
public struct Relaxations {
    private let rules: [(pattern: String, relaxation: Relaxation)]
    private let otherwise: Relaxation

    /// - Parameter rules: the exact name goes first, then the longest pattern; softmax where none fits.
    public init(_ rules: [(pattern: String, relaxation: Relaxation)] = []) throws {
        self.rules = rules
        otherwise = try Softmax()
    }

    /// - Throws: where two patterns of one length fit.
    public func relaxation(of name: String) throws -> Relaxation {
        if let exact = rules.first(where: { $0.pattern == name }) { return exact.relaxation }
        let fitting = rules.filter { Self.fits(Array($0.pattern), Array(name)) }
        guard let longest = fitting.map(\.pattern.count).max() else { return otherwise }
        let best = fitting.filter { $0.pattern.count == longest }
        guard best.count == 1 else {
            throw SpaceError(
                .unknownName, at: "relax", expected: "one relaxation for decision '\(name)'", got: "'\(best[0].pattern)' and '\(best[1].pattern)', which both fit",
                remedy: "give the decision's own name, or a longer pattern")
        }
        return best[0].relaxation
    }

    /// - Throws: for a rule that fits none of `names`.
    public func check(_ names: [String]) throws {
        for (pattern, _) in rules where !names.contains(where: { Self.fits(Array(pattern), Array($0)) }) {
            throw SpaceError.unknown("decision, or a pattern of some", pattern, known: names, at: "relax")
        }
    }

    static func fits(_ pattern: [Character], _ name: [Character]) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == "*" { return (0...name.count).contains { fits(Array(pattern.dropFirst()), Array(name.dropFirst($0))) } }
        return name.first == first && fits(Array(pattern.dropFirst()), Array(name.dropFirst()))
    }
}
