import Base
import Tensors

/// `nas.report`.
enum ReportBinding {
    static let binding = Binding(
        module: "nas", name: "report", parameters: [Argument("run", .string, "directory of a run of scripts/search.lua, done or not")],
        options: [Option("path", .string, "where the page is written; report.html in the directory when left out")],
        returns: [Returns(.string, "the path of the page")], summary: "Writes one HTML page about a search.",
        detail: "Settings, curves, the trellis with beta at chosen epochs, operator use over time, the decoded path and cell, cost, and images with predictions. "
            + "The page needs nothing else: no network, no scripts, no other file; it follows the reader's light or dark theme and can be printed. Of a run that is "
            + "not done it shows the state after its last epoch, and says so.",
        example: "print(select(2, pcall(nas.report, 'nowhere')):match('expected the directory of a run') ~= nil)  --> true"
    ) { call in
        let directory: String = try call.get(1)
        let path = try call.option(ifPresent: "path") ?? directory + "/report.html"
        try AtomicFile.write(Array(try FindingsReport.document(directory).utf8), to: path)
        return call.push(path)
    }
}
