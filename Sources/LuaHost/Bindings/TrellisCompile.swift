import CLua
import Networks
import Tensors

/// A Lua function of tensors that is recorded once for each kind of arguments and runs as a plan from then on.
public final class CompiledFunction: LuaObject {
    private let function: LuaFunction
    private var variants: [Key: Variant] = [:]
    private var latest: Plan?
    private var calls = 0

    /// Recordings kept; beyond it the one used longest ago goes.
    private static let most = 64

    private struct Key: Hashable {
        /// The structure of the arguments, the shapes of the tensors, and all that is no tensor, written down.
        let arguments: String
        let keepsHistory: Bool
    }

    /// One recording; what the function returned then, with slots for tensors.
    private final class Variant {
        let compiled: Compiled
        let results: Results
        var lastUse = 0

        init(_ compiled: Compiled, _ results: Results) {
            self.compiled = compiled
            self.results = results
        }
    }

    private final class Results { var values: [LuaValue] = [] }

    init(_ function: LuaFunction) { self.function = function }

    public static let objectType = ObjectType(
        "compiled", of: CompiledFunction.self, summary: "A function that runs as a plan.",
        detail: """
            The first call with arguments of some shapes runs the Lua function once and writes down what it does with tensors; later calls run the plan, and no Lua. \
            Fixed at that moment is all that is no tensor: captured values, which branch an `if` took, training or evaluation mode (train and eval make new recordings), and \
            results that are no tensors. Numbers, strings, booleans and modules among the arguments get a recording for each value: give what changes at every step as a tensor. \
            Captured tensors are read at each run. Random numbers without a seed, running statistics, gradients that backward leaves, and an optimiser's step at the end \
            happen at each run; gradients do not flow into the arguments. The value of a tensor is not known while recording: return it and read it outside.
            """,
        methods: [plan, describePlan],
        metamethods: [
            Binding(
                name: "__call", parameters: [Argument("arguments", .any, variadic: true, "tensors, plain values, modules, and tables of them")],
                returns: [Returns(.any, "what the function returned")], summary: "Runs the function.",
                example: "print(trellis.compile(function(x) return x * 2 end)(tensor.ones(3)):sum():item())  --> 6.0",
                body: { call in try call.this(as: CompiledFunction.self).run(call) }),
        ],
        unique: true, describe: { $0.text })

    private var text: String { "compiled function, \(variants.count) plan\(variants.count == 1 ? "" : "s")" }

    // MARK: Running

    private func run(_ call: Call) throws -> Int {
        // Called while another function is compiled it becomes a part of that one.
        if Recording.current != nil { return try call.pass(to: function) }
        var arguments = Slots()
        var values: [LuaValue] = []
        for i in stride(from: 1, through: call.count, by: 1) {
            values.append(try arguments.take(try call.value(i)) { call.bad(i, "\($0) cannot be an argument of a compiled function; let the function capture it") })
        }
        let variant = variant(Key(arguments: arguments.key, keepsHistory: GradientMode.isEnabled), values)
        calls += 1
        variant.lastUse = calls
        let plan = try variant.compiled.plan(for: arguments.tensors)
        latest = plan
        let outputs = try plan.run(arguments.tensors)
        return call.push(all: variant.results.values.map { Slots.fill($0, outputs) })
    }

    private func variant(_ key: Key, _ arguments: [LuaValue]) -> Variant {
        if let known = variants[key] { return known }
        let results = Results()
        let function = function
        let compiled = Compiled { promises in
            var found = Slots()
            results.values = try function.call(all: arguments.map { Slots.fill($0, promises) }).map { value in
                try found.take(value) { HostError("a compiled function returned a \($0): only tensors, plain values, modules and tables of them can be returned") }
            }
            return found.tensors
        }
        if variants.count >= CompiledFunction.most, let oldest = variants.min(by: { $0.value.lastUse < $1.value.lastUse }) { variants[oldest.key] = nil }
        let variant = Variant(compiled, results)
        variants[key] = variant
        return variant
    }

