import Base
import Figures
import Foundation
import Search

/// What a report says of a stock trellis: beta and alpha over time, the path and the cell that they decode to, and what those cost.
extension FindingsReport {
    // MARK: Beta

    mutating func addBeta(_ trellis: TrellisRun) throws {
        var body = HTMLPage.paragraph(
            "Each arrow's width and colour are beta: its probability among the arrows that leave its node. The marked path has the largest product of "
                + "probabilities (Viterbi).")
        body += "<div class=\"pair\">"
        for position in run.chosen {
            let epoch = run.epochs[position]
            let title = epoch == 0 ? "before the search" : "after epoch \(epoch)" + (position == run.epochs.count - 1 ? " (last)" : "")
            body += try page.figure(figures.trellis(trellis, position, title: title), label: "trellis \(title)")
        }
        body += "</div>\n<div class=\"pair\">"
        body += try page.figure(figures.paths(trellis), label: "decoded stride of each layer by epoch", caption: "Where colours change from column to column, the decision changed.")
        body += "<div><h3>The most probable paths now</h3>" + (try pathTable(trellis)) + "</div></div>\n"
        page.add("beta", "How beta moved", body)
    }

    private func pathTable(_ trellis: TrellisRun) throws -> String {
        let paths = try trellis.space.bestPaths(beta: trellis.beta[trellis.beta.count - 1], count: 5)
        let rows = paths.enumerated().map { index, path in
            ["\(index + 1)", path.states.map { "\(trellis.space.strides[$0])" }.joined(separator: " "), Self.percent(exp(path.logProbability))]
        }
        return HTMLPage.table(["", "strides", "probability"], rows, left: [0, 1])
    }

    // MARK: Operators

    mutating func addOperators(_ trellis: TrellisRun) throws {
        let shares = try page.figure(
            figures.operatorShares(trellis), label: "mean weight of each operator by epoch",
            caption: "The mean of softmax(alpha) over the \(trellis.space.cell.edgeCount) edges of the cell.")
        let choices = try page.figure(
            figures.edgeChoices(trellis), label: "strongest operator of each edge by epoch",
            caption: "What each edge (block ← input) would be decoded to; stronger colour: a larger share among the operators other than none. "
                + "● edges that the decoded cell keeps.")
        let alpha = try page.figure(
            figures.alpha(trellis), label: "alpha at the end", caption: "Outlined: the strongest operator of the edge other than none.")
        // The table and the map grow with the cell: where both are short they share a column.
        let isSmall = trellis.space.cell.edgeCount < 10
        let columns = isSmall ? [shares, choices + alpha] : [shares + alpha, choices]
        page.add("operators", "Operator use", "<div class=\"pair\">" + columns.map { "<div>\($0)</div>" }.joined() + "</div>\n")
    }

    // MARK: Architecture

    mutating func addArchitecture(_ trellis: TrellisRun, _ found: Architecture) throws {
        var body = "<div class=\"pair\">"
        body += try page.figure(
            TrellisFigure(TrellisDrawing(path: found.path, strides: trellis.space.strides), title: "The path"), label: "the decoded path",
            caption: "One stride for each layer, log probability \(NumberText.fixed(found.scores.pathLogProbability ?? .nan, 3)).")
        body += "<div>" + (try page.figure(
            CellFigure(PlotSearch.drawing(found), title: "The cell"), label: "the decoded cell",
            caption: "The cell that every layer repeats; numbers are softmax(alpha) of the operator on its edge."))
        let rows = found.cell.blocks.enumerated().flatMap { index, block in
            block.branches.enumerated().map { branch, item -> [String] in
                let place = 2 * index + branch
                let strength = place < found.scores.strengths.count ? NumberText.fixed(found.scores.strengths[place], 3) : "–"
                return [branch == 0 ? "block \(index + 1)" : "", item.operation, CellSpace.name(ofState: item.state), strength]
            }
        }
        body += HTMLPage.table(["", "operator", "reads", "weight"], rows, left: [0, 1, 2]) + "</div></div>\n"
        if !run.isDone { body += HTMLPage.paragraph("The run goes on: this is what would be decoded now.") }
        page.add("architecture", "What it found", body)
    }

    // MARK: Cost

    mutating func addCost(_ trellis: TrellisRun, _ found: Architecture) throws {
        let (crop, classes) = (run.crop, run.classes.count)
        let batch = Int(run.setting("batch")) ?? 1
        let estimate = try trellis.space.estimate(
            height: crop.height, width: crop.width, batch: batch, classes: classes, catalogue: ScriptOperators.catalogue)
        var rows = estimate.parts.map { part in
            [part.name, "\(part.nodes)", part.arrows == 0 ? "" : "\(part.arrows)", NumberText.grouped(part.cost.parameters),
                decimalUnits(batch * part.cost.multiplyAdds)]
        }
        rows.append(["all", "", "\(trellis.space.arrows.count)", NumberText.grouped(estimate.parameters), decimalUnits(estimate.multiplyAdds)])
        var body = "<div class=\"pair\"><div><h3>The supernet</h3>"
        body += HTMLPage.paragraph(
            "A batch of \(batch) crops of \(crop.height)x\(crop.width), \(classes) classes: about \(decimalUnits(estimate.totalBytes))B of memory, "
                + "\(decimalUnits(estimate.searchStepMultiplyAdds)) multiply-adds a search step, as the mathematics is written; the compiled plan shares "
                + "what is equal.")
        body += HTMLPage.table(["", "nodes", "arrows", "parameters", "multiply-adds"], rows, last: true)
        body += "</div><div><h3>The found network</h3>"
        body += HTMLPage.paragraph("With the published stem, ASPP and decoder, for \(classes) classes and an image of \(crop.height)x\(crop.width).")
        let widths = Set([trellis.space.filters, 8, 20, 32, 48]).sorted()
        body += HTMLPage.table(["filters F", "parameters", "multiply-adds"], try widths.map { filters in
            let cost = try found.estimate(
                filters: filters, classes: classes, height: crop.height, width: crop.width, catalogue: ScriptOperators.catalogue)
            return ["\(filters)", NumberText.grouped(cost.parameters), decimalUnits(cost.multiplyAdds)]
        })
        page.add("cost", "Cost", body + "</div></div>\n")
    }
}
