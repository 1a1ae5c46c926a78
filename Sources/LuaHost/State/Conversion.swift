import CLua

/// What can be read from Lua. `nil` when the value is of another kind.
public protocol LuaReadable {
    static func read(_ L: LuaThread, _ index: Int32) -> Self?
}

/// What can be given to Lua.
public protocol LuaPushable {
    /// Pushes exactly one value.
    func push(_ L: LuaThread)
}

extension Int: LuaReadable, LuaPushable {
    public static func read(_ L: LuaThread, _ index: Int32) -> Int? { Stack.integer(L, index) }
    public func push(_ L: LuaThread) { clua_push_integer(L, Int64(self)) }
}

extension Int32: LuaReadable, LuaPushable {
    public static func read(_ L: LuaThread, _ index: Int32) -> Int32? { Stack.integer(L, index).flatMap { Int32(exactly: $0) } }
    public func push(_ L: LuaThread) { clua_push_integer(L, Int64(self)) }
}

extension UInt64: LuaReadable, LuaPushable {
    /// The 64 bits of Lua's integer: a seed may be negative.
    public static func read(_ L: LuaThread, _ index: Int32) -> UInt64? { Stack.integer(L, index).map { UInt64(bitPattern: Int64($0)) } }
    public func push(_ L: LuaThread) { clua_push_integer(L, Int64(bitPattern: self)) }
}

extension Double: LuaReadable, LuaPushable {
    public static func read(_ L: LuaThread, _ index: Int32) -> Double? { Stack.number(L, index) }
    public func push(_ L: LuaThread) { clua_push_number(L, self) }
}

extension Float: LuaReadable, LuaPushable {
    public static func read(_ L: LuaThread, _ index: Int32) -> Float? { Stack.number(L, index).map { Float($0) } }
    public func push(_ L: LuaThread) { clua_push_number(L, Double(self)) }
}

extension Bool: LuaReadable, LuaPushable {
    public static func read(_ L: LuaThread, _ index: Int32) -> Bool? {
        lua_type(L, index) == LUA_TBOOLEAN ? lua_toboolean(L, index) != 0 : nil
    }
    public func push(_ L: LuaThread) { clua_push_boolean(L, self) }
}

extension String: LuaReadable, LuaPushable {
    /// nil also for bytes that are not UTF-8: the text would be another one, and as a path name another file.
    public static func read(_ L: LuaThread, _ index: Int32) -> String? {
        Stack.bytes(L, index).flatMap { String(validating: $0, as: UTF8.self) }
    }
    public func push(_ L: LuaThread) { Stack.push(L, self) }
}

extension Array: LuaReadable where Element: LuaReadable {
    /// A table's elements 1...n, or a single value as a list of one.
    public static func read(_ L: LuaThread, _ index: Int32) -> [Element]? {
        guard lua_type(L, index) == LUA_TTABLE else { return Element.read(L, index).map { [$0] } }
        let table = lua_absindex(L, index)
        let count = Int(lua_rawlen(L, table))
        lua_checkstack(L, 1)
        var result: [Element] = []
        result.reserveCapacity(count)
        for position in stride(from: 1, through: count, by: 1) {
            lua_rawgeti(L, table, lua_Integer(position))
            defer { clua_pop(L, 1) }
            guard let element = Element.read(L, -1) else { return nil }
            result.append(element)
        }
        return result
    }
}

extension Array: LuaPushable where Element: LuaPushable {
    public func push(_ L: LuaThread) {
        clua_push_table(L, Int32(clamping: count), 0)
        for (position, element) in enumerated() {
            element.push(L)
            lua_rawseti(L, -2, lua_Integer(position + 1))
        }
    }
}

extension Dictionary: LuaPushable where Key == String, Value: LuaPushable {
    public func push(_ L: LuaThread) {
        clua_push_table(L, 0, Int32(clamping: count))
        for (name, value) in self {
            value.push(L)
            Stack.rawSet(L, -2, name)
        }
    }
}

extension Optional: LuaPushable where Wrapped: LuaPushable {
    public func push(_ L: LuaThread) {
        if let value = self { value.push(L) } else { clua_push_nil(L) }
    }
}

