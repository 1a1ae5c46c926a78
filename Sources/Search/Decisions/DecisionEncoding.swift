extension DecisionList {
    /// The length of an encoding: the options of all open decisions.
    public var encodingLength: Int { decisions.reduce(0) { $0 + $1.optionCount } }

    /// An assignment as numbers: for each open decision in order 1 for what is on and 0 for what is not; zeros where it is inactive.
    /// - Throws: `SpaceError` for an assignment of another space.
    public func encode(_ assignment: Assignment) throws -> [Float] {
        try check(assignment)
        return decisions.flatMap { decision in
            var row = [Float](repeating: 0, count: decision.optionCount)
            for option in options(decision, assignment) { row[option] = 1 }
            return row
        }
    }

    /// How many entries differ: of each decision the options that are on in one and not in the other, where one that is replaced by another counts once.
    /// So a choice or a layer of a path that differs counts 1, an option more in a set 1, a pair of branches 1, and a decision that is active in one
    /// of them only as many as it has on. Symmetric, and the way over a third assignment is never shorter.
    /// - Throws: `SpaceError` for an assignment of another space.
    public func distance(_ a: Assignment, _ b: Assignment) throws -> Int {
        try check(a)
        try check(b)
        return all.reduce(0) { sum, decision in
            let (first, second) = (options(decision, a), options(decision, b))
            return sum + max(first.count, second.count) - common(first, second)
        }
    }

    /// The number of common entries of two ascending lists.
    private func common(_ a: [Int], _ b: [Int]) -> Int {
        var (i, j, count) = (0, 0, 0)
        while i < a.count, j < b.count {
            if a[i] == b[j] { count += 1 }
            (i, j) = (a[i] <= b[j] ? i + 1 : i, b[j] <= a[i] ? j + 1 : j)
        }
        return count
    }

    private func options(_ decision: Decision, _ assignment: Assignment) -> [Int] {
        assignment[decision.name].map(decision.domain.options) ?? []
    }
}
