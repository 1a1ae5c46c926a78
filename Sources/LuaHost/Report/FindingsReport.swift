import Base
import Figures
import Foundation
import Search
import Segmentation
import Tensors

/// One page on a search: what was asked, how it went, what it found and what that costs.
struct FindingsReport {
    private let run: RunRecord
    private let figures: ReportFigures
    private let found: Architecture
    private var page: HTMLPage

    /// The page of the run in a directory.
    /// - Throws: when the directory holds no search, or its parts do not fit each other.
    static func document(_ directory: String) throws -> String {
        var report = try FindingsReport(RunRecord(directory))
        try report.fill()
        return report.page.document()
    }

    private init(_ run: RunRecord) throws {
        self.run = run
        figures = ReportFigures(run: run)
        found = try run.architecture(run.epochs.count - 1)
        let state = run.isDone
            ? "<span class=\"state\">done: \(run.last) epochs</span>"
            : "<span class=\"state open\">unfinished: \(run.last) of \(run.planned) epochs</span>"
        let lead = "<p class=\"lead\">\(HTMLPage.escape(run.metadata["train"] ?? "")) · seed \(HTMLPage.escape(run.setting("seed"))) \(state)</p>\n"
        page = HTMLPage(title: "Search on \(run.metadata["data"] ?? "?")", subtitle: lead)
    }

    private mutating func fill() throws {
        try addSummary()
        try addCurves()
        try addBeta()
        try addOperators()
        try addArchitecture()
        try addImages()
        try addCost()
        addSettings()
    }

    // MARK: Words and numbers

    private static func percent(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return NumberText.fixed(100 * value, 1) + " %"
    }

    private static func card(_ value: String, _ what: String) -> String {
        "<div class=\"card\"><b>\(HTMLPage.escape(value))</b><span>\(HTMLPage.escape(what))</span></div>"
    }

    private mutating func addSummary() throws {
        // Not every epoch need have been measured.
        let measured = run.measured("miou")
        let best = measured.max { $0.value < $1.value }
        var body = ""
        if !run.isDone {
            body += "<p class=\"warning\">The run is not done: \(run.last) of \(run.planned) epochs. What follows is its state after epoch \(run.last)"
                + (run.last <= run.searchStart ? "; alpha and beta are not trained yet, so the architecture is noise." : ".") + "</p>\n"
        }
        body += "<div class=\"cards\">"
        body += Self.card(Self.percent(measured.last?.value), "validation mIoU of the supernet")
        if let best { body += Self.card(Self.percent(best.value), "the best, after epoch \(best.epoch)") }
        body += Self.card(Self.percent(run.measured("accuracy").last?.value), "pixel accuracy")
        body += Self.card(found.path.map(String.init).joined(separator: " "), "decoded path (strides)")
        body += Self.card(Self.percent(exp(found.scores.pathLogProbability ?? .nan)), "probability of that path")
        body += Self.card(Self.percent(found.cell.skipShare), "branches that are skip_connect")
        body += "</div>\n"
        if let first = measured.first, let last = measured.last, measured.count > 1 {
            body += HTMLPage.paragraph(
                "The supernet's mean IoU on the validation images was \(Self.percent(first.value)) after epoch \(first.epoch) and "
                    + "\(Self.percent(last.value)) after epoch \(last.epoch). "
                    + "Its weights were trained on one half of the training images (\(Self.halves(run))), alpha and beta, from epoch "
                    + "\(run.searchStart + 1) on, on the other. The supernet mixes all operators and paths; what the found network itself reaches shows "
                    + "when it is trained alone.")
        }
        if run.last > run.searchStart, let warning = found.cell.collapseWarning() {
            body += "<p class=\"warning\">\(HTMLPage.escape(warning.prefix(1).uppercased() + warning.dropFirst())).</p>\n"
        }
        page.add("summary", "Summary", body)
    }

    private static func halves(_ run: RunRecord) -> String {
        let numbers = (run.metadata["halves"] ?? "").split(separator: " ").map(String.init)
        return numbers.count == 2 && numbers[0] != numbers[1] ? "\(numbers[0]) and \(numbers[1]) images" : "\(numbers.first ?? "?") images each"
    }

    // MARK: Curves

