import CLua

/// A value that Swift holds in Lua's registry; given back when the last Swift reference goes.
/// `Sendable` only so that errors can carry it: it must stay on the thread of its state.
public final class LuaReference: @unchecked Sendable {
    private let host: ScriptHost
    private let reference: Int32

    /// Takes hold of the value at `index` without popping it.
    init(_ L: LuaThread, _ index: Int32) {
        host = ScriptHost.of(L)
        clua_push_copy(L, index)
        reference = luaL_ref(L, clua_registry())
    }

    func push(_ L: LuaThread) {
        lua_checkstack(L, 1)
        lua_rawgeti(L, clua_registry(), lua_Integer(reference))
    }

    /// The thread on which Lua runs now: a callback must go there, not to the main thread of a coroutine that is running.
    var thread: LuaThread? { host.thread }

    deinit {
        if let L = host.thread { luaL_unref(L, clua_registry(), reference) }
    }
}

/// A Lua function, or any value that can be called.
public final class LuaFunction: LuaReadable, LuaPushable, @unchecked Sendable {
    private let reference: LuaReference

    init(_ L: LuaThread, _ index: Int32) { reference = LuaReference(L, index) }

    public static func read(_ L: LuaThread, _ index: Int32) -> LuaFunction? {
        lua_type(L, index) == LUA_TFUNCTION ? LuaFunction(L, index) : nil
    }

    public func push(_ L: LuaThread) { reference.push(L) }

    /// Calls the function in protected mode and returns all its results.
    /// - Throws: `LuaError` with the error's value and traceback; let it pass and Lua gets the value unchanged.
    @discardableResult
    public func call(_ arguments: any LuaPushable...) throws -> [LuaValue] { try call(all: arguments) }

    /// The same with a list of arguments.
    public func call(all arguments: [any LuaPushable]) throws -> [LuaValue] {
        try callRaw(arguments) { L, first, count in
            (0..<count).map { LuaValue.read(L, first + $0, depth: 0) }
        }
    }

    /// Calls the function for one result of a given type.
    /// - Parameter what: how messages name the function: "the operator 'sep_conv_7x7'".
    /// - Throws: `LuaError`; `HostError` when the result is of another type, and when there are several: which of them is meant is not known.
    public func call<T: LuaReadable>(
        _ arguments: any LuaPushable..., returning type: T.Type, expected: Kind, from what: String = "the function"
    ) throws -> T {
        try callRaw(arguments) { L, first, count in
            guard count > 0, let result = T.read(L, first) else {
                throw HostError("\(what) must return \(expected.words), got \(count > 0 ? Stack.typeName(L, first) : "no value")")
            }
            guard (1..<count).allSatisfy({ clua_is_none_or_nil(L, first + $0) }) else {
                throw HostError("\(what) must return one \(expected.words), got \(count) values; return the one that is meant: return (f(x)) keeps the first")
            }
            return result
        }
    }

    private func callRaw<R>(_ arguments: [any LuaPushable], _ results: (LuaThread, Int32, Int32) throws -> R) throws -> R {
        guard let L = reference.thread else { throw HostError("the Lua state of this function is closed") }
        let base = lua_gettop(L)
        defer { lua_settop(L, base) }
        guard lua_checkstack(L, Int32(clamping: arguments.count + 8)) != 0 else { throw HostError("too many arguments") }
        push(L)
        for argument in arguments { argument.push(L) }
        guard clua_pcall(L, Int32(arguments.count), LUA_MULTRET) == LUA_OK else { throw LuaError.take(L) }
        return try results(L, base + 1, lua_gettop(L) - base)
    }
}
