import Base

/// Another data set whose samples are kept in memory once they were made, up to a limit.
///
/// What was kept stays: training passes over everything again and again, and evicting the oldest would then evict each
/// sample just before it is needed. Results do not depend on what is cached.
public final class Cached: DataSetView, @unchecked Sendable {
    /// 2 GiB: CamVid whole, or Cityscapes at a quarter of its size.
    public static let defaultLimit = 2 << 30

    public let base: any DataSet
    /// Most bytes of values that are kept.
    public let limit: Int
    private let lock = Lock()
    private var kept: [Int: Sample] = [:]
    private var bytes = 0

    public init(_ base: any DataSet, bytes: Int = defaultLimit) {
        self.base = base
        limit = bytes
    }

    public func size(_ index: Int) throws -> Size {
        if let size = lock.held({ kept[index] })?.size(parts) { return size }
        return try base.size(index)
    }

    public func sample(_ index: Int) throws -> Sample {
        if let sample = lock.held({ kept[index] }) { return sample }
        let sample = try base.sample(index)
        lock.held {
            let size = sample.values.reduce(0) { $0 + $1.byteCount }
            guard bytes + size <= limit, kept[index] == nil else { return }
            kept[index] = sample
            bytes += size
        }
        return sample
    }

    public func labels(_ index: Int) throws -> LabelMap {
        if let labels = lock.held({ kept[index] })?.labelMap { return labels }
        return try base.labels(index)
    }

    /// Keeps what it decodes as long as there is room: it is wanted again soon.
    public func verifyImage(_ index: Int) throws {
        let (isKept, hasRoom) = lock.held { (kept[index] != nil, bytes < limit) }
        if isKept { return }
        if hasRoom { _ = try sample(index) } else { try base.verifyImage(index) }
    }

    /// Bytes kept now.
    public var usedBytes: Int { lock.held { bytes } }
}
