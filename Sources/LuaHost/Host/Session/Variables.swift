import Base
import Base
import CLua
import Networks
import Tensors

/// The variables that a session has made, for `who`.
struct Variables {
    private struct Row {
        let name: String, type: String, what: String
    }

    private let rows: [Row]

    init(_ L: LuaThread, _ host: ScriptHost) {
        let own = Set(host.registry.modules.map(\.name)).union(SessionModule.globals.values).union(LuaLibrary.names).union(Variables.others)
        var rows: [Row] = []
        clua_push_globals(L)
        Stack.forEach(L, -1) {
            guard lua_type(L, -2) == LUA_TSTRING, let name = Stack.string(L, -2), !own.contains(name), !name.hasPrefix("_") else { return }
            rows.append(Row(name: name, type: Stack.typeName(L, -1), what: Variables.what(L, lua_gettop(L))))
        }
        clua_pop(L, 1)
        self.rows = rows.sorted { $0.name < $1.name }
    }

    private static let others: Set<String> = ["coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8", "arg"]

    private static func what(_ L: LuaThread, _ index: Int32) -> String {
        switch lua_type(L, index) {
        case LUA_TSTRING: return luaQuoted(Stack.string(L, index) ?? "", limit: 40)
        case LUA_TTABLE:
            var count = 0
            Stack.forEach(L, index) { count += 1 }
            return "\(count) \(count == 1 ? "entry" : "entries")"
        case LUA_TFUNCTION:
            let place = lua_iscfunction(L, index) == 0 ? LuaFunctionInfo.place(L, index) : nil
            return place.map { "(\(LuaFunctionInfo.parameters(L, index))), \($0.source):\($0.first)" } ?? ""
        case LUA_TUSERDATA:
            if let tensor = Tensor.read(L, index) { return "\(Shape.text(tensor.shape)) \(tensor.dtype.rawValue), \(byteUnits(4 * tensor.count))" }
            if let module = Module.read(L, index) { return "\(module.kind), \(module.parameters().reduce(0) { $0 + $1.tensor.count }) parameters" }
            return ""
        default: return Stack.display(L, index)
        }
    }

    /// A line each, in the order of the names.
    var table: String {
        guard !rows.isEmpty else { return "No variables yet.\n" }
        let names = rows.map(\.name.count).max() ?? 0, types = rows.map(\.type.count).max() ?? 0
        return rows.map { "\(pad($0.name, names))  \(pad($0.type, types))  \($0.what.prefix { $0 != "\n" })\n" }.joined()
    }
}
