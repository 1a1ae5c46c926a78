import CLua
import Networks
import Tensors

extension Module: LuaObject {
    public static let objectType = ObjectType(
        "module", of: Module.self, summary: "A layer or network: computes a tensor from a tensor and has named parameters.",
        detail: "`net(x)` computes. Parameters are named by their path, counted from 1 in sequences: \"1.weight\". `net[1]` and `net.name` are the modules inside, `pairs(net)` walks through them. "
            + "Errors say in which module they happened.",
        methods: ModuleMethods.all,
        fields: [
            Field(
                "training", .boolean, "Whether it is in training mode; see train and eval.",
                of: { (m: Module) in
                    (m as? ScriptedModule)?.noteModeIsAskedFor()
                    return m.isTraining
                }),
            Field("kind", .string, "Name of the kind of layer.", of: { (m: Module) in m.kind }),
        ],
        metamethods: [
            Binding(
                name: "__call", parameters: [Argument("input", .any), Argument("more", .any, variadic: true)],
                returns: [Returns(.tensor)], summary: "Computes the output.",
                detail: "Modules written in Lua may take other arguments and return other values; nas.parts.input and nas.parts.decoder take a size.", example: "print(nn.linear(2, 3)(tensor.zeros(4, 2)):size(2))  --> 3",
                body: { call in try call.compute(call.this()) }),
            Binding(name: "__len", parameters: [Argument("m", .any)], returns: [Returns(.integer)], summary: "Number of modules inside.") { call in
                call.push(try call.get(1, as: Module.self).children.count)
            },
            Binding(
                name: "__pairs", parameters: [Argument("m", .object("module"))], returns: [Returns(.function)], summary: "Positions or names, and modules inside, in order."
            ) { call in
                let module: Module = try call.get(1)
                let members = (module as? ModuleGroup)?.members.map { ($0.key, $0.module) }
                    ?? module.children.map { (Int($0.name).map { LuaValue.integer($0) } ?? .string($0.name), $0.module) }
                var next = 0
                return call.push(function: "next", holding: module) { call in
                    guard next < members.count else { return call.pushNil() }
                    next += 1
                    return call.push(members[next - 1].0) + call.push(members[next - 1].1)
                }
            },
        ],
        index: { call in
            let module: Module = try call.this()
            if let position = Stack.integer(call.thread, 2) {
                if let group = module as? ModuleGroup { return group[position].map { call.push($0) } ?? call.pushNil() }
                if let scripted = module as? ScriptedModule, scripted.hasPositions { return push(String(position), of: module, call) }
                if let child = module.children.first(where: { $0.name == String(position) }) { return call.push(child.module) }
                guard position > 0 else { throw HostError("modules are counted from 1, got \(position): the first is net[1], the last net[#net]") }
                return module.children.indices.contains(position - 1) ? call.push(module.children[position - 1].module) : call.pushNil()
            }
            return push(Stack.string(call.thread, 2) ?? "", of: module, call)
        },
        mayLack: { $0.mayLack($1) }, unique: true, anchors: { $0.luaAnchors }, describe: { $0.summary })

    /// The anchors of all modules of scripts in the tree.
    var luaAnchors: [LuaAnchor] {
        ((self as? ScriptedModule).map { [$0.anchor] } ?? []) + children.flatMap(\.module.luaAnchors)
    }

    /// Whether nothing need be under a name: what a script names is the script's business, and some layers have no bias.
    private func mayLack(_ name: String) -> Bool {
        self is ScriptedModule || self is ModuleGroup || children.contains { Int($0.name) == nil } || Module.tensorNames.contains(name)
    }

    /// Names of tensors that layers have, each not all of them.
    private static let tensorNames: Set<String> = ["weight", "bias", "running_mean", "running_var"]

