import Base
import Figures
import Foundation
import Search
import Segmentation
import Tensors

/// One page on a search: what was asked, how it went, what it found and what that costs.
struct FindingsReport {
    let run: RunRecord
    let figures: ReportFigures
    var page: HTMLPage

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
        let state = run.isDone
            ? "<span class=\"state\">done: \(run.last) epochs</span>"
            : "<span class=\"state open\">unfinished: \(run.last) of \(run.planned) epochs</span>"
        let lead = "<p class=\"lead\">\(HTMLPage.escape(run.metadata["train"] ?? "")) · seed \(HTMLPage.escape(run.setting("seed"))) \(state)</p>\n"
        page = HTMLPage(title: "Search on \(run.metadata["data"] ?? "?")", subtitle: lead)
    }

    private mutating func fill() throws {
        let found = try run.trellis.map { try $0.architecture(run.epochs.count - 1, seed: run.seed, data: run.metadata["data"]) }
        addSummary(found)
        addCertainty()
        try addCurves()
        if let trellis = run.trellis, let found {
            try addBeta(trellis)
            try addOperators(trellis)
            try addArchitecture(trellis, found)
        } else {
            try addDecisions()
            try addFound()
        }
        try addImages()
        if let trellis = run.trellis, let found { try addCost(trellis, found) }
        addSettings()
    }

    // MARK: Words and numbers

    static func percent(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        return NumberText.fixed(100 * value, 1) + " %"
    }

    static func card(_ value: String, _ what: String) -> String {
        "<div class=\"card\"><b>\(HTMLPage.escape(value))</b><span>\(HTMLPage.escape(what))</span></div>"
    }

    private mutating func addSummary(_ found: Architecture?) {
        // Not every epoch need have been measured.
        let measured = run.measured("miou")
        let best = measured.max { $0.value < $1.value }
        var body = ""
        if !run.isDone {
            body += "<p class=\"warning\">The run is not done: \(run.last) of \(run.planned) epochs. What follows is its state after epoch \(run.last)"
                + (run.last <= run.searchStart ? "; \(logits) are not trained yet, so the architecture is noise." : ".") + "</p>\n"
        }
        body += "<div class=\"cards\">"
        body += Self.card(Self.percent(measured.last?.value), "validation mIoU of the supernet")
        if let best { body += Self.card(Self.percent(best.value), "the best, after epoch \(best.epoch)") }
        body += Self.card(Self.percent(run.measured("accuracy").last?.value), "pixel accuracy")
        if let found {
            body += Self.card(found.path.map(String.init).joined(separator: " "), "decoded path (strides)")
            body += Self.card(Self.percent(exp(found.scores.pathLogProbability ?? .nan)), "probability of that path")
            body += Self.card(Self.percent(found.cell.skipShare), "branches that are skip_connect")
        } else {
            body += Self.card("\(run.space.decisions.decisions.count)", "decisions")
            if let count = try? run.space.decisions.count() { body += Self.card("\(count)", "architectures") }
            if let parameters = run.metadata["found.parameters"].flatMap(Int.init) { body += Self.card(NumberText.grouped(parameters), "parameters of what it found") }
            if let work = run.metadata["found.multiply_adds"].flatMap(Int.init) { body += Self.card(decimalUnits(work), "multiply-adds of what it found, an image of the crop's size") }
        }
        body += "</div>\n"
        if let first = measured.first, let last = measured.last, measured.count > 1 {
            body += HTMLPage.paragraph(
                "The supernet's mean IoU on the validation images was \(Self.percent(first.value)) after epoch \(first.epoch) and "
                    + "\(Self.percent(last.value)) after epoch \(last.epoch). "
                    + "Its weights were trained on one half of the training images (\(Self.halves(run))), \(logits), from epoch "
                    + "\(run.searchStart + 1) on, on the other. The supernet mixes all operators and paths; what the found network itself reaches shows "
                    + "when it is trained alone.")
        }
        if run.last > run.searchStart, let warning = found?.cell.collapseWarning() {
            body += "<p class=\"warning\">\(HTMLPage.escape(warning.prefix(1).uppercased() + warning.dropFirst())).</p>\n"
        }
        page.add("summary", "Summary", body)
    }

    /// What the search said at its end of how sure its decisions are: paragraphs, of which lines may be warnings.
    private mutating func addCertainty() {
        guard run.isDone, let text = run.certainty else { return }
        let body = text.components(separatedBy: "\n\n").map { paragraph -> String in
            let sign = "warning: ", isWarning = paragraph.hasPrefix(sign)
            let lines = paragraph.split(separator: "\n").map { HTMLPage.escape(String(isWarning && $0.hasPrefix(sign) ? $0.dropFirst(sign.count) : $0)) }
            return "<p\(isWarning ? " class=\"warning\"" : "")>\(lines.joined(separator: "<br>"))</p>\n"
        }
        page.add("certainty", "How sure it is", body.joined())
    }

    /// What is trained beside the weights.
    private var logits: String { run.trellis == nil ? "the logits of the decisions" : "alpha and beta" }

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
            figures.entropy(), label: "entropy of \(logits) by epoch",
            caption: "1: every choice equally likely. 0: decided. \(logits.prefix(1).uppercased() + logits.dropFirst()) are fixed for the first \(run.searchStart) epochs.")
        if let chart = try figures.rate() { body += try page.figure(chart, label: "learning rate by epoch") }
        page.add("curves", "Curves", body + "</div>\n")
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
