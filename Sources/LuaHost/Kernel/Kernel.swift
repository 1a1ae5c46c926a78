import Base
import CKernels
import CLua
import Glibc
import Jupyter
import Notebook
import Tensors

/// A Jupyter kernel: answers requests one after another on the thread that runs Lua.
final class Kernel {
    private let session: Session
    private let output: KernelOutput
    private let wire: Wire
    private var count = 0
    private var history: KernelHistory
    private var cells = StaleCells()
    /// Of subshells, which look into what runs.
    private var lookVariables: [String: LookVariables] = [:]
    /// Requests to execute that were sent before this time are not run: an error came before them.
    private var abortsBefore = 0.0

    /// - Throws: `ConnectionError` and `FileError` when the front end cannot be connected, `HostError` without memory for Lua.
    init(_ connection: ConnectionFile, registry: Registry) throws {
        output = KernelOutput()
        let output = output
        clua_interrupt_install()
        clua_interrupt_patient(true)
        wire = try Wire(connection, Wire.Handlers(
            interrupt: { atOnce in if atOnce { clua_interrupt_at_once() } else { clua_interrupt() } }, look: { clua_look_ask() }, information: Kernel.information, flush: { output.flushWhole() }))
        output.connect(wire)
        try Capture.begin(output)
        session = Session(try ScriptHost(registry, output: output))
        Capture.host = session.host
        if let state = session.host.state { clua_crash_install(state, strdup(Runner.crashAdvice)) }
        session.host.setArguments([], scriptAt: 0)
        history = KernelHistory(before: PromptHistory.texts())
        session.host.answerLooks { [weak self] in
            self?.answerSubshells()
            return true
        }
    }

    /// Answers until the front end asks for the end.
    func run() {
        wire.publish("status", .object([.init("execution_state", .string("starting"))]), parent: nil)
        while case .request(let message) = wire.next() {
            if serve(message) { break }
        }
        session.host.close()
        Capture.end()
        wire.end()
    }

    /// Whether the kernel is to end.
    private func serve(_ message: Message) -> Bool {
        publish(state: "busy", message)
        let ends = answer(message)
        Capture.flush()
        output.flush()
        publish(state: "idle", message)
        return ends
    }

    /// Answers requests to subshells in the middle of a cell.
    private func answerSubshells() {
        for message in wire.takeSubshellRequests() { output.aside { _ = serve(message) } }
    }

    private func publish(state: String, _ request: Message) {
        wire.publish("status", .object([.init("execution_state", .string(state))]), parent: request)
    }

    private func reply(_ message: Message, _ members: [JSONValue.Member]) {
        wire.reply(message.type.replacing("_request", with: "_reply"), .object([.init("status", .string("ok"))] + members), to: message)
    }

    /// Whether the kernel is to end.
    private func answer(_ message: Message) -> Bool {
        switch message.type {
        case "execute_request":
            if let subshell = message.subshell { look(message, subshell) } else { execute(message) }
        case "kernel_info_request": wire.reply("kernel_info_reply", Kernel.information, to: message)
        case "complete_request": reply(message, KernelCompletion.reply(session, message.content))
        case "inspect_request": reply(message, inspect(message.content))
        case "is_complete_request": wire.reply("is_complete_reply", isComplete(message.content), to: message)
        case "history_request": wire.reply("history_reply", history.reply(to: message.content), to: message)
        case "comm_info_request": reply(message, [.init("comms", .object([]))])
        case "comm_open":
            // There is nobody here to talk to: said as the protocol has it.
            let id = message.content["comm_id"].text ?? ""
            wire.publish("comm_close", .object([.init("comm_id", .string(id)), .init("data", .object([]))]), parent: message)
        case "shutdown_request":
            reply(message, [.init("restart", .bool(message.content["restart"].flag ?? false))])
            return true
        default: break
        }
        return false
    }

    // MARK: Execution

