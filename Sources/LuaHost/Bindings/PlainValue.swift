import Base
import CLua
import Networks
import Tensors

/// A plain Lua value as JSON and back: nil, booleans, numbers, strings and tables of them. Every value comes back equal (integers as
/// integers, numbers with every bit, strings with every byte), or is refused when it is read from Lua.
///
/// What JSON cannot say is an object with the member `$`, its kind: `nan`, `inf`, `-inf`; `bytes` with `hex` for a string that is not
/// UTF-8; `table` with `list`, `fields` and `others` (pairs of key and value) for a table that is neither a list nor one of names.
struct PlainValue: LuaReadable, LuaPushable {
    private enum Content {
        case json(JSONValue)
        case refused(Refusal)
    }

    /// Why a value cannot be kept, and where in it.
    private struct Refusal: Error {
        var path = ""
        let problem: String
    }

    private let content: Content

    /// - Throws: `CheckpointError` for JSON that this type did not make.
    init(_ json: JSONValue) throws(CheckpointError) {
        try PlainValue.check(json)
        content = .json(json)
    }

    private init(content: Content) { self.content = content }

    static func read(_ L: LuaThread, _ index: Int32) -> PlainValue? {
        var reader = Reader(L: L)
        do throws(Refusal) { return PlainValue(content: .json(try reader.value(index))) } catch { return PlainValue(content: .refused(error)) }
    }

    /// The value as JSON.
    /// - Parameter name: what errors call it.
    /// - Throws: `CheckpointError` for a value that is not plain, which says where.
    func json(_ name: String) throws(CheckpointError) -> JSONValue {
        switch content {
        case .json(let json): return json
        case .refused(let refusal): throw CheckpointError("'\(name)\(refusal.path)' \(refusal.problem)")
        }
    }

    private static let mark = "$"

    // MARK: From Lua

    private struct Reader {
        let L: LuaThread
        /// Tables that contain the one being read.
        private var open: [UnsafeRawPointer] = []
        private var values = 0

        private static let deepest = 40
        /// A table that is reached in many ways is written as often.
        private static let mostValues = 1_000_000

        init(L: LuaThread) { self.L = L }

        mutating func value(_ index: Int32) throws(Refusal) -> JSONValue {
            values += 1
            guard values <= Reader.mostValues else { throw Refusal(problem: "holds more than \(Reader.mostValues) values, each table counted as often as it is reached") }
            if values % 4096 == 0, (try? checkInterrupt()) == nil { throw Refusal(problem: "was interrupted") }
            switch lua_type(L, index) {
            case LUA_TNIL: return .null
            case LUA_TBOOLEAN: return .bool(lua_toboolean(L, index) != 0)
            case LUA_TNUMBER:
                if clua_is_integer(L, index) { return .integer(Int(lua_tointegerx(L, index, nil))) }
                let number = lua_tonumberx(L, index, nil)
                // Swift prints the shortest digits that read as the same Double.
                return number.isFinite ? .number(number) : Reader.marked(number.isNaN ? "nan" : number > 0 ? "inf" : "-inf")
            case LUA_TSTRING: return try string(index)
            case LUA_TTABLE: return try table(lua_absindex(L, index))
            case LUA_TUSERDATA where clua_to_any_box(L, index) != nil: throw Refusal(problem: "is a \(Stack.typeName(L, index)) inside a table; give it a name of its own")
            default: throw Refusal(problem: "is a \(Stack.typeName(L, index)), which a checkpoint cannot keep")
            }
        }

        private static func marked(_ kind: String, _ members: [JSONValue.Member] = []) -> JSONValue { .object([.init(mark, .string(kind))] + members) }

        private func string(_ index: Int32) throws(Refusal) -> JSONValue {
            guard let bytes = Stack.bytes(L, index) else { return .string("") }
            // The string, the text that it becomes a part of, and both as the header of the file.
            do { try Memory.check(8 * bytes.count, for: "checkpoint") } catch { throw Refusal(problem: "is a string of \(bytes.count) bytes: \(error)") }
            if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
            let digits = Array("0123456789abcdef".utf8)
            let hex = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
            return Reader.marked("bytes", [.init("hex", .string(String(decoding: hex, as: UTF8.self)))])
        }

