import Base
import CLua
import Glibc
import Networks
import Tensors

/// What one does at the prompt and in a notebook beside computing: times, what there is, the shell, the editor, the session as a script. In a session each is
/// a global function, too, and has IPython's short form.
enum SessionModule {
    static let module = LuaModule(
        "session", summary: "For the prompt and notebooks: times, variables, the shell, the editor, the session as a script.",
        detail: "In a session time, timeit, who, sh, run, edit, source, reload and save_session (session.save) are global functions, debug() shows where the last error happened, "
            + "and _ is the last value, _3 that of entry 3. Short forms: ?x and x? for help(x), ??x for source(x), !ls for sh \"ls\", %time f(x), %timeit f(x), %who, %edit, %save, %run, %reload, %debug.",
        bindings: [time, timeIt, who, shell, run, edit, source, reload, save, frames])

    /// Global names of its functions in a session; `debug` is Lua's library, which becomes callable.
    static let globals = [
        "time": "time", "timeit": "timeit", "who": "who", "sh": "sh", "run": "run", "edit": "edit", "source": "source", "reload": "reload", "save": "save_session",
    ]

    private static func function(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String, body: @escaping Body
    ) -> Binding {
        Binding(
            module: "session", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail, example: example, body: body)
    }

    private static func session(_ call: Call) throws -> Session {
        guard let session = ScriptHost.of(call.thread).session else { throw HostError("there is no session here: this is for the prompt and notebooks") }
        return session
    }

    // MARK: Times

    private static let time = function(
        "time", [Argument("f", .any, "a function"), Argument("arguments", .any, variadic: true)], returns: [Returns(.any, "what f returns")],
        "Calls a function, prints how long it took, and returns its results.", "%time f(x) at the prompt.",
        example: "local total = session.time(function() return tensor.ones(100, 100):sum():item() end)\nassert(total == 10000)"
    ) { call in
        let start = Clock.now, processor = Clock.processor, memory = Memory.live
        let count = try call.pass(to: LuaFunction(call.thread, call.index(1)), skipping: 1)
        let more = Memory.live - memory
        let tensors = abs(more) < 1024 ? "" : ", tensors \(more < 0 ? "-" : "+")\(byteUnits(abs(more)))"
        Terminal.out("\(Clock.text(Clock.now - start)), processor \(Clock.text(Clock.processor - processor))\(tensors)\n")
        return count
    }

    private static let timeIt = function(
        "timeit", [Argument("f", .any, "a function without arguments")], options: [Option("seconds", .number, default: 1, "about how long it measures, above 0")],
        "Calls a function many times and prints how long a call takes.",
        "The median of several runs, and how far the runs lie from it: half of them nearer. %timeit f(x) at the prompt.",
        example: "session.timeit(function() return 1 + 1 end, {seconds = 0.01})"
    ) { call in
        let seconds: Double = try call.option("seconds")
        guard seconds > 0, seconds < 1e6 else { throw call.badOption("seconds", "a number above 0 expected, got \(seconds)") }
        let function = LuaFunction(call.thread, call.index(1))
        let text = try Clock.measure(seconds) {
            try checkInterrupt()
            try function.callRaw([]) { _, _, _ in }
        }
        Terminal.out(text + "\n")
        return 0
    }

    // MARK: What there is

    private static let who = function(
        "who", [], "Lists the variables that were made: name, type, what they hold.", "Globals, and locals of entries; not what the host and Lua have.",
        example: "x = tensor.zeros(2, 3)\nsession.who()"
    ) { call in
        Terminal.out(Variables(call.thread, ScriptHost.of(call.thread)).table)
        return 0
    }

    private static let source = function(
        "source", [Argument("f", .any, "a function of Lua")], "Prints the source of a function, with the comment above it.",
        "Of functions that are not written in Lua, and of other values, what help says. ??f at the prompt.", example: "session.source(print)"
    ) { call in
        Terminal.out(Help(ScriptHost.of(call.thread)).source(call.thread, call.index(1)))
        return 0
    }

