import Base
import Figures
import Foundation
import Search

/// What a report says of a space of one's own: its network with the decisions on it, how those went, and what was found.
extension FindingsReport {
    mutating func addDecisions() throws {
        let last = run.epochs.count - 1
        var body = ""
        if let flow = run.flow {
            body += HTMLPage.paragraph(
                "The supernet as the graph of its modules. Bars are as long as options are probable, lines as wide and coloured; what the architecture decides is outlined.")
            for (number, figure) in try run.pictures(last, decides: run.decoded(last)).figures(flow, title: nil).enumerated() {
                body += try page.figure(figure, label: number == 0 ? "the network with its decisions" : "decisions on arrows or in several places")
            }
        }
        body += HTMLPage.paragraph("How probable each option was after each epoch.")
        body += "<div class=\"pair\">"
        for decision in run.space.decisions.decisions { body += try page.figure(figures.history(of: decision), label: "options of \(decision.name) by epoch") }
        page.add("decisions", "How the decisions went", body + "</div>\n")
    }

    mutating func addFound() throws {
        let last = run.epochs.count - 1
        var body = ""
        for figure in try run.pictures(last, decides: run.decoded(last)).figures(run.space.decisions.all.map(\.name)) {
            body += try page.figure(figure, label: "what was decided")
        }
        if !run.isDone { body += HTMLPage.paragraph("The run goes on: this is what would be decoded now.") }
        page.add("architecture", "What it found", body)
    }
}

extension ReportFigures {
    /// The options of a decision by epochs as colours; of many options those that were ever among the most probable.
    func history(of decision: Decision) throws -> HeatMap {
        let rows = run.probabilities[decision.name] ?? []
        let options = Self.telling(rows, most: 24)
        var map = try HeatMap(
            options.map { option in rows.map { $0[option] } }, rows: options.map(decision.domain.label), columns: run.epochs.map(String.init), title: decision.name)
        map.columnTitle = "epoch"
        map.valueTitle = "probability"
        map.range = 0...1
        map.writesValues = false
        return map
    }

    /// Positions of the options whose probabilities were largest or moved most, in their order.
    private static func telling(_ rows: [[Double]], most: Int) -> [Int] {
        guard let count = rows.first?.count, count > most else { return Array(rows.first?.indices ?? 0..<0) }
        let largest = (0..<count).map { option in rows.map { $0[option] }.max() ?? 0 }
        return (0..<count).sorted { (largest[$0], $1) > (largest[$1], $0) }.prefix(most).sorted()
    }
}