        private mutating func table(_ index: Int32) throws(Refusal) -> JSONValue {
            guard let identity = lua_topointer(L, index) else { return .null }
            guard !open.contains(identity) else { throw Refusal(problem: "contains itself") }
            guard open.count < Reader.deepest else { throw Refusal(problem: "is nested more than \(Reader.deepest) deep") }
            guard clua_is_sizes(L, index) || lua_getmetatable(L, index) == 0 else {
                clua_pop(L, 1)
                throw Refusal(problem: "has a metatable, which a checkpoint cannot keep; give a plain table of what it stands for")
            }
            open.append(identity)
            defer { open.removeLast() }
            clua_need(L, 4)
            let count = Int(lua_rawlen(L, index))
            var list: [JSONValue] = []
            list.reserveCapacity(count)
            for position in stride(from: 1, through: count, by: 1) {
                lua_rawgeti(L, index, lua_Integer(position))
                defer { clua_pop(L, 1) }
                list.append(try inside("[\(position)]") { reader throws(Refusal) in try reader.value(-1) })
            }
            let (fields, others) = try rest(index, beyond: count)
            if others.isEmpty, fields.isEmpty, !list.isEmpty { return .array(list) }
            if others.isEmpty, list.isEmpty, !fields.contains(where: { $0.key == mark }) { return .object(fields) }
            return Reader.marked("table", [.init("list", .array(list)), .init("fields", .object(fields)), .init("others", .array(others))])
        }

        /// What stands in a table besides its list, in an order that does not depend on Lua's.
        private mutating func rest(_ index: Int32, beyond count: Int) throws(Refusal) -> (fields: [JSONValue.Member], others: [JSONValue]) {
            var found: [(isName: Bool, text: String, key: JSONValue, value: JSONValue)] = []
            let top = lua_gettop(L)
            defer { lua_settop(L, top) }
            lua_pushnil(L)
            while lua_next(L, index) != 0 {
                defer { lua_settop(L, top + 1) }
                if let position = Stack.integer(L, -2), position >= 1, position <= count { continue }
                let key = try key(-2)
                if case .string(let name) = key {
                    found.append((true, name, key, try inside(".\(name)") { reader throws(Refusal) in try reader.value(-1) }))
                } else {
                    let text = key.text()
                    found.append((false, text, key, try inside("[\(text)]") { reader throws(Refusal) in try reader.value(-1) }))
                }
            }
            found.sort { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
            // Strings that Unicode takes for equal are different keys in Lua, and one in Swift and in a JSON object.
            var names = Set<String>()
            let isField = found.map { $0.isName && names.insert($0.text).inserted }
            return (
                zip(found, isField).filter { $1 }.map { .init($0.0.text, $0.0.value) },
                zip(found, isField).filter { !$1 }.map { .array([$0.0.key, $0.0.value]) })
        }

        private mutating func key(_ index: Int32) throws(Refusal) -> JSONValue {
            switch lua_type(L, index) {
            case LUA_TNUMBER, LUA_TSTRING, LUA_TBOOLEAN: return try value(index)
            default: throw Refusal(problem: "has a \(Stack.typeName(L, index)) as a key, which a checkpoint cannot keep")
            }
        }

        /// Reads a part; an error in it gets `place` in front of its own.
        private mutating func inside(_ place: String, _ read: (inout Reader) throws(Refusal) -> JSONValue) throws(Refusal) -> JSONValue {
            do throws(Refusal) { return try read(&self) } catch {
                var refusal = error
                refusal.path = place + refusal.path
                throw refusal
            }
        }
    }

    // MARK: To Lua

    /// - Precondition: the value was checked.
    func push(_ L: LuaThread) {
        guard case .json(let json) = content else { return clua_push_nil(L) }
        PlainValue.push(L, json)
    }

