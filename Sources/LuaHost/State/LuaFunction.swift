import CLua

/// A Lua function, or any value that can be called.
public final class LuaFunction: LuaReadable, LuaPushable, @unchecked Sendable {
    let reference: LuaReference

    init(_ L: LuaThread, _ index: Int32) { reference = LuaReference(L, index) }

    private init(_ reference: LuaReference) { self.reference = reference }

    /// The same function for an object that keeps it: it hangs on the object's anchor.
    func kept(by anchor: LuaAnchor) -> LuaFunction {
        guard let L = reference.thread else { return self }
        push(L)
        defer { clua_pop(L, 1) }
        return LuaFunction(anchor.keep(L, -1))
    }

    public static func read(_ L: LuaThread, _ index: Int32) -> LuaFunction? {
        lua_type(L, index) == LUA_TFUNCTION ? LuaFunction(L, index) : nil
    }

    /// Whether the value at `index` can be called.
    static func accepts(_ L: LuaThread, _ index: Int32) -> Bool {
        if lua_type(L, index) == LUA_TFUNCTION { return true }
        guard lua_checkstack(L, 4) != 0, lua_getmetatable(L, index) != 0 else { return false }
        defer { clua_pop(L, 2) }
        Stack.rawGet(L, -1, "__call")
        return lua_type(L, -1) != LUA_TNIL
    }

    public func push(_ L: LuaThread) { reference.push(L) }

    /// Where it is written: "search.lua:12".
    var place: String {
        guard let L = reference.thread else { return "?" }
        push(L)
        var record = lua_Debug()
        lua_getinfo(L, ">S", &record)
        let source = withUnsafeBytes(of: &record.short_src) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return record.linedefined > 0 ? "\(source):\(record.linedefined)" : source
    }

    /// Calls the function in protected mode and returns all its results.
    /// - Throws: `LuaError` with the error's value and traceback; let it pass and Lua gets the value unchanged.
    @discardableResult
    public func call(_ arguments: any LuaPushable...) throws -> [LuaValue] { try call(all: arguments) }

    /// The same with a list of arguments.
    public func call(all arguments: [any LuaPushable]) throws -> [LuaValue] {
        try callRaw(arguments) { L, first, count in
            try (0..<count).map { i in
                do { return try LuaValue.value(L, first + i) } catch let error as ValueError { throw HostError("result \(i + 1): \(error)") }
            }
        }
    }

    /// Calls the function for one result of a given type.
    /// - Parameter what: how messages name the function: "the operator 'sep_conv_7x7'".
    /// - Throws: `LuaError`; `HostError` when the result is of another type, and when there are several: which of them is meant is not known.
    public func call<T: LuaReadable>(
        _ arguments: any LuaPushable..., returning type: T.Type, expected: Kind, from what: String = "the function"
    ) throws -> T { try call(all: arguments, returning: type, expected: expected, from: what) }

    /// The same with a list of arguments.
    public func call<T: LuaReadable>(
        all arguments: [any LuaPushable], returning type: T.Type, expected: Kind, from what: String = "the function"
    ) throws -> T {
        try callRaw(arguments) { L, first, count in
            guard count > 0, let result = try T.read(L, first) else {
                throw HostError("\(what) must return \(expected.words), got \(count > 0 ? Stack.typeName(L, first) : "no value")")
            }
            guard (1..<count).allSatisfy({ clua_is_none_or_nil(L, first + $0) }) else {
                throw HostError("\(what) must return one \(expected.words), got \(count) values; return the one that is meant: return (f(x)) keeps the first")
            }
            return result
        }
    }

    /// - Parameter results: reads them, given the stack index of the first and their number.
    func callRaw<R>(_ arguments: [any LuaPushable], _ results: (LuaThread, Int32, Int32) throws -> R) throws -> R {
        guard let L = reference.thread else { throw HostError("the Lua state of this function is closed") }
        let base = lua_gettop(L)
        defer { lua_settop(L, base) }
        guard lua_checkstack(L, Int32(clamping: arguments.count + 8)) != 0 else { throw HostError("too many arguments") }
        push(L)
        guard lua_type(L, -1) != LUA_TNIL else {
            throw HostError("the function is gone: debug.setmetatable took the finaliser of the object that it belongs to")
        }
        for argument in arguments { argument.push(L) }
        guard try LuaTrace.watching(L, { clua_pcall(L, Int32(arguments.count), LUA_MULTRET) }) == LUA_OK else { throw LuaError.take(L) }
        for index in stride(from: base + 1, through: lua_gettop(L), by: 1) { clua_keep_result(L, index) }
        return try results(L, base + 1, lua_gettop(L) - base)
    }
}
