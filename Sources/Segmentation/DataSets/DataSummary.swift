import Tensors

/// Pixels of each label of one sample.
struct SampleCounts: Equatable, Sendable {
    let size: Size
    /// The labels that occur and the number of their pixels, `LabelMap.ignore` among them.
    let labels: [UInt16]
    let pixels: [Int]

    init(_ map: LabelMap) {
        var counts = [Int](repeating: 0, count: Int(LabelMap.ignore) + 1)
        map.values.withUnsafeBufferPointer { values in for value in values { counts[Int(value)] += 1 } }
        let present = counts.indices.filter { counts[$0] > 0 }
        size = map.size
        labels = present.map { UInt16($0) }
        pixels = present.map { counts[$0] }
    }
}

/// What a pass over all labels of a data set finds.
public struct DataSummary: Equatable, Sendable {
    /// Pixels of each class.
    public private(set) var pixels: [Int]
    /// Pixels without a class.
    public private(set) var ignored = 0
    /// The smallest height and the smallest width of any image.
    public private(set) var smallest = Size(height: .max, width: .max)
    /// The largest height and the largest width.
    public private(set) var largest = Size(height: 0, width: 0)
    private let samples: [SampleCounts]

    init(_ samples: [SampleCounts], classes: Int) {
        self.samples = samples
        pixels = [Int](repeating: 0, count: classes)
        for sample in samples {
            for (label, count) in zip(sample.labels, sample.pixels) {
                if label == LabelMap.ignore { ignored += count } else { pixels[Int(label)] += count }
            }
            smallest = Size(height: min(smallest.height, sample.size.height), width: min(smallest.width, sample.size.width))
            largest = Size(height: max(largest.height, sample.size.height), width: max(largest.width, sample.size.width))
        }
    }

    /// The summary of some of the samples.
    public func part(_ indices: [Int]) -> DataSummary { DataSummary(indices.map { samples[$0] }, classes: pixels.count) }

    /// Number of samples.
    var count: Int { samples.count }

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
