import Base

/// A condition on runs: "kind=search", "miou>0.3", "status!=done".
public struct RunFilter: Sendable {
    enum Relation: String, CaseIterable, Sendable {
        // Longer ones first: they begin like the others.
        case atMost = "<=", atLeast = ">=", other = "!=", below = "<", above = ">", equal = "="
    }

    let name: String
    let relation: Relation
    let value: String

    /// - Throws: `FileError` without path for a text that is none.
    public init(_ text: String) throws {
        let found = Relation.allCases.compactMap { relation in text.firstRange(of: relation.rawValue).map { (relation, $0) } }.min {
            $0.1.lowerBound != $1.1.lowerBound ? $0.1.lowerBound < $1.1.lowerBound : $0.0.rawValue.count > $1.0.rawValue.count
        }
        guard let (relation, range) = found, range.lowerBound > text.startIndex else {
            throw FileError("", "expected a condition such as kind=search, miou>0.3 or status!=done, got '\(text)'")
        }
        (name, self.relation, value) = (String(text[..<range.lowerBound]), relation, String(text[range.upperBound...]))
    }

    /// The condition that a value is one of some.
    public static func matches(_ run: Run, _ name: String, anyOf values: [String]) throws -> Bool {
        let mine = try run.value(name)
        return values.contains { compare(mine, $0) == 0 }
    }

    public func matches(_ run: Run) throws -> Bool {
        let order = RunFilter.compare(try run.value(name), value)
        return switch relation {
        case .equal: order == 0
        case .other: order != 0
        case .below: order.map { $0 < 0 } ?? false
        case .above: order.map { $0 > 0 } ?? false
        case .atMost: order.map { $0 <= 0 } ?? false
        case .atLeast: order.map { $0 >= 0 } ?? false
        }
    }

    /// Runs in the order of a value; those without it, or with NaN, last. Equal ones stay in order.
    public static func sorted(_ runs: [Run], by name: String, largestFirst: Bool) throws -> [Run] {
        let keyed = try runs.map { run in (run, try run.value(name)) }
        func isLess(_ a: JSONValue?, _ b: JSONValue?) -> Bool {
            guard let b, compare(b, shown(b)) == 0 else { return a.map { compare($0, shown($0)) == 0 } ?? false }
            guard let a, let order = compare(a, shown(b)) else { return false }
            return largestFirst ? order > 0 : order < 0
        }
        return keyed.enumerated().sorted { isLess($0.element.1, $1.element.1) || !isLess($1.element.1, $0.element.1) && $0.offset < $1.offset }.map(\.element.0)
    }

    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): text
        case .array: RunTable.cell(value)
        default: value.text()
        }
    }

    /// Numbers by their value, all else as text; nil where there is nothing to compare.
    private static func compare(_ mine: JSONValue?, _ text: String) -> Int? {
        guard let mine, mine != .null else { return nil }
        let shown = shown(mine)
        if let a = Double(shown), let b = Double(text) { return a.isNaN || b.isNaN ? nil : a < b ? -1 : a > b ? 1 : 0 }
        return shown < text ? -1 : shown > text ? 1 : 0
    }
}
