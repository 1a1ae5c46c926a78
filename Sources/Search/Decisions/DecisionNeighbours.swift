extension DecisionList {
    /// All assignments that differ in one decision by a smallest change, decision by decision, none twice:
    ///
    /// - choice: another option; an ordered one and a number: the next one below or above.
    /// - subset: one option more or less; where sets have one size only, one option for another.
    /// - paths: another state at one layer (or another start), where arrows lead there and on; where a path has no such neighbour, other states on the
    ///   shortest stretch of layers for which there are some. `many`: one arrow more or less, or one state with one arrow in and one out.
    /// - branches: another option or another state of one pair, states differing.
    ///
    /// Nested decisions that become active take their first value (in the order of `each`), so there are not more neighbours than changes; for lists
    /// without nesting a neighbour's neighbours include where it came from, but for paths that need longer stretches.
    /// - Throws: `SpaceError` for an assignment of another space.
    public func neighbours(of assignment: Assignment, where filter: Filter? = nil) throws -> [Assignment] {
        try check(assignment)
        var seen: Set<Assignment> = [assignment]
        var found: [Assignment] = []
        for decision in decisions {
            guard let value = assignment[decision.name] else { continue }
            for other in decision.domain.neighbours(of: value) {
                var values = assignment.values
                values[decision.name] = other
                let neighbour = try completed(values, takeFirst)
                if seen.insert(neighbour).inserted, try filter?(neighbour) ?? true { found.append(neighbour) }
            }
        }
        return found
    }
}

extension Domain {
    /// - Precondition: the value is one of the domain.
    func neighbours(of value: Value) -> [Value] {
        switch (self, value) {
        case (.choice(let choice), .option(let option)) where choice.isOrdered: Self.next(to: option, in: choice.decodable)
        case (.choice(let choice), .option(let option)): choice.decodable.filter { $0 != option }.map(Value.option)
        case (.number(let number), .option(let option)): Self.next(to: option, in: Array(number.values.indices))
        case (.subset(let subset), .set(let flags)): subset.neighbours(of: flags).map(Value.set)
        case (.paths(let paths), .path(let ids)): paths.neighbours(ofPath: ids).map(Value.path)
        case (.paths(let paths), .set(let flags)): paths.neighbours(ofSet: flags).map(Value.set)
        case (.branches(let branches), .branches(let picks)): branches.neighbours(of: picks).map(Value.branches)
        default: []
        }
    }

    private static func next(to option: Int, in options: [Int]) -> [Value] {
        guard let position = options.firstIndex(of: option) else { return [] }
        return [position - 1, position + 1].filter(options.indices.contains).map { .option(options[$0]) }
    }
}

extension Subset {
    fileprivate func neighbours(of flags: [Bool]) -> [[Bool]] {
        func changed(_ options: Int...) -> [Bool] {
            var other = flags
            for option in options { other[option].toggle() }
            return other
        }
        if least == most {
            return flags.indices.filter { flags[$0] }.flatMap { on in flags.indices.filter { !flags[$0] }.map { changed(on, $0) } }
        }
        let on = flags.count(where: { $0 })
        return flags.indices.filter { (least...most).contains(flags[$0] ? on - 1 : on + 1) }.map { changed($0) }
    }
}

extension Paths {
    fileprivate func neighbours(ofPath ids: [Int]) -> [[Int]] {
        let states = [arrows[ids[0]].from] + ids.map { arrows[$0].to }
        for length in 1...(layers + 1) {
            let found = (0...(layers + 1 - length)).flatMap { detours(ids, states, from: $0, to: $0 + length - 1) }
            if !found.isEmpty { return found }
        }
        return []
    }

    /// The paths that have another state at each of the layers first...last (0: the start), and the same at all others.
    private func detours(_ ids: [Int], _ states: [Int], from first: Int, to last: Int) -> [[Int]] {
        // Heads: the arrows into the layers up to `layer`, with where they arrived.
        var heads: [(ids: [Int], state: Int)]
        if first == 0 {
            heads = reached(0).filter { $0 != states[0] }.map { ([], $0) }
        } else {
            heads = [(Array(ids[..<(first - 1)]), states[first - 1])]
        }
        for layer in max(1, first)..<(last + 1) where layer >= 1 {
            heads = heads.flatMap { head in
                outgoing(layer - 1, head.state).filter { arrows[$0].to != states[layer] }.map { (head.ids + [$0], arrows[$0].to) }
            }
        }
        guard last < layers else { return heads.map(\.ids) }
        return heads.compactMap { head in
            id(of: Arrow(layer: last + 1, from: head.state, to: states[last + 1])).map { head.ids + [$0] + ids[(last + 1)...] }
        }
    }

    fileprivate func neighbours(ofSet flags: [Bool]) -> [[Bool]] {
        func changed(_ ids: [Int]) -> [Bool]? {
            var other = flags
            for id in ids { other[id].toggle() }
            return Domain.paths(self).contains(.set(other)) ? other : nil
        }
        let single = arrows.indices.compactMap { changed([$0]) }
        // A state in the middle, with the one arrow that leads there and the one that leads on.
        let states = arrows.indices.filter { arrows[$0].layer < layers }.flatMap { into in
            outgoing(arrows[into].layer, arrows[into].to).filter { flags[$0] == flags[into] }.compactMap { changed([into, $0]) }
        }
        return single + states
    }
}

extension Branches {
    fileprivate func neighbours(of picks: [Pick]) -> [[Pick]] {
        var found: [[Pick]] = []
        for (i, pick) in picks.enumerated() {
            func add(_ other: Pick) {
                var changed = picks
                changed[i] = other
                found.append(changed.sorted())
            }
            for option in decodable where option != pick.option { add(Pick(state: pick.state, option: option)) }
            for state in states.indices where !picks.contains(where: { $0.state == state }) { add(Pick(state: state, option: pick.option)) }
        }
        return found
    }
}
