/// What the labels of a data set say about its use.
extension DataSummary {
    /// Share of the pixels that count nowhere.
    public var ignoredShare: Double {
        let total = pixels.reduce(ignored, +)
        return total > 0 ? Double(ignored) / Double(total) : 0
    }

    /// - Throws: `DataError` when no pixel of `data` has a class: there is nothing to learn and nothing to measure.
    public func requireClasses(_ data: any DataSet) throws(DataError) {
        guard pixels.allSatisfy({ $0 == 0 }) else { return }
        throw DataError(
            "\(data.name): no pixel has a class; all \(ignored) pixels of \(plural(count, "label image")) are read as \(LabelMap.ignore), which counts nowhere",
            remedy: "check the label images; where \(LabelMap.ignore) is a class in them, data.folder's values says which: values = {[255] = 1}")
    }

    /// Whether only one class occurs and the rest is 255, as in masks that mark what they show with 255.
    public var looksLikeMasks: Bool { pixels.count > 1 && ignored > 0 && pixels.filter { $0 > 0 }.count == 1 }

    /// The error for masks whose 255 is read as ignore although nobody said so.
    public func masksError(_ data: any DataSet) -> DataError {
        let only = pixels.firstIndex { $0 > 0 } ?? 0
        return DataError(
            "\(data.name): the only class that occurs is \(DataSummary.name(only, data)), and \(percent(ignoredShare)) of the pixels are 255, "
                + "which is read as 'counts nowhere'",
            remedy: "if 255 marks a class, say which: values = {[255] = 1}; if it does count nowhere: ignore = 255")
    }

    /// Words on classes of `data` that occur nowhere; none when all do.
    public func warnings(_ data: any DataSet) -> [String] {
        let missing = pixels.indices.filter { pixels[$0] == 0 }
        guard !missing.isEmpty, count > 0 else { return [] }
        let shown = missing.prefix(5).map { DataSummary.name($0, data) }.joined(separator: ", ") + (missing.count > 5 ? ", ..." : "")
        let void = ignored > 0 ? "; \(percent(ignoredShare)) of the pixels are 255 and count nowhere" : ""
        return [
            "\(data.name): \(missing.count) of \(plural(pixels.count, "class", "classes")) occur\(missing.count == 1 ? "s" : "") nowhere in \(plural(count, "label image"))"
                + " and can be neither learned nor measured: \(shown)\(void); check the values of the label images, use more images, or leave out what is not there"
        ]
    }

    /// "1 (foreground)".
    private static func name(_ label: Int, _ data: any DataSet) -> String { "\(label) (\(data.classes[label].name))" }

    private func percent(_ share: Double) -> String {
        let tenths = Int((share * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }

    private func plural(_ count: Int, _ one: String, _ many: String? = nil) -> String { "\(count) \(count == 1 ? one : many ?? one + "s")" }
}
