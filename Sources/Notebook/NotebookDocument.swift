import Base
import Tensors

/// A notebook: cells of text and of Lua, with what they showed.
public struct NotebookDocument: Sendable {
    public var cells: [NotebookCell]
    /// Words to the author about what may not be meant.
    public var warnings: [String] = []

    public init(cells: [NotebookCell]) { self.cells = cells }

    /// The tag of a cell of parameters that were given from outside.
    public static let injected = "injected-parameters"

    /// The cells whose outputs are compared: parameters that were given belong to one run.
    var comparable: [NotebookCell] { cells.filter { $0.kind == .code && !$0.tags.contains(NotebookDocument.injected) } }

    /// What a page is called: the first heading, if there is one.
    public var title: String? {
        for cell in cells where cell.kind == .markdown {
            for line in cell.source.split(separator: "\n") where line.hasPrefix("# ") { return line.dropFirst(2).trimmed }
        }
        return nil
    }
}

/// A cell of a notebook.
public struct NotebookCell: Sendable {
    public enum Kind: String, Sendable {
        case code, markdown, raw
    }

    public var kind: Kind
    /// Without a newline at the end.
    public var source: String
    /// What stands behind the marker of a script's cell.
    public var title = ""
    /// Where the source begins in its file, from 1; 0 for one that is in no file of lines.
    public var line = 0
    /// Of the file that it comes from: tags, names and the like. Sorted by key.
    public var metadata: [JSONValue.Member] = []
    /// The id that its file gave it.
    public var id: String?
    /// Which code cell it was when it ran, from 1; nil: not run.
    public var number: Int?
    public var outputs: [CellOutput] = []

    public init(_ kind: Kind, _ source: String) {
        self.kind = kind
        self.source = source
    }

    public var tags: [String] {
        guard case .array(let tags)? = metadata.first(where: { $0.key == "tags" })?.value else { return [] }
        return tags.compactMap { if case .string(let tag) = $0 { tag } else { nil } }
    }
}

/// What a cell showed.
public enum CellOutput: Sendable {
    case stream(isError: Bool, String)
    case display(MIMEBundle)
    case result(MIMEBundle, number: Int)
    /// `text`: the message with the line of source and who called, as it is printed.
    case error(message: String, text: String)
}

extension StringProtocol {
    /// Without spaces and newlines at both ends.
    var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