    static let frames = function(
        "debug", [Argument("frame", .integer, optional: true, "its number, from 1: the innermost")], returns: [Returns(.table, "locals of the frame by name", optional: true)],
        "Shows the functions that were running at the last error, with their local variables.",
        "With a number the locals of that frame as a table: debug(1).x. They are kept until the next error. Errors that pcall caught are not among them. In a session debug() is the same.",
        example: "print(pcall(session.debug, 0))"
    ) { call in
        let frames = ErrorFrames(call.thread)
        guard let number: Int = try call.get(ifPresent: 1) else {
            Terminal.out(frames.text)
            return 0
        }
        guard frames.pushLocals(number) else { throw call.bad(1, frames.count == 0 ? "there was no error" : "a frame from 1 to \(frames.count) expected, got \(number)") }
        return 1
    }

    // MARK: The shell and the editor

    private static let shell = function(
        "sh", [Argument("command", .string)], "Runs a command of the shell, with its output here.", "A status other than 0 is an error. !command at the prompt.", example: "session.sh 'true'"
    ) { call in
        let command: String = try call.get(1)
        let L = call.thread
        fflush(nil)
        // Lua's own, which knows where the output of children goes.
        Stack.rawGet(L, clua_registry(), LUA_LOADED_TABLE)
        Stack.rawGet(L, -1, "os")
        guard lua_type(L, -1) == LUA_TTABLE else { throw HostError("os is not a table any more") }
        Stack.rawGet(L, -1, "execute")
        Stack.push(L, command)
        guard clua_pcall(L, 1, 3) == LUA_OK else { throw LuaError.take(L) }
        guard lua_toboolean(L, -3) == 0 else { return 0 }
        throw HostError("the command ended by \(Stack.string(L, -2) ?? "?") \(Stack.display(L, -1)): \(command)")
    }

    private static let run = function(
        "run", [Argument("path", .string, "a script"), Argument("arguments", .string, variadic: true)], returns: [Returns(.any, "what the script returns")],
        "Runs a script as the command line does: with arguments, and with the modules beside it.",
        "Its globals stay. What it says about an interrupt (trellis.on_interrupt) is printed when one ends it. %run path arguments at the prompt.",
        example: "files.write('double.lua', 'return 2 * arg[1]')\nprint(session.run('double.lua', '21'))  --> 42"
    ) { call in
        let path: String = try call.get(1)
        let arguments = call.count < 2 ? [] : try (2...call.count).map { try call.get($0, as: String.self) }
        return try call.host.runScript(path, arguments, call.thread)
    }

    private static let edit = function(
        "edit", [Argument("what", .any, optional: true, "an entry's number, a function of Lua, or the path of a file; the last entry if left out")],
        "Opens an editor; an entry that was edited runs as a new one.",
        "The editor is $VISUAL, else $EDITOR, else vi. A function opens the file that it is in, at its line, or the entry; a file runs nothing: see reload. %edit at the prompt.",
        example: "print(pcall(session.edit))"
    ) { call in
        let session = try session(call)
        guard Terminal.isTerminal(0), Terminal.isTerminal(1) else { throw HostError("an editor needs a terminal") }
        try Editor(session.log).edit(call)
        return 0
    }

    // MARK: The session

    private static let reload = function(
        "reload", returns: [Returns(.list(.string), "names of the modules")], "Loads modules again whose files have changed.",
        "A module's table stays the same one and gets the new contents, so that who has it sees them; a module that is no table is replaced for the next require. "
            + "In a session it happens before each entry by itself.",
        example: "print(#session.reload())  --> 0"
    ) { call in
        let host = ScriptHost.of(call.thread)
        let changed = host.modules.changed(call.thread)
        for (name, path) in changed {
            try host.modules.reload(name, path, call.thread)
            Terminal.error("reloaded \(name) from \(path)\n")
        }
        return call.push(changed.map(\.name))
    }

    private static let save = function(
        "save", [Argument("path", .string, "a .lua file")], "Writes the entries that ended well as a script, a cell each.",
        "In the percent format of Jupytext, which trellis notebook and JupyterLab read, and which runs as it is. Whole or not at all. In a session: save_session(path), %save path.",
        example: "print(pcall(session.save, 'session.lua'))"
    ) { call in
        let session = try session(call), path: String = try call.get(1)
        let host = session.host
        try AtomicFile.write(Array(session.log.script(compiles: host.compiles).utf8), to: path)
        return 0
    }
}
