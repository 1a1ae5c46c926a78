import Base
import CLua
import Segmentation
import Tensors

extension LuaValue: LuaReadable, LuaPushable {
    /// Tables are copied without metamethods, each once however often it occurs; coroutines and foreign userdata read as nil.
    /// - Throws: `ValueError` for a table that contains itself, is nested too deep or stands for too many values, and for strings that are not UTF-8.
    public static func read(_ L: LuaThread, _ index: Int32) throws -> LuaValue? { try value(L, index) }

    static func value(_ L: LuaThread, _ index: Int32) throws -> LuaValue {
        if lua_type(L, index) != LUA_TTABLE { return try plain(L, index) }
        var reader = TableReader(L)
        return .table(try reader.table(index).table)
    }

    /// A value that is no table; a table reads as nil.
    static func plain(_ L: LuaThread, _ index: Int32) throws -> LuaValue {
        switch lua_type(L, index) {
        case LUA_TBOOLEAN: return .boolean(lua_toboolean(L, index) != 0)
        case LUA_TNUMBER:
            return clua_is_integer(L, index) ? .integer(Int(lua_tointegerx(L, index, nil))) : .number(lua_tonumberx(L, index, nil))
        case LUA_TSTRING:
            guard let text = Stack.text(L, index) else { throw ValueError(notUTF8: L, index) }
            return .string(text)
        case LUA_TFUNCTION: return .function(LuaFunction(L, index))
        case LUA_TUSERDATA:
            guard let box = clua_to_any_box(L, index), let object = box.pointee.object else { return .nil }
            return .object(Unmanaged<AnyObject>.fromOpaque(object).takeUnretainedValue())
        default: return .nil
        }
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
        case .table(let value): value.push(L)
        }
    }
}

extension LuaTable: LuaPushable {
    /// Pushes a fresh table; one that cannot be filled for want of memory or stack stays as it is, and the call from Lua ends in that error.
    public func push(_ L: LuaThread) {
        clua_push_table(L, Int32(clamping: list.count), Int32(clamping: fields.count + others.count))
        guard clua_room(L, Stack.slack) else { return }
        for (position, element) in list.enumerated() {
            if clua_failed(L) { return }
            element.push(L)
            lua_rawseti(L, -2, lua_Integer(position + 1))
        }
        for (name, element) in fields {
            if clua_failed(L) { return }
            element.push(L)
            Stack.rawSet(L, -2, name)
        }
        for (key, element) in others where !key.isNil && !key.isNaN {
            if clua_failed(L) { return }
            key.push(L)
            element.push(L)
            lua_rawset(L, -3)
        }
    }
}

extension LuaValue {
    /// NaN is no key of a table.
    fileprivate var isNaN: Bool { if case .number(let value) = self { value.isNaN } else { false } }
}

/// A table or a string that cannot be read as a value.
struct ValueError: Error, CustomStringConvertible {
    let subject: String, problem: String
    /// Keys from the outermost table to the place of the problem, innermost first.
    var keys: [String] = []

    init(problem: String) { (subject, self.problem) = ("the table", problem) }

    /// The string at `index`: as text it would be another one.
    init(notUTF8 L: LuaThread, _ index: Int32) {
        (subject, problem) = ("the string '\(Stack.bytes(L, index).map { FileName.escaped($0) } ?? "")'", "is not UTF-8")
    }

    var description: String {
        let path = keys.reversed().joined()
        let place = path.isEmpty ? "" : " at \(path.count > 80 ? path.prefix(60) + " ... " + path.suffix(16) : path)"
        return "\(subject) \(problem)\(place)"
    }
}

/// Copies tables out of Lua. A table that occurs in several places is read once and shared; those who walk the copy meet it as often as it occurs,
/// so the values are counted as they would.
private struct TableReader {
    private typealias Copy = (table: LuaTable, values: Int)

    private let L: LuaThread
    /// Tables by address; nil while one is being read.
    private var known: [UnsafeRawPointer: (table: LuaTable, values: Int)?] = [:]
    private var depth = 0
    private var read = 0
    /// Tables in tables: readers of the copy recurse.
    private static let deepest = 100
    /// Values in all, a shared table's counted in every place.
    private static let most = 4_000_000

    init(_ L: LuaThread) { self.L = L }

    mutating func table(_ index: Int32) throws -> (table: LuaTable, values: Int) {
        guard let address = lua_topointer(L, index) else { return (LuaTable(), 1) }
        if let entry = known[address] {
            guard let copy = entry else { throw ValueError(problem: "contains itself") }
            return copy
        }
        guard depth < TableReader.deepest else { throw ValueError(problem: "is nested more than \(TableReader.deepest) deep") }
        guard clua_room(L, Stack.slack) else { throw ValueError(problem: "is nested too deep for Lua's stack") }
        known[address] = .some(nil)
        depth += 1
        let copy = try contents(lua_absindex(L, index))
        depth -= 1
        known[address] = copy
        return copy
    }

    private mutating func contents(_ index: Int32) throws -> (table: LuaTable, values: Int) {
        var table = LuaTable(), values = 1
        let count = Int(lua_rawlen(L, index))
        try Memory.check(count * MemoryLayout<LuaValue>.stride, for: "table")
        table.list.reserveCapacity(count)
        for position in stride(from: 1, through: count, by: 1) {
            lua_rawgeti(L, index, lua_Integer(position))
            defer { clua_pop(L, 1) }
            table.list.append(try element(-1, &values) { "[\(position)]" })
        }
        try Stack.forEach(L, index) {
            if lua_type(L, -2) == LUA_TSTRING {
                guard let name = Stack.text(L, -2) else { throw ValueError(notUTF8: L, -2) }
                table.fields[name] = try element(-1, &values) { ".\(name)" }
            } else if let position = Stack.integer(L, -2), position >= 1, position <= count {
                return  // in the list already
            } else {
                let key = try element(-2, &values) { "(a key)" }
                table.others.append((key, try element(-1, &values) { "[\(key.isTable ? "a table" : key.source)]" }))
            }
        }
        return (table, values)
    }

    private mutating func element(_ index: Int32, _ values: inout Int, _ name: () -> String) throws -> LuaValue {
        read += 1
        if read & 1023 == 0 {
            try checkInterrupt()
            try Memory.check(1 << 17, for: "table")
        }
        do {
            guard lua_type(L, index) == LUA_TTABLE else {
                values += 1
                return try LuaValue.plain(L, index)
            }
            let copy = try table(index)
            values += copy.values
            guard values <= TableReader.most else { throw ValueError(problem: "stands for more than \(TableReader.most) values") }
            return .table(copy.table)
        } catch var error as ValueError {
            error.keys.append(name())
            throw error
        }
    }
}

extension LuaValue {
    fileprivate var isTable: Bool { if case .table = self { true } else { false } }
}
