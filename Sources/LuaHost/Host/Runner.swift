import CLua
import Glibc
import Runs

/// The command line: `lua`'s options, scripts, and the host's own subcommands.
public enum Runner {
    static let usage = """
        usage: trellis [options] [script [args]]
          -e stat   execute string 'stat'
          -i        enter interactive mode after executing 'script'
          -l mod    require library 'mod' into global 'mod'
          -l g=mod  require library 'mod' into global 'g'
          -v        show version information
          -E        ignore environment variables
          -W        turn warnings on
          --        stop handling options
          -         stop handling options and execute stdin
        or:    trellis profile script.lua [args]   run it and show where the time goes (trellis profile --help)
               trellis notebook IN -o OUT   run a script cell by cell into a page, a notebook or Markdown (trellis notebook --help)
               trellis kernel install       let Jupyter find the kernel (trellis kernel --help)
               trellis runs [DIR]           list, filter and compare what searches and trainings left (trellis runs --help)
               trellis stubs DIR    write definitions for editors (LuaCATS) and .luarc.json
               trellis reference    print the reference of all modules as Markdown
               trellis doctor       show what this machine has
        Without a script: the prompt on a terminal, otherwise standard input is the script.

        """

    /// This process's command line. Its bytes are kept for scripts, also where they are not UTF-8.
    public static var commandLine: [String] {
        (0..<Int(CommandLine.argc)).compactMap { i in CommandLine.unsafeArgv[i].map { String(keeping: UnsafePointer($0)) } }
    }

    /// Runs a command line, as `commandLine` gives it, and returns the exit status: 0, 1 after an error, 2 for wrong usage, 130 after Ctrl-C.
    public static func main(_ arguments: [String], registry: Registry = .standard) -> Int32 {
        if let status = Subcommand.run(arguments, registry) { return status }
        let options: Options
        do {
            options = try Options(arguments)
        } catch {
            Terminal.error("trellis: \(error)\n\(usage)")
            return 2
        }
        if options.showsHelp {
            Terminal.out(usage)
            return 0
        }
        if options.showsVersion { Terminal.out("Trellis \(TrellisModule.version), \(luaRelease)\n") }
        do {
            return try start(options, registry)
        } catch {
            Terminal.error("trellis: \(error)\n")
            return 1
        }
    }

    /// Does what the options say, in a host of its own.
    static func start(_ options: Options, _ registry: Registry) throws -> Int32 {
        let host = try ScriptHost(registry, ignoreEnvironment: options.ignoresEnvironment)
        clua_interrupt_install()
        if let state = host.state { clua_crash_install(state, strdup(crashAdvice)) }
        let status = run(host, options)
        fflushAll()
        host.close()
        return status
    }

    /// What follows the report of a crash.
    static let crashAdvice = """
        This is a fault of trellis itself, not of your script. Please report it, with the lines above, the script and what `trellis doctor` prints,
        as "When trellis itself fails" in README.md says.

        """

    private static func fflushAll() { Terminal.error("") }

    private static func run(_ host: ScriptHost, _ options: Options) -> Int32 {
        host.setArguments(options.allArguments, scriptAt: options.scriptIndex)
        if options.warns { host.turnWarningsOn() }
        if !options.ignoresEnvironment, let status = failure(host.runInitialisation(), host) { return status }
        for action in options.actions {
            let outcome =
                switch action {
                case .execute(let text): host.evaluate(text, name: "=(command line)", options: .script)
                case .require(let module, let global): host.require(module, into: global)
                }
            if let status = failure(outcome, host) { return status }
        }
        if let script = options.script {
            if let path = script { host.searchModules(besideScript: path) }
            if let status = failure(host.runFile(script, arguments: nil), host), !options.isInteractive { return status }
        }
        if options.isInteractive {
            Prompt(host).run()
        } else if options.script == nil, options.actions.isEmpty, !options.showsVersion {
            if Terminal.isTerminal(0) {
                Prompt(host).run()
            } else if let status = failure(host.runFile(nil, arguments: []), host) {
                return status
            }
        }
        return 0
    }

    /// Reports what went wrong on stderr; the exit status then.
    private static func failure(_ outcome: Outcome, _ host: ScriptHost) -> Int32? {
        switch outcome {
        case .done: return nil
        case .incomplete(let error), .failed(let error):
            let lines = [error.message, ErrorHints.hint(for: error, in: host).map { "hint: " + $0 }, error.traceback].compactMap { $0 }
            Terminal.error("trellis: " + lines.joined(separator: "\n") + "\n")
            RunDirectory.endAll(.failed, because: error.message)
            return 1
        case .interrupted(let error):
            let words = host.interruptText.map { ": \($0)\n" } ?? "\n" + (error?.traceback.map { $0 + "\n" } ?? "")
            Terminal.error("trellis: interrupted" + words)
            RunDirectory.endAll(.interrupted)
            return 130
        }
    }
}

