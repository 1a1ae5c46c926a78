import CLua

/// The functions that were running when the last error ended an entry, or that run while somebody looks, innermost first (CLua/frames.c).
struct Frames {
    private let L: LuaThread
    private let list: LuaReference
    let count: Int

    init(_ L: LuaThread) {
        self.L = L
        clua_frames_push(L)
        list = LuaReference(L, -1)
        count = lua_type(L, -1) == LUA_TTABLE ? Int(lua_rawlen(L, -1)) : 0
        clua_pop(L, 1)
    }

    /// All frames, a line for each local.
    var text: String {
        guard count > 0 else { return "There was no error.\n" }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        return (1...count).map { number in
            lua_settop(L, top)
            pushFrame(number)
            let head = "\(number)  \(field("source")):\(field("line")): in \(field("name"))\n"
            Stack.rawGet(L, -1, "locals")
            return head + locals
        }.joined() + "debug(1).x is local x of frame 1.\n"
    }

    private func pushFrame(_ number: Int) {
        list.push(L)
        lua_rawgeti(L, -1, lua_Integer(number))
    }

    private func field(_ name: String) -> String {
        Stack.rawGet(L, -1, name)
        defer { clua_pop(L, 1) }
        return Stack.display(L, -1)
    }

    /// Of the list on top.
    private var locals: String {
        var pretty = Pretty()
        (pretty.depth, pretty.items, pretty.width) = (2, 8, 60)
        let list = lua_gettop(L)
        return (1...max(1, Int(lua_rawlen(L, list)))).map { i in
            guard lua_rawgeti(L, list, lua_Integer(i)) == LUA_TTABLE else { return "" }
            lua_rawgeti(L, -1, 1)
            lua_rawgeti(L, -2, 2)
            defer { lua_settop(L, list) }
            let value = lua_type(L, -1) == LUA_TSTRING ? luaQuoted(Stack.string(L, -1) ?? "", limit: 60) : pretty.describe(L, lua_gettop(L))
            let lines = value.split(separator: "\n")
            return "     \(Stack.string(L, -2) ?? "?") = \(lines.first.map { $0.prefix(100) } ?? "")\(lines.count > 1 ? " ..." : "")\n"
        }.joined()
    }

    /// Pushes the locals of a frame as a table by name; of several of one name the innermost. False, and nothing pushed, when there is no such frame.
    func pushLocals(_ number: Int) -> Bool {
        guard number >= 1, number <= count else { return false }
        clua_need(L, 10)
        clua_push_table(L, 0, 8)
        let table = lua_gettop(L)
        pushFrame(number)
        Stack.rawGet(L, -1, "locals")
        let list = lua_gettop(L)
        for i in stride(from: 1, through: lua_Integer(lua_rawlen(L, list)), by: 1) {
            lua_rawgeti(L, list, i)
            lua_rawgeti(L, -1, 1)
            lua_rawgeti(L, -2, 2)
            lua_rawset(L, table)
            lua_settop(L, list)
        }
        lua_settop(L, table)
        return true
    }
}
