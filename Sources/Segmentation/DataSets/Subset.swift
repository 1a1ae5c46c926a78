/// Some samples of another data set.
public struct Subset: DataSetView {
    public let base: any DataSet
    /// Numbers in `base`, in this set's order.
    public let indices: [Int]
    public let name: String

    /// - Throws: `DataError` when an index is outside `base`.
    public init(_ base: any DataSet, _ indices: [Int], name: String? = nil) throws(DataError) {
        if let bad = indices.first(where: { $0 < 0 || $0 >= base.count }) {
            throw DataError("expected samples 0 to \(base.count - 1) of \(base.name), got \(bad)")
        }
        self.base = base
        self.indices = indices
        self.name = name ?? base.name
    }

    public var count: Int { indices.count }
    public func outputName(_ index: Int) -> String { base.outputName(indices[index]) }
    public func source(_ index: Int) -> String { base.source(indices[index]) }
    public func size(_ index: Int) throws -> Size { try base.size(indices[index]) }
    public func sample(_ index: Int) throws -> Sample { try base.sample(indices[index]) }
    public func labels(_ index: Int) throws -> LabelMap { try base.labels(indices[index]) }
    public func verifyImage(_ index: Int) throws { try base.verifyImage(indices[index]) }
}

extension DataSet {
    /// Two parts without a common image that together are the whole: `fraction` of the samples, rounded, and the rest.
    /// Which ones is determined by `seed` alone. Each part keeps the order of the data set.
    /// - Throws: `DataError` when either part would be empty.
    public func split(_ fraction: Double, seed: UInt64) throws(DataError) -> (first: Subset, second: Subset) {
        guard fraction > 0, fraction < 1 else {
            throw DataError("expected a fraction between 0 and 1 to split \(name) by, got \(fraction)")
        }
        let size = Int((Double(count) * fraction).rounded())
        guard size > 0, size < count else {
            throw DataError(
                "\(name) has \(count) samples, too few to split off \(fraction) of them and keep some",
                remedy: "use more samples or another fraction")
        }
        var draw = Draw(seed: seed, stream: Draw.Purpose.split.rawValue)
        let order = draw.permutation(count)
        return (try Subset(self, order[..<size].sorted()), try Subset(self, order[size...].sorted()))
    }
}