    private func execute(_ message: Message) {
        if let date = message.date, date < abortsBefore { return abort(message) }
        let code = message.content["code"].text ?? ""
        let isSilent = message.content["silent"].flag ?? false
        let isKept = !isSilent && (message.content["store_history"].flag ?? true)
        if isKept {
            count += 1
            history.add(code, line: count)
        }
        begin(message, code, isSilent: isSilent)
        if isKept { warnOfStaleCells(message, code) }
        let page = isSilent ? nil : pager(code)
        let report = page == nil && !code.trimmingSpaces.isEmpty ? run(code, isSilent: isSilent) : nil
        if isKept { history.note(output: output.resultText) }
        finish(message, page, report)
    }

    /// A subshell looks into what runs, or into what there is when nothing runs.
    private func look(_ message: Message, _ subshell: String) {
        let code = message.content["code"].text ?? ""
        let isSilent = message.content["silent"].flag ?? false
        let open = wire.subshells
        lookVariables = lookVariables.filter { open.contains($0.key) }
        guard let variables = lookVariables[subshell] ?? LookVariables(session.host) else { return }
        if open.contains(subshell) { lookVariables[subshell] = variables }
        begin(message, code, isSilent: isSilent)
        let page = isSilent ? nil : pager(code)
        let isRun = page == nil && !code.trimmingSpaces.isEmpty
        finish(message, page, isRun ? failure(of: session.look(code, name: "look", number: count, variables, isSilent: isSilent)) : nil)
    }

    private func begin(_ message: Message, _ code: String, isSilent: Bool) {
        output.begin(message, isSilent: isSilent)
        if !isSilent {
            wire.publish("execute_input", .object([.init("code", .string(code)), .init("execution_count", .integer(count))]), parent: message)
        }
    }

    private func finish(_ message: Message, _ page: String?, _ report: ErrorReport?) {
        Capture.flush()
        if let report {
            output.failure(report)
            return fail(message, report)
        }
        output.flush()
        let payload = page.map { [JSONValue.object([
            .init("data", .object([.init("text/plain", .string($0))])), .init("source", .string("page")), .init("start", .integer(0)),
        ])] } ?? []
        let asked = message.subshell == nil ? expressions(message.content["user_expressions"]) : []
        reply(message, [.init("execution_count", .integer(count)), .init("payload", .array(payload)), .init("user_expressions", .object(asked))])
    }

    /// Says which cells stand on what an earlier text of this one had set. Nothing is run again: cells here are expensive.
    private func warnOfStaleCells(_ message: Message, _ code: String) {
        guard let id = message.metadata["cellId"].text else { return }
        for stale in cells.ran(id, code, number: count) {
            let names = stale.names.map { "'\($0)'" }.joined(separator: ", ")
            Terminal.error("trellis: cell [\(stale.number)] used \(names) as this cell had set it before it was edited; run it again\n")
        }
    }

    /// How the cell failed; nil when it did not.
    private func run(_ code: String, isSilent: Bool) -> ErrorReport? {
        failure(of: session.run(Kernel.withoutFirstComment(code), name: "[\(count)]", number: count, isSilent: isSilent))
    }

    private func failure(of ending: Session.Ending) -> ErrorReport? {
        switch ending {
        case .done: nil
        case .failed(let report): report
        case .incomplete(let report): ErrorReport(message: "unfinished: \(report.message)", excerpt: report.excerpt)
        case .interrupted: ErrorReport(message: "interrupted")
        }
    }

    /// A first line that begins with # is passed over, as in Lua's files: other programs put words there.
    private static func withoutFirstComment(_ code: String) -> String {
        guard code.hasPrefix("#"), let end = code.firstIndex(of: "\n") else { return code }
        return String(code[end...])
    }

    /// What a cell that only asks for help is answered with, in the front end's pager.
    private func pager(_ code: String) -> String? {
        let text = code.trimmingSpaces
        guard text.hasPrefix("?"), !text.contains("\n") else { return nil }
        let subject = text.drop(while: { $0 == "?" }).trimmingSpaces
        guard !subject.isEmpty else { return Help(session.host).overview }
        return session.inspect(subject, at: subject.utf8.count, withSource: text.hasPrefix("??")) ?? Help(session.host).about(name: subject)
    }