    private mutating func addCurves() throws {
        var body = "<div class=\"pair\">"
        if let chart = try figures.loss() {
            body += try page.figure(chart, label: "loss by epoch", caption: "Mean pixel cross entropy of each epoch's steps, before the step.")
        }
        if let chart = try figures.validation() {
            body += try page.figure(chart, label: "validation mIoU and accuracy by epoch", caption: "On whole validation images, with running statistics.")
        }
        body += try page.figure(
            figures.entropy(), label: "entropy of alpha and beta by epoch",
            caption: "1: every choice equally likely. 0: decided. Alpha and beta are fixed for the first \(run.searchStart) epochs.")
        if let chart = try figures.rate() { body += try page.figure(chart, label: "learning rate by epoch") }
        page.add("curves", "Curves", body + "</div>\n")
    }

    // MARK: Beta

    private mutating func addBeta() throws {
        var body = HTMLPage.paragraph(
            "Each arrow's width and colour are beta: its probability among the arrows that leave its node. The marked path has the largest product of "
                + "probabilities (Viterbi).")
        body += "<div class=\"pair\">"
        for position in run.chosen {
            let epoch = run.epochs[position]
            let title = epoch == 0 ? "before the search" : "after epoch \(epoch)" + (position == run.epochs.count - 1 ? " (last)" : "")
            body += try page.figure(figures.trellis(position, title: title), label: "trellis \(title)")
        }
        body += "</div>\n<div class=\"pair\">"
        body += try page.figure(figures.paths(), label: "decoded stride of each layer by epoch", caption: "Where colours change from column to column, the decision changed.")
        body += "<div><h3>The most probable paths now</h3>" + (try pathTable()) + "</div></div>\n"
        page.add("beta", "How beta moved", body)
    }

    private func pathTable() throws -> String {
        let paths = try run.space.bestPaths(beta: run.beta[run.beta.count - 1], normalised: true, count: 5)
        let rows = paths.enumerated().map { index, path in
            ["\(index + 1)", path.states.map { "\(run.space.strides[$0])" }.joined(separator: " "), Self.percent(exp(path.logProbability))]
        }
        return HTMLPage.table(["", "strides", "probability"], rows, left: [0, 1])
    }

    // MARK: Operators

    private mutating func addOperators() throws {
        let shares = try page.figure(
            figures.operatorShares(), label: "mean weight of each operator by epoch",
            caption: "The mean of softmax(alpha) over the \(run.space.cell.edgeCount) edges of the cell.")
        let choices = try page.figure(
            figures.edgeChoices(), label: "strongest operator of each edge by epoch",
            caption: "What each edge (block ← input) would be decoded to; stronger colour: a larger share among the operators other than none. "
                + "● edges that the decoded cell keeps.")
        let alpha = try page.figure(
            figures.alpha(), label: "alpha at the end", caption: "Outlined: the strongest operator of the edge other than none.")
        // The table and the map grow with the cell: where both are short they share a column.
        let isSmall = run.space.cell.edgeCount < 10
        let columns = isSmall ? [shares, choices + alpha] : [shares + alpha, choices]
        page.add("operators", "Operator use", "<div class=\"pair\">" + columns.map { "<div>\($0)</div>" }.joined() + "</div>\n")
    }

    // MARK: Architecture

