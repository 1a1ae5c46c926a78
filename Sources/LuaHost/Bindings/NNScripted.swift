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

    /// Name of a module inside, also deeper: what the function calls may belong to a table of modules.
    func name(of module: Module) -> String? { ScriptedModule.name(of: module, in: parts) }

    private static func name(of module: Module, in parts: [(name: String, module: Module)]) -> String? {
        for (name, child) in parts {
            if child === module { return name }
            if child is ModuleGroup, let inner = self.name(of: module, in: child.children) { return name + "." + inner }
        }
        return nil
    }

    /// Whether a part or a value has a position for its name; otherwise positions count the parts.
    private(set) lazy var hasPositions = parts.contains { Int($0.name) != nil } || values.keys.contains { Int($0) != nil }

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

    /// With several arguments, from Swift.
    func forward(all arguments: [any LuaPushable]) throws -> Tensor {
        try entered {
            let results = try function.call(all: (passesSelf ? [self as Module] : []) + arguments)
            guard let result: Tensor = results.first?.object() else {
                throw HostError("the function of '\(name)' must return a tensor, got \(results.first?.typeName ?? "no value")")
            }
            return result
        }
    }

    /// From Lua: arguments and results pass through as they are.
    func call(_ call: Call) throws -> Int {
        try computing { try entered { try call.pass(to: function, passesSelf ? self as Module : nil) } }
    }

    private func entered<T>(_ body: () throws -> T) rethrows -> T {
        Surroundings.now.modules.append(self)
        defer { Surroundings.now.modules.removeLast() }
        return try body()
    }
}

/// Modules that stand together in a table of a module of a script, under any positions or names; computes nothing itself.
final class ModuleGroup: Module {
    typealias Member = (key: LuaValue, name: String, module: Module)
    let members: [Member]

    init(_ members: [Member]) { self.members = members }

    override var kind: String { members.enumerated().allSatisfy { $1.key.integer == $0 + 1 } ? "list" : "table" }
    override var isContainer: Bool { true }
    override var children: [(name: String, module: Module)] { members.map { ($0.name, $0.module) } }

    /// The module under a position: as in a table there may be none.
    subscript(position: Int) -> Module? { members.first { $0.key.integer == position }?.module }
}

/// `nn.lambda` and `nn.module`.
enum ScriptedBindings {
    static let all: [Binding] = [lambda, module, branch]

