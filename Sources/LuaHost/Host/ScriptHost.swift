import Base
import CKernels
import CLua
import Glibc
import Tensors

/// A Lua state with the host's modules in it.
///
/// Not to be shared between threads. `close` it when done; functions and errors that outlive it become inert.
public final class ScriptHost {
    public let registry: Registry
    /// Where what scripts show goes.
    public let output: any Output
    /// Displays that were given an id of the host's own.
    private var displays = 0
    private(set) var state: LuaThread?
    private var functions: [NativeFunction] = []
    /// Anchors alive: without any, no userdata has to look for them.
    var anchorCount = 0
    /// The session that runs here, if one does.
    private(set) weak var session: Session?
    /// Modules of scripts, and whether their files have changed.
    let modules = ModuleReloader()
    /// What was run, for messages.
    let sources = SourceTexts()
    /// Warnings on sources that were given, so that a file that is loaded again does not repeat them.
    private var warned = Set<String>()
    /// Answers who looks into what runs; false when it cannot now.
    private var lookAnswer: (() -> Bool)?
    /// What the program says instead of a trace when Ctrl-C ends its script.
    var interruptText: String?

    /// The thread on which Lua runs at this moment; nil once the state is closed.
    var thread: LuaThread? {
        guard let state, let record = clua_host_of(state), !record.pointee.closed else { return nil }
        return record.pointee.current
    }

    /// - Parameter ignoreEnvironment: as `lua -E`: LUA_PATH and the like are not read.
    /// - Throws: `HostError` when there is no memory for a state.
    public init(_ registry: Registry, output: any Output = TerminalOutput(), ignoreEnvironment: Bool = false) throws {
        self.registry = registry
        self.output = output
        let base = min(256 << 20, trellis_memory_available().bytes / 4)
        state = clua_open(
            Unmanaged.passUnretained(self).toOpaque(),
            { L, context in
                guard let L, let context else { return Int32(CLUA_MESSAGE) }
                return dispatch(L, context)
            },
            { object in
                if let object { Unmanaged<AnyObject>.fromOpaque(object).release() }
            }, base, ignoreEnvironment)
        guard let state else { throw HostError("not enough memory for a Lua state") }
        Compiled.onRecordedOften = { Terminal.error(CompiledFunction.often("a step", $0, $1)) }
        clua_on_load(state) { swift, path in
            guard let swift, let path else { return }
            let host = Unmanaged<ScriptHost>.fromOpaque(swift).takeUnretainedValue(), name = String(keeping: path)
            host.modules.note(name)
            if let text = SourceTexts.file(name) { host.warn(about: text, name: name) }
        }
        for type in registry.allTypes { install(state, type) }
        for module in registry.modules { install(state, module) }
    }

    deinit { close() }

    /// Runs all finalisers and frees the state.
    public func close() {
        guard let state else { return }
        clua_close(state)
        self.state = nil
    }

    /// An id for a display that no other one has.
    func newDisplayID() -> String {
        displays += 1
        return "trellis-\(getpid())-\(displays)"
    }

    /// The host that owns a Lua thread.
    static func of(_ L: LuaThread) -> ScriptHost {
        Unmanaged<ScriptHost>.fromOpaque(clua_host_of(L).pointee.swift).takeUnretainedValue()
    }

    /// Says on stderr what in a source, compiled under `name`, cannot be meant.
    func warn(about source: String, name: String) {
        for warning in SourceWarnings.of(source) {
            let text = "trellis: warning: \(name):\(warning.line): \(warning.text)\n"
            if warned.insert(text).inserted { Terminal.error(text) }
        }
    }

    // MARK: Sessions

