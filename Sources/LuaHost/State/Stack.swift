import CLua

/// A Lua thread. Swift calls of Lua's API only what cannot raise; the rest is in CLua.
public typealias LuaThread = OpaquePointer

/// Reads and pushes that never raise a Lua error.
enum Stack {
    /// Slots that are free when a body begins; what nests asks for as many more at each level.
    static let slack = Int32(CLUA_SLACK)

    static func type(_ L: LuaThread, _ index: Int32) -> Int32 { lua_type(L, index) }

    /// An integer, or a number that is one.
    static func integer(_ L: LuaThread, _ index: Int32) -> Int? {
        guard lua_type(L, index) == LUA_TNUMBER else { return nil }
        if clua_is_integer(L, index) { return Int(lua_tointegerx(L, index, nil)) }
        return Int(exactly: lua_tonumberx(L, index, nil))
    }

    static func number(_ L: LuaThread, _ index: Int32) -> Double? {
        lua_type(L, index) == LUA_TNUMBER ? lua_tonumberx(L, index, nil) : nil
    }

    static func bytes(_ L: LuaThread, _ index: Int32) -> UnsafeBufferPointer<UInt8>? {
        var count = 0
        guard let start = clua_bytes(L, index, &count) else { return nil }
        return UnsafeBufferPointer(start: UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self), count: count)
    }

    /// nil also for one that there is no memory for, which ends the call from Lua in that error.
    static func string(_ L: LuaThread, _ index: Int32) -> String? {
        guard let bytes = bytes(L, index), bytes.count < 1 << 16 || clua_admits(L, bytes.count) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A value of Lua as it is: nil for bytes that are not UTF-8; a NUL is a character.
    static func text(_ L: LuaThread, _ index: Int32) -> String? { bytes(L, index).flatMap { String(validating: $0, as: UTF8.self) } }

    static func push(_ L: LuaThread, _ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { clua_push_string(L, $0.baseAddress ?? UnsafePointer(bitPattern: 1), $0.count) }
        }
    }

    static func push(_ L: LuaThread, bytes: [UInt8]) {
        (bytes + [0]).withUnsafeBytes { clua_push_string(L, $0.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count) }
    }

    /// Pushes the value of `name` in the table at `index`, without metamethods.
    static func rawGet(_ L: LuaThread, _ index: Int32, _ name: String) {
        let index = lua_absindex(L, index)
        push(L, name)
        lua_rawget(L, index)
    }

    /// Sets `name` in the table at `index` to the value on top and pops that.
    static func rawSet(_ L: LuaThread, _ index: Int32, _ name: String) {
        let index = lua_absindex(L, index)
        push(L, name)
        clua_insert(L, -2)
        lua_rawset(L, index)
    }

    static func typeName(_ L: LuaThread, _ index: Int32) -> String { String(cString: clua_type_name(L, index)) }

    /// tostring of the value at `index`; an error in __tostring becomes part of the text.
    static func display(_ L: LuaThread, _ index: Int32) -> String {
        clua_push_tostring(L, index)
        defer { clua_pop(L, 1) }
        return string(L, -1) ?? ""
    }

    /// Calls `body` for each pair with the key at -2 and the value at -1; it must leave the stack as it was.
    static func forEach(_ L: LuaThread, _ index: Int32, _ body: () throws -> Void) rethrows {
        let index = lua_absindex(L, index)
        clua_need(L, 4)
        let top = lua_gettop(L)
        lua_pushnil(L)
        do {
            while lua_next(L, index) != 0 {
                try body()
                lua_settop(L, top + 1)
            }
        } catch {
            lua_settop(L, top)
            throw error
        }
    }
}

extension Stack {
    /// Where the script is that called the function of ours that runs: "search.lua:12"; empty for one that Swift called.
    static func place(_ L: LuaThread) -> String {
        var record = lua_Debug()
        guard lua_getstack(L, 1, &record) != 0, lua_getinfo(L, "Sl", &record) != 0, record.currentline > 0 else { return "" }
        let source = withUnsafeBytes(of: &record.short_src) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return "\(source):\(record.currentline)"
    }
}
