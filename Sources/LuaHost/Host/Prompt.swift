import CKernels
import CLua
import Glibc

/// The prompt: reads, evaluates, prints. What it does with a text is `handle`; terminal and pipe differ in reading only.
public final class Prompt {
    private let host: ScriptHost
    private let showsPrompt: Bool
    private let colourError: Bool
    private var entry = 0
    /// Lines of an entry that is not complete yet.
    private var pending = ""
    private let history = PromptHistory()
    private var leaves = false

    public init(_ host: ScriptHost) {
        self.host = host
        showsPrompt = Terminal.isTerminal(0)
        colourError = Terminal.hasColour(2)
    }

    /// Runs until the end of input.
    public func run() {
        guard showsPrompt else { return runPiped() }
        if Terminal.isTerminal(1) {
            Terminal.out("Trellis \(TrellisModule.version), \(luaRelease). help() for help, Ctrl-D to leave.\n")
        }
        current = self
        defer { current = nil }
        clua_line_setup("trellis", { line, start, end in completeLine(line, start, end) }, !Terminal.isTerminal(1))
        history.open()
        while !leaves, readAndRun() {}
    }

    private func readAndRun() -> Bool {
        var text: UnsafeMutablePointer<CChar>?
        let status = clua_read_line(prompt, &text)
        defer { free(text) }
        switch status {
        case CLUA_LINE_READ:
            guard let text else { return true }
            take(String(keeping: UnsafePointer(text)))
            return true
        case CLUA_LINE_INTERRUPTED:
            pending = ""
            return true
        default:
            if !pending.isEmpty {  // Ctrl-D in the middle of an entry: say what is missing, stay
                Terminal.out("\n")
                finish(pending)
                pending = ""
                return true
            }
            Terminal.out("\n")
            return false
        }
    }

