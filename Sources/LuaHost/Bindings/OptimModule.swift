import CLua
import Networks
import Tensors

extension ParameterGroup: LuaObject {
    public static let objectType = ObjectType(
        "parameter_group", of: ParameterGroup.self, summary: "Parameters of an optimiser that share their settings.",
        fields: [
            Field(setting: "lr", "Learning rate.", of: { (g: ParameterGroup) in g.rate }, set: { $0.rate = $1 }),
            Field(setting: "weight_decay", "Weight decay.", of: { (g: ParameterGroup) in g.weightDecay }, set: { $0.weightDecay = $1 }),
            Field(setting: "momentum", "Momentum of sgd.", of: { (g: ParameterGroup) in g.momentum }, set: { $0.momentum = $1 }),
            Field("parameters", .object("parameters"), "The tensors.", of: { (g: ParameterGroup) in ParameterList(g.parameters) }),
        ],
        unique: true, describe: { "parameter_group: \($0.parameters.count) tensors, lr \($0.rate), weight_decay \($0.weightDecay)" })
}

extension Field {
    /// A number of 0 or more that is read and written.
    fileprivate init<T: LuaObject>(setting name: String, _ doc: String, of get: @escaping (T) -> Double, set: @escaping (T, Double) -> Void) {
        self.init(
            name, .number, doc, get: { call in call.push(get(try call.this(as: T.self))) },
            set: { call in
                let value: Double = try call.get(1)
                guard value >= 0, value.isFinite else { throw call.bad(1, "0 or more expected, got \(value)") }
                set(try call.this(as: T.self), value)
                return 0
            })
    }
}

extension Optimiser: LuaObject {
    public static let objectType = ObjectType(
        "optimiser", of: Optimiser.self, summary: "Changes parameters by their gradients.",
        detail: "The usual turn: `opt:zero_grad(); loss:backward(); opt:step()`. Parameters without a gradient stay as they are.",
        methods: methods,
        fields: [
            Field(
                setting: "lr", "Learning rate of the first group; setting it sets that of all groups.", of: { (o: Optimiser) in o.rate },
                set: { $0.rate = $1 }),
            Field("gradient_norm", .number, "Norm of all gradients together at the last step, before clipping.", of: { (o: Optimiser) in o.gradientNorm }),
            Field("steps", .integer, "Steps done.", of: { (o: Optimiser) in o.steps }),
            Field(
                "clip", .number, "Largest norm of all gradients together; nil for none.", optional: true,
                get: { call in call.push(try call.this(as: Optimiser.self).clip) },
                set: { call in
                    let clip: Double? = try call.get(ifPresent: 1)
                    if let clip, !(clip > 0) { throw call.bad(1, "a number above 0 expected, got \(clip)") }
                    try call.this(as: Optimiser.self).clip = clip
                    return 0
                }),
            Field("groups", .list(.object("parameter_group")), "The parameter groups, each with its lr.", of: { (o: Optimiser) in o.groups }),
            Field("rule", .string, "\"sgd\", \"adam\" or \"adamw\".", of: { (o: Optimiser) in o.rule.rawValue }),
        ],
        unique: true, describe: { $0.text })

    private var text: String {
        let numbers = parameters.reduce(0) { $0 + $1.tensor.count }
        var parts = ["\(rule.rawValue): \(parameters.count) tensors, \(numbers) numbers", "lr \(rate)", "\(steps) steps"]
        if groups.count > 1 { parts.insert("\(groups.count) groups", at: 1) }
        if let clip { parts.append("clip \(clip)") }
        return parts.joined(separator: ", ")
    }

    private static let methods: [Binding] = [
        Binding(
            module: "optimiser", name: "zero_grad", summary: "Forgets the gradients of its parameters.",
            example: "optim.sgd(nn.linear(2, 3):parameters(), {lr = 0.1}):zero_grad()"
        ) { call in
            try call.this(as: Optimiser.self).zeroGrad()
            return 0
        },
        Binding(
            module: "optimiser", name: "step", summary: "Changes the parameters by their present gradients.",
            detail: "Inside a compiled function: what each run ends with.",
            example: "local w = tensor.from({1}, {requires_grad = true})\nlocal sgd = optim.sgd({w}, {lr = 0.5})\nw:sum():backward()\nsgd:step()\nprint(w[1])  --> 0.5"
        ) { call in
            try call.this(as: Optimiser.self).step()
            return 0
        },
    ] + OptimiserStateBindings.all
}

