import CKernels
import CLua
import Notebook

/// What a prompt, a page and a kernel have in common: texts are evaluated one after another in one Lua state, their values shown, their locals kept, and
/// their errors put into words. What it has to show goes to `host.output`.
public final class Session {
    public let host: ScriptHost
    public var output: any Output { host.output }
    /// What was entered.
    let log = SessionLog()

    /// How a text ended.
    public enum Ending {
        case done
        /// It ends before its last statement does, as the report says; nothing ran.
        case incomplete(ErrorReport)
        case failed(ErrorReport)
        case interrupted
    }

    public init(_ host: ScriptHost) {
        self.host = host
        host.begin(self)
    }

    /// Evaluates a text and shows the values of its last expression, unless it ends in a semicolon.
    /// - Parameters:
    ///   - name: what messages call the text: "[3]", "cell 3".
    ///   - number: what the output calls its value.
    ///   - isSilent: nothing is shown, and `_` stays.
    public func run(_ text: String, name: String, number: Int, isSilent: Bool = false) -> Ending {
        let trimmed = text.trimmingSpaces
        let source = command(trimmed) ?? text
        reloadChangedModules()
        let shows = !isSilent && Session.shows(trimmed)
        let outcome = host.evaluate(source, name: "=" + name) { [self] L, first, count in
            if shows { show(L, first, count, number) }
            guard !isSilent, count > 0 else { return }
            clua_push_globals(L)
            keep(L, first, number)
        }
        let ending = ending(outcome, name)
        if case .incomplete = ending { return ending }
        let isDone = if case .done = ending { true } else { false }
        if !isSilent { log.note(SessionLog.Entry(number: number, text: text, lua: source, isDone: isDone)) }
        return ending
    }

    /// Whether the value of a text's last statement is shown: not behind a semicolon, and not what `assert` passes on.
    static func shows(_ text: String) -> Bool {
        let statement = text.split(separator: "\n").last { $0.first.map { !$0.isWhitespace && !")}]".contains($0) } ?? false } ?? ""
        return !text.hasSuffix(";") && !statement.hasPrefix("assert(")
    }

    func ending(_ outcome: Outcome, _ name: String) -> Ending {
        switch outcome {
        case .done: .done
        case .incomplete(let error): .incomplete(report(error, name))
        case .failed(let error): .failed(report(error, name))
        case .interrupted: .interrupted
        }
    }

    /// The Lua of a text that is none, such as ?x; nil for Lua itself.
    public func command(_ text: String) -> String? {
        ShortForms(compiles: host.compiles, isUndefined: isUndefined(path:)).lua(text)
    }

    /// Whether a dotted name leads nowhere from the globals, so that only the registry can know it.
    func isUndefined(path: String) -> Bool {
        guard !path.contains(":"), let L = host.thread else { return true }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        lua_checkstack(L, 8)
        clua_push_globals(L)
        for part in path.split(separator: ".") {
            guard lua_type(L, -1) == LUA_TTABLE else { return lua_type(L, -1) == LUA_TNIL }
            Stack.rawGet(L, -1, String(part))
            clua_remove(L, -2)
        }
        return lua_type(L, -1) == LUA_TNIL
    }

    /// Modules whose files have changed are loaded again before an entry runs; one that fails is told, and stays as it was.
    private func reloadChangedModules() {
        guard let L = host.thread, !host.modules.changed(L).isEmpty else { return }
        var options = EvaluationOptions.script
        options.keepsLocals = false
        if case .failed(let error) = host.evaluate("session.reload()", name: "=reload", options: options) { Terminal.error("not reloaded: \(error.message)\n") }
    }

    // MARK: Values

    /// All values in one piece; where one of them is a picture or a table, each by itself.
    func show(_ L: LuaThread, _ first: Int32, _ count: Int32, _ number: Int) {
        guard count > 0 else { return }
        let bundles = (0..<count).map { host.bundle(L, first + $0) }
        guard !trellis_interrupt_pending() else { return }
        if count == 1 || !bundles.contains(where: \.isRich) {
            let texts = bundles.map(\.plain)
            var whole = bundles[0]
            whole.plain = texts.joined(separator: texts.contains { $0.contains("\n") } ? "\n" : "\t")
            return output.result(whole, number: number)
        }
        for bundle in bundles.dropLast() { output.display(bundle, id: nil) }
        output.result(bundles[bundles.count - 1], number: number)
    }

