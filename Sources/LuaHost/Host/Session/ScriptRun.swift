import CLua

extension ScriptHost {
    /// Runs a script in the middle of another one, as the command line would: `arg` and `...` are its arguments, and `require` finds what lies beside it.
    /// - Returns: how many results lie on the stack.
    func runScript(_ path: String, _ arguments: [String], _ L: LuaThread) throws -> Int {
        guard lua_checkstack(L, Int32(clamping: arguments.count + 8)) != 0 else { throw HostError("too many arguments to script") }
        clua_push_globals(L)
        let globals = lua_gettop(L)
        Stack.rawGet(L, globals, "arg")
        let before = LuaReference(L, -1), text = interruptText
        setArguments([path] + arguments, scriptAt: 0)
        searchModules(besideScript: path)
        defer { interruptText = text }
        lua_settop(L, globals)
        let file = path.keptBytes.map { CChar(bitPattern: $0) } + [0]
        guard clua_load_file(L, file) == LUA_OK else { throw LuaError.take(L, traceback: false) }
        modules.note(path)
        if let source = SourceTexts.file(path) { warn(about: source, name: path) }
        for argument in arguments { Stack.push(L, bytes: argument.keptBytes) }
        let status = clua_pcall(L, Int32(arguments.count), LUA_MULTRET)
        let error = status == LUA_OK ? nil : LuaError.take(L)
        before.push(L)
        Stack.rawSet(L, globals, "arg")
        guard let error else { return Int(lua_gettop(L) - globals) }
        if error.isInterrupt, let interruptText { Terminal.error("interrupted: \(interruptText)\n") }
        throw error
    }
}