    private mutating func addArchitecture() throws {
        var body = "<div class=\"pair\">"
        body += try page.figure(
            TrellisFigure(TrellisDrawing(path: found.path, strides: run.space.strides), title: "The path"), label: "the decoded path",
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

    // MARK: Images

    private mutating func addImages() throws {
        guard !run.examples.isEmpty, !run.shown.isEmpty else {
            return page.add("images", "Images", HTMLPage.paragraph("No images yet: the first are segmented after epoch 1."))
        }
        var body = HTMLPage.paragraph("Validation images, their labels, and what the supernet saw as the search went on.")
        for (number, example) in run.examples.enumerated() {
            let jpeg = try JPEG.encode(example.image, quality: 88)
            body += "<div class=\"strip\">" + Self.tile("image/jpeg", jpeg, "image \(number + 1)", "", number == 0 ? "image" : "")
            body += try tile(example.labels, "labels of image \(number + 1)", number == 0 ? "labels" : "")
            for (index, prediction) in example.predictions.enumerated() {
                let epoch = run.shown[index]
                body += try tile(prediction, "image \(number + 1) after epoch \(epoch)", number == 0 ? "epoch \(epoch)" : "")
            }
            body += "</div>\n"
        }
        body += "<div class=\"key\">" + run.classes.map { item in
            let colour = "rgb(\(item.colour.red),\(item.colour.green),\(item.colour.blue))"
            return "<span><i style=\"background:\(colour)\"></i>\(HTMLPage.escape(item.name))</span>"
        }.joined() + "<span><i style=\"background:#fff\"></i>not counted</span></div>\n"
        page.add("images", "Images", body)
    }

    private func tile(_ map: Segmentation.LabelMap, _ text: String, _ caption: String) throws -> String {
        let palette = run.classes.map { (info: ClassInfo) in ClassInfo(info.name, info.colour) }.palette
        return Self.tile("image/png", try PNG.encode(map, palette: palette.map { ($0.red, $0.green, $0.blue) }), text, "labels", caption)
    }

    private static func tile(_ type: String, _ bytes: [UInt8], _ text: String, _ kind: String, _ caption: String) -> String {
        "<figure><img class=\"\(kind)\" alt=\"\(HTMLPage.escape(text))\" src=\"data:\(type);base64,\(Base64.text(bytes[...]))\">"
            + (caption.isEmpty ? "" : "<figcaption>\(HTMLPage.escape(caption))</figcaption>") + "</figure>"
    }

    // MARK: Cost

    private mutating func addCost() throws {
        let (crop, classes) = (run.crop, run.classes.count)
        let batch = Int(run.setting("batch")) ?? 1
        let estimate = try run.space.estimate(
            height: crop.height, width: crop.width, batch: batch, classes: classes, catalogue: ScriptOperators.catalogue)
        var rows = estimate.parts.map { part in
            [part.name, "\(part.nodes)", part.arrows == 0 ? "" : "\(part.arrows)", NumberText.grouped(part.cost.parameters),
                decimalUnits(batch * part.cost.multiplyAdds)]
        }
        rows.append(["all", "", "\(run.space.arrows.count)", NumberText.grouped(estimate.parameters), decimalUnits(estimate.multiplyAdds)])
        var body = "<div class=\"pair\"><div><h3>The supernet</h3>"
        body += HTMLPage.paragraph(
            "A batch of \(batch) crops of \(crop.height)x\(crop.width), \(classes) classes: about \(decimalUnits(estimate.totalBytes))B of memory, "
                + "\(decimalUnits(estimate.searchStepMultiplyAdds)) multiply-adds a search step, as the mathematics is written; the compiled plan shares "
                + "what is equal.")
        body += HTMLPage.table(["", "nodes", "arrows", "parameters", "multiply-adds"], rows, last: true)
        body += "</div><div><h3>The found network</h3>"
        body += HTMLPage.paragraph("With the published stem, ASPP and decoder, for \(classes) classes and an image of \(crop.height)x\(crop.width).")
        let widths = Set([run.space.filters, 8, 20, 32, 48]).sorted()
        body += HTMLPage.table(["filters F", "parameters", "multiply-adds"], try widths.map { filters in
            let cost = try found.estimate(
                filters: filters, classes: classes, height: crop.height, width: crop.width, catalogue: ScriptOperators.catalogue)
            return ["\(filters)", NumberText.grouped(cost.parameters), decimalUnits(cost.multiplyAdds)]
        })
        page.add("cost", "Cost", body + "</div></div>\n")
    }

    // MARK: Settings

    private mutating func addSettings() {
        let settings = run.metadata.compactMap { name, value -> (String, String)? in
            name.hasPrefix("settings.") ? (String(name.dropFirst(9)).replacing("_", with: "-"), value) : nil
        }.sorted { $0.0 < $1.0 }
        var body = "<dl class=\"settings\">"
        for (name, value) in settings {
            body += "<div><dt>\(HTMLPage.escape(name))</dt><dd>\(HTMLPage.escape(value.replacing(",", with: ", ")))</dd></div>"
        }
        body += "</dl>\n"
        body += HTMLPage.paragraph(
            "\(run.metadata["train"] ?? ""); validated on \(run.metadata["validation"] ?? ""). \(run.metadata["steps"] ?? "?") steps an epoch. "
                + "Trellis \(run.metadata["version"] ?? "?"). The same settings give the same run, bit for bit, on any number of threads.")
        page.add("settings", "Settings", body)
    }
}
