import CLua

/// How a piece of source ended.
public enum Outcome {
    case done
    /// The text ends before the statement does, as the error says; nothing ran.
    case incomplete(LuaError)
    /// It did not compile, or raised an error.
    case failed(LuaError)
    case interrupted(LuaError?)
}

/// What an evaluation does beside running the text. The prompt and notebooks differ from scripts here only.
public struct EvaluationOptions: Sendable {
    /// The text's last statement is returned if it is an expression.
    public var returnsExpression = true
    /// Top-level locals stay visible to later texts, as globals: each entry is a chunk of its own otherwise.
    public var keepsLocals = true
    public init() {}
}

/// Where a text runs, if not at the top level.
struct EvaluationPlace {
    let thread: LuaThread
    /// The table that its globals are read from and written to.
    let environment: LuaReference
}

extension ScriptHost {
    /// Compiles and runs text, then hands the results to `results` while they lie on the stack (first index, count).
    /// Both run under interrupt protection.
    /// - Parameters:
    ///   - source: what its `keptBytes` are is compiled.
    ///   - name: "=[3]" shows as "[3]:1:", "@file.lua" as "file.lua:1:".
    public func evaluate(
        _ source: String, name: String, options: EvaluationOptions = EvaluationOptions(),
        results: (LuaThread, Int32, Int32) throws -> Void = { _, _, _ in }
    ) -> Outcome { evaluate(source, name: name, options: options, at: nil, results: results) }

    /// The same, at a place of its own.
    func evaluate(
        _ source: String, name: String, options: EvaluationOptions = EvaluationOptions(), at place: EvaluationPlace?,
        results: (LuaThread, Int32, Int32) throws -> Void
    ) -> Outcome {
        guard let L = place?.thread ?? state else { return .done }
        let base = lua_gettop(L)
        defer { lua_settop(L, base) }
        let shownName = String(name.dropFirst())  // without = or @
        sources.note(source, as: shownName)
        switch compile(L, source, name, options) {
        case .failed(let error): return .failed(error)
        case .incomplete(let error): return .incomplete(error)
        case .ready(let keeps):
            warn(about: source, name: shownName)
            if let place {
                place.environment.push(L)
                _ = clua_environment_set(L, base + 1)
            }
            if keeps {
                if let place { place.environment.push(L) } else { clua_push_globals(L) }
                clua_push_keeper(L)
            }
            return run(L, arguments: keeps ? 1 : 0, base: base, results)
        }
    }

    /// Runs a script file, or standard input for a nil path, with `arguments` as `...`; nil takes those that the global `arg` has.
    public func runFile(_ path: String?, arguments: [String]?) -> Outcome {
        guard let L = state else { return .done }
        let base = lua_gettop(L)
        defer { lua_settop(L, base) }
        let file = path.map { $0.keptBytes.map { CChar(bitPattern: $0) } + [0] }
        guard clua_load_file(L, file) == LUA_OK else { return .failed(LuaError.take(L, traceback: false)) }
        if let path, let text = SourceTexts.file(path) { warn(about: text, name: path) }
        clua_push_globals(L)
        if let arguments { arguments.push(L) } else { Stack.rawGet(L, -1, "arg") }
        clua_remove(L, -2)
        guard lua_type(L, -1) == LUA_TTABLE else { return .failed(LuaError(L, "'arg' is not a table")) }
        let count = Int32(clamping: lua_rawlen(L, -1))
        guard count < Int32.max - 8, lua_checkstack(L, count + 8) != 0 else { return .failed(LuaError(L, "too many arguments to script")) }
        for position in stride(from: 1, through: count, by: 1) { lua_rawgeti(L, base + 2, lua_Integer(position)) }
        clua_remove(L, base + 2)
        return run(L, arguments: count, base: base) { _, _, _ in }
    }

    /// Calls a global function with one argument and stores the result: what -l does with require.
    public func require(_ module: String, into global: String) -> Outcome {
        guard let L = state else { return .done }
        let base = lua_gettop(L)
        defer { lua_settop(L, base) }
        clua_push_globals(L)
        Stack.rawGet(L, -1, "require")
        clua_remove(L, -2)
        Stack.push(L, bytes: module.keptBytes)
        return run(L, arguments: 1, base: base) { L, first, count in
            clua_push_globals(L)
            Stack.push(L, bytes: global.keptBytes)
            if count > 0 { clua_push_copy(L, first) } else { clua_push_nil(L) }
            lua_rawset(L, -3)
        }
    }

