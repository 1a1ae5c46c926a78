/// Another data set at a fraction of its size: images averaged over the area each new pixel covers, labels taken from
/// the nearest old pixel (an average of class numbers means nothing).
public struct Scaled: DataSet {
    public let base: any DataSet
    public let factor: Double

    /// - Parameter factor: more than 0, at most 1.
    public init(_ base: any DataSet, _ factor: Double) throws(DataError) {
        guard factor > 0, factor <= 1 else { throw DataError("expected a scale above 0 and up to 1 for \(base.name), got \(factor)") }
        self.base = base
        self.factor = factor
    }

    public var name: String { base.name }
    public var classes: [ClassInfo] { base.classes }
    public var count: Int { base.count }
    public var isLabelled: Bool { base.isLabelled }
    public var meanRule: MeanRule { base.meanRule }
    public func outputName(_ index: Int) -> String { base.outputName(index) }
    public func source(_ index: Int) -> String { base.source(index) }
    public func size(_ index: Int) throws -> Size { try base.size(index).scaled(factor) }

    public func sample(_ index: Int) throws -> Sample {
        let sample = try base.sample(index)
        let size = sample.image.size.scaled(factor)
        return Sample(image: try sample.image.reduced(to: size), labels: try sample.labels.nearest(to: size))
    }

    public func verifyImage(_ index: Int) throws { try base.verifyImage(index) }

    public func labels(_ index: Int) throws -> LabelMap {
        let labels = try base.labels(index)
        return try labels.nearest(to: labels.size.scaled(factor))
    }
}

extension DataSet {
    /// This data set at `factor` times its size (`Scaled`); itself at 1.
    public func scaled(_ factor: Double) throws(DataError) -> any DataSet { factor == 1 ? self : try Scaled(self, factor) }

    /// This data set with up to `bytes` of decoded samples kept in memory (`Cached`).
    public func cached(bytes: Int = Cached.defaultLimit) -> Cached { Cached(self, bytes: bytes) }
}
