extension Domain {
    /// Whether a value is one of the domain, `none` aside. Branches may name a state twice, as published cells do.
    public func contains(_ value: Value) -> Bool { complaint(about: value) == nil }

    /// What was expected instead of a value that is none of the domain; nil for one that is.
    func complaint(about value: Value) -> (expected: String, got: String)? {
        switch (self, value) {
        case (.choice(let choice), .option(let option)):
            let allowed = choice.decodable.map { choice.options[$0] }.joined(separator: ", ")
            guard choice.options.indices.contains(option) else { return ("one of \(allowed)", "option \(option + 1) of \(choice.options.count)") }
            return canBeOn(option) ? nil : ("one of \(allowed)", "'none', which is never chosen")
        case (.number(let number), .option(let option)):
            return number.values.indices.contains(option)
                ? nil : ("one of the \(number.values.count) numbers \(number.labels.joined(separator: ", "))", "number \(option + 1)")
        case (.subset(let subset), .set(let flags)):
            guard flags.count == subset.options.count else { return ("\(subset.options.count) flags, one an option", "\(flags.count)") }
            let on = flags.count(where: { $0 })
            let bounds = subset.least == subset.most ? "\(subset.least)" : "\(subset.least) to \(subset.most)"
            return (subset.least...subset.most).contains(on) ? nil : ("\(bounds) of \(subset.options.joined(separator: ", "))", "\(on) of them")
        case (.paths(let paths), .path(let ids)) where !paths.isMany: return paths.complaint(aboutPath: ids)
        case (.paths(let paths), .set(let flags)) where paths.isMany: return paths.complaint(aboutSet: flags)
        case (.branches(let branches), .branches(let picks)):
            guard picks.count == branches.keep else { return ("\(branches.keep) pairs of a state and an option", "\(picks.count)") }
            for pick in picks {
                guard branches.states.indices.contains(pick.state) else {
                    return ("states from \(branches.states.joined(separator: ", "))", "state \(pick.state + 1) of \(branches.states.count)")
                }
                guard branches.decodable.contains(pick.option) else {
                    let isNone = branches.options.indices.contains(pick.option)
                    return ("options from \(branches.decodable.map { branches.options[$0] }.joined(separator: ", "))", isNone ? "'none'" : "option \(pick.option + 1)")
                }
            }
            return nil
        default: return (form, value.form)
        }
    }

    /// What a value looks like.
    private var form: String {
        switch self {
        case .choice, .number: "one option"
        case .subset: "a set of options"
        case .paths(let paths): paths.isMany ? "a set of arrows" : "an arrow for each layer"
        case .branches: "pairs of a state and an option"
        }
    }
}

extension Value {
    var form: String {
        switch self {
        case .option: "one option"
        case .set: "a set"
        case .path: "a path"
        case .branches: "branches"
        }
    }
}

extension Paths {
    fileprivate func complaint(aboutPath ids: [Int]) -> (expected: String, got: String)? {
        guard ids.count == layers else { return ("\(layers) arrows, one a layer", "\(ids.count)") }
        for (i, id) in ids.enumerated() {
            guard arrows(i + 1).contains(id) else { return ("an arrow into layer \(i + 1)", arrows.indices.contains(id) ? label(of: id) : "arrow \(id + 1) of \(arrows.count)") }
            guard i == 0 || arrows[ids[i - 1]].to == arrows[id].from else {
                return ("an arrow into layer \(i + 1) that leaves \(states[arrows[ids[i - 1]].to]), where the last arrived", label(of: id))
            }
        }
        return nil
    }

    fileprivate func complaint(aboutSet flags: [Bool]) -> (expected: String, got: String)? {
        guard flags.count == arrows.count else { return ("\(arrows.count) flags, one an arrow", "\(flags.count)") }
        var reached: Set<Int>?
        for layer in 1...layers {
            let on = arrows(layer).filter { flags[$0] }
            guard !on.isEmpty else { return ("an arrow into each layer", "none into layer \(layer)") }
            let left = Set(on.map { arrows[$0].from })
            if let reached, left != reached {
                let names = { (positions: Set<Int>) in positions.sorted().map { self.states[$0] }.joined(separator: ", ") }
                return ("arrows into layer \(layer) that leave exactly what layer \(layer - 1) reaches, \(names(reached))", "arrows that leave \(names(left))")
            }
            reached = Set(on.map { arrows[$0].to })
        }
        return nil
    }
}

