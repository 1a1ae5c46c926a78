import CLua

/// The Lua values that a Swift object keeps for as long as it lives: functions, tables, objects of scripts.
///
/// In Lua's registry such a value would be a root, and a cycle through both worlds (a module whose function captures the module) would never
/// be collected. An anchor's values hang on the userdata from which its object can be reached, so that Lua's collector sees the whole cycle:
/// - The object makes a `LuaAnchor`, and keeps values with `keep`.
/// - The `ObjectType` of every type whose objects can lead to it says so with `anchors`: a container gives those of all that is in it. An object's
///   anchors are asked for once, when its userdata is made; what it comes to hold later goes onto an anchor of its own, as a value.
/// - A Lua function made of a Swift closure says what it captures: `call.push(function:holding:)`.
///
/// While no userdata holds an anchor it is a root: its object is new. A module that a script's function returns to Swift stays anchored until the
/// native function that called the script returns; by then something that is pushed must lead to it.
public final class LuaAnchor {
    let host: ScriptHost
    private let number: Int32

    init(_ L: LuaThread) {
        host = ScriptHost.of(L)
        number = clua_anchor_make(L)
        host.anchorCount += 1
    }

    deinit {
        host.anchorCount -= 1
        if let L = host.thread { clua_anchor_free(L, number) }
    }

    /// Keeps the value at `index`, which stays on the stack, for as long as the reference lives.
    func keep(_ L: LuaThread, _ index: Int32) -> LuaReference {
        let index = lua_absindex(L, index)
        // Only debug.setmetatable can take a userdata its finaliser, and the anchor its root.
        guard clua_anchor_push(L, number) else { return LuaReference(L, index) }
        clua_push_copy(L, index)
        let place = luaL_ref(L, -2)
        clua_pop(L, 1)
        return LuaReference(self, place)
    }

    /// Keeps an object, and with it all Lua values that it leads to; nil once the state is closed.
    func keep(_ object: any LuaObject) -> LuaReference? {
        guard let L = host.thread else { return nil }
        object.push(L)
        defer { clua_pop(L, 1) }
        return keep(L, -1)
    }

    /// Pushes what `keep` put at `place`; nil when the anchor is gone.
    fileprivate func push(_ place: Int32, _ L: LuaThread) {
        guard clua_anchor_push(L, number) else { return clua_push_nil(L) }
        lua_rawgeti(L, -1, lua_Integer(place))
        clua_remove(L, -2)
    }

    fileprivate func drop(_ place: Int32) {
        guard let L = host.thread, clua_anchor_push(L, number) else { return }
        luaL_unref(L, -1, place)
        clua_pop(L, 1)
    }

    /// Lets the userdata at `index` hold the anchors that `anchors` gives, if it is new.
    static func hang(_ L: LuaThread, _ index: Int32, _ anchors: () -> [LuaAnchor]) {
        guard ScriptHost.of(L).anchorCount > 0, !clua_knows_anchors(L, index) else { return }
        let numbers = anchors().map(\.number)
        clua_hold_anchors(L, index, numbers, Int32(numbers.count))
    }
}

/// A Lua value that Swift holds; given back when the last Swift reference goes. In the registry, for as long as a call lasts, or on the anchor
/// of an object.
/// `Sendable` only so that errors can carry it: it must stay on the thread of its state.
public final class LuaReference: @unchecked Sendable {
    private let host: ScriptHost
    private let anchor: LuaAnchor?
    private let place: Int32

    /// Takes hold of the value at `index` without popping it.
    init(_ L: LuaThread, _ index: Int32) {
        host = ScriptHost.of(L)
        anchor = nil
        clua_push_copy(L, index)
        place = luaL_ref(L, clua_registry())
    }

    fileprivate init(_ anchor: LuaAnchor, _ place: Int32) {
        host = anchor.host
        self.anchor = anchor
        self.place = place
    }

    func push(_ L: LuaThread) {
        if let anchor { return anchor.push(place, L) }
        clua_need(L, 1)
        lua_rawgeti(L, clua_registry(), lua_Integer(place))
    }

    /// The thread on which Lua runs now: a callback must go there, not to the main thread of a coroutine that is running.
    var thread: LuaThread? { host.thread }

    deinit {
        if let anchor {
            anchor.drop(place)
        } else if let L = host.thread {
            luaL_unref(L, clua_registry(), place)
        }
    }
}