    /// Input that is no terminal but -i was given: the same entries without prompts.
    private func runPiped() {
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        defer { free(line) }
        while !leaves {
            let count = clua_piped_line(&line, &room)
            guard count >= 0, let line else { break }
            let bytes = UnsafeRawBufferPointer(start: line, count: count)
            take(String(keeping: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...]))
        }
        if !pending.isEmpty { finish(pending) }
    }

    /// Without colour: with characters in it that take no room readline 8.2 can draw a line for ever.
    private var prompt: String { pending.isEmpty ? "> " : ">> " }

    // MARK: Entries

    private func take(_ line: String) {
        if pending.isEmpty, line.allSatisfy(\.isWhitespace) { return }
        let text = pending.isEmpty ? line : pending + "\n" + line
        if finish(text) {
            pending = ""
            remember(text)
        } else {
            pending = text
        }
    }

    /// Evaluates an entry; false if it goes on in the next line.
    @discardableResult
    private func finish(_ text: String) -> Bool {
        let trimmed = text.trimmingSpaces
        if ["exit", "quit", "exit()", "quit()"].contains(trimmed), isUndefined(String(trimmed.prefix(4))) {
            leaves = true
            return true
        }
        let source = command(trimmed) ?? text
        let silent = trimmed.hasSuffix(";")
        let outcome = host.evaluate(source, name: "=[\(entry + 1)]") { [self] L, first, count in
            show(L, first, silent ? 0 : count)
            keepLast(L, first, count)
        }
        switch outcome {
        case .done: break
        case .incomplete(let error):
            if pending == text { report("unfinished: \(error.message)", nil) }
            return false
        case .failed(let error): report(error.message, error.traceback.flatMap(userFrames))
        case .interrupted: report((Terminal.isTerminal(2) ? "\n" : "") + "interrupted", nil)  // the terminal has echoed ^C
        }
        entry += 1
        return true
    }

    /// What a line that is not Lua means: "? x" asks for help, "= x" prints as in older Luas.
    private func command(_ text: String) -> String? {
        if text.hasPrefix("=") { return String(text.dropFirst()) }
        guard text.hasPrefix("?") else { return nil }
        let subject = text.dropFirst().trimmingSpaces
        if subject.isEmpty { return "help()" }
        let isName = subject.utf8.allSatisfy { isIdentifierByte($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        return isName && isUndefinedPath(subject) ? "help(\(luaQuoted(subject, limit: 1000)))" : "help(\(subject))"
    }

    private func isUndefined(_ name: String) -> Bool {
        guard let L = host.thread else { return true }
        clua_push_globals(L)
        Stack.rawGet(L, -1, name)
        defer { clua_pop(L, 2) }
        return clua_is_none_or_nil(L, -1)
    }

    /// Whether a dotted name leads nowhere from the globals, so that only the registry can know it.
    private func isUndefinedPath(_ path: String) -> Bool {
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

    // MARK: Results

    private func show(_ L: LuaThread, _ first: Int32, _ count: Int32) {
        guard count > 0 else { return }
        var pretty = Pretty()
        pretty.width = Terminal.width
        let texts = (0..<count).map { pretty.describe(L, first + $0) }
        guard !trellis_interrupt_pending() else { return }
        Terminal.out(texts.joined(separator: texts.contains { $0.contains("\n") } ? "\n" : "\t") + "\n")
    }

    /// `_` is the last value that was not nil.
    private func keepLast(_ L: LuaThread, _ first: Int32, _ count: Int32) {
        guard count > 0, lua_type(L, first) != LUA_TNIL else { return }
        clua_push_globals(L)
        clua_push_copy(L, first)
        Stack.rawSet(L, -2, "_")
        clua_pop(L, 1)
    }

    private func report(_ message: String, _ traceback: String?) {
        let text = colourError ? "\u{1b}[31m\(message)\u{1b}[0m" : message
        Terminal.error(text + "\n" + (traceback.map { $0 + "\n" } ?? ""))
    }

    /// The traceback without the entry itself; nothing if no function of the user's is left.
    private func userFrames(_ traceback: String) -> String? {
        var lines = traceback.split(separator: "\n").map(String.init)
        // An expression runs as `return f()`, a tail call.
        if lines.last == "\t(...tail calls...)" { lines.removeLast() }
        if let last = lines.last, last.hasSuffix("in main chunk"), last.hasPrefix("\t[\(entry + 1)]:") { lines.removeLast() }
        return lines.dropFirst().contains { !$0.hasPrefix("\t[C]:") } ? lines.joined(separator: "\n") : nil
    }

    // MARK: History

    private func remember(_ text: String) {
        if showsPrompt, !text.hasPrefix(" ") { history.add(text) }
    }

    /// - Parameters:
    ///   - line: up to `end`, where the cursor is; not always UTF-8.
    ///   - start: where readline thinks that the word begins, in bytes.
    fileprivate func complete(_ line: UnsafeBufferPointer<UInt8>, _ start: Int32, _ end: Int32) -> Int32 {
        // As many bytes as readline counts.
        let text = String(validating: line, as: UTF8.self) ?? String(decoding: line.map { $0 < 128 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
        let before = (pending.isEmpty ? "" : pending + "\n") + text
        // A line for help is not Lua, but what follows the mark is.
        let source = before.hasPrefix("?") ? " " + before.dropFirst() : before
        switch Completer(host).complete(source) {
        case .files: return Int32(CLUA_COMPLETE_FILES)
        case .words(let from, let words):
            guard start >= 0 else { return Int32(CLUA_COMPLETE_NOTHING) }
            // Readline replaces from where it thinks the word begins, which may be earlier or later.
            let bytes = Array(source.utf8), offset = max(0, Int(start) + bytes.count - line.count)
            let missing = from > offset ? String(decoding: bytes[offset..<from], as: UTF8.self) : ""
            for word in words { clua_add_candidate(missing + String(decoding: word.utf8.dropFirst(max(0, offset - from)), as: UTF8.self)) }
            return Int32(CLUA_COMPLETE_NOTHING)
        }
    }
}

/// Readline knows one terminal; its completion function gets no context.
private nonisolated(unsafe) weak var current: Prompt?

private func completeLine(_ line: UnsafePointer<CChar>?, _ start: Int32, _ end: Int32) -> Int32 {
    guard let line, let current else { return Int32(CLUA_COMPLETE_NOTHING) }
    let bytes = UnsafeRawPointer(line).assumingMemoryBound(to: UInt8.self)
    return current.complete(UnsafeBufferPointer(start: bytes, count: min(Int(end), strlen(line))), start, end)
}

/// "Lua 5.4.4": the macro is put together by the preprocessor, which Swift does not see.
let luaRelease = String(cString: clua_release_text())
