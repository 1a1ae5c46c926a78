/// What differs between the outputs of two notebooks with the same cells.
public enum OutputComparison {
    /// Lines of a report, cell by cell; none when all is the same.
    public static func report(stored: NotebookDocument, made: NotebookDocument) -> [String] {
        let old = stored.comparable, new = made.comparable
        var lines: [String] = []
        if old.count != new.count { lines.append("expected \(old.count) code cells as stored, got \(new.count)") }
        for (index, pair) in zip(old, new).enumerated() {
            let differences = difference(text(pair.0), text(pair.1))
            if !differences.isEmpty { lines += ["cell \(index + 1):"] + differences }
        }
        return lines
    }

    /// Lines of what a cell showed.
    private static func text(_ cell: NotebookCell) -> [String] {
        cell.outputs.flatMap { output in
            PlainText.of(output).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// "- stored" and "+ made", with the lines around them left out.
    static func difference(_ old: [String], _ new: [String]) -> [String] {
        let changes = new.difference(from: old)
        var removed: [Int: String] = [:], added: [Int: String] = [:]
        for change in changes {
            switch change {
            case .remove(let offset, let line, _): removed[offset] = line
            case .insert(let offset, let line, _): added[offset] = line
            }
        }
        var lines: [String] = [], i = 0, j = 0
        while i < old.count || j < new.count {
            if let line = removed[i] {
                lines.append("- " + line)
                i += 1
            } else if let line = added[j] {
                lines.append("+ " + line)
                j += 1
            } else {
                i += 1
                j += 1
            }
        }
        return lines
    }
}