    /// Makes the functions of sessions global, where no script has made something else of their names, and `debug` callable; errors keep their frames.
    func begin(_ session: Session) {
        self.session = session
        guard let L = state else { return }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        clua_frames_keep(L, true)
        clua_push_globals(L)
        let globals = lua_gettop(L)
        Stack.rawGet(L, clua_registry(), LUA_LOADED_TABLE)
        Stack.rawGet(L, -1, SessionModule.module.name)
        guard lua_type(L, -1) == LUA_TTABLE else { return }  // a host with fewer modules
        let functions = lua_gettop(L)
        for (name, global) in SessionModule.globals {
            Stack.rawGet(L, globals, global)
            if lua_type(L, -1) == LUA_TNIL {
                Stack.rawGet(L, functions, name)
                Stack.rawSet(L, globals, global)
            }
            lua_settop(L, functions)
        }
        Stack.rawGet(L, globals, "debug")
        guard lua_type(L, -1) == LUA_TTABLE, lua_getmetatable(L, -1) == 0 else { return }
        clua_push_table(L, 0, 1)
        let function = NativeFunction(SessionModule.frames, owner: "session", skipping: 1, style: CLUA_CALLABLE, registry: registry)
        self.functions.append(function)
        clua_push_function(L, function.record)
        Stack.rawSet(L, -2, "__call")
        lua_setmetatable(L, -2)
    }

    /// From now on `answer` is called, between two steps of what runs, when SIGQUIT or `clua_look_ask` asks for it: on the thread that runs Lua, with a
    /// coroutine of its own as `thread`.
    func answerLooks(_ answer: @escaping () -> Bool) {
        guard let state else { return }
        lookAnswer = answer
        clua_look_with(state) { swift, _ in
            guard let swift, !Recording.isActive else { return false }
            return Unmanaged<ScriptHost>.fromOpaque(swift).takeUnretainedValue().lookAnswer?() ?? true
        }
        Looks.answer = { [weak self] in
            if let L = self?.thread { _ = clua_look_serve(L) }
        }
        clua_look_install()
    }

    // MARK: Installing

    private func push(
        _ L: LuaThread, _ binding: Binding, methodOf type: ObjectType? = nil, owner: String? = nil, role: RecordingRule.Role = .function,
        style: Int = CLUA_FUNCTION
    ) {
        let function = NativeFunction(binding, methodOf: type, owner: owner, role: role, style: style, registry: registry)
        functions.append(function)
        clua_push_function(L, function.record)
    }

    private func install(_ L: LuaThread, _ type: ObjectType) {
        clua_push_table(L, 0, Int32(type.methods.count))
        for method in type.methods {
            push(L, method, methodOf: type, style: CLUA_METHOD)
            Stack.rawSet(L, -2, method.name)
        }
        clua_push_table(L, 0, Int32(type.fields.count))
        for field in type.fields {
            push(L, Binding(name: field.name, summary: "", body: field.get), methodOf: type, role: .getter, style: CLUA_FIELD)
            Stack.rawSet(L, -2, field.name)
        }
        clua_push_table(L, 0, 4)
        for field in type.fields {
            guard let set = field.set else { continue }
            let parameter = Argument("value", field.kind, optional: field.optional)
            push(L, Binding(name: field.name, parameters: [parameter], summary: "", body: set), methodOf: type, role: .setter, style: CLUA_FIELD)
            Stack.rawSet(L, -2, field.name)
        }
        pushKeyFunction(L, type, "index", ["key"], type.index)
        pushKeyFunction(L, type, "newindex", ["key", "value"], type.newindex)
        pushKeyFunction(L, type, "index", ["key", "is_method"], type.readNothing)
        clua_push_table(L, 0, Int32(type.metamethods.count + 1))
        for metamethod in type.metamethods {
            let word = operatorWords[metamethod.name]
            let named = word.map { metamethod.renamed($0) } ?? metamethod
            let isCall = metamethod.name == "__call"
            if isCall {
                push(L, metamethod.renamed(type.name), methodOf: type, style: CLUA_CALLABLE)
            } else {
                push(L, named, owner: type.name, style: word == nil ? CLUA_FUNCTION : CLUA_OPERATOR)
            }
            Stack.rawSet(L, -2, metamethod.name)
        }
        push(L, Binding(name: "tostring", summary: "", body: type.describe), methodOf: type, role: .text, style: CLUA_FIELD)
        Stack.rawSet(L, -2, "__tostring")
        clua_make_type(L, type.tag, type.name)
    }

