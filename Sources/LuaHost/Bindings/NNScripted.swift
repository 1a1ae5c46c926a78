import CLua
import Networks
import Tensors

/// A module whose computation is a Lua function; its modules and tensors are found in the table it was made from.
final class ScriptedModule: Module {
    /// What its function and values hang on.
    let anchor: LuaAnchor
    private let function: LuaFunction
    /// Functions get the module first when they are methods (`nn.module`), not when they stand alone (`nn.lambda`).
    private let passesSelf: Bool
    private let name: String
    private let parts: [(name: String, module: Module)]
    private let trained: [Named]
    private let fixed: [Named]
    /// Whatever else was in the table: sizes, options, functions.
    private let values: [String: LuaReference]

    /// Whether its function has asked for its training mode.
    private var asksForMode = false
    /// What its function may call beside its own children; made when it calls something else.
    private lazy var tree = Set(ScriptedModule.all(in: self).map(ObjectIdentifier.init))
    /// The last module of the network around it that its function called, and that network.
    private weak var borrowed: Module?
    private weak var lender: Module?

    /// Those whose function runs now, outermost first: what they call is part of the path in error messages.
    nonisolated(unsafe) private(set) static var running: [ScriptedModule] = []

    /// - Parameter values: hang on the anchor.
    init(
        _ name: String, _ function: LuaFunction, on anchor: LuaAnchor, passesSelf: Bool, children: [(name: String, module: Module)] = [],
        tensors: [Named] = [], values: [String: LuaReference] = [:]
    ) {
        self.name = name
        self.anchor = anchor
        self.function = function.kept(by: anchor)
        self.passesSelf = passesSelf
        parts = children
        trained = tensors.filter(\.tensor.requiresGrad)
        fixed = tensors.filter { !$0.tensor.requiresGrad }
        self.values = values
    }

    /// Pushes the value under a name of the table; false when there is none.
    func push(value name: String, _ L: LuaThread) -> Bool {
        guard let value = values[name] else { return false }
        value.push(L)
        return true
    }

    override var kind: String { name }
    override var children: [(name: String, module: Module)] { parts }
    override var ownParameters: [Named] { trained }
    override var ownBuffers: [Named] { fixed }

    /// Name of a module inside, also deeper: what the function calls may belong to a list of modules.
    func name(of module: Module) -> String? {
        for (name, child) in parts {
            if child === module { return name }
            if child is ModuleGroup, let inner = child.children.first(where: { $0.module === module }) { return name + "." + inner.name }
        }
        return nil
    }

    override var hasMode: Bool { asksForMode }
    func noteModeIsAskedFor() { asksForMode = true }

    private static func all(in module: Module) -> [Module] { [module] + module.children.flatMap { all(in: $0.module) } }

    /// Whether `module` belongs to this one, or to the network whose computation runs: weights may be shared inside of one network.
    func mayCall(_ module: Module) -> Bool {
        if tree.contains(ObjectIdentifier(module)) { return true }
        guard let network = Module.outermost else { return false }
        if borrowed === module, lender === network { return true }
        guard network.contains(module) else { return false }
        (borrowed, lender) = (module, network)
        return true
    }

    /// The error for a module that a network should know of and does not.
    func stranger(_ module: Module) -> HostError {
        let trains = module.parameters().isEmpty ? [] : ["its parameters are never trained, counted or saved"]
        return HostError(
            "\(module.kind) is called in the function of '\(name)' but is no part of it: \((trains + ["train() and eval() do not reach it"]).joined(separator: ", and ")). "
                + "Put it into the module: nn.module{part = ..., forward = function(self, x) return self.part(x) end}")
    }

    override func forward(_ x: Tensor) throws -> Tensor {
        try entered {
            let what = passesSelf ? "forward of module '\(name)'" : "the function of '\(name)'"
            return passesSelf
                ? try function.call(self as Module, x, returning: Tensor.self, expected: .tensor, from: what)
                : try function.call(x, returning: Tensor.self, expected: .tensor, from: what)
        }
    }

    /// From Lua: arguments and results pass through as they are.
    func call(_ call: Call) throws -> Int {
        try computing { try entered { try call.pass(to: function, passesSelf ? self as Module : nil) } }
    }

    private func entered<T>(_ body: () throws -> T) rethrows -> T {
        ScriptedModule.running.append(self)
        defer { ScriptedModule.running.removeLast() }
        return try body()
    }
}

/// Modules that stand together under a name in a module of a script; computes nothing itself.
final class ModuleGroup: Module {
    private let parts: [(name: String, module: Module)]
    init(_ parts: [(name: String, module: Module)]) { self.parts = parts }
    override var kind: String { "list" }
    override var children: [(name: String, module: Module)] { parts }
}

/// `nn.lambda` and `nn.module`.
enum ScriptedBindings {
    static let all: [Binding] = [lambda, module]

    private static let lambda = Binding(
        module: "nn", name: "lambda", parameters: [Argument("f", .function, "of a tensor, returns a tensor")],
        options: [Option("name", .string, default: "lambda", "what it prints as")], returns: [Returns(.object("module"))],
        summary: "A layer without parameters that is a Lua function.",
        detail: "A compiled step runs it once, when it is recorded. `fit` and `supernet:step` refuse a function that computes with a tensor of its own that requires a gradient: "
            + "it would not be trained. A module with parameters, running statistics or a training mode that the function calls has to be a part of "
            + "the module, or of the network around it: use nn.module for that.",
        example: "local net = nn.sequential{nn.lambda(function(x) return x * 2 end)}\nprint(net(tensor.ones(3)):sum():item())  --> 6.0"
    ) { call in
        call.push(ScriptedModule(try call.option("name"), try call.get(1), on: LuaAnchor(call.thread), passesSelf: false) as Module)
    }

