/// How often values fall into equal intervals, for TensorBoard's histograms.
public struct EventHistogram: Equatable, Sendable {
    public let least, most, sum, squares: Double
    public let count: Int
    /// Upper ends of the intervals, and how many values each holds.
    public let limits: [Double]
    public let counts: [Double]

    /// TensorBoard draws some thirty in any case.
    private static let intervals = 30

    /// - Returns: nil where no value is a finite number.
    public init?(_ values: [Float]) {
        let finite = values.filter(\.isFinite).map(Double.init)
        guard let least = finite.min(), let most = finite.max() else { return nil }
        (self.least, self.most) = (least, most)
        count = finite.count
        sum = finite.reduce(0, +)
        squares = finite.reduce(0) { $0 + $1 * $1 }
        guard most > least else {
            (limits, counts) = ([least], [Double(finite.count)])
            return
        }
        let width = (most - least) / Double(EventHistogram.intervals)
        var counts = [Double](repeating: 0, count: EventHistogram.intervals)
        for value in finite { counts[min(EventHistogram.intervals - 1, Int((value - least) / width))] += 1 }
        limits = (1...EventHistogram.intervals).map { $0 == EventHistogram.intervals ? most : least + Double($0) * width }
        self.counts = counts
    }

    var message: Tensorboard_HistogramProto {
        var message = Tensorboard_HistogramProto()
        (message.min, message.max, message.num, message.sum, message.sumSquares) = (least, most, Double(count), sum, squares)
        (message.bucketLimit, message.bucket) = (limits, counts)
        return message
    }
}