    private func fail(_ message: Message, _ report: ErrorReport) {
        // What has come by now is the queue of before the error; what comes later may have been sent before it, too.
        let stops = message.subshell == nil && message.content["stop_on_error"].flag ?? true
        let waiting = stops ? wire.takeWaitingExecutions() : []
        if stops { abortsBefore = Kernel.now }
        wire.reply(
            "execute_reply", .object([.init("status", .string("error")), .init("execution_count", .integer(count))] + KernelOutput.members(report)), to: message)
        for request in waiting {
            publish(state: "busy", request)
            abort(request)
            publish(state: "idle", request)
        }
    }

    private func abort(_ request: Message) {
        wire.reply("execute_reply", .object([
            .init("status", .string("error")), .init("execution_count", .integer(count)), .init("ename", .string("aborted")),
            .init("evalue", .string("not run: a cell before it failed")), .init("traceback", .array([])),
        ]), to: request)
    }

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// Expressions that a front end wants to know beside the cell, each with its value or its error.
    private func expressions(_ asked: JSONValue?) -> [JSONValue.Member] {
        guard case .object(let members)? = asked else { return [] }
        return members.map { member in
            var found: [JSONValue.Member]?
            let outcome = session.host.evaluate(Optional(member.value).text ?? "", name: "=" + member.key) { L, first, count in
                let bundle = count > 0 ? self.session.host.bundle(L, first) : MIMEBundle(plain: "nil")
                found = KernelOutput.members(bundle)
            }
            if case .done = outcome, let found { return .init(member.key, .object([.init("status", .string("ok"))] + found)) }
            let report: ErrorReport
            switch outcome {
            case .failed(let error), .incomplete(let error): report = session.report(error, member.key)
            default: report = ErrorReport(message: "interrupted")
            }
            return .init(member.key, .object([.init("status", .string("error"))] + KernelOutput.members(report)))
        }
    }

    // MARK: Questions

    private func inspect(_ content: JSONValue) -> [JSONValue.Member] {
        let code = content["code"].text ?? ""
        let position = KernelCompletion.byteOffset(of: content["cursor_pos"].number ?? code.unicodeScalars.count, in: code)
        let isDetailed = content["detail_level"].number == 1
        guard let text = session.inspect(code, at: position, withSource: isDetailed) else {
            return [.init("found", .bool(false)), .init("data", .object([])), .init("metadata", .object([]))]
        }
        return [
            .init("found", .bool(true)),
            .init("data", .object([.init("text/html", .string("<pre>\(HTMLPage.escape(text))</pre>")), .init("text/plain", .string(text))])),
            .init("metadata", .object([])),
        ]
    }

    private func isComplete(_ content: JSONValue) -> JSONValue {
        let code = content["code"].text ?? ""
        switch session.completeness(code) {
        case .complete: return .object([.init("status", .string("complete"))])
        case .invalid: return .object([.init("status", .string("invalid"))])
        case .incomplete: return .object([.init("indent", .string(SourceScan.indent(after: code))), .init("status", .string("incomplete"))])
        }
    }

    private static let information = JSONValue.object([
        .init("banner", .string("Trellis \(TrellisModule.version), \(luaRelease). help() for help.")), .init("debugger", .bool(false)),
        .init("help_links", .array([.object([.init("text", .string("Lua")), .init("url", .string("https://www.lua.org/manual/5.4/"))])])),
        .init("implementation", .string("trellis")), .init("implementation_version", .string(TrellisModule.version)),
        .init("language_info", KernelIdentity.languageInfo), .init("protocol_version", .string(Message.version)), .init("status", .string("ok")),
        .init("supported_features", .array([.string("kernel subshells")])),
    ])
}