    private static let module = Binding(
        module: "nn", name: "module",
        parameters: [Argument("parts", .table, "forward = function(self, x) ... end, and modules, tensors, lists of modules or plain values by name")],
        options: [Option("name", .string, default: "module", "what it prints as")], returns: [Returns(.object("module"))],
        summary: "A module written in Lua.",
        detail: """
            `self.conv` is the module under that name, whose parameters are named "conv.weight" and so on; a list of modules becomes "blocks.1", "blocks.2", \
            tensors in a list or table "scales.1" or "scales.first". Tensors that require a gradient are parameters, others buffers; both are saved. Other values are kept and read as `self.value`. Parts are ordered by name, those in the \
            list part of the table come first. `forward` gets what the module is called with, and may return several values if no sequence contains it. A compiled step runs it once.
            """,
        example: """
            local block = nn.module{
              conv = nn.conv2d(4, 4, {kernel = 3, padding = 1}), scale = tensor.ones(1, {requires_grad = true}),
              forward = function(self, x) return x + self.conv(x) * self.scale end,
            }
            print(table.concat(block:parameters():names(), ' '))  --> scale conv.weight conv.bias
            """
    ) { call in
        guard let table = try call.value(1).table, let forward = table["forward"].function else {
            throw call.bad(1, "a table with forward = function(self, x) ... end expected")
        }
        let name: String = try call.option("name")
        var parts = Parts()
        for (i, value) in table.list.enumerated() { try parts.add(String(i + 1), value, call) }
        for (name, value) in table.fields.sorted(by: { NamedTensors.natural($0.key, $1.key) }) where name != "forward" { try parts.add(name, value, call) }
        let anchor = LuaAnchor(call.thread)
        let module = ScriptedModule(
            name, forward, on: anchor, passesSelf: true, children: parts.children, tensors: parts.tensors, values: keep(parts.values, on: anchor, call))
        try module.checkExtent()
        return call.push(module as Module)
    }

    /// The values themselves, not copies: `self.sizes` is the script's own table.
    private static func keep(_ names: [String], on anchor: LuaAnchor, _ call: Call) -> [String: LuaReference] {
        let L = call.thread
        var kept: [String: LuaReference] = [:]
        for name in names {
            Stack.rawGet(L, call.index(1), name)
            if clua_is_none_or_nil(L, -1), let position = Int(name) {
                clua_pop(L, 1)
                lua_rawgeti(L, call.index(1), lua_Integer(position))
            }
            kept[name] = anchor.keep(L, -1)
            clua_pop(L, 1)
        }
        return kept
    }

    private struct Parts {
        var children: [(name: String, module: Module)] = []
        var tensors: [Module.Named] = []
        /// Names of what is neither.
        var values: [String] = []
        private let taken = Set(Module.objectType.methods.map(\.name) + Module.objectType.fields.map(\.name))

        mutating func add(_ name: String, _ value: LuaValue, _ call: Call) throws {
            guard !taken.contains(name), !name.contains("."), !name.isEmpty else {
                throw call.bad(1, name.contains(".") || name.isEmpty ? "names without dots expected, got '\(name)'"
                    : "'\(name)' is a method of modules, another name expected")
            }
            if let module: Module = value.object() {
                children.append((name, module))
            } else if let tensor: Tensor = value.object() {
                tensors.append((name, tensor))
            } else if let table = value.table, let group = Parts.group(table) {
                children.append((name, group))
            } else if let table = value.table {
                try addTensors(in: table, of: name, call)
                values.append(name)
            } else {
                values.append(name)
            }
        }

        /// Tensors in a table that stays the script's own, at any depth: "scales.1", "scales.first".
        private mutating func addTensors(in table: LuaTable, of name: String, _ call: Call) throws {
            for (key, value) in Parts.entries(table) {
                let path = name + "." + key
                if let tensor: Tensor = value.object() {
                    guard !key.contains("."), !key.isEmpty else { throw call.bad(1, "names without dots expected, got '\(key)' in '\(name)'") }
                    tensors.append((path, tensor))
                } else if let inner = value.table {
                    try addTensors(in: inner, of: path, call)
                }
            }
            for (_, value) in table.others where value.object(as: Tensor.self) != nil {
                throw call.bad(1, "a tensor in '\(name)' has a key that is neither a name nor a position in a list, so it has no path")
            }
        }

        private static func entries(_ table: LuaTable) -> [(String, LuaValue)] {
            table.list.enumerated().map { (String($0 + 1), $1) }
                + table.fields.sorted { NamedTensors.natural($0.key, $1.key) }.map { ($0.key, $0.value) }
        }

        /// A table of modules only.
        private static func group(_ table: LuaTable) -> ModuleGroup? {
            let entries = entries(table)
            var modules: [(name: String, module: Module)] = []
            for (name, value) in entries {
                guard let module: Module = value.object() else { return nil }
                modules.append((name, module))
            }
            return modules.isEmpty ? nil : ModuleGroup(modules)
        }
    }
}
