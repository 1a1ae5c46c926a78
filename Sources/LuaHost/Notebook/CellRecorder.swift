import Base
import Figures
import Notebook

/// The output of cells that are run for a file: keeps what each of them shows, displays in their last state.
final class CellRecorder: Output {
    private let lock = Lock()
    private var outputs: [CellOutput] = []
    /// Which output a display with an id is, of this cell.
    private var displays: [String: Int] = [:]
    /// Bytes of a character that is not whole yet, for each stream.
    private var pieces: [[UInt8]] = [[], []]
    /// Bytes of streams so far; what exceeds `most` is left out, with a word.
    private var printed = 0
    private var clearsNext = false

    /// A page of more would not open.
    static let most = 1 << 22

    let columns = 100
    let progress = ProgressStyle.display(every: 0, clock: false)
    let showsProgress = true
    let coloursErrors = false

    /// What the cell that has ended showed; the next one begins.
    func take() -> [CellOutput] {
        lock.held {
            for stream in 0...1 where !pieces[stream].isEmpty { append(String(decoding: pieces[stream], as: UTF8.self), isError: stream == 1) }
            defer {
                outputs = []
                displays = [:]
                pieces = [[], []]
                printed = 0
                clearsNext = false
            }
            return outputs
        }
    }

    func drawing(of figure: any Figure) throws -> String { figure.text(TextStyle(width: columns - 20)) }

    func stream(_ bytes: UnsafeRawBufferPointer, isError: Bool) {
        lock.held {
            let stream = isError ? 1 : 0
            let whole = UTF8Text.takeWhole(&pieces[stream], bytes)
            guard !whole.isEmpty else { return }
            let before = printed
            printed += whole.utf8.count
            if printed <= CellRecorder.most {
                append(whole, isError: isError)
            } else if before <= CellRecorder.most {
                append("\n... the rest of what this cell printed is left out\n", isError: true)
            }
        }
    }

    private func append(_ text: String, isError: Bool) {
        clearIfAsked()
        if case .stream(isError, let before)? = outputs.last { outputs[outputs.count - 1] = .stream(isError: isError, before + text) } else {
            outputs.append(.stream(isError: isError, text))
        }
    }

    private func clearIfAsked() {
        guard clearsNext else { return }
        clearsNext = false
        outputs = []
        displays = [:]
    }

    func display(_ bundle: MIMEBundle, id: String?) {
        lock.held {
            clearIfAsked()
            if let id, let place = displays[id] { return outputs[place] = .display(bundle) }
            if let id { displays[id] = outputs.count }
            outputs.append(.display(bundle))
        }
    }

    func update(_ bundle: MIMEBundle, id: String) { display(bundle, id: id) }

    func clear(wait: Bool) {
        lock.held {
            clearsNext = true
            if !wait { clearIfAsked() }
        }
    }

    func result(_ bundle: MIMEBundle, number: Int) {
        lock.held {
            clearIfAsked()
            outputs.append(.result(bundle, number: number))
        }
    }

    func failure(_ report: ErrorReport) {
        lock.held {
            clearIfAsked()
            var text = report.text(coloured: false)
            text.removeLast()
            outputs.append(.error(message: report.message, text: text))
        }
    }

    /// Nobody is there to be asked: the end of input.
    func input(prompt: String, isPassword: Bool) throws -> String? { nil }
}

/// Bytes that come in pieces as text.
enum UTF8Text {
    /// The whole characters of `rest` and `bytes`; the beginning of one that may go on stays in `rest`. What is not UTF-8 becomes U+FFFD.
    static func takeWhole(_ rest: inout [UInt8], _ bytes: some Collection<UInt8>) -> String {
        rest += bytes
        let end = rest.count - unfinished(rest)
        defer { rest.removeFirst(end) }
        return String(decoding: rest[..<end], as: UTF8.self)
    }

    /// Bytes at the end that begin a character and do not end it.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let byte = bytes[bytes.count - count]
            if byte & 0xC0 == 0x80 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return count < length ? count : 0
        }
        return 0
    }
}
