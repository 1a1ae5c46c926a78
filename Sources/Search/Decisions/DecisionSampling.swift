/// Whether an assignment is let through.
public typealias Filter = (Assignment) throws -> Bool

/// Rejections in a row before a filter is said to let nothing through.
let mostRejections = 1000

/// What `draw` gives, until the filter accepts it.
func accepted(by filter: Filter?, _ draw: () throws -> Assignment) throws -> Assignment {
    guard let filter else { return try draw() }
    for _ in 0..<mostRejections {
        let drawn = try draw()
        if try filter(drawn) { return drawn }
    }
    throw nothingAccepted("where", "\(mostRejections) in a row that it refused")
}

func nothingAccepted(_ place: String, _ got: String) -> SpaceError {
    SpaceError(
        .filter, at: place, expected: "a filter that accepts some architectures", got: got,
        remedy: "loosen it, or make what it asks for part of the space (fix decisions, nest them)")
}

extension DecisionList {
    /// An assignment, each equally likely: on every decision's way an edge is drawn in proportion to the assignments that go on from it.
    /// - Throws: `SpaceError` also when the filter refuses 1,000 in a row.
    public func random(using generator: inout some RandomNumberGenerator, where filter: Filter? = nil) throws -> Assignment {
        try accepted(by: filter) {
            var values: [String: Value] = [:]
            for decision in topPositions { try draw(decision, into: &values, using: &generator) }
            return Assignment(values)
        }
    }

    /// The assignment of a seed.
    public func random(seed: UInt64, where filter: Filter? = nil) throws -> Assignment {
        var generator = SplitMix64(seed: seed)
        return try random(using: &generator, where: filter)
    }

    /// Draws a decision and all that is nested in it.
    private func draw(_ position: Int, into values: inout [String: Value], using generator: inout some RandomNumberGenerator) throws {
        let counts = try counts()
        let diagram = try diagram(position)
        var (node, on) = (0, [Int]())
        while node != diagram.end {
            let edges = diagram.edges[node]
            var taken = 0
            if edges.count > 1 {
                var rest = Natural.random(below: counts.nodes[position][node], using: &generator)
                while case let through = counts.through(edges[taken], position), rest >= through {
                    rest -= through
                    taken += 1
                }
            }
            if edges[taken].isOn { on.append(edges[taken].option) }
            node = edges[taken].target
        }
        values[all[position].name] = all[position].domain.value(of: on)
        for option in on { for inner in nested(position, option) { try draw(inner, into: &values, using: &generator) } }
    }

    /// A value of a decision itself, each equally likely, whatever is nested in it.
    private func drawValue(_ position: Int, using generator: inout some RandomNumberGenerator) throws -> Value {
        let diagram = try diagram(position)
        var (node, on) = (0, [Int]())
        while node != diagram.end {
            let edges = diagram.edges[node]
            var taken = 0
            if edges.count > 1 {
                var rest = Natural.random(below: diagram.counts[node], using: &generator)
                while rest >= diagram.counts[edges[taken].target] {
                    rest -= diagram.counts[edges[taken].target]
                    taken += 1
                }
            }
            if edges[taken].isOn { on.append(edges[taken].option) }
            node = edges[taken].target
        }
        return all[position].domain.value(of: on)
    }

    /// Values for what is active, given some of them: those that are inactive are dropped, those that are missing are made.
    /// - Parameter make: a value for a decision, by position in `all`, and for all that is nested in it.
    func completed(_ values: [String: Value], _ make: (Int, inout [String: Value]) throws -> Void) throws -> Assignment {
        var result: [String: Value] = [:]
        for (position, decision) in all.enumerated() where result[decision.name] == nil && isActive(decision, in: result) {
            if let value = values[decision.name] { result[decision.name] = value } else { try make(position, &result) }
        }
        return Assignment(result)
    }

    /// An assignment with one decision redrawn: one of those that are active and have another value, each equally likely, then one of its other
    /// values, each equally likely. Nested decisions that become active are drawn as `random` draws them, others stay. Where nothing is open the
    /// assignment comes back as it is.
    /// - Throws: `SpaceError` for an assignment of another space, and when the filter refuses 1,000 in a row.
    public func mutate(_ assignment: Assignment, using generator: inout some RandomNumberGenerator, where filter: Filter? = nil) throws -> Assignment {
        try check(assignment)
        let open = try all.indices.filter {
            try fixed[all[$0].name] == nil && assignment[all[$0].name] != nil && diagram($0).counts[0] > 1
        }
        guard !open.isEmpty else { return assignment }
        return try accepted(by: filter) {
            let position = open[SplitMix64.below(open.count, using: &generator)]
            let name = all[position].name
            var values = assignment.values
            repeat { values[name] = try drawValue(position, using: &generator) } while values[name] == assignment[name]
            return try completed(values) { try draw($0, into: &$1, using: &generator) }
        }
    }

    /// An assignment of two: each decision has the value of one of them, with equal chance where both have one. A decision that is active where
    /// neither has a value is drawn.
    /// - Throws: `SpaceError` for an assignment of another space, and when the filter refuses 1,000 in a row.
    public func cross(
        _ a: Assignment, _ b: Assignment, using generator: inout some RandomNumberGenerator, where filter: Filter? = nil
    ) throws -> Assignment {
        try check(a)
        try check(b)
        return try accepted(by: filter) {
            var values: [String: Value] = [:]
            for decision in all {
                switch (a[decision.name], b[decision.name]) {
                case (let first?, let second?): values[decision.name] = SplitMix64.below(2, using: &generator) == 0 ? first : second
                case (let first, let second): values[decision.name] = first ?? second
                }
            }
            return try completed(values) { try draw($0, into: &$1, using: &generator) }
        }
    }
}