    /// Numbered values that are kept: older ones go, lest a long session holds all its tensors.
    private static let mostValues = 100

    /// `_` is the last value that was not nil, `_3` that of entry 3: variables of the table on top.
    private func keep(_ L: LuaThread, _ first: Int32, _ number: Int) {
        guard lua_type(L, first) != LUA_TNIL else { return }
        for name in ["_", "_\(number)"] {
            clua_push_copy(L, first)
            Stack.rawSet(L, -2, name)
        }
        clua_push_nil(L)
        Stack.rawSet(L, -2, "_\(number - Session.mostValues)")
    }

    // MARK: Errors

    /// - Parameter name: of the text that ended so.
    public func report(_ error: LuaError, _ name: String) -> ErrorReport {
        let excerpt = SourceExcerpt { [host] in host.sources.text($0) }
        return ErrorReport(
            message: error.shownMessage, excerpt: excerpt.excerpt(error.message), hint: ErrorHints.hint(for: error, in: host),
            traceback: error.traceback.flatMap { userFrames($0, of: name) })
    }

    /// The traceback without the text itself; nothing if no function of the user's is left.
    private func userFrames(_ traceback: String, of name: String) -> String? {
        var lines = traceback.split(separator: "\n").map(String.init)
        // An expression runs as `return f()`, a tail call.
        if lines.last == "\t(...tail calls...)" { lines.removeLast() }
        if let last = lines.last, last.hasSuffix("in main chunk"), last.hasPrefix("\t\(name):") { lines.removeLast() }
        return lines.dropFirst().contains { !$0.hasPrefix("\t[C]:") } ? lines.joined(separator: "\n") : nil
    }

    // MARK: Questions about a text

    /// What can stand at the end of an unfinished text.
    func complete(_ before: String) -> Completer.Result {
        // A line for help is not Lua, but what follows the mark is.
        Completer(host).complete(before.hasPrefix("?") ? " " + before.dropFirst() : before)
    }

    /// Words that `complete` gave, with what they are.
    /// - Parameters:
    ///   - before: the text that was completed.
    ///   - from: the byte offset at which they begin.
    func matches(_ words: [String], _ before: String, from: Int) -> [Completer.Match] { Completer(host).matches(words, before, from: from) }

    /// What the name at a position of a text is, as `help` says it; nil when there is none, or nothing is known of it.
    /// - Parameters:
    ///   - position: a byte offset.
    ///   - withSource: of functions in Lua what they are written as, too.
    func inspect(_ text: String, at position: Int, withSource: Bool = false) -> String? {
        guard let chain = SourceScan.chain(in: text, around: position), let about = Completer(host).describe(chain) else { return nil }
        guard withSource, let source = Completer(host).definition(chain).flatMap(host.sources.text(of:)) else { return about }
        return about + "\n" + source + "\n"
    }

    /// Whether a text is a whole, goes on, or is no Lua. Nothing runs.
    public func completeness(_ text: String) -> Completeness {
        host.completeness(command(text.trimmingSpaces) ?? text)
    }
}

/// What a text is as Lua.
public enum Completeness: Equatable, Sendable {
    case complete
    /// It goes on in the next line.
    case incomplete
    case invalid
}

extension ScriptHost {
    /// The value at `index` in all the forms that it has.
    func bundle(_ L: LuaThread, _ index: Int32) -> MIMEBundle {
        var pretty = Pretty()
        pretty.width = output.columns
        let plain = pretty.describe(L, index)
        guard let box = clua_to_any_box(L, index), let object = box.pointee.object, let rich = ObjectType.of(box).rich else { return MIMEBundle(plain: plain) }
        guard var bundle = try? rich(Unmanaged<AnyObject>.fromOpaque(object).takeUnretainedValue()) else { return MIMEBundle(plain: plain) }
        bundle.plain = plain
        return bundle
    }
}
