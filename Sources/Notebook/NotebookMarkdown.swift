import Figures

extension NotebookDocument {
    /// The notebook as Markdown, with its pictures as files of their own.
    /// - Parameters:
    ///   - pictures: the folder that pictures lie in, seen from the Markdown.
    ///   - code: whether the cells' source is in it.
    public func markdown(pictures folder: String, code: Bool) throws -> (text: String, pictures: [(name: String, bytes: [UInt8])]) {
        var parts: [String] = [], pictures: [(name: String, bytes: [UInt8])] = []
        for cell in cells {
            switch cell.kind {
            case .markdown: parts.append(cell.source)
            case .raw: parts.append(NotebookDocument.fenced(cell.source, ""))
            case .code:
                if code, !cell.source.isEmpty { parts.append(NotebookDocument.fenced(cell.source, "lua")) }
                for (index, output) in cell.outputs.enumerated() {
                    let name = "\(cell.number ?? 0)-\(index + 1).svg"
                    if let picture = try NotebookDocument.picture(output) {
                        pictures.append((name, Array(picture.utf8)))
                        parts.append("![figure \(cell.number ?? 0)](\(folder)/\(name))")
                    } else {
                        let text = PlainText.of(output)
                        if !text.isEmpty { parts.append(NotebookDocument.shown(output) ?? NotebookDocument.fenced(text, "")) }
                    }
                }
            }
        }
        return (parts.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n", pictures)
    }

    private static func picture(_ output: CellOutput) throws -> String? {
        switch output {
        case .display(let bundle), .result(let bundle, _): try bundle.figure?.svg() ?? bundle.others["image/svg+xml"]
        default: nil
        }
    }

    /// What is Markdown itself.
    private static func shown(_ output: CellOutput) -> String? {
        switch output {
        case .display(let bundle), .result(let bundle, _): bundle.others["text/markdown"]
        default: nil
        }
    }

    /// Between fences longer than any in the text.
    static func fenced(_ text: String, _ language: String) -> String {
        var longest = 2, run = 0
        for character in text {
            run = character == "`" ? run + 1 : 0
            longest = max(longest, run)
        }
        let fence = String(repeating: "`", count: longest + 1)
        return fence + language + "\n" + text + (text.hasSuffix("\n") ? "" : "\n") + fence
    }
}

/// Outputs as a reader of text sees them.
public enum PlainText {
    public static func of(_ output: CellOutput) -> String {
        switch output {
        case .stream(_, let text): clean(text)
        case .display(let bundle), .result(let bundle, _): bundle.plain
        case .error(_, let text): text
        }
    }

    /// Without control sequences, and of a line that was written over by what came after \r only the last state.
    public static func clean(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 == 0x1B || $0 == 0x0D || $0 == 0x08 }) else { return text }
        var lines: [String] = []
        for line in withoutSequences(text).replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false) {
            var parts = line.split(separator: "\r", omittingEmptySubsequences: false)
            while parts.count > 1, parts.last?.isEmpty == true { parts.removeLast() }
            lines.append(String(parts.last ?? ""))
        }
        return lines.joined(separator: "\n")
    }

    private static func withoutSequences(_ text: String) -> String {
        var result = "", isInside = false, isFirst = false
        for scalar in text.unicodeScalars {
            if isInside {
                // CSI: parameters, then a letter. Others: one character behind the escape.
                if isFirst, scalar != "[" { isInside = false }
                if !isFirst, ("@"..."~").contains(scalar) { isInside = false }
                isFirst = false
            } else if scalar == "\u{1B}" {
                isInside = true
                isFirst = true
            } else if scalar != "\u{8}" {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
