import Base
import Networks
import Tensors

/// What an optimiser has beside its settings: as a table, and in files.
enum OptimiserStateBindings {
    static let all: [Binding] = [state, loadState, save, load]

    private static let demands = "It has to be of an optimiser of the same rule, with parameters of the same names and shapes; an error changes nothing."

    private static let state = Binding(
        module: "optimiser", name: "state", returns: [Returns(.table, "rule, parameters (names in order), tensors, counts, steps")],
        summary: "Copies of its moments and counters.", detail: "For `load_state`. Rates and other settings are not part of it.",
        example: "print(optim.adam(nn.linear(2, 3):parameters()):state().steps)  --> 0"
    ) { call in
        let state = try call.this(as: Optimiser.self).state()
        let copies = try GradientMode.disabled { try state.tensors.map { ($0.name, LuaValue.object(try $0.tensor.clone())) } }
        return call.push(LuaValue.table(LuaTable(fields: [
            "rule": state.rule.map { .string($0.rawValue) } ?? .nil, "parameters": .table(LuaTable(list: (state.parameters ?? []).map { .string($0) })),
            "tensors": .table(LuaTable(fields: Dictionary(copies, uniquingKeysWith: { $1 }))),
            "counts": .table(LuaTable(fields: state.counts.mapValues { .integer($0) })), "steps": .integer(state.steps),
        ])))
    }

    private static let loadState = Binding(
        module: "optimiser", name: "load_state", parameters: [Argument("state", .table, "what `state` returned")], summary: "Takes over moments and counters.",
        detail: demands, example: "local p = nn.linear(2, 3):parameters()\noptim.adam(p):load_state(optim.adam(p):state())"
    ) { call in
        guard let table = try call.value(1).table, let tensors = table["tensors"].table, let steps = table["steps"].integer else {
            throw call.bad(1, "a table with tensors, counts and steps expected")
        }
        let counts = try (table["counts"].table?.fields ?? [:]).mapValues { value in
            guard let count = value.integer else { throw call.bad(1, "counts of steps expected, one is a \(value.typeName)") }
            return count
        }
        let names = try table["parameters"].table?.list.map { value in
            guard let name = value.string else { throw call.bad(1, "names of parameters expected, one is a \(value.typeName)") }
            return name
        }
        let state = OptimiserState(
            rule: try rule(table["rule"].string, failure: { call.bad(1, $0) }), parameters: names,
            tensors: try NamedTensors.read(tensors) { call.bad(1, $0) }, counts: counts, steps: steps)
        try call.this(as: Optimiser.self).restore(state)
        if state.rule == nil || state.parameters == nil { note("the state") }
        return 0
    }

    private static let save = Binding(
        module: "optimiser", name: "save", parameters: [Argument("path", .string, "ends in .safetensors")], summary: "Writes its state to a file.",
        detail: "With checksums, so that a file that has changed since is an error and not another state.",
        example: "optim.adam(nn.linear(2, 3):parameters()):save('adam.safetensors')"
    ) { call in
        let optimiser: Optimiser = try call.this()
        let state = optimiser.state()
        var metadata = Dictionary(state.counts.map { ("count." + $0.key, String($0.value)) }, uniquingKeysWith: { $1 })
        metadata["steps"] = String(state.steps)
        metadata["rule"] = optimiser.rule.rawValue
        metadata["parameters"] = JSONValue.array(optimiser.parameters.map { .string($0.name) }).text()
        try Tensor.save(state.tensors, metadata: metadata, checksums: true, to: call.get(1))
        return 0
    }

    private static let load = Binding(
        module: "optimiser", name: "load", parameters: [Argument("path", .string)], returns: [Returns(.object("optimiser"))], summary: "Reads what `save` wrote.",
        detail: demands, example: "local adam = optim.adam(nn.linear(2, 3):parameters())\nadam:save('adam.safetensors')\nprint(adam:load('adam.safetensors').steps)  --> 0"
    ) { call in
        let path: String = try call.get(1)
        let (tensors, metadata) = try Tensor.load(path, expectsChecksums: true)
        guard let steps = metadata["steps"].flatMap({ Int($0) }) else { throw HostError("\(path): not the state of an optimiser") }
        var state = OptimiserState(rule: try rule(metadata["rule"], failure: { HostError("\(path): \($0)") }), parameters: nil, tensors: tensors, steps: steps)
        for (name, text) in metadata where name.hasPrefix("count.") {
            guard let count = Int(text) else { throw HostError("\(path): the state is damaged: \(name) is '\(text)'") }
            state.counts[String(name.dropFirst(6))] = count
        }
        if let names = metadata["parameters"] {
            guard case .array(let list)? = try? JSONValue.parse(names.utf8) else { throw HostError("\(path): the state is damaged: the names of its parameters") }
            state.parameters = list.compactMap { if case .string(let name) = $0 { name } else { nil } }
        }
        do { try call.this(as: Optimiser.self).restore(state) } catch let error as TensorError {
            throw HostError("\(path): \(error)")
        }
        if state.rule == nil || state.parameters == nil { note(path) }
        return call.pushThis()
    }

    private static func rule(_ name: String?, failure: (String) -> any Error) throws -> Optimiser.Rule? {
        guard let name else { return nil }
        guard let rule = Optimiser.Rule(rawValue: name) else { throw failure("the state of an optimiser of the rule '\(name)', which is not known") }
        return rule
    }

    /// What an earlier release stored is read, with a word.
    private static func note(_ what: String) {
        Terminal.error(
            "trellis: \(what) was stored by an earlier release and does not say its optimiser's rule and parameters: "
                + "only the names and shapes of its moments were compared\n")
    }
}