    private static func push(_ L: LuaThread, _ json: JSONValue) {
        clua_need(L, 4)
        switch json {
        case .null: clua_push_nil(L)
        case .bool(let value): clua_push_boolean(L, value)
        case .integer(let value): clua_push_integer(L, Int64(value))
        case .unsigned(let value): clua_push_number(L, Double(value))
        case .number(let value): clua_push_number(L, value)
        case .string(let text): Stack.push(L, text)
        case .array(let items): pushTable(L, list: items)
        case .object(let members):
            guard case .string(let kind)? = json[mark] else { return pushTable(L, fields: members) }
            pushMarked(L, kind, json)
        }
    }

    private static func pushMarked(_ L: LuaThread, _ kind: String, _ json: JSONValue) {
        switch kind {
        case "nan": clua_push_number(L, .nan)
        case "inf": clua_push_number(L, .infinity)
        case "-inf": clua_push_number(L, -.infinity)
        case "bytes":
            let bytes = hex(json) ?? []
            bytes.withUnsafeBytes { raw in
                let start = raw.baseAddress?.assumingMemoryBound(to: CChar.self) ?? UnsafePointer(bitPattern: 1)
                clua_push_string(L, start, raw.count)
            }
        default:
            guard let (list, fields, others) = table(json) else { return clua_push_nil(L) }
            pushTable(L, list: list, fields: fields, others: others)
        }
    }

    private static func pushTable(_ L: LuaThread, list: [JSONValue] = [], fields: [JSONValue.Member] = [], others: [(JSONValue, JSONValue)] = []) {
        clua_push_table(L, Int32(clamping: list.count), Int32(clamping: fields.count + others.count))
        for (position, item) in list.enumerated() {
            push(L, item)
            lua_rawseti(L, -2, lua_Integer(position + 1))
        }
        for member in fields {
            push(L, member.value)
            Stack.rawSet(L, -2, member.key)
        }
        for (key, value) in others {
            push(L, key)
            push(L, value)
            lua_rawset(L, -3)
        }
    }

    // MARK: Marks

    private static func hex(_ json: JSONValue) -> [UInt8]? {
        guard case .string(let text)? = json["hex"], text.utf8.count % 2 == 0 else { return nil }
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue.map(UInt8.init) }
        guard digits.allSatisfy({ $0 != nil }) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { (digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0) }
    }

    private static func table(_ json: JSONValue) -> (list: [JSONValue], fields: [JSONValue.Member], others: [(JSONValue, JSONValue)])? {
        guard case .array(let list)? = json["list"], case .object(let fields)? = json["fields"], case .array(let pairs)? = json["others"] else { return nil }
        let others = pairs.compactMap { pair -> (JSONValue, JSONValue)? in
            guard case .array(let items) = pair, items.count == 2, isKey(items[0]) else { return nil }
            return (items[0], items[1])
        }
        return others.count == pairs.count ? (list, fields, others) : nil
    }

    /// What Lua takes as a key: not nil, not NaN.
    private static func isKey(_ json: JSONValue) -> Bool {
        switch json {
        case .bool, .integer, .unsigned, .number, .string: true
        case .object: [.string("inf"), .string("-inf"), .string("bytes")].contains(json[mark] ?? .null)
        default: false
        }
    }

    private static func check(_ json: JSONValue) throws(CheckpointError) {
        switch json {
        case .array(let items): for item in items { try check(item) }
        case .object(let members):
            guard case .string(let kind)? = json[mark] else {
                for member in members { try check(member.value) }
                return
            }
            switch kind {
            case "nan", "inf", "-inf": return
            case "bytes": if hex(json) != nil { return }
            default:
                guard let (list, fields, others) = table(json) else { break }
                for value in list + fields.map(\.value) + others.flatMap({ [$0, $1] }) { try check(value) }
                return
            }
            throw CheckpointError("the checkpoint is damaged: a value marked '\(kind)'")
        default: return
        }
    }
}
