import CLua
import Glibc

/// The prompt: reads, evaluates, prints. What it does with a text is `handle`; terminal and pipe differ in reading only.
public final class Prompt {
    private let session: Session
    private let showsPrompt: Bool
    /// Whether entries are coloured and edited as a whole, several lines at once.
    private let isRich: Bool
    private var entry = 0
    /// Lines of an entry that is not complete yet.
    private var pending = ""
    private let history = PromptHistory()
    /// What looks into the entry that runs have assigned.
    private var lookVariables: LookVariables?
    private let editor: LineEditor
    private var leaves = false

    public init(_ host: ScriptHost) {
        session = Session(host)
        editor = LineEditor(session, history)
        showsPrompt = Terminal.isTerminal(0)
        isRich = Terminal.hasColour(0) && Terminal.hasColour(1)
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
        if isRich { editor.install() }
        session.host.answerLooks { [unowned self] in
            look()
            return true
        }
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
    private var prompt: String {
        if !pending.isEmpty { return ">> " }
        return isRich ? "[\(entry + 1)]> " : "> "
    }

    // MARK: Entries

    private func take(_ line: String) {
        if pending.isEmpty, line.allSatisfy(\.isWhitespace) { return }
        let text = pending.isEmpty ? line : pending + "\n" + line
        if finish(text) {
            pending = ""
            remember(text)
            runQueued()
        } else {
            pending = text
        }
    }

    /// Evaluates an entry; false if it goes on in the next line.
    @discardableResult
    private func finish(_ text: String) -> Bool {
        let trimmed = text.trimmingSpaces
        if ["exit", "quit", "exit()", "quit()"].contains(trimmed), session.isUndefined(path: String(trimmed.prefix(4))) {
            leaves = true
            return true
        }
        lookVariables = nil
        switch session.run(text, name: "[\(entry + 1)]", number: entry + 1) {
        case .done: break
        case .incomplete(let report):
            if pending == text { session.output.failure(ErrorReport(message: "unfinished: \(report.message)")) }
            return false
        case .failed(let report): session.output.failure(report)
        // The terminal has echoed ^C.
        case .interrupted: session.output.failure(ErrorReport(message: (Terminal.isTerminal(2) ? "\n" : "") + "interrupted"))
        }
        entry += 1
        return true
    }

    /// Runs what `edit` has left to run, as if it had been typed.
    private func runQueued() {
        while !leaves, let text = session.log.takeQueued() {
            Terminal.out(prompt + text + "\n")
            take(text)
        }
    }

    /// Ctrl-\ while an entry runs: reads and evaluates looks into it until an empty line.
    private func look() {
        guard let variables = lookVariables ?? LookVariables(session.host) else { return }
        lookVariables = variables
        let unfinished = pending
        pending = ""
        defer { pending = unfinished }
        Terminal.error("\na look into what runs, which it does not change; an empty line goes on\n")
        while let text = readLook() {
            switch session.look(text, name: "look", number: entry + 1, variables) {
            case .done: break
            case .incomplete(let report), .failed(let report): session.output.failure(report)
            case .interrupted: session.output.failure(ErrorReport(message: "\ninterrupted"))
            }
        }
    }

    /// nil when nothing more is to be looked at.
    private func readLook() -> String? {
        var line: UnsafeMutablePointer<CChar>?
        let status = clua_read_line("look> ", &line)
        defer { free(line) }
        if status == CLUA_LINE_END { Terminal.out("\n") }
        guard status == CLUA_LINE_READ, let line else { return nil }
        let text = String(keeping: UnsafePointer(line))
        return text.allSatisfy(\.isWhitespace) ? nil : text
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
        switch session.complete(before) {
        case .files: return Int32(CLUA_COMPLETE_FILES)
        case .words(let from, let words):
            guard start >= 0 else { return Int32(CLUA_COMPLETE_NOTHING) }
            // Readline replaces from where it thinks the word begins, which may be earlier or later.
            let bytes = Array(before.utf8), offset = max(0, Int(start) + bytes.count - line.count)
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
