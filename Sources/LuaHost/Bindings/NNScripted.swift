import Networks
import Tensors

/// A module whose computation is a Lua function; its modules and tensors are found in the table it was made from.
final class ScriptedModule: Module {
    private let function: LuaFunction
    /// Functions get the module first when they are methods (`nn.module`), not when they stand alone (`nn.lambda`).
    private let passesSelf: Bool
    private let name: String
    private let parts: [(name: String, module: Module)]
    private let trained: [Named]
    private let fixed: [Named]
    /// Whatever else was in the table: sizes, options.
    let values: [String: LuaValue]

    /// Those whose function runs now, outermost first: what they call is part of the path in error messages.
    nonisolated(unsafe) private(set) static var running: [ScriptedModule] = []

    init(
        _ name: String, _ function: LuaFunction, passesSelf: Bool, children: [(name: String, module: Module)] = [], tensors: [Named] = [],
        values: [String: LuaValue] = [:]
    ) {
        self.name = name
        self.function = function
        self.passesSelf = passesSelf
        parts = children
        trained = tensors.filter(\.tensor.requiresGrad)
        fixed = tensors.filter { !$0.tensor.requiresGrad }
        self.values = values
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
        try entered { try call.pass(to: function, passesSelf ? self as Module : nil) }
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
        summary: "A layer without parameters that is a Lua function.", detail: "A compiled step runs it once, when it is recorded.",
        example: "local net = nn.sequential{nn.lambda(function(x) return x * 2 end)}\nprint(net(tensor.ones(3)):sum():item())  --> 6.0"
    ) { call in call.push(ScriptedModule(try call.option("name"), try call.get(1), passesSelf: false) as Module) }

    private static let module = Binding(
        module: "nn", name: "module",
        parameters: [Argument("parts", .table, "forward = function(self, x) ... end, and modules, tensors, lists of modules or plain values by name")],
        options: [Option("name", .string, default: "module", "what it prints as")], returns: [Returns(.object("module"))],
        summary: "A module written in Lua.",
        detail: """
            `self.conv` is the module under that name, whose parameters are named "conv.weight" and so on; a list of modules becomes "blocks.1", "blocks.2". Tensors that \
            require a gradient are parameters, others buffers; both are saved. Other values are kept and read as `self.value`. Parts are ordered by name, those in the \
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
        let module = ScriptedModule(name, forward, passesSelf: true, children: parts.children, tensors: parts.tensors, values: parts.values)
        try module.checkExtent()
        return call.push(module as Module)
    }

    private struct Parts {
        var children: [(name: String, module: Module)] = []
        var tensors: [Module.Named] = []
        var values: [String: LuaValue] = [:]
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
            } else {
                values[name] = value
            }
        }

        /// A table of modules only.
        private static func group(_ table: LuaTable) -> ModuleGroup? {
            let entries = table.list.enumerated().map { (String($0 + 1), $1) }
                + table.fields.sorted { NamedTensors.natural($0.key, $1.key) }.map { ($0.key, $0.value) }
            var modules: [(name: String, module: Module)] = []
            for (name, value) in entries {
                guard let module: Module = value.object() else { return nil }
                modules.append((name, module))
            }
            return modules.isEmpty ? nil : ModuleGroup(modules)
        }
    }
}