    /// Pushes the part of a module with a name, nil when there is none.
    private static func push(_ name: String, of module: Module, _ call: Call) -> Int {
        // The table of a script that has parts in it is read as that table.
        if let scripted = module as? ScriptedModule, scripted.push(value: name, call.thread) { return 1 }
        if let child = module.children.first(where: { $0.name == name }) { return call.push(child.module) }
        if let own = (module.ownParameters + module.ownBuffers).first(where: { $0.name == name }) { return call.push(own.tensor) }
        return call.pushNil()
    }
}

extension Call {
    /// Runs a module on the arguments of __call.
    fileprivate func compute(_ module: Module) throws -> Int {
        // A module that runs another one of its own in Lua is part of the path that errors give.
        if let name = Surroundings.now.modules.last?.name(of: module) { return try located(name) { try output(module) } }
        return try contained(module) { try output(module) }
    }

    /// Runs a module. In the function of another one it has to be a part of that, or of the network around it.
    /// - Throws: `HostError` when it is not and has anything that a network should know of.
    func contained<T>(_ module: Module, _ body: () throws -> T) throws -> T {
        guard let caller = Surroundings.now.modules.last, !caller.mayCall(module) else { return try body() }
        guard module.isStateless else { throw caller.stranger(module) }
        let result = try body()
        // A function shows only when it runs that it depends on the mode.
        guard module.isStateless else { throw caller.stranger(module) }
        return result
    }

    private func output(_ module: Module) throws -> Int {
        if let scripted = module as? ScriptedModule { return try scripted.call(self) }
        if let mix = module as? ScriptedMix, count > 1 { return try mix.call(self) }
        if let sized = module as? any SizedModule { return push(try sized.output(self)) }
        guard count == 1, let x = Tensor.read(thread, index(1)) else {
            if count > 1 { throw HostError("\(module.kind): one tensor expected, got \(count) values") }
            throw mismatch(index(1), expected: "tensor")
        }
        return push(try module(x))
    }
}

extension Module {
    /// Copies of all that a file of it holds, by path.
    func stateCopies() throws -> [String: Tensor] {
        let copies = try GradientMode.disabled { try state().map { ($0.name, try $0.tensor.clone()) } }
        return Dictionary(copies, uniquingKeysWith: { $1 })
    }
}

extension Call {
    /// The tensors of a table in argument `i`, by path.
    func namedTensors(_ i: Int) throws -> [String: Tensor] {
        guard let table = try value(i).table else { throw bad(i, "table expected") }
        let named = try NamedTensors.read(table) { bad(i, $0) }
        return Dictionary(named.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
    }
}

/// Methods of every module.
enum ModuleMethods {
    static let all: [Binding] = [
        parameters, buffers, child, modules, train, eval, ModuleCountObject.method, advance, state, loadState, zeroGrad, FitBinding.method,
        ExportBinding.export,
    ] + EvaluateBindings.all + ModelFileBindings.methods

    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "",
        example: String, body: @escaping Body
    ) -> Binding {
        Binding(
            module: "module", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail, example: example,
            body: body)
    }

    private static let parameters = method(
        "parameters", returns: [Returns(.object("parameters"))], "The trainable tensors of the whole tree, in order and by path.",
        "What optimisers take. A tensor that stands in several places (a layer used twice) is given once, by its first path; `state` and files have it by every path.", example: "local net = nn.sequential{nn.linear(2, 3), nn.relu()}\nprint(#net:parameters(), net:parameters()['1.weight']:size(1))  --> 2\t3"
    ) { call in call.push(ParameterList(try call.this(as: Module.self).parameters())) }

    private static let buffers = method(
        "buffers", returns: [Returns(.object("parameters"))], "Stored tensors that no optimiser changes, by path: running statistics.",
        example: "print(nn.batch_norm(4):buffers()['running_var']:sum():item())  --> 4.0"
    ) { call in call.push(ParameterList(try call.this(as: Module.self).buffers())) }

