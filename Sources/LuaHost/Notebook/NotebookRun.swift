import Base
import CLua
import Notebook

/// Runs the cells of a notebook in a host of its own.
struct NotebookRun {
    /// Goes on after a cell that failed.
    var allowsErrors = false
    /// Seconds that a cell may take; nil: any.
    var timeout: Double?
    /// The script's path, for `arg` and for modules beside it.
    var path: String

    enum Ending {
        case done
        /// A cell failed: what it said.
        case failed(String)
        case interrupted
    }

    /// Fills in the cells' outputs and numbers.
    /// - Throws: `HostError` when no host can be made.
    func run(_ document: inout NotebookDocument, registry: Registry) throws -> Ending {
        let output = CellRecorder()
        try Capture.begin(output)
        defer { Capture.end() }
        let host = try ScriptHost(registry, output: output)
        defer { host.close() }
        clua_interrupt_install()
        host.setArguments([path], scriptAt: 0)
        host.searchModules(besideScript: path)
        let session = Session(host)
        var ending = Ending.done, number = 0
        for index in document.cells.indices where document.cells[index].kind == .code {
            document.cells[index].outputs = []
            document.cells[index].number = nil
            guard case .done = ending else { continue }
            number += 1
            document.cells[index].number = number
            let failure = run(document.cells[index], number, session, output)
            document.cells[index].outputs = output.take()
            guard let failure else { continue }
            if case .interrupted = failure { return .interrupted }
            if !allowsErrors { ending = failure }
        }
        return ending
    }

    /// How the cell failed; nil when it did not.
    private func run(_ cell: NotebookCell, _ number: Int, _ session: Session, _ output: CellRecorder) -> Ending? {
        let name = "cell \(number)"
        let start = monotonicSeconds()
        if let timeout { clua_interrupt_after(timeout) }
        let ending = session.run(cell.source, name: name, number: number)
        clua_interrupt_after(0)
        Capture.flush()
        let report: ErrorReport
        switch ending {
        case .done: return nil
        case .failed(let error), .incomplete(let error): report = error
        case .interrupted:
            guard let timeout, monotonicSeconds() - start >= timeout else { return .interrupted }
            report = ErrorReport(message: "\(name): stopped after \(timeout) s, as --timeout says")
        }
        output.failure(report)
        return .failed(report.text(coloured: false) + (cell.line > 0 ? "(\(name) begins in line \(cell.line) of \(path))\n" : ""))
    }
}

extension NotebookDocument {
    /// Puts a cell with these values behind the cell tagged `parameters`, or first, as papermill does; one of an earlier run goes.
    /// - Parameter values: names and Lua expressions.
    mutating func inject(_ values: [(name: String, source: String)]) {
        guard !values.isEmpty else { return }
        cells.removeAll { $0.tags.contains(NotebookDocument.injected) }
        var cell = NotebookCell(.code, values.map { "\($0.name) = \($0.source)" }.joined(separator: "\n"))
        cell.metadata = [.init("tags", .array([.string(NotebookDocument.injected)]))]
        let place = cells.firstIndex { $0.tags.contains("parameters") }
        cells.insert(cell, at: place.map { $0 + 1 } ?? 0)
    }
}
