import CLua

/// What of a check nearly every argument passes or fails by: plain bits, so that looking at it counts no references.
struct FastCheck {
    /// Bit `type + 1` for each Lua type that needs no further look.
    fileprivate let types: UInt32
    /// The first userdata type that is accepted.
    let tag: UnsafeRawPointer?

    /// True when the argument is right; false when only the whole check can tell.
    @inline(__always)
    func accepts(_ L: LuaThread, _ index: Int32) -> Bool {
        if let tag, let box = clua_to_box(L, index, tag) { return box.pointee.object != nil }
        return types & (1 << UInt32(truncatingIfNeeded: lua_type(L, index) + 1)) != 0
    }
}

/// A kind compiled for speed: a set of Lua types, the tags of our userdata, and whether there is more to look at.
struct Check {
    private let kind: Kind
    let optional: Bool
    /// Bit `type + 1` for each Lua type that may be accepted.
    private let types: UInt32
    private let tags: [UnsafeRawPointer]
    private let anyUserdata: Bool
    private let deep: Bool

    init(_ kind: Kind, optional: Bool, registry: Registry) {
        self.kind = kind
        self.optional = optional
        var types: UInt32 = optional ? 0b11 : 0
        var tags: [UnsafeRawPointer] = []
        var deep = false
        var anyUserdata = false
        func add(_ kind: Kind) {
            switch kind {
            case .any:
                types = ~0
                anyUserdata = true
            case .boolean: types |= 1 << UInt32(LUA_TBOOLEAN + 1)
            case .number: types |= 1 << UInt32(LUA_TNUMBER + 1)
            case .integer:
                types |= 1 << UInt32(LUA_TNUMBER + 1)
                deep = true
            case .string: types |= 1 << UInt32(LUA_TSTRING + 1)
            case .choice:
                types |= 1 << UInt32(LUA_TSTRING + 1)
                deep = true
            case .table: types |= 1 << UInt32(LUA_TTABLE + 1)
            case .list(let element):
                types |= 1 << UInt32(LUA_TTABLE + 1)
                if element != .any { deep = true }
            case .function: types |= 1 << UInt32(LUA_TFUNCTION + 1)
            case .object(let name):
                types |= 1 << UInt32(LUA_TUSERDATA + 1)
                if let type = registry.type(name) { tags.append(type.tag) }
            case .union(let kinds): kinds.forEach(add)
            }
        }
        add(kind)
        self.types = types
        self.tags = tags
        self.anyUserdata = anyUserdata
        self.deep = deep
    }

    var fast: FastCheck {
        FastCheck(types: deep ? types & 0b11 : types & ~(1 << UInt32(LUA_TUSERDATA + 1)), tag: tags.first)
    }

    func accepts(_ L: LuaThread, _ index: Int32) -> Bool {
        let type = lua_type(L, index)
        guard types & (1 << UInt32(truncatingIfNeeded: type + 1)) != 0 else { return false }
        if type == LUA_TUSERDATA { return acceptsUserdata(L, index) }
        return !deep || type <= 0 || matches(L, index, kind)
    }

    private func acceptsUserdata(_ L: LuaThread, _ index: Int32) -> Bool {
        if anyUserdata { return clua_to_any_box(L, index).map { $0.pointee.object != nil } ?? true }
        return tags.contains { tag in clua_to_box(L, index, tag).map { $0.pointee.object != nil } ?? false }
    }

    private func matches(_ L: LuaThread, _ index: Int32, _ kind: Kind) -> Bool {
        let type = lua_type(L, index)
        switch kind {
        case .any: return true
        case .boolean: return type == LUA_TBOOLEAN
        case .number: return type == LUA_TNUMBER
        case .integer: return Stack.integer(L, index) != nil
        case .string: return type == LUA_TSTRING
        case .table: return type == LUA_TTABLE
        case .function: return type == LUA_TFUNCTION
        case .choice(let names): return Stack.string(L, index).map(names.contains) ?? false
        case .object(let name):
            guard let box = clua_to_any_box(L, index), box.pointee.object != nil else { return false }
            return ObjectType.of(box).name == name
        case .list(let element):
            return type == LUA_TTABLE && firstMismatch(L, index, element) == nil
        case .union(let kinds): return kinds.contains { matches(L, index, $0) }
        }
    }

    /// Position of the first element that is not of the kind.
    private func firstMismatch(_ L: LuaThread, _ index: Int32, _ element: Kind) -> Int? {
        let index = lua_absindex(L, index)
        for position in stride(from: 1, through: Int(lua_rawlen(L, index)), by: 1) {
            lua_rawgeti(L, index, lua_Integer(position))
            defer { clua_pop(L, 1) }
            if !matches(L, -1, element) { return position }
        }
        return nil
    }

    // MARK: Messages

    func failure(_ call: Call, _ index: Int32) -> any Error { ArgumentError(index: index, message: message(call, index)) }

    /// - Parameter doc: what is said of the parameter.
    func missing(_ call: Call, _ index: Int32, _ doc: String) -> any Error {
        // When the options stand where the argument should be, what was got is that table.
        if kind == .any { return ArgumentError(index: index, message: doc.isEmpty ? "value expected" : "\(doc) expected, got no value") }
        let got = call.optionsIndex == index ? Stack.typeName(call.thread, index) : "no value"
        return ArgumentError(index: index, message: "\(kind.words) expected, got \(got)")
    }

    func message(_ call: Call, _ index: Int32) -> String {
        let L = call.thread
        if lua_type(L, index) == LUA_TNUMBER, kind.takesInteger { return "number has no integer representation" }
        if case .choice = kind, let text = Stack.string(L, index) { return "\(kind.words) expected, got '\(text)'" }
        if lua_type(L, index) == LUA_TTABLE, let element = kind.listElement, let position = firstMismatch(L, index, element) {
            lua_rawgeti(L, index, lua_Integer(position))
            defer { clua_pop(L, 1) }
            let fraction = lua_type(L, -1) == LUA_TNUMBER ? " \(Stack.display(L, -1))" : ""
            return "\(kind.words) expected, element \(position) is a \(Stack.typeName(L, -1))\(fraction)"
        }
        return call.mismatchMessage(index, expected: kind.words)
    }
}

extension Kind {
    fileprivate var takesInteger: Bool {
        switch self {
        case .integer: true
        case .union(let kinds): kinds.contains(where: \.takesInteger)
        default: false
        }
    }

    /// The element of a list, also of one in a union.
    fileprivate var listElement: Kind? {
        switch self {
        case .list(let element): element
        case .union(let kinds): kinds.lazy.compactMap(\.listElement).first
        default: nil
        }
    }
}

extension ObjectType {
    /// The type of a box.
    static func of(_ box: UnsafeMutablePointer<clua_box>) -> ObjectType {
        Unmanaged<ObjectType>.fromOpaque(UnsafeRawPointer(box.pointee.type)).takeUnretainedValue()
    }
}
