import Base
import CKernels
import Figures
import Jupyter
import Notebook
import Tensors

/// The output of a Jupyter kernel: what cells print and show goes to the front ends as messages.
final class KernelOutput: Output, @unchecked Sendable {
    private let lock = Lock()
    /// What runs, or ran last: late output of its children belongs to it.
    private struct Cell {
        var request: Message?
        /// Bytes printed by it.
        var printed = 0
        /// Its value is not shown, nor what it prints.
        var isSilent = false
        /// Displays with an id that it has shown.
        var displays: Set<String> = []
        /// What its value was, in characters, for the history.
        var resultText: String?
    }

    private var cell = Cell()
    /// Bytes printed and not sent yet, of one stream: order matters.
    private var buffer: [UInt8] = []
    private var bufferIsError = false
    private(set) var wire: Wire?

    var resultText: String? { cell.resultText }

    /// Bytes after which a message is sent, and that a cell may print in all: browsers choke on more.
    private static let most = 1 << 16, mostOfCell = 1 << 23

    let columns = 100
    let progress = ProgressStyle.display(every: 0.25, clock: true)
    let showsProgress = true
    let coloursErrors = true

    func connect(_ wire: Wire) { self.wire = wire }

    /// A cell begins, with which what comes from now on belongs.
    func begin(_ request: Message, isSilent: Bool) {
        flush()
        lock.held { cell = Cell(request: request, isSilent: isSilent) }
    }

    /// Runs `body`, in which another cell may begin; what comes afterwards belongs to the one that runs now.
    func aside(_ body: () -> Void) {
        Capture.flush()
        flush()
        let kept = lock.held { cell }
        body()
        Capture.flush()
        flush()
        lock.held { cell = kept }
    }

    func drawing(of figure: any Figure) throws -> String { figure.text(TextStyle(width: 80)) }

    // MARK: Streams

    func stream(_ bytes: UnsafeRawBufferPointer, isError: Bool) {
        let full = lock.held { () -> Bool in
            if isError != bufferIsError { sendBuffer(whole: true) }
            bufferIsError = isError
            let before = cell.printed
            cell.printed += bytes.count
            if cell.printed <= KernelOutput.mostOfCell {
                buffer.append(contentsOf: bytes)
            } else if before <= KernelOutput.mostOfCell {
                buffer += Array("\n... the rest of what this cell prints is left out\n".utf8)
            }
            if buffer.count >= KernelOutput.most { sendBuffer(whole: false) }
            return !buffer.isEmpty
        }
        if full { wire?.wantFlush() }
    }

    /// Sends what was printed. From whatever thread.
    func flush() { lock.held { sendBuffer(whole: true) } }

    /// What the clock asks for: a character that is not whole yet waits for the rest of it.
    func flushWhole() { lock.held { sendBuffer(whole: false) } }

    private func sendBuffer(whole: Bool) {
        guard !buffer.isEmpty else { return }
        var rest: [UInt8] = []
        var text = UTF8Text.takeWhole(&rest, buffer)
        if whole, !rest.isEmpty {
            text += String(decoding: rest, as: UTF8.self)
            rest = []
        }
        buffer = rest
        guard !text.isEmpty, !cell.isSilent else { return }
        wire?.publish("stream", .object([.init("name", .string(bufferIsError ? "stderr" : "stdout")), .init("text", .string(text))]), parent: cell.request)
    }

    // MARK: Displays

    func display(_ bundle: MIMEBundle, id: String?) { show(bundle, id, isUpdate: id.map { id in lock.held { !cell.displays.insert(id).inserted } } ?? false) }
    func update(_ bundle: MIMEBundle, id: String) { show(bundle, id, isUpdate: true) }

    private func show(_ bundle: MIMEBundle, _ id: String?, isUpdate: Bool) {
        flush()
        guard !cell.isSilent, var members = KernelOutput.members(bundle) else { return }
        members.append(.init("transient", .object(id.map { [.init("display_id", .string($0))] } ?? [])))
        wire?.publish(isUpdate ? "update_display_data" : "display_data", .object(members), parent: cell.request)
    }

    /// `data` and `metadata`; nil where a picture cannot be drawn.
    static func members(_ bundle: MIMEBundle) -> [JSONValue.Member]? {
        guard let (data, metadata) = try? bundle.json() else { return nil }
        return [.init("data", .object(data)), .init("metadata", .object(metadata))]
    }

    func clear(wait: Bool) {
        flush()
        lock.held { cell.displays = [] }
        wire?.publish("clear_output", .object([.init("wait", .bool(wait))]), parent: cell.request)
    }

    func result(_ bundle: MIMEBundle, number: Int) {
        flush()
        cell.resultText = bundle.plain
        guard !cell.isSilent, let members = KernelOutput.members(bundle) else { return }
        wire?.publish("execute_result", .object([.init("execution_count", .integer(number))] + members), parent: cell.request)
    }

    func failure(_ report: ErrorReport) {
        flush()
        guard !cell.isSilent else { return }
        wire?.publish("error", .object(KernelOutput.members(report)), parent: cell.request)
    }

    /// An error as messages carry it.
    static func members(_ report: ErrorReport) -> [JSONValue.Member] {
        let lines = report.text(coloured: true).split(separator: "\n").map { JSONValue.string(String($0)) }
        return [.init("ename", .string("error")), .init("evalue", .string(report.message)), .init("traceback", .array(lines))]
    }

    // MARK: Input

    func input(prompt: String, isPassword: Bool) throws -> String? {
        flush()
        guard let wire, let request = cell.request, request.content["allow_stdin"].flag ?? false else {
            throw HostError("this front end cannot be asked for input: it sent the cell with allow_stdin = false")
        }
        wire.dropAnswers()
        let question = wire.ask(.object([.init("password", .bool(isPassword)), .init("prompt", .string(prompt))]), of: request)
        guard let answer = wire.answer(to: question, gaveUp: { trellis_interrupt_pending() }) else { throw Interruption() }
        guard let text = answer.content["value"].text else { return nil }
        // How front ends say Ctrl-D.
        return text == "\u{4}" ? nil : text
    }
}