    private func pushKeyFunction(_ L: LuaThread, _ type: ObjectType, _ name: String, _ parameters: [String], _ body: Body?) {
        guard let body else { return clua_push_nil(L) }
        let list = parameters.map { Argument($0, .any) }
        push(L, Binding(module: type.name, name: name, parameters: list, summary: "", body: body), methodOf: type, role: .key, style: CLUA_KEY)
    }

    /// Makes the module's table, a global that `require` finds too.
    private func install(_ L: LuaThread, _ module: LuaModule) {
        clua_push_table(L, 0, Int32(module.bindings.count))
        for binding in module.bindings {
            push(L, binding, owner: module.name)
            setNested(L, binding.name)
        }
        for table in ModuleTable.all(of: module) {
            pushTable(L, table.path)
            pushMetatable(L, table)
            lua_setmetatable(L, -2)
            clua_pop(L, 1)
        }
        clua_push_globals(L)
        clua_push_copy(L, -2)
        Stack.rawSet(L, -2, module.name)
        clua_pop(L, 1)
        Stack.rawGet(L, clua_registry(), LUA_LOADED_TABLE)
        clua_push_copy(L, -2)
        Stack.rawSet(L, -2, module.name)
        clua_pop(L, 2)
    }

    /// Sets "a.b.c" in the table below the top to the value on top, making tables on the way.
    private func setNested(_ L: LuaThread, _ name: String) {
        guard name.utf8.contains(UInt8(ascii: ".")) else { return Stack.rawSet(L, -2, name) }
        let parts = name.split(separator: ".")
        clua_insert(L, -2)  // the value, the table
        pushTable(L, parts.dropLast().joined(separator: "."))
        clua_push_copy(L, -3)
        Stack.rawSet(L, -2, String(parts[parts.count - 1]))
        clua_pop(L, 1)
        clua_remove(L, -2)
    }

    /// Pushes the table "a.b" inside the table on top, making it if it is not there.
    private func pushTable(_ L: LuaThread, _ path: String) {
        clua_push_copy(L, -1)
        for part in path.split(separator: ".") {
            Stack.rawGet(L, -1, String(part))
            if lua_type(L, -1) != LUA_TTABLE {
                clua_pop(L, 1)
                clua_push_table(L, 0, 4)
                clua_push_copy(L, -1)
                Stack.rawSet(L, -3, String(part))
            }
            clua_remove(L, -2)
        }
    }

    private func pushMetatable(_ L: LuaThread, _ table: ModuleTable) {
        clua_push_table(L, 0, 4)
        push(L, Binding(name: "index", parameters: [Argument("table", .any), Argument("key", .any)], summary: "", body: table.read))
        Stack.rawSet(L, -2, "__index")
        push(L, Binding(name: "tostring", parameters: [Argument("table", .any)], summary: "") { call in call.push(table.text) })
        Stack.rawSet(L, -2, "__tostring")
        // A table of constants only is walked as if they were there, in their order.
        if table.holdsConstantsOnly {
            push(L, Binding(name: "pairs", parameters: [Argument("table", .any)], summary: "", body: table.walk))
            Stack.rawSet(L, -2, "__pairs")
        }
        if table.path.isEmpty, let call = table.module.call {
            // The table called is the first argument of __call; the body does not see it.
            let function = NativeFunction(call, owner: table.module.name, skipping: 1, style: CLUA_CALLABLE, registry: registry)
            functions.append(function)
            clua_push_function(L, function.record)
            Stack.rawSet(L, -2, "__call")
        }
    }
}

/// How messages name the operators.
let operatorWords = [
    "__add": "+", "__sub": "-", "__mul": "*", "__div": "/", "__mod": "%", "__pow": "^", "__unm": "-", "__idiv": "//", "__concat": "..",
    "__lt": "<", "__le": "<=",
]

extension Binding {
    fileprivate func renamed(_ name: String) -> Binding {
        Binding(
            module: module, name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
            example: example, body: body)
    }
}
