import CLua

/// A Lua value as it is, a table not copied: for what has methods of its own.
final class ScriptValue: LuaReadable, LuaPushable {
    private let reference: LuaReference

    private init(_ reference: LuaReference) { self.reference = reference }

    static func read(_ L: LuaThread, _ index: Int32) -> ScriptValue? { ScriptValue(LuaReference(L, index)) }

    /// The same value for an object that keeps it: it hangs on the object's anchor.
    func kept(by anchor: LuaAnchor) -> ScriptValue {
        guard let L = reference.thread else { return self }
        push(L)
        defer { clua_pop(L, 1) }
        return ScriptValue(anchor.keep(L, -1))
    }

    func push(_ L: LuaThread) { reference.push(L) }

    /// What `body` makes of it, which it finds on the top of the stack.
    func read<R>(_ body: (LuaThread) throws -> R) throws -> R {
        guard let L = reference.thread else { throw HostError("the Lua state of this value is closed") }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        clua_need(L, 8)
        push(L)
        return try body(L)
    }

    /// What is under a name, found as Lua finds it; nil for what is no function.
    /// - Throws: what an `__index` of the script throws.
    func method(_ name: String) throws -> LuaFunction? {
        try read { L in
            let top = lua_gettop(L)
            Stack.push(L, name)
            guard clua_get(L, top) == LUA_OK else { throw LuaError.take(L) }
            return LuaFunction.read(L, -1)
        }
    }
}
