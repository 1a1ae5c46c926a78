extension ConfusionMatrix {
    /// A table of the classes with IoU, accuracy and share of the labelled pixels in percent, and the means.
    ///
    /// - Parameters:
    ///   - names: of the classes; those missing are shown by number.
    ///   - rule: over which classes the mean IoU is taken.
    public func table(_ names: [String] = [], rule: MeanRule = .present) -> String {
        let titles = (0..<classes).map { $0 < names.count ? names[$0] : "class \($0)" }
        let width = max(titles.map(\.count).max() ?? 0, "pixel accuracy".count)
        let total = total
        var lines = [row("class", ["IoU", "accuracy", "pixels"], width)]
        for index in 0..<classes {
            let pixels = (0..<classes).reduce(Int64(0)) { $0 + self[index, $1] }
            let share = total > 0 ? Double(pixels) / Double(total) : .nan
            lines.append(row(titles[index], [percent(iou(index)), percent(accuracy(index)), percent(share)], width))
        }
        lines.append(row("mean", [percent(meanIoU(rule)), percent(meanAccuracy), ""], width))
        lines.append(row("pixel accuracy", ["", percent(pixelAccuracy), ""], width))
        return lines.joined(separator: "\n")
    }

    private func row(_ title: String, _ cells: [String], _ width: Int) -> String {
        var line = title + String(repeating: " ", count: width - title.count)
        for cell in cells { line += String(repeating: " ", count: max(0, 10 - cell.count)) + cell }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// Percent with one decimal; a dash where there is no number.
    private func percent(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "-" }
        let tenths = Int((value * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