    private static let branch = Binding(
        module: "nn", name: "branch",
        parameters: [
            Argument("name", .string, "of the branch, without dots"), Argument("f", .any, "a function, or what can be called as one"),
            Argument("arguments", .any, variadic: true),
        ],
        returns: [Returns(.any, "what f returns")], summary: "Calls a function whose batch norms keep running statistics of their own for this branch.",
        detail: """
            For layers that serve several places of a network, such as one operator for all arrows into a node: what they see there differs, so running statistics over all of \
            it would fit none. Weights are shared. A norm makes the statistics of a branch when it first runs there; the network's state and files have them as \
            "running_mean.NAME" and "running_var.NAME" from then on, and a network that is loaded from such a file gets them. A branch inside of another one is called "outer/inner".
            """,
        example: """
            local norm = nn.batch_norm(4)
            nn.branch("left", norm, tensor.randn(2, 4, 3, 3))
            print(table.concat(norm:buffers():names(), ' '))  --> running_mean running_var running_mean.left running_var.left
            """
    ) { call in
        let name: String = try call.get(1)
        guard !name.contains("."), !name.isEmpty else { throw call.bad(1, "a name without dots expected, got '\(name)'") }
        return try BatchNorm.inInnerBranch(name) { try call.pass(to: LuaFunction(call.thread, call.index(2)), skipping: 2) }
    }

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
        parameters: [Argument("parts", .table, "forward = function(self, x) ... end, and modules, tensors, tables of modules or plain values by name or position")],
        options: [Option("name", .string, default: "module", "what it prints as")], returns: [Returns(.object("module"))],
        summary: "A module written in Lua.",
        detail: """
            `self.conv` is the module under that name, whose parameters are named "conv.weight" and so on. Keys are positions, with gaps or without, and names of any characters but \
            dots: "blocks.1", "heads.16", "into.2/8<1/4". A table of modules, of such tables too, is read as it was written: `self.heads[16](x)`, `pairs(self.heads)`. \
            A table that holds other things as well stays the script's own; modules and tensors in it are parts at any depth ("scales.1", "scales.first"), as they stand when the module is made. Tensors that \
            require a gradient are parameters, others buffers; both are saved. Other values are kept and read as `self.value`. Parts are ordered: positions first, then names, numbers in \
            names as numbers. `forward` gets what the module is called with, and may return several values if no sequence contains it. A compiled step runs it once.
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
        var parts = Parts(call)
        try parts.add(table)
        let anchor = LuaAnchor(call.thread)
        let module = ScriptedModule(
            name, forward, on: anchor, passesSelf: true, children: parts.children, tensors: parts.tensors, values: keep(parts.values, on: anchor, call))
        try module.checkExtent()
        return call.push(module as Module)
    }

    /// The values themselves, not copies: `self.sizes` is the script's own table.
    private static func keep(_ values: [(key: LuaValue, name: String)], on anchor: LuaAnchor, _ call: Call) -> [String: LuaReference] {
        let L = call.thread
        var kept: [String: LuaReference] = [:]
        for (key, name) in values {
            key.push(L)
            lua_rawget(L, call.index(1))
            kept[name] = anchor.keep(L, -1)
            clua_pop(L, 1)
        }
        return kept
    }

    /// What stands in the table that a module is made from.
    private struct Parts {
        typealias Entry = (key: LuaValue, name: String, value: LuaValue)

        private(set) var children: [(name: String, module: Module)] = []
        private(set) var tensors: [Module.Named] = []
        /// Where the script's own values stand; tables with parts in them are both.
        private(set) var values: [(key: LuaValue, name: String)] = []
        private let call: Call
        private let taken = Set(Module.objectType.methods.map(\.name) + Module.objectType.fields.map(\.name))

        init(_ call: Call) { self.call = call }

        mutating func add(_ table: LuaTable) throws {
            var names = Set<String>()
            for (key, name, value) in Parts.entries(table) where key.string != "forward" {
                guard !taken.contains(name) else { throw call.bad(1, "'\(name)' is a method of modules, another name expected") }
                try check(name, in: nil)
                guard names.insert(name).inserted else { throw twice(name, in: nil) }
                if let module: Module = value.object() {
                    children.append((name, module))
                } else if let tensor: Tensor = value.object() {
                    tensors.append((name, tensor))
                } else {
                    let inside = try value.table.flatMap { try group($0, name) }
                    if let inside { children.append((name, inside.group)) }
                    if inside?.isWhole != true { values.append((key, name)) }
                }
            }
            try checkOthers(table, in: nil)
        }

        /// The modules in a table, at any depth, and whether there is nothing else in it; nil without any. Its tensors are noted.
        private mutating func group(_ table: LuaTable, _ path: String) throws -> (group: ModuleGroup, isWhole: Bool)? {
            var members: [ModuleGroup.Member] = [], names = Set<String>(), isWhole = table.others.allSatisfy { $0.key.integer != nil }
            for (key, name, value) in Parts.entries(table) {
                if let module: Module = value.object() {
                    // Read from a group, this would be the group's method.
                    if taken.contains(name) { isWhole = false }
                    members.append((key, name, module))
                } else if let tensor: Tensor = value.object() {
                    isWhole = false
                    tensors.append((path + "." + name, tensor))
                } else {
                    let inside = try value.table.flatMap { try group($0, path + "." + name) }
                    if inside?.isWhole != true || taken.contains(name) { isWhole = false }
                    guard let inside else { continue }
                    members.append((key, name, inside.group))
                }
                try check(name, in: path)
                guard names.insert(name).inserted else { throw twice(name, in: path) }
            }
            try checkOthers(table, in: path)
            return members.isEmpty ? nil : (ModuleGroup(members), isWhole)
        }

        private func check(_ name: String, in path: String?) throws {
            guard !name.contains("."), !name.isEmpty else {
                throw call.bad(1, "names without dots expected, got '\(name)'" + (path.map { " in '\($0)'" } ?? ""))
            }
        }

        private func twice(_ name: String, in path: String?) -> any Error {
            call.bad(1, "the keys \(name) and \"\(name)\"" + (path.map { " in '\($0)'" } ?? "") + " give one path; use one of them")
        }

        private func checkOthers(_ table: LuaTable, in path: String?) throws {
            for (key, value) in table.others where key.integer == nil {
                for (what, isOne) in [("tensor", value.object(as: Tensor.self) != nil), ("module", value.object(as: Module.self) != nil)] where isOne {
                    throw call.bad(1, "a \(what)\(path.map { " in '\($0)'" } ?? "") has a key that is neither a name nor a whole number, so it has no path")
                }
            }
        }

        /// What has a position or a name: positions from the smallest, then names.
        private static func entries(_ table: LuaTable) -> [Entry] {
            let listed = table.list.enumerated().filter { !$1.isNil }.map { (LuaValue.integer($0 + 1), $1) }
            let others = table.others.compactMap { key, value in key.integer.map { (LuaValue.integer($0), value) } }
            let positions = (listed + others).sorted { ($0.0.integer ?? 0) < ($1.0.integer ?? 0) }
            return positions.map { ($0, "\($0.integer ?? 0)", $1) }
                + table.fields.sorted { NamedTensors.natural($0.key, $1.key) }.map { (.string($0.key), $0.key, $0.value) }
        }
    }
}
