import Base
import Figures
import Tensors

extension NotebookDocument {
    /// The notebook as an `.ipynb` file: nbformat 4.5 with a kernelspec, written as nbformat itself writes (keys sorted, one space a level). Nothing in it
    /// tells when or where it was made.
    /// https://nbformat.readthedocs.io/en/latest/format_description.html
    public func json() throws -> String {
        var ids = CellIDs()
        let cells = try cells.map { cell in try NotebookDocument.json(cell, id: ids.next(cell)) }
        return NotebookText.write(
            .object([
                .init("cells", .array(cells)),
                .init("metadata", .object([.init("kernelspec", KernelIdentity.spec), .init("language_info", KernelIdentity.languageInfo)])),
                .init("nbformat", .integer(4)), .init("nbformat_minor", .integer(5)),
            ])) + "\n"
    }

    private static func json(_ cell: NotebookCell, id: String) throws -> JSONValue {
        var members: [JSONValue.Member] = [.init("cell_type", .string(cell.kind.rawValue))]
        if cell.kind == .code { members.append(.init("execution_count", cell.number.map { .integer($0) } ?? .null)) }
        members += [.init("id", .string(id)), .init("metadata", .object(metadata(cell)))]
        if cell.kind == .code { members.append(.init("outputs", .array(try cell.outputs.map { try $0.json() }))) }
        members.append(.init("source", NotebookText.lines(cell.source)))
        return .object(members)
    }

    /// Jupytext keeps a cell's title there too.
    private static func metadata(_ cell: NotebookCell) -> [JSONValue.Member] {
        let title = cell.title.isEmpty || cell.metadata.contains { $0.key == "title" } ? [] : [JSONValue.Member("title", .string(cell.title))]
        return (cell.metadata + title).sorted { $0.key < $1.key }
    }

    /// - Throws: `NotebookError` with what is wrong with it.
    public static func read(json text: String) throws -> NotebookDocument {
        let file: JSONValue
        do { file = try JSONValue.document(text.utf8) } catch { throw NotebookError("not valid JSON: \(error)") }
        guard case .object = file, case .integer(let version)? = file["nbformat"] else { throw NotebookError("expected a notebook, got no 'nbformat'") }
        guard version == 4 else { throw NotebookError("expected nbformat 4, got \(version); `jupyter nbconvert --to notebook` converts it") }
        for language in [file["metadata"]?["kernelspec"]?["language"], file["metadata"]?["language_info"]?["name"]] {
            if case .string(let name)? = language, name.lowercased() != "lua" { throw NotebookError("expected cells in Lua, got a notebook in \(name)") }
        }
        guard case .array(let list)? = file["cells"] else { throw NotebookError("expected a list 'cells'") }
        return NotebookDocument(cells: try list.enumerated().map { try cell($1, number: $0 + 1) })
    }

    private static func cell(_ json: JSONValue, number: Int) throws -> NotebookCell {
        guard case .string(let type)? = json["cell_type"], let kind = NotebookCell.Kind(rawValue: type) else {
            throw NotebookError("cell \(number): expected cell_type 'code', 'markdown' or 'raw'")
        }
        guard let source = NotebookText.joined(json["source"]) else { throw NotebookError("cell \(number): expected 'source', a text or a list of lines") }
        var cell = NotebookCell(kind, source)
        if case .string(let id)? = json["id"] { cell.id = id }
        if case .object(let members)? = json["metadata"] { cell.metadata = members.sorted { $0.key < $1.key } }
        if case .array(let outputs)? = json["outputs"] { cell.outputs = outputs.compactMap(CellOutput.init) }
        return cell
    }
}

/// How notebooks name what runs their cells.
public enum KernelIdentity {
    public static let name = "trellis"
    public static let displayName = "Trellis (Lua)"

    static let spec = JSONValue.object([
        .init("display_name", .string(displayName)), .init("language", .string("lua")), .init("name", .string(name)),
    ])

    public static let languageInfo = JSONValue.object([
        .init("codemirror_mode", .string("lua")), .init("file_extension", .string(".lua")), .init("mimetype", .string("text/x-lua")),
        .init("name", .string("lua")), .init("pygments_lexer", .string("lua")), .init("version", .string("5.4")),
    ])
}

/// What is wrong with a notebook's file.
public struct NotebookError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

extension MIMEBundle {
    /// The forms by MIME type, as notebooks and messages carry them, and the metadata beside them.
    public func json() throws -> (data: [JSONValue.Member], metadata: [JSONValue.Member]) {
        var data: [JSONValue.Member] = [.init("text/plain", .string(plain))]
        var metadata: [JSONValue.Member] = []
        if let html { data.append(.init("text/html", .string(html))) }
        if let figure {
            data.append(.init("image/svg+xml", .string(try figure.svg())))
            data.append(.init("image/png", .string(Base64.text(try figure.png(scale: 2)[...]))))
            let size = JSONValue.object([.init("height", .integer(Int(figure.size.height))), .init("width", .integer(Int(figure.size.width)))])
            metadata.append(.init("image/png", size))
        }
        data += others.map { .init($0.key, .string($0.value)) }
        return (data.sorted { $0.key < $1.key }, metadata)
    }