enum OptimModule {
    static let module = LuaModule(
        "optim", summary: "Optimisers and schedules of their learning rate.",
        detail: "Parameters are what `net:parameters()` returns, a list of tensors, a table of tensors by name, or a list of groups {parameters, lr = ..., weight_decay = ...}.",
        types: [Optimiser.objectType, ParameterGroup.objectType, ScheduleObject.objectType], bindings: [sgd, adam("adam"), adam("adamw")] + ScheduleBindings.all)

    private static let parameters = Argument(
        "parameters", .union([.object("parameters"), .table]), "of a module, a list or table of tensors, or a list of groups {parameters, lr = ...}")
    private static let decay = Option("weight_decay", .number, default: 0, "times the weight is added to its gradient")
    private static let clip = Option("clip", .number, "largest norm of all gradients together; larger ones are scaled down to it")

    private static let sgd = Binding(
        module: "optim", name: "sgd", parameters: [parameters],
        options: [
            Option("lr", .number, required: true, "learning rate"), Option("momentum", .number, default: 0, "share of the last step that is kept"),
            Option("nesterov", .boolean, default: false, "looks ahead by the momentum"), decay, clip,
        ],
        returns: [Returns(.object("optimiser"))], summary: "Stochastic gradient descent.",
        detail: "v = momentum·v + g + weight_decay·w; w = w - lr·v, with Nesterov's momentum w - lr·(g + weight_decay·w + momentum·v).",
        example: "local net = nn.linear(2, 3)\nlocal sgd = optim.sgd(net:parameters(), {lr = 0.1, momentum = 0.9})\nsgd.lr = 0.05\nprint(sgd.lr)  --> 0.05"
    ) { call in try make(call, .sgd) }

    private static func adam(_ name: String) -> Binding {
        Binding(
            module: "optim", name: name, parameters: [parameters],
            options: [
                Option("lr", .number, default: 1e-3, "learning rate"), Option("betas", .list(.number), default: [0.9, 0.999], "decay of the two moments"),
                Option("eps", .number, default: 1e-8, "added to the root of the second moment"),
                name == "adam" ? decay : Option("weight_decay", .number, default: 0.01, "lr times it shrinks the weight itself"), clip,
            ],
            returns: [Returns(.object("optimiser"))],
            summary: name == "adam" ? "Adam (Kingma and Ba, 2015)." : "Adam with decoupled weight decay (Loshchilov and Hutter, 2019).",
            detail: "m = β1·m + (1 - β1)·g; v = β2·v + (1 - β2)·g²; w = w - lr · m̂ / (sqrt(v̂) + eps), m̂ and v̂ without their bias. "
                + (name == "adam" ? "g contains weight_decay·w." : "w first shrinks by lr·weight_decay·w."),
            example: "local adam = optim.\(name)(nn.linear(2, 3):parameters(), {lr = 3e-3})\nprint(adam.rule)  --> \(name)"
        ) { call in try make(call, name == "adam" ? .adam : .adamw) }
    }

    private static func make(_ call: Call, _ rule: Optimiser.Rule) throws -> Int {
        let defaults = try Settings(call, rule)
        let groups = try ParameterGroups.read(call).map { items, overrides in
            try defaults.overridden(by: overrides, call).group(items)
        }
        let clip: Double? = try call.option(ifPresent: "clip")
        if let clip, !(clip > 0) { throw call.badOption("clip", "a number above 0 expected, got \(clip)") }
        return call.push(try Optimiser(rule, groups, clip: clip))
    }
}

/// Settings of a parameter group, from the options and what a group has of its own.
private struct Settings {
    let rule: Optimiser.Rule
    var rate: Double
    var decay: Double
    var momentum = 0.0
    var nesterov = false
    var betas = [0.9, 0.999]
    var epsilon = 1e-8