extension LuaObject {
    public static func read(_ L: LuaThread, _ index: Int32) -> Self? {
        guard let box = clua_to_box(L, index, objectType.tag), let object = box.pointee.object else { return nil }
        let instance = Unmanaged<AnyObject>.fromOpaque(object).takeUnretainedValue()
        // The tag says that it is an instance of the registered class, which may be a superclass of Self.
        return objectType.swiftType == ObjectIdentifier(Self.self) ? unsafeDowncast(instance, to: Self.self) : instance as? Self
    }

    public func push(_ L: LuaThread) {
        let type = Self.objectType
        let object = Unmanaged<AnyObject>.passRetained(self).toOpaque()
        let known = type.unique ? clua_push_unique_box(L, type.tag, object) : clua_push_box(L, type.tag, object)
        precondition(known, "type '\(type.name)' is in no module of this host")
    }
}

extension LuaValue: LuaReadable, LuaPushable {
    /// Tables are copied to a depth of 64, without metamethods; what lies deeper, coroutines and foreign userdata read as nil.
    public static func read(_ L: LuaThread, _ index: Int32) -> LuaValue? { read(L, index, depth: 0) }

    static func read(_ L: LuaThread, _ index: Int32, depth: Int) -> LuaValue {
        switch lua_type(L, index) {
        case LUA_TBOOLEAN: return .boolean(lua_toboolean(L, index) != 0)
        case LUA_TNUMBER:
            return clua_is_integer(L, index)
                ? .integer(Int(lua_tointegerx(L, index, nil))) : .number(lua_tonumberx(L, index, nil))
        case LUA_TSTRING: return .string(Stack.string(L, index) ?? "")
        case LUA_TFUNCTION: return .function(LuaFunction(L, index))
        case LUA_TUSERDATA:
            guard let box = clua_to_any_box(L, index), let object = box.pointee.object else { return .nil }
            return .object(Unmanaged<AnyObject>.fromOpaque(object).takeUnretainedValue())
        case LUA_TTABLE: return depth < 64 ? .table(readTable(L, index, depth: depth + 1)) : .nil
        default: return .nil
        }
    }

    private static func readTable(_ L: LuaThread, _ index: Int32, depth: Int) -> LuaTable {
        var table = LuaTable()
        let index = lua_absindex(L, index)
        let count = Int(lua_rawlen(L, index))
        lua_checkstack(L, 4)
        for position in stride(from: 1, through: count, by: 1) {
            lua_rawgeti(L, index, lua_Integer(position))
            table.list.append(read(L, -1, depth: depth))
            clua_pop(L, 1)
        }
        Stack.forEach(L, index) {
            let value = read(L, -1, depth: depth)
            if lua_type(L, -2) == LUA_TSTRING {
                table.fields[Stack.string(L, -2) ?? ""] = value
            } else if let position = Stack.integer(L, -2), position >= 1, position <= count {
                return  // in the list already
            } else {
                table.others.append((read(L, -2, depth: depth), value))
            }
        }
        return table
    }

    public func push(_ L: LuaThread) {
        switch self {
        case .nil: clua_push_nil(L)
        case .boolean(let value): value.push(L)
        case .integer(let value): value.push(L)
        case .number(let value): value.push(L)
        case .string(let value): value.push(L)
        case .function(let value): value.push(L)
        case .object(let value):
            if let object = value as? any LuaObject { object.push(L) } else { clua_push_nil(L) }
        case .table(let value):
            clua_push_table(L, Int32(clamping: value.list.count), Int32(clamping: value.fields.count + value.others.count))
            for (position, element) in value.list.enumerated() {
                element.push(L)
                lua_rawseti(L, -2, lua_Integer(position + 1))
            }
            for (name, element) in value.fields {
                element.push(L)
                Stack.rawSet(L, -2, name)
            }
            for (key, element) in value.others where !key.isNil {
                lua_checkstack(L, 2)
                key.push(L)
                element.push(L)
                lua_rawset(L, -3)
            }
        }
    }
}