    private static let child = method(
        "child", [Argument("path", .union([.string, .integer]), "names joined by dots, counted from 1 in sequences")],
        returns: [Returns(.object("module"))], "The module at a path.",
        example: "local net = nn.sequential{nn.sequential{nn.relu()}}\nprint(net:child('1.1').kind)  --> relu"
    ) { call in
        var module: Module = try call.this()
        let path = try Stack.integer(call.thread, call.index(1)).map { String($0) } ?? call.get(1, as: String.self)
        var done: [String] = []
        for name in path.split(separator: ".").map(String.init) {
            guard let next = module.children.first(where: { $0.name == name }) else {
                let names = module.children.map(\.name)
                throw call.bad(1, "no module '\(name)' in \(done.isEmpty ? module.kind : done.joined(separator: ".")), there "
                    + (names.isEmpty ? "are none" : "are \(names.joined(separator: ", "))"))
            }
            done.append(name)
            module = next.module
        }
        return call.push(module)
    }

    private static let modules = method(
        "children", returns: [Returns(.function)], "Walks the modules inside: for name, module in net:children() do.",
        example: "for name, m in nn.sequential{nn.relu()}:children() do print(name, m.kind) end  --> 1\trelu"
    ) { call in
        let module: Module = try call.this()
        let children = module.children
        var next = 0
        return call.push(function: "next", holding: module) { call in
            guard next < children.count else { return call.pushNil() }
            next += 1
            return call.push(children[next - 1].name) + call.push(children[next - 1].module)
        }
    }

    private static let train = method(
        "train", [Argument("on", .boolean, default: true)], returns: [Returns(.object("module"))], "Training mode, for the whole tree.",
        "Batch norms use the batch's statistics and update the running ones, dropout drops. Modules start in it.",
        example: "print(nn.dropout(0.5):train(false).training)  --> false"
    ) { call in
        try call.this(as: Module.self).train(call.get(1))
        return call.pushThis()
    }

    private static let eval = method(
        "eval", returns: [Returns(.object("module"))], "Evaluation mode, for the whole tree.", "Batch norms use their running statistics, dropout does nothing.",
        example: "print(nn.batch_norm(2):eval().training)  --> false"
    ) { call in
        try call.this(as: Module.self).eval()
        return call.pushThis()
    }

    private static let advance = method(
        "advance", [Argument("share", .number, "how much of the training is done, 0 to 1")], "Sets what follows a schedule: drop path grows from 0 to its probability.",
        "`fit` does it before each step; for loops written by hand. Without it drop path has its final probability from the start.",
        example: "local drop = nn.drop_path(0.4)\ndrop:advance(0)\nprint(drop(tensor.ones(64, 1)):sum():item())  --> 64.0"
    ) { call in
        let share: Double = try call.get(1)
        if Recording.isActive { throw HostError("advance cannot be called in a compiled function, whose runs read how far the training is; call it before") }
        guard share >= 0, share <= 1 else { throw call.bad(1, "a share from 0 to 1 expected, got \(share)") }
        try call.this(as: Module.self).advance(to: share)
        return 0
    }

    private static let state = method(
        "state", returns: [Returns(.table, "tensors by path")], "Copies of all parameters and buffers.", example: "print(nn.linear(2, 3):state().bias:size(1))  --> 3"
    ) { call in
        call.push(try call.this(as: Module.self).stateCopies())
    }

    private static let loadState = method(
        "load_state", [Argument("state", .table, "tensors by path")], options: [LoadReport.strict], returns: [LoadReport.returns], "Copies stored values in.",
        LoadReport.detail,
        example: """
            local a, b = nn.linear(2, 3), nn.linear(2, 3)
            b:load_state(a:state())
            print(a.weight:equal(b.weight))  --> true
            print(b:load_state({weight = a.weight, other = a.bias}, {strict = false}).unknown[1])  --> other
            """
    ) { call in
        call.push(try call.this(as: Module.self).load(call.namedTensors(1), strict: call.option("strict")).value)
    }

    private static let zeroGrad = method(
        "zero_grad", [], "Forgets the gradients of all parameters.", example: "nn.linear(2, 3):zero_grad()"
    ) { call in
        for (_, tensor) in try call.this(as: Module.self).parameters() { tensor.clearGradient() }
        return 0
    }
}
