import CLua
import Glibc

/// Modules that `require` has loaded from files, and those of them that have changed on the disk since.
final class ModuleReloader {
    /// When a file was written, by its path as it was loaded.
    private var loaded: [String: Time] = [:]

    private struct Time: Equatable {
        let seconds: Int, nanoseconds: Int

        /// nil when there is no such file.
        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        }
    }

    /// A script has loaded a file.
    func note(_ path: String) { loaded[path] = Time(path) }

    /// Modules whose files have changed, and those files.
    func changed(_ L: LuaThread) -> [(name: String, path: String)] {
        guard !loaded.isEmpty, lua_checkstack(L, 8) != 0 else { return [] }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        clua_push_globals(L)
        Stack.rawGet(L, -1, "package")
        guard lua_type(L, -1) == LUA_TTABLE else { return [] }
        Stack.rawGet(L, -1, "path")
        let templates = (Stack.string(L, -1) ?? "").split(separator: ";").map(String.init)
        Stack.rawGet(L, clua_registry(), LUA_LOADED_TABLE)
        var names: [String] = []
        Stack.forEach(L, -1) { if lua_type(L, -2) == LUA_TSTRING, let name = Stack.string(L, -2) { names.append(name) } }
        return names.sorted().compactMap { name in
            let paths = templates.lazy.map { $0.replacing("?", with: name.replacing(".", with: "/")) }
            guard let path = paths.first(where: { access($0, R_OK) == 0 }), let before = loaded[path], let now = Time(path), now != before else { return nil }
            return (name, path)
        }
    }

    /// Runs the file of a module again. A table that is there stays the same one, with what the new one holds: who has it sees the change.
    /// - Throws: the error of the file; the module stays as it was, until the file changes again.
    func reload(_ name: String, _ path: String, _ L: LuaThread) throws {
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        clua_need(L, 12)
        loaded[path] = Time(path)
        guard clua_load_file(L, path.keptBytes.map { CChar(bitPattern: $0) } + [0]) == LUA_OK else { throw LuaError.take(L, traceback: false) }
        Stack.push(L, name)
        Stack.push(L, path)
        guard clua_pcall(L, 2, 1) == LUA_OK else { throw LuaError.take(L) }
        Stack.rawGet(L, clua_registry(), LUA_LOADED_TABLE)
        Stack.rawGet(L, -1, name)
        let new = top + 1, table = top + 2, old = top + 3
        if lua_type(L, new) == LUA_TTABLE, lua_type(L, old) == LUA_TTABLE {
            ModuleReloader.replaceContents(L, of: old, by: new)
        } else if lua_type(L, new) != LUA_TNIL {
            clua_push_copy(L, new)
            Stack.rawSet(L, table, name)
        }
    }

    private static func replaceContents(_ L: LuaThread, of old: Int32, by new: Int32) {
        guard lua_rawequal(L, old, new) == 0 else { return }
        Stack.forEach(L, old) {
            clua_push_copy(L, -2)
            guard lua_rawget(L, new) == LUA_TNIL else { return }
            clua_push_copy(L, -3)
            clua_push_nil(L)
            lua_rawset(L, old)
        }
        Stack.forEach(L, new) {
            clua_push_copy(L, -2)
            clua_push_copy(L, -2)
            lua_rawset(L, old)
        }
        if lua_getmetatable(L, new) == 0 { clua_push_nil(L) }
        lua_setmetatable(L, old)
    }
}
