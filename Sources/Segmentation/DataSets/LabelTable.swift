/// What the numbers in label images mean: a class, nothing (`LabelMap.ignore`), or an error.
struct LabelTable: Sendable {
    /// The class of each of the 65,536 values; `none` is refused. A table, because every pixel is looked at.
    private let meaning: [UInt16]
    /// The values there may be, for messages.
    private let expected: String
    private let remedy: String

    private static let none = UInt16.max

    /// Labels that are the classes' own numbers.
    /// - Parameters:
    ///   - ignored: labels that count nowhere, besides 255; they may be classes.
    ///   - values: the class (or `LabelMap.ignore`) of values that stand for another one than themselves; 255 may be among them.
    init(classes: Int, ignored: Set<UInt16> = [], values: [UInt16: UInt16] = [:]) {
        var meaning = [UInt16](repeating: LabelTable.none, count: 1 << 16)
        for label in 0..<classes { meaning[label] = UInt16(label) }
        for label in ignored { meaning[Int(label)] = LabelMap.ignore }
        meaning[Int(LabelMap.ignore)] = LabelMap.ignore
        for (value, label) in values { meaning[Int(value)] = label }
        self.meaning = meaning
        let mapped = values.keys.filter { $0 >= classes && $0 != LabelMap.ignore }.sorted().map { ", \($0)" }.joined()
        let void = values[LabelMap.ignore].map { $0 == LabelMap.ignore ? "ignore" : "class \($0)" } ?? "ignore"
        expected = "labels 0 to \(classes - 1)\(mapped) or \(LabelMap.ignore) (\(void))"
        remedy = "give the data set more classes, list the label among the ignored ones, or say which class the value stands for"
    }

    /// The ids of a published data set.
    /// - Parameters:
    ///   - ids: of the classes, in their order.
    ///   - ignored: ids that count nowhere.
    ///   - expected: the ids there may be, for messages: "label ids 0 to 33".
    init(ids: [UInt8], ignored: [UInt8], expected: String, remedy: String) {
        var meaning = [UInt16](repeating: LabelTable.none, count: 1 << 16)
        for id in ignored { meaning[Int(id)] = LabelMap.ignore }
        for (label, id) in ids.enumerated() { meaning[Int(id)] = UInt16(label) }
        self.meaning = meaning
        self.expected = expected
        self.remedy = remedy
    }

    /// Replaces the values of a label image by the classes that they mean.
    /// - Throws: `DataError` that says which file, which value and where; the map is then of no use.
    func apply(to map: inout LabelMap, source: String) throws {
        let width = map.size.width
        try map.values.withUnsafeMutableBufferPointer { try apply(to: $0, width: width, source: source) }
    }

    /// The same of some rows.
    /// - Parameter firstRow: the number of the first one.
    func apply(to values: UnsafeMutableBufferPointer<UInt16>, width: Int, firstRow: Int = 0, source: String) throws {
        try meaning.withUnsafeBufferPointer { meaning in
            for index in values.indices {
                let label = meaning[Int(values[index])]
                guard label != LabelTable.none else {
                    throw DataError(
                        "\(source): expected \(expected), got \(values[index]) at row \(firstRow + index / width + 1), column \(index % width + 1)",
                        remedy: remedy)
                }
                values[index] = label
            }
        }
    }
}