    /// Of a notebook's file; pictures stay text.
    init(json: JSONValue?) {
        self.init(plain: "")
        guard case .object(let members)? = json else { return }
        for member in members {
            guard let text = NotebookText.joined(member.value) else { continue }
            switch member.key {
            case "text/plain": plain = text
            case "text/html": html = text
            default: others[member.key] = text
            }
        }
    }
}

extension CellOutput {
    func json() throws -> JSONValue {
        switch self {
        case .stream(let isError, let text):
            return .object([.init("name", .string(isError ? "stderr" : "stdout")), .init("output_type", .string("stream")), .init("text", NotebookText.lines(text))])
        case .display(let bundle):
            let (data, metadata) = try bundle.json()
            return .object([.init("data", CellOutput.lines(data)), .init("metadata", .object(metadata)), .init("output_type", .string("display_data"))])
        case .result(let bundle, let number):
            let (data, metadata) = try bundle.json()
            return .object([
                .init("data", CellOutput.lines(data)), .init("execution_count", .integer(number)), .init("metadata", .object(metadata)),
                .init("output_type", .string("execute_result")),
            ])
        case .error(let message, let text):
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { JSONValue.string(String($0)) }
            return .object([
                .init("ename", .string("error")), .init("evalue", .string(message)), .init("output_type", .string("error")), .init("traceback", .array(lines)),
            ])
        }
    }

    /// Texts as lists of lines, base64 in one piece.
    private static func lines(_ data: [JSONValue.Member]) -> JSONValue {
        .object(data.map { member in
            guard case .string(let text) = member.value, member.key != "image/png" else { return member }
            return .init(member.key, NotebookText.lines(text))
        })
    }

    /// nil for one of a kind that is not known.
    init?(_ json: JSONValue) {
        guard case .string(let type)? = json["output_type"] else { return nil }
        switch type {
        case "stream": self = .stream(isError: json["name"] == .string("stderr"), NotebookText.joined(json["text"]) ?? "")
        case "display_data": self = .display(MIMEBundle(json: json["data"]))
        case "execute_result":
            guard case .integer(let number)? = json["execution_count"] else { return nil }
            self = .result(MIMEBundle(json: json["data"]), number: number)
        case "error":
            guard case .array(let lines)? = json["traceback"], case .string(let message)? = json["evalue"] else { return nil }
            self = .error(message: message, text: lines.map { if case .string(let line) = $0 { line } else { "" } }.joined(separator: "\n"))
        default: return nil
        }
    }
}

/// Ids that stay when a notebook is made again: of the source, and which of the cells with that source it is.
struct CellIDs {
    private var seen: [String: Int] = [:]
    private var given: Set<String> = []

    mutating func next(_ cell: NotebookCell) -> String {
        if let id = cell.id, given.insert(id).inserted { return id }
        let key = cell.kind.rawValue + "\n" + cell.source
        let repeats = seen[key, default: 0]
        seen[key] = repeats + 1
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a
        for byte in (key + "\n\(repeats)").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        let id = String(repeating: "0", count: 16 - digits.count) + digits
        given.insert(id)
        return id
    }
}

/// JSON in the form that nbformat writes.
enum NotebookText {
    /// A text as a list of lines, each with its newline.
    static func lines(_ text: String) -> JSONValue {
        var lines: [JSONValue] = [], rest = text[...]
        while let newline = rest.firstIndex(of: "\n") {
            lines.append(.string(String(rest[...newline])))
            rest = rest[rest.index(after: newline)...]
        }
        if !rest.isEmpty { lines.append(.string(String(rest))) }
        return .array(lines)
    }

    /// A text, or a list of its lines, as one; nil for anything else.
    static func joined(_ json: JSONValue?) -> String? {
        switch json {
        case .string(let text): return text
        case .array(let lines):
            var text = ""
            for line in lines {
                guard case .string(let part) = line else { return nil }
                text += part
            }
            return text
        default: return nil
        }
    }

    static func write(_ json: JSONValue, indent: Int = 0) -> String {
        let inner = "\n" + String(repeating: " ", count: indent + 1), end = "\n" + String(repeating: " ", count: indent)
        switch json {
        case .array(let items) where !items.isEmpty:
            return "[" + items.map { inner + write($0, indent: indent + 1) }.joined(separator: ",") + end + "]"
        case .object(let members) where !members.isEmpty:
            return "{" + members.map { inner + JSONValue.string($0.key).text() + ": " + write($0.value, indent: indent + 1) }.joined(separator: ",") + end + "}"
        default: return json.text()
        }
    }
}
