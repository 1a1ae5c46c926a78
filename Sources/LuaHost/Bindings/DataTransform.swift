import Base
import CLua
import Networks
import Segmentation
import Tensors

// The option `transform` of batches and fit.
extension DataSetMethods {
    static let transformOption = Option(
        "transform", .function, "of a sample, a table of tensors by name, and of a random function like math.random: the table that goes into the batch, cut and normalised before")

    /// The transform of a call, and what its function hangs on.
    static func transform(_ call: Call, _ data: any DataSet) throws -> (transform: SampleTransform, anchor: LuaAnchor)? {
        guard let given: LuaFunction = try call.option(ifPresent: "transform") else { return nil }
        let anchor = LuaAnchor(call.thread)
        let function = given.kept(by: anchor)
        let random = ScriptRandom.function(call.thread)?.kept(by: anchor)
        let transform = SampleTransform(text: given.recipe) { sample, seed in
            try ScriptedSample.seeded(seed) {
                let table = LuaTable(fields: Dictionary(uniqueKeysWithValues: sample.map { ($0.name, LuaValue.object(Tensor($0))) }))
                let results = try function.call(all: [LuaValue.table(table), random.map { LuaValue.function($0) } ?? LuaValue.nil])
                return try ScriptedSample.arrays(results.first ?? .nil, sample.map(\.name), from: "transform")
            }
        }
        return (transform, anchor)
    }
}

/// math.random, for functions whose random numbers are those of a sample.
enum ScriptRandom {
    static func function(_ L: LuaThread) -> LuaFunction? {
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        guard lua_checkstack(L, 4) != 0 else { return nil }
        lua_rawgeti(L, clua_registry(), lua_Integer(LUA_RIDX_GLOBALS))
        Stack.rawGet(L, -1, "math")
        guard lua_type(L, -1) == LUA_TTABLE else { return nil }
        Stack.rawGet(L, -1, "random")
        return LuaFunction.read(L, -1)
    }
}

/// Samples that functions of scripts make.
enum ScriptedSample {
    /// Runs `body` with random numbers that depend on `seed` alone, and without history.
    static func seeded<T>(_ seed: UInt64, _ body: () throws -> T) throws -> T {
        try RandomStreams.keeping {
            RandomStreams.start(seed: seed)
            do { return try GradientMode.disabled(body) } catch let error as LuaError where error.isInterrupt { throw Interrupted() }
        }
    }

    /// The tensors of a sample under the names of its parts.
    /// - Parameter what: how messages call the function.
    static func arrays(_ value: LuaValue, _ names: [String], from what: String) throws -> [NamedArray] {
        guard let table = value.table else {
            throw HostError("\(what) should return a table of tensors by name, {\(names.map { $0 + " = ..." }.joined(separator: ", "))}, got \(value.typeName)")
        }
        if let stray = table.fields.keys.sorted().first(where: { !names.contains($0) }) {
            throw HostError("\(what) returned '\(stray)', which is neither an input nor a target; those are \(names.joined(separator: ", "))")
        }
        return try names.map { name in
            guard let tensor: Tensor = table[name].object() else { throw HostError("\(what) should return a tensor as '\(name)', got \(table[name].typeName)") }
            return try tensor.detach().contiguous().namedArray(name)
        }
    }
}