    init(_ call: Call, _ rule: Optimiser.Rule) throws {
        self.rule = rule
        rate = try call.option("lr")
        decay = try call.option("weight_decay")
        if rule == .sgd {
            momentum = try call.option("momentum")
            nesterov = try call.option("nesterov")
        } else {
            betas = try call.option("betas")
            epsilon = try call.option("eps")
        }
        try check { call.badOption($0, $1) }
    }

    func overridden(by fields: [String: LuaValue], _ call: Call) throws -> Settings {
        var settings = self
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            func number() throws -> Double {
                guard let number = value.number else { throw call.bad(1, "'\(name)' of a group should be a number, got \(value.typeName)") }
                return number
            }
            switch (name, rule) {
            case ("lr", _): settings.rate = try number()
            case ("weight_decay", _): settings.decay = try number()
            case ("momentum", .sgd): settings.momentum = try number()
            case ("nesterov", .sgd): settings.nesterov = value.boolean ?? false
            case ("eps", .adam), ("eps", .adamw): settings.epsilon = try number()
            case ("betas", .adam), ("betas", .adamw): settings.betas = value.table?.list.compactMap(\.number) ?? []
            default: throw call.bad(1, "a group of \(rule.rawValue) has no setting '\(name)'")
            }
        }
        try settings.check { call.bad(1, "'\($0)' of a group: \($1)") }
        return settings
    }

    private func check(_ failure: (String, String) -> any Error) throws {
        for (name, value) in [("lr", rate), ("weight_decay", decay), ("momentum", momentum)] where !(value >= 0 && value.isFinite) {
            throw failure(name, "0 or more expected, got \(value)")
        }
        guard betas.count == 2, betas.allSatisfy({ $0 >= 0 && $0 < 1 }) else { throw failure("betas", "two numbers in [0, 1) expected") }
        guard epsilon > 0, epsilon.isFinite else { throw failure("eps", "a number above 0 expected, got \(epsilon)") }
        guard !nesterov || momentum > 0 else { throw failure("nesterov", "needs a momentum above 0") }
    }

    func group(_ items: [Module.Named]) -> ParameterGroup {
        ParameterGroup(items, rate: rate, weightDecay: decay, momentum: momentum, nesterov: nesterov, betas: (betas[0], betas[1]), epsilon: epsilon)
    }
}

/// What an optimiser's first argument may be.
private enum ParameterGroups {
    typealias Group = (items: [Module.Named], overrides: [String: LuaValue])

    static func read(_ call: Call) throws -> [Group] {
        if let list = ParameterList.read(call.thread, call.index(1)) { return [(list.items, [:])] }
        guard let table = try call.value(1).table else { throw call.bad(1, "parameters expected") }
        if table.list.isEmpty || table.list.contains(where: { isTensor($0) }) {
            return [(try NamedTensors.read(table) { call.bad(1, $0) }, [:])]
        }
        if !table.fields.isEmpty { return [try group(table, call)] }
        var groups = try table.list.map { entry -> Group in
            if let list: ParameterList = entry.object() { return (list.items, [:]) }
            guard let table = entry.table else { throw call.bad(1, "a list of tensors or of groups expected, one element is a \(entry.typeName)") }
            return try group(table, call)
        }
        // The same name in two groups (two networks) is told apart by the group's number.
        var seen = Set<String>()
        if groups.contains(where: { $0.items.contains { !seen.insert($0.name).inserted } }) {
            groups = groups.enumerated().map { i, group in (group.items.map { ("\(i + 1).\($0.name)", $0.tensor) }, group.overrides) }
        }
        return groups
    }

    private static func isTensor(_ value: LuaValue) -> Bool { value.object(as: Tensor.self) != nil }

    /// {parameters, lr = ...}
    private static func group(_ table: LuaTable, _ call: Call) throws -> Group {
        if let list: ParameterList = table[1].object(), table.list.count == 1 { return (list.items, table.fields) }
        if let inner = table[1].table, table.list.count == 1 { return (try NamedTensors.read(inner) { call.bad(1, $0) }, table.fields) }
        guard !table.list.isEmpty else { throw call.bad(1, "a group {parameters, lr = ...} expected") }
        return (try NamedTensors.read(LuaTable(list: table.list)) { call.bad(1, $0) }, table.fields)
    }
}