    // MARK: What it became

    private static func latest(_ call: Call) throws -> (CompiledFunction, Plan) {
        let compiled: CompiledFunction = try call.this()
        guard let plan = compiled.latest else { throw HostError("nothing is compiled yet: the first call does it") }
        return (compiled, plan)
    }

    private static let plan = Binding(
        module: "compiled", name: "plan", returns: [Returns(.table, "kernels, arena_bytes, plans, and operations: counts by name")],
        summary: "What the last call ran.", detail: "`kernels` is how many a run launches, `arena_bytes` the memory of its intermediate values, which all plans share.",
        example: "local f = trellis.compile(function(x) return (x + 1):relu() * 2 end)\nf(tensor.ones(8))\nprint(f:plan().kernels)  --> 1"
    ) { call in
        let (compiled, plan) = try latest(call)
        let operations = plan.summary.map { ($0.name, LuaValue.integer($0.count)) }
        return call.push(LuaValue.table(LuaTable(fields: [
            "kernels": .integer(plan.stepCount), "arena_bytes": .integer(plan.arenaBytes), "plans": .integer(compiled.variants.count),
            "operations": .table(LuaTable(fields: Dictionary(operations, uniquingKeysWith: { $1 }))),
        ])))
    }

    private static let describePlan = Binding(
        module: "compiled", name: "describe", returns: [Returns(.string)], summary: "What the last call ran, as text.",
        example: "local f = trellis.compile(function(x) return x + 1 end)\nf(tensor.ones(8))\nprint(f:describe():match('^%d+ kernel'))  --> 1 kernel"
    ) { call in
        let (_, plan) = try latest(call)
        let head = "\(plan.stepCount) kernel\(plan.stepCount == 1 ? "" : "s"), \(plan.arenaBytes) bytes of intermediate values"
        return call.push(([head] + plan.summary.map { "  \($0.count) \($0.name)" }).joined(separator: "\n"))
    }
}

/// Takes the tensors out of Lua values and puts others in their places.
private struct Slots {
    private(set) var tensors: [Tensor] = []
    /// Structure, shapes and plain values as text.
    private(set) var key = ""

    private final class Slot {
        let index: Int
        init(_ index: Int) { self.index = index }
    }

    mutating func take(_ value: LuaValue, _ failure: (String) -> any Error) throws -> LuaValue {
        switch value {
        case .nil, .boolean, .integer, .number:
            key += value.source + ";"
            return value
        case .string(let text):
            key += "\"\(text.utf8.count):\(text)\";"
            return value
        case .object(let object):
            guard let tensor = object as? Tensor else {
                key += "@\(UInt(bitPattern: ObjectIdentifier(object).hashValue));"
                return value
            }
            key += "\(tensor.dtype)\(tensor.shape);"
            tensors.append(tensor)
            return .object(Slot(tensors.count - 1))
        case .function:
            throw failure("function")
        case .table(let table):
            key += "{"
            defer { key += "}" }
            let list = try table.list.map { try take($0, failure) }
            var fields: [String: LuaValue] = [:]
            for (name, value) in table.fields.sorted(by: { $0.key < $1.key }) {
                key += "\(name.utf8.count):\(name)="
                fields[name] = try take(value, failure)
            }
            guard table.others.isEmpty else { throw failure("table with keys that are neither positions nor names") }
            return .table(LuaTable(list: list, fields: fields))
        }
    }

    static func fill(_ value: LuaValue, _ tensors: [Tensor]) -> LuaValue {
        switch value {
        case .object(let object):
            guard let slot = object as? Slot else { return value }
            return .object(tensors[slot.index])
        case .table(let table):
            return .table(LuaTable(list: table.list.map { fill($0, tensors) }, fields: table.fields.mapValues { fill($0, tensors) }))
        default:
            return value
        }
    }
}