    /// Calls the function below the arguments on the stack as top-level code.
    private func run(_ L: LuaThread, arguments: Int32, base: Int32, _ results: (LuaThread, Int32, Int32) throws -> Void) -> Outcome {
        clua_run_begin(L)
        var failure: LuaError?
        if clua_pcall(L, arguments, LUA_MULTRET) == LUA_OK {
            do {
                try results(L, base + 1, lua_gettop(L) - base)
            } catch let error as LuaError {
                failure = error
            } catch {
                failure = LuaError(L, "\(error)")
            }
        } else {
            failure = LuaError.take(L)
        }
        let interrupted = clua_run_end(L)
        // Also without an error: what shows a value goes on where its __tostring was interrupted.
        if interrupted || failure?.isInterrupt == true { return .interrupted(failure) }
        return failure.map(Outcome.failed) ?? .done
    }

    /// What a text is as Lua: whole, the beginning of something, or neither.
    func completeness(_ source: String) -> Completeness {
        guard let L = state else { return .invalid }
        let base = lua_gettop(L)
        defer { lua_settop(L, base) }
        return switch compile(L, source, "=", EvaluationOptions()) {
        case .ready: .complete
        case .incomplete: .incomplete
        case .failed: .invalid
        }
    }

    /// Whether a text is Lua as it stands.
    func compiles(_ source: String) -> Bool {
        guard let L = state else { return false }
        let base = lua_gettop(L)
        defer { lua_settop(L, base) }
        return load(L, source, "=")
    }

    // MARK: Compiling

    private enum Compilation {
        /// The function is on the stack. `keepsLocals`: it takes the keeper as its argument.
        case ready(keepsLocals: Bool)
        case incomplete(LuaError)
        case failed(LuaError)
    }

    private func load(_ L: LuaThread, _ source: String, _ name: String) -> Bool {
        let status = source.keptBytes.withUnsafeBytes { clua_load(L, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, name) }
        return status == LUA_OK
    }

    /// As `load`, but leaves nothing on the stack when the text does not compile.
    private func tryLoad(_ L: LuaThread, _ source: String, _ name: String) -> Bool {
        if load(L, source, name) { return true }
        clua_pop(L, 1)
        return false
    }

    private func compile(_ L: LuaThread, _ source: String, _ name: String, _ options: EvaluationOptions) -> Compilation {
        // As an expression first: `f` alone is one, and `f()` has results worth showing. Nothing runs to find out.
        var incomplete = false
        if options.returnsExpression {
            if load(L, "return " + source, name) { return .ready(keepsLocals: false) }
            incomplete = isIncomplete(L, "return " + source, LuaError.take(L, traceback: false))
        }
        let plainIndex = lua_gettop(L) + 1
        let failure = load(L, source, name) ? nil : LuaError.take(L, traceback: false)
        // A leading semicolon lest the call continue the text's last expression. After a final `return` this is no Lua: no keeping.
        let keeper = options.keepsLocals && source.utf8.count < 1 << 20 && source.contains("local") ? "\n;(...)()" : ""
        if options.returnsExpression, let split = trailingExpression(L, source, name) {
            let head = source[..<split], tail = source[split...]
            if tryLoad(L, head + (keeper.isEmpty ? "" : ";(...)() ") + "return " + tail, name) {
                if failure == nil { clua_remove(L, plainIndex) }
                return .ready(keepsLocals: !keeper.isEmpty)
            }
        }
        if let failure { return incomplete || isIncomplete(L, source, failure) ? .incomplete(failure) : .failed(failure) }
        if !keeper.isEmpty, tryLoad(L, source + keeper, name) {
            clua_remove(L, plainIndex)
            return .ready(keepsLocals: true)
        }
        return .ready(keepsLocals: false)
    }

    /// Where the expression that ends a text of several lines begins. What is before it must compile by itself, else it is
    /// inside a block.
    private func trailingExpression(_ L: LuaThread, _ source: String, _ name: String) -> String.Index? {
        var end = source.endIndex
        for _ in 0..<32 {
            guard let newline = source[..<end].lastIndex(of: "\n") else { return nil }
            let start = source.index(after: newline)
            end = newline
            guard !source[start...].allSatisfy(\.isWhitespace), tryLoad(L, "return " + source[start...], name) else { continue }
            clua_pop(L, 1)
            guard tryLoad(L, String(source[..<start]), name) else { continue }
            clua_pop(L, 1)
            return start
        }
        return nil
    }

    /// Lua says <eof> where a text ends too soon. A string in quotes goes on in the next line only behind a backslash: then the line's end
    /// changes nothing.
    private func isIncomplete(_ L: LuaThread, _ source: String, _ failure: LuaError) -> Bool {
        guard failure.message.hasSuffix("<eof>") else { return false }
        guard failure.message.contains("unfinished string") else { return true }
        guard !load(L, source + "\n", "=") else {
            clua_pop(L, 1)
            return false
        }
        return LuaError.take(L, traceback: false).message.hasSuffix("<eof>")
    }
}

extension LuaError {
    /// An error of the host's own with a message only.
    init(_ L: LuaThread, _ message: String) {
        Stack.push(L, message)
        defer { clua_pop(L, 1) }
        self.init(value: LuaReference(L, -1), message: message, traceback: nil, isInterrupt: false)
    }
}