extension DecisionList {
    /// Whether a decision is active: its parent has a value that has its option on.
    public func isActive(_ name: String, in assignment: Assignment) -> Bool {
        guard let decision = self[name] else { return false }
        return isActive(decision, in: assignment.values)
    }

    /// Whether an option of a decision is on.
    public func isOn(_ literal: Literal, in assignment: Assignment) -> Bool { isOn(literal, in: assignment.values) }

    func isActive(_ decision: Decision, in values: [String: Value]) -> Bool {
        guard let parent = decision.parent else { return true }
        return isOn(parent, in: values)
    }

    private func isOn(_ literal: Literal, in values: [String: Value]) -> Bool {
        guard let value = values[literal.decision], let decision = self[literal.decision] else { return false }
        return decision.domain.options(of: value).contains(literal.option)
    }

    /// Whether an assignment is one of this list: a value of its domain for each decision that is active, and for no other.
    /// - Throws: `SpaceError` with the decision and what is allowed.
    public func check(_ assignment: Assignment) throws {
        for name in assignment.values.keys.sorted() where positions[name] == nil {
            throw SpaceError.unknown("decision", name, known: all.map(\.name), at: "architecture")
        }
        for decision in all {
            let value = assignment[decision.name]
            guard isActive(decision, in: assignment.values) else {
                guard value == nil else {
                    throw SpaceError(
                        .misfit, at: decision.name, expected: "no value, as \(parentText(decision)) is not on", got: "one",
                        remedy: "leave it out, or turn that option on")
                }
                continue
            }
            guard let value else {
                throw SpaceError(
                    .misfit, at: decision.name, expected: decision.domain.summary, got: "no value", remedy: "is it an architecture of another space?")
            }
            try check(value, of: decision)
            if let wanted = fixed[decision.name], wanted != value {
                throw SpaceError(
                    .misfit, at: decision.name, expected: "what it was fixed to, \(text(wanted, of: decision))", got: text(value, of: decision),
                    remedy: "is it an architecture of the larger space?")
            }
        }
    }

    func check(_ value: Value, of decision: Decision) throws {
        guard let (expected, got) = decision.domain.complaint(about: value) else { return }
        throw SpaceError(.misfit, at: decision.name, expected: expected, got: got, remedy: "is it a value of another space?")
    }

    /// "'stem = deep'", the option that a decision stands in.
    private func parentText(_ decision: Decision) -> String {
        guard let parent = decision.parent, let outer = self[parent.decision] else { return "" }
        return "'\(outer.name) = \(outer.domain.label(of: parent.option))'"
    }

    /// A value for people: the labels of what is on.
    public func text(_ value: Value, of decision: Decision) -> String {
        decision.domain.options(of: value).map(decision.domain.label).joined(separator: ", ")
    }

    /// "op.1 = conv, width = 8", in the order of the decisions.
    public func text(_ assignment: Assignment) -> String {
        all.compactMap { decision in assignment[decision.name].map { "\(decision.name) = \(text($0, of: decision))" } }.joined(separator: ", ")
    }

    /// A smaller list: some decisions are open no more. What is nested in options that are off then disappears.
    /// - Throws: `SpaceError` for an unknown name, a value of another domain, and a decision that these values or earlier ones leave no place.
    public func fixing(_ values: [String: Value]) throws -> DecisionList {
        var fixed = self.fixed
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            guard let decision = self[name] else { throw SpaceError.unknown("decision", name, known: all.map(\.name), at: "fix") }
            let value = value.canonical
            try check(value, of: decision)
            if let before = fixed[name], before != value {
                throw SpaceError(
                    .misfit, at: name, expected: "what it was fixed to before, \(text(before, of: decision))", got: text(value, of: decision),
                    remedy: "fix it in the larger space")
            }
            fixed[name] = value
        }
        var kept: Set<String> = []
        let remaining = all.filter { decision in
            guard let parent = decision.parent else { return kept.insert(decision.name).inserted }
            guard kept.contains(parent.decision) else { return false }
            if let value = fixed[parent.decision], let outer = self[parent.decision], !outer.domain.options(of: value).contains(parent.option) { return false }
            return kept.insert(decision.name).inserted
        }
        for name in values.keys.sorted() where !kept.contains(name) {
            throw SpaceError(
                .misfit, at: name, expected: "a decision that can be active", got: "one inside of an option that is off", remedy: "leave it out, or turn that option on")
        }
        return DecisionList(all: remaining, fixed: fixed.filter { kept.contains($0.key) })
    }

    /// The same with one decision.
    public func fixing(_ name: String, to value: Value) throws -> DecisionList { try fixing([name: value]) }
}
