/// What a pass over all labels of a data set finds.
public struct DataSummary: Equatable, Sendable {
    /// Pixels of each class.
    public var pixels: [Int]
    /// Pixels without a class.
    public var ignored: Int
    /// The smallest height and the smallest width of any image.
    public var smallest: Size
    /// The largest height and the largest width.
    public var largest: Size

    /// Share of each class among the pixels that have one.
    public var frequencies: [Double] {
        let total = max(1, pixels.reduce(0, +))
        return pixels.map { Double($0) / Double(total) }
    }

    /// Class weights for a loss, mean 1 over the classes that occur: the median frequency over the class's own
    /// (Eigen and Fergus 2015), 0 for classes that do not occur.
    public var balancedWeights: [Float] {
        let present = frequencies.filter { $0 > 0 }.sorted()
        guard !present.isEmpty else { return pixels.map { _ in 0 } }
        let raw = frequencies.map { $0 > 0 ? present[present.count / 2] / $0 : 0 }
        let mean = raw.reduce(0, +) / Double(present.count)
        return raw.map { Float($0 / mean) }
    }
}

extension DataSet {
    /// Reads all labels once: finds every label outside the classes and every pair of different size before any work is
    /// done, and counts the classes.
    public func inspect() throws -> DataSummary {
        try requireLabels(for: "counting classes")
        var summary = DataSummary(
            pixels: [Int](repeating: 0, count: classes.count), ignored: 0, smallest: Size(height: .max, width: .max),
            largest: Size(height: 0, width: 0))
        for index in 0..<count {
            let labels = try labels(index)
            let size = try size(index)
            guard size == labels.size else {
                throw DataError(
                    "\(source(index)) is \(size), its labels are \(labels.size)", remedy: "label and image need the same height and width")
            }
            var counts = [Int](repeating: 0, count: Int(LabelMap.ignore) + 1)
            for value in labels.values { counts[Int(value)] += 1 }
            for label in classes.indices { summary.pixels[label] += counts[label] }
            summary.ignored += counts[Int(LabelMap.ignore)]
            summary.smallest.height = min(summary.smallest.height, size.height)
            summary.smallest.width = min(summary.smallest.width, size.width)
            summary.largest.height = max(summary.largest.height, size.height)
            summary.largest.width = max(summary.largest.width, size.width)
        }
        return summary
    }
}
