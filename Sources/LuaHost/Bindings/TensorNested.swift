import Base
import CKernels
import CLua
import Tensors

/// Reads nested tables of numbers: the nesting of the first elements is the shape, and every row must agree with it.
struct NestedTable {
    private let isInt: Bool
    private(set) var shape: [Int] = []
    private(set) var floats: [Float] = []
    private(set) var ints: [Int32] = []
    /// Positions (from 1) of the row being read.
    private var path: [Int] = []
    private static let deepest = 16

    init(isInt: Bool) { self.isInt = isInt }

    mutating func read(_ L: LuaThread, _ index: Int32) throws {
        let index = lua_absindex(L, index)
        guard clua_room(L, 2 * Int32(NestedTable.deepest) + Stack.slack) else { return }
        try measure(L, index)
        // A row may stand in many places: what the tables hold says nothing of what they stand for.
        let count = try Tensor.checkedCount(shape, "from")
        try Memory.check(count * DType.byteCount, for: "from")
        if isInt { ints.reserveCapacity(count) } else { floats.reserveCapacity(count) }
        try fill(L, index)
    }

    private mutating func measure(_ L: LuaThread, _ index: Int32) throws {
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        var at = index
        while lua_type(L, at) == LUA_TTABLE {
            guard shape.count < NestedTable.deepest else { throw HostError("from: tables are nested more than \(NestedTable.deepest) deep") }
            let count = Int(lua_rawlen(L, at))
            shape.append(count)
            if count == 0 { break }
            lua_rawgeti(L, at, 1)
            at = lua_gettop(L)
        }
    }

    private mutating func fill(_ L: LuaThread, _ index: Int32) throws {
        let depth = path.count
        if depth == shape.count { return try number(L, index) }
        try checkInterrupt()
        guard lua_type(L, index) == LUA_TTABLE else {
            throw HostError("from: \(place) is a \(Stack.typeName(L, index)), expected a list of \(shape[depth])")
        }
        let count = Int(lua_rawlen(L, index))
        guard count == shape[depth] else {
            let first = (path.dropLast() + [1]).map { "[\($0)]" }.joined()
            throw HostError("from: row \(place) has \(count) element\(count == 1 ? "" : "s"), row \(first) has \(shape[depth])")
        }
        for position in stride(from: 1, through: count, by: 1) {
            lua_rawgeti(L, index, lua_Integer(position))
            path.append(position)
            try fill(L, lua_gettop(L))
            path.removeLast()
            clua_pop(L, 1)
        }
    }

    private mutating func number(_ L: LuaThread, _ index: Int32) throws {
        let value: Double
        switch lua_type(L, index) {
        case LUA_TNUMBER: value = lua_tonumberx(L, index, nil)
        case LUA_TBOOLEAN: value = lua_toboolean(L, index) != 0 ? 1 : 0
        default: throw HostError("from: element \(place) is a \(Stack.typeName(L, index)), expected a number")
        }
        if isInt {
            guard let whole = Int32(exactly: value) else { throw HostError("from: element \(place) is \(value), which is no int32") }
            ints.append(whole)
        } else {
            floats.append(try Tensor.float(value, for: "from: element \(place)"))
        }
    }

    private var place: String { path.map { "[\($0)]" }.joined() }
}

/// Tensors as nested tables.
enum NestedValues {
    /// Pushes the numbers as nested tables, a single number for a tensor without dimensions.
    static func push(_ call: Call, _ tensor: Tensor) throws -> Int {
        let L = call.thread
        guard clua_room(L, Int32(clamping: tensor.rank) + Stack.slack) else { return 0 }
        if tensor.dtype == .int32 {
            let values = try tensor.ints()
            var next = 0
            push(L, tensor.shape[...]) {
                clua_push_integer(L, Int64(values[next]))
                next += 1
            }
        } else {
            let values = try tensor.floats()
            var next = 0
            push(L, tensor.shape[...]) {
                clua_push_number(L, Double(values[next]))
                next += 1
            }
        }
        return 1
    }

    private static func push(_ L: LuaThread, _ shape: ArraySlice<Int>, _ element: () -> Void) {
        guard let size = shape.first else { return element() }
        clua_push_table(L, Int32(clamping: size), 0)
        for position in stride(from: 1, through: size, by: 1) {
            if clua_failed(L) || trellis_interrupt_pending() { return }
            push(L, shape.dropFirst(), element)
            lua_rawseti(L, -2, lua_Integer(position))
        }
    }
}