/// A command line taken apart, as `lua` does it.
struct Options {
    enum Action: Equatable {
        case execute(String)
        case require(String, into: String)
    }

    var actions: [Action] = []
    var isInteractive = false
    var showsVersion = false
    var showsHelp = false
    var ignoresEnvironment = false
    var warns = false
    /// nil: none. Some(nil): standard input.
    var script: String??
    /// The whole command line, and where the script stands in it.
    let allArguments: [String]
    var scriptIndex: Int

    init(_ arguments: [String]) throws {
        allArguments = arguments
        scriptIndex = arguments.count
        var i = 1
        loop: while i < arguments.count {
            let argument = arguments[i]
            guard argument.hasPrefix("-") else { break }
            switch argument {
            case "-": break loop
            case "--":
                i += 1
                break loop
            case "-i": isInteractive = true
            case "-v", "--version": showsVersion = true
            case "-E": ignoresEnvironment = true
            case "-W": warns = true
            case "--help", "-h": showsHelp = true
            default: try takeValue(arguments, &i)
            }
            i += 1
        }
        guard i < arguments.count else { return }
        script = .some(arguments[i] == "-" && arguments[i - 1] != "--" ? nil : arguments[i])
        scriptIndex = i
    }

    /// -e and -l, whose value may be joined to them.
    private mutating func takeValue(_ arguments: [String], _ i: inout Int) throws {
        let argument = arguments[i], flag = argument.prefix(2)
        guard flag == "-e" || flag == "-l" else { throw HostError("unrecognized option '\(String(decoding: argument.keptBytes, as: UTF8.self))'") }
        var value = String(argument.dropFirst(2))
        if value.isEmpty {
            i += 1
            guard i < arguments.count, !arguments[i].hasPrefix("-") || flag == "-e" else { throw HostError("'\(flag)' needs argument") }
            value = arguments[i]
        }
        if flag == "-e" {
            actions.append(.execute(value))
        } else if let equals = value.firstIndex(of: "=") {
            actions.append(.require(String(value[value.index(after: equals)...]), into: String(value[..<equals])))
        } else {
            actions.append(.require(value, into: value))
        }
    }
}

extension EvaluationOptions {
    /// A piece of a script: nothing is printed or kept.
    static var script: EvaluationOptions {
        var options = EvaluationOptions()
        options.returnsExpression = false
        options.keepsLocals = false
        return options
    }
}

extension ScriptHost {
    /// Sets `arg`: the script is arg[0], what came before it has negative positions.
    func setArguments(_ arguments: [String], scriptAt script: Int) {
        guard let L = state else { return }
        let origin = script < arguments.count ? script : 0
        clua_push_table(L, Int32(clamping: arguments.count), 2)
        for (position, argument) in arguments.enumerated() {
            Stack.push(L, bytes: argument.keptBytes)
            lua_rawseti(L, -2, lua_Integer(position - origin))
        }
        clua_push_globals(L)
        clua_insert(L, -2)
        Stack.rawSet(L, -2, "arg")
        clua_pop(L, 1)
    }

    /// Lets `require` find modules that lie beside the script.
    func searchModules(besideScript path: String) {
        guard let L = state, let slash = path.lastIndex(of: "/") else { return }  // "./?.lua" is in the path already
        let folder = path[...slash]
        clua_push_globals(L)
        Stack.rawGet(L, -1, "package")
        Stack.rawGet(L, -1, "path")
        let old = Stack.bytes(L, -1).map(Array.init) ?? [], more = "\(folder)?.lua;\(folder)?/init.lua;".keptBytes
        clua_pop(L, 1)
        Stack.push(L, bytes: old.starts(with: more) ? old : more + old)
        Stack.rawSet(L, -2, "path")
        clua_pop(L, 2)
    }

    func turnWarningsOn() {
        if let L = state { lua_warning(L, "@on", 0) }
    }

    /// LUA_INIT: a text, or @ and the path of a file.
    func runInitialisation() -> Outcome {
        for name in ["LUA_INIT_5_4", "LUA_INIT"] {
            guard let text = getenv(name).map({ String(keeping: UnsafePointer($0)) }) else { continue }
            if text.hasPrefix("@") { return runFile(String(text.dropFirst()), arguments: []) }
            return evaluate(text, name: "=" + name, options: .script)
        }
        return .done
    }
}
