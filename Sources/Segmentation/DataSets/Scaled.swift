import Tensors

/// Another data set at a fraction of its size: images averaged over the area each new pixel covers, labels taken from
/// the nearest old pixel (an average of class numbers means nothing), other parts by their kind.
public struct Scaled: DataSetView {
    public let base: any DataSet
    public let factor: Double

    /// - Parameter factor: more than 0, at most 1.
    public init(_ base: any DataSet, _ factor: Double) throws(DataError) {
        guard factor > 0, factor <= 1 else { throw DataError("expected a scale above 0 and up to 1 for \(base.name), got \(factor)") }
        self.base = base
        self.factor = factor
    }

    public func size(_ index: Int) throws -> Size { try base.size(index).scaled(factor) }

    public func sample(_ index: Int) throws -> Sample {
        let sample = try base.sample(index)
        guard let old = sample.size(parts) else { throw DataError("samples of \(name) have no height and width to scale") }
        let size = old.scaled(factor)
        let window = Augmentation.Window(scaled: size, top: 0, left: 0, size: size)
        return try Sample(sample.values.enumerated().map { index, value in
            switch value {
            case .image(let image): .image(try image.reduced(to: size))
            case .labels(let map): .labels(try map.nearest(to: size))
            case .array(let array): try scaled(array, part: index, to: window, from: old)
            }
        })
    }

    private func scaled(_ array: NamedArray, part index: Int, to window: Augmentation.Window, from old: Size) throws -> SampleValue {
        let part = parts[index]
        switch part.kind {
        case .own: return try base.cut(.array(array), part: index, to: window)
        case .image, .bilinear: return .array(try array.reduced(to: window.size))
        case .unplaced: throw Augmentation.unplaced(part, of: name)
        case .nearest, .points, .same: return .array(try Augmentation().rendered(.array(array), part, window, Augmentation.Axes(window, old: old)))
        }
    }

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
