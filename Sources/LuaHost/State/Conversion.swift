import Base
import CLua
import Tensors

/// What can be read from Lua. `nil` when the value is of another kind.
public protocol LuaReadable {
    /// - Throws: for a value of the right kind that cannot be read: a table that contains itself.
    static func read(_ L: LuaThread, _ index: Int32) throws -> Self?
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
    /// nil also for bytes that are not UTF-8 and for a NUL among them: the text would be another one, and as a path name another file.
    public static func read(_ L: LuaThread, _ index: Int32) -> String? {
        guard let bytes = Stack.bytes(L, index), !bytes.contains(0) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }
    public func push(_ L: LuaThread) { Stack.push(L, self) }
}

extension Array: LuaReadable where Element: LuaReadable {
    /// A table's elements 1...n, or a single value as a list of one.
    public static func read(_ L: LuaThread, _ index: Int32) throws -> [Element]? {
        guard lua_type(L, index) == LUA_TTABLE else { return try Element.read(L, index).map { [$0] } }
        let table = lua_absindex(L, index)
        let count = Int(lua_rawlen(L, table))
        guard clua_room(L, Stack.slack) else { return nil }
        try Memory.check(count * MemoryLayout<Element>.stride, for: "list")
        var result: [Element] = []
        result.reserveCapacity(count)
        for position in stride(from: 1, through: count, by: 1) {
            lua_rawgeti(L, table, lua_Integer(position))
            defer { clua_pop(L, 1) }
            guard let element = try Element.read(L, -1) else { return nil }
            result.append(element)
        }
        return result
    }
}

extension Array: LuaPushable where Element: LuaPushable {
    public func push(_ L: LuaThread) {
        clua_push_table(L, Int32(clamping: count), 0)
        guard clua_room(L, Stack.slack) else { return }
        for (position, element) in enumerated() {
            if clua_failed(L) { return }
            element.push(L)
            lua_rawseti(L, -2, lua_Integer(position + 1))
        }
    }
}

/// A list of sizes, which says what position 0 and negative ones are.
struct Sizes: LuaPushable {
    private let sizes: [Int]
    init(_ sizes: [Int]) { self.sizes = sizes }

    func push(_ L: LuaThread) {
        sizes.push(L)
        clua_make_sizes(L)
    }
}

extension Dictionary: LuaPushable where Key == String, Value: LuaPushable {
    public func push(_ L: LuaThread) {
        clua_push_table(L, 0, Int32(clamping: count))
        guard clua_room(L, Stack.slack) else { return }
        for (name, value) in self {
            if clua_failed(L) { return }
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
        clua_to_box(L, index, objectType.tag).flatMap(instance)
    }

    /// The same where a box of this type is known to stand; nil once it is freed.
    @inline(__always)
    static func checked(_ L: LuaThread, _ index: Int32) -> Self? {
        lua_touserdata(L, index).flatMap { instance($0.assumingMemoryBound(to: clua_box.self)) }
    }

    @inline(__always)
    private static func instance(_ box: UnsafeMutablePointer<clua_box>) -> Self? {
        guard let object = box.pointee.object else { return nil }
        let instance = Unmanaged<AnyObject>.fromOpaque(object).takeUnretainedValue()
        // The tag says that it is an instance of the registered class, which may be a superclass of Self.
        return objectType.swiftType == ObjectIdentifier(Self.self) ? unsafeDowncast(instance, to: Self.self) : instance as? Self
    }

    public func push(_ L: LuaThread) {
        let type = Self.objectType
        let object = Unmanaged<AnyObject>.passRetained(self).toOpaque()
        let anchored = type.anchors != nil
        let known = type.unique ? clua_push_unique_box(L, type.tag, object, anchored) : clua_push_box(L, type.tag, object, anchored)
        if !known { ScriptHost.of(L).introduce(type, L) }
        if let anchors = type.anchors { LuaAnchor.hang(L, -1) { anchors(self) } }
    }
}
