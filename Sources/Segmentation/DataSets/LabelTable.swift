/// What the numbers in label images mean: a class, nothing (`LabelMap.ignore`), or an error.
struct LabelTable: Sendable {
    /// The class of each of the 65,536 values; -1 is refused. A table, because every pixel is looked at.
    private let meaning: [Int32]
    /// The values there may be, for messages.
    private let expected: String
    private let remedy: String

    /// Labels that are the classes' own numbers.
    /// - Parameter ignored: labels that count nowhere, besides 255; they may be classes.
    init(classes: Int, ignored: Set<UInt16> = []) {
        var meaning = [Int32](repeating: -1, count: 1 << 16)
        for label in 0..<classes { meaning[label] = Int32(label) }
        for label in ignored { meaning[Int(label)] = Int32(LabelMap.ignore) }
        meaning[Int(LabelMap.ignore)] = Int32(LabelMap.ignore)
        self.meaning = meaning
        expected = "labels 0 to \(classes - 1) or \(LabelMap.ignore) (ignore)"
        remedy = "give the data set more classes, or list the label among the ignored ones"
    }

    /// The ids of a published data set.
    /// - Parameters:
    ///   - ids: of the classes, in their order.
    ///   - ignored: ids that count nowhere.
    ///   - expected: the ids there may be, for messages: "label ids 0 to 33".
    init(ids: [UInt8], ignored: [UInt8], expected: String, remedy: String) {
        var meaning = [Int32](repeating: -1, count: 1 << 16)
        for id in ignored { meaning[Int(id)] = Int32(LabelMap.ignore) }
        for (label, id) in ids.enumerated() { meaning[Int(id)] = Int32(label) }
        self.meaning = meaning
        self.expected = expected
        self.remedy = remedy
    }

    /// The classes that a label image names.
    /// - Throws: `DataError` that says which file, which value and where.
    func classes(of map: LabelMap, source: String) throws(DataError) -> LabelMap {
        var result = map
        for index in map.values.indices {
            let label = meaning[Int(map.values[index])]
            guard label >= 0 else {
                throw DataError(
                    "\(source): expected \(expected), got \(map.values[index]) at row \(index / map.size.width + 1), column "
                        + "\(index % map.size.width + 1)",
                    remedy: remedy)
            }
            result.values[index] = UInt16(label)
        }
        return result
    }
}
