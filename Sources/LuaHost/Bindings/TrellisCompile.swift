import CLua
import Networks
import Tensors

/// A Lua function of tensors that is recorded once for each kind of arguments and runs as a plan from then on.
public final class CompiledFunction: LuaObject {
    private let function: LuaFunction
    /// What the function hangs on, and the objects that recordings keep.
    private let anchor: LuaAnchor
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

    /// The recordings for one kind of arguments.
    private final class Variant {
        let compiled: Compiled
        /// What the function returned when it was recorded last.
        let latest: Latest
        var lastUse = 0
        /// Modules among the arguments, which the recorded function gets again when modes change.
        private let held: [LuaReference]

        init(_ compiled: Compiled, _ latest: Latest, held: [LuaReference]) {
            self.compiled = compiled
            self.latest = latest
            self.held = held
        }
    }

    private final class Latest { var results = Results([], haveHistory: [], held: []) }

    /// What the function returned when it was recorded, with slots for tensors, and which of these have a history.
    private final class Results {
        let values: [LuaValue]
        let haveHistory: [Bool]
        /// Objects of the host among the values.
        private let held: [LuaReference]

        init(_ values: [LuaValue], haveHistory: [Bool], held: [LuaReference]) {
            self.values = values
            self.haveHistory = haveHistory
            self.held = held
        }
    }

    init(_ function: LuaFunction, on anchor: LuaAnchor) {
        self.function = function.kept(by: anchor)
        self.anchor = anchor
    }

    public static let objectType = ObjectType(
        "compiled", of: CompiledFunction.self, summary: "A function that runs as a plan.",
        detail: """
            The first call with arguments of some shapes runs the Lua function once and writes down what it does with tensors; later calls run the plan, and no Lua, with the same \
            results. Captured tensors are read at each run; random numbers without a seed, writes in place, running statistics, gradients that backward leaves, and an optimiser's \
            step at the end happen at each run. What else the function read is compared at each call: upvalues, fields of tables, globals, properties, modes of modules, which \
            tensors require a gradient. Where something differs the function is recorded anew, which takes as long as many runs: give what changes at every step as a tensor. Numbers, strings, \
            booleans and modules among the arguments get a recording for each value. A function that reads a clock, a file or math.random, or makes layers, is recorded at each call. Text that it \
            prints is printed when it is recorded. The value of a tensor is not known while recording, nor is what the \
            function has written: return the tensor and read it outside. A call that fails writes nothing; an index that is out of range fails the call, also where the function would catch \
            it. A gradient that it sets is a copy. Results have no history: derivatives are taken \
            inside. Arguments that require a gradient run the function as it is, without a plan.
            """,
        methods: [plan, describePlan],
        metamethods: [
            Binding(
                name: "__call", parameters: [Argument("arguments", .any, variadic: true, "tensors, plain values, modules, and tables of them")],
                returns: [Returns(.any, "what the function returned")], summary: "Runs the function.",
                example: "print(trellis.compile(function(x) return x * 2 end)(tensor.ones(3)):sum():item())  --> 6.0",
                body: { call in try call.this(as: CompiledFunction.self).run(call) }),
        ],
        unique: true, anchors: { [$0.anchor] }, describe: { $0.text })

    private var planCount: Int { variants.values.reduce(0) { $0 + $1.compiled.planCount } }
    private var recordingCount: Int { variants.values.reduce(0) { $0 + $1.compiled.recordingCount } }
    private var text: String { "compiled function, \(planCount) plan\(planCount == 1 ? "" : "s")" }

    // MARK: Running

    private func run(_ call: Call) throws -> Int {
        // Called while another function is compiled it becomes a part of that one.
        if Recording.isActive { return try call.pass(to: function) }
        var arguments = Slots()
        var values: [LuaValue] = []
        for i in stride(from: 1, through: call.count, by: 1) {
            values.append(try arguments.take(try call.value(i)) { call.bad(i, "\($0) cannot be an argument of a compiled function; let the function capture it") })
        }
        if GradientMode.isEnabled, arguments.tensors.contains(where: \.requiresGrad) { return try call.pass(to: function) }
        let variant = variant(Key(arguments: arguments.key, keepsHistory: GradientMode.isEnabled), values, arguments.objects)
        calls += 1
        variant.lastUse = calls
        let plan = try variant.compiled.plan(for: arguments.tensors)
        latest = plan
        let results = plan.attachment as? Results ?? variant.latest.results
        plan.attachment = results
        let outputs = try zip(plan.run(arguments.tensors), results.haveHistory).map { output, hasHistory in
            hasHistory && !output.requiresGrad ? output.withoutHistory(CompiledFunction.lost) : output
        }
        return call.push(all: results.values.map { Slots.fill($0, outputs) })
    }

    private static let lost = "a result of a compiled function has no history outside of it; call backward inside, or do not compile the function"

    private func variant(_ key: Key, _ arguments: [LuaValue], _ objects: [any LuaObject]) -> Variant {
        if let known = variants[key] { return known }
        let latest = Latest()
        let (function, anchor) = (function, anchor)
        let compiled = Compiled { promises in
            var found = Slots()
            let values = try function.call(all: arguments.map { Slots.fill($0, promises) }).map { value in
                try found.take(value) { HostError("a compiled function returned a \($0): only tensors, plain values, modules and tables of them can be returned") }
            }
            latest.results = Results(values, haveHistory: found.tensors.map(\.requiresGrad), held: found.objects.compactMap(anchor.keep))
            return found.tensors
        }
        compiled.onRecordedOften = { Terminal.error(CompiledFunction.often("the compiled function at \(function.place)", $0, $1)) }
        if variants.count >= CompiledFunction.most, let oldest = variants.min(by: { $0.value.lastUse < $1.value.lastUse }) { variants[oldest.key] = nil }
        let variant = Variant(compiled, latest, held: objects.compactMap(anchor.keep))
        variants[key] = variant
        return variant
    }

    /// What is said of a function that is recorded again and again.
    static func often(_ what: String, _ recordings: Int, _ change: String) -> String {
        "trellis: \(what) was recorded \(recordings) times for arguments of the same shapes, the last time because \(change); that is slow: "
            + "pass what changes as a tensor\n"
    }

    // MARK: What it became

    private static func latest(_ call: Call) throws -> (CompiledFunction, Plan) {
        let compiled: CompiledFunction = try call.this()
        guard let plan = compiled.latest else { throw HostError("nothing is compiled yet: the first call does it") }
        return (compiled, plan)
    }

    private static let plan = Binding(
        module: "compiled", name: "plan", returns: [Returns(.table, "kernels, arena_bytes, plans, recordings, and operations: counts by name")],
        summary: "What the last call ran.", detail: "`kernels` is how many a run launches, `arena_bytes` the memory of its intermediate values, which all plans share, `recordings` how often the Lua function ran.",
        example: "local f = trellis.compile(function(x) return (x + 1):relu() * 2 end)\nf(tensor.ones(8))\nprint(f:plan().kernels)  --> 1"
    ) { call in
        let (compiled, plan) = try latest(call)
        let operations = plan.summary.map { ($0.name, LuaValue.integer($0.count)) }
        return call.push(LuaValue.table(LuaTable(fields: [
            "kernels": .integer(plan.stepCount), "arena_bytes": .integer(plan.arenaBytes), "plans": .integer(compiled.planCount), "recordings": .integer(compiled.recordingCount),
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
    /// Objects that are no tensors.
    private(set) var objects: [any LuaObject] = []
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
                if let object = object as? any LuaObject { objects.append(object) }
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
