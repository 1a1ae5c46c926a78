import Base

/// Batches without end, prepared a few ahead by a background thread while a step runs.
///
/// Batch `k` of epoch `e` is determined by the data set, the settings and the seed alone; where the loader stands is two
/// numbers. A run that saves and restores them gets, bit for bit, the batches it would have got. One thread at a time
/// may call `next`.
public final class BatchLoader: @unchecked Sendable {
    /// Where a loader stands: the next batch that `next` returns. The other fields guard against restoring into a loader
    /// of other data.
    public struct State: Equatable, Hashable, Codable, Sendable {
        public var epoch: Int
        public var batch: Int
        public var seed: UInt64
        public var images: Int
        public var size: Int

        public init(epoch: Int, batch: Int, seed: UInt64, images: Int, size: Int) {
            self.epoch = epoch
            self.batch = batch
            self.seed = seed
            self.images = images
            self.size = size
        }
    }

    private let maker: BatchMaker
    private let producer: Producer
    /// No run has more, and they can be counted on.
    public static let mostEpochs = 1 << 48
    /// Each of the batches that are kept ready takes memory.
    public static let mostAhead = 256
    /// Where `next` stands, which the producer is ahead of.
    private var position = Position()

    /// - Parameters:
    ///   - size: images a batch.
    ///   - shuffle: a new random order each epoch, or the data set's own.
    ///   - dropLast: leave out the rest of an epoch that fills no batch, or return it as a smaller one.
    ///   - transform: what is made of each sample before it goes into a batch.
    ///   - ahead: batches kept ready, up to `mostAhead`; 0 prepares each when it is asked for, without a thread, as is done with a transform and
    ///     where the data set's samples need the caller's thread.
    /// - Throws: `DataError` when the settings do not fit the data, from the sizes in the files' headers, before any work.
    public init(
        _ data: any DataSet, size: Int, augmentation: Augmentation = Augmentation(), transform: SampleTransform? = nil, seed: UInt64,
        shuffle: Bool = true, dropLast: Bool = true, ahead: Int = 3
    ) throws {
        guard size > 0 else { throw DataError("expected batches of at least 1 sample, got \(size)") }
        guard (0...BatchLoader.mostAhead).contains(ahead) else {
            throw DataError("expected 0 to \(BatchLoader.mostAhead) batches ahead, got \(ahead)")
        }
        guard data.count >= (dropLast ? size : 1) else {
            throw DataError(
                "\(data.name) has \(data.count) samples, too few for batches of \(size)", remedy: "use smaller batches or more samples")
        }
        try augmentation.check()
        try augmentation.check(data)
        if !data.needsCaller, data.parts.contains(where: \.kind.isMap) { try BatchLoader.checkSizes(data, size, augmentation) }
        maker = BatchMaker(
            data: data, size: size, augmentation: augmentation, transform: transform, seed: seed, shuffle: shuffle, dropLast: dropLast)
        producer = Producer(maker, ahead: data.needsCaller || transform != nil ? 0 : ahead)
    }

    private static func checkSizes(_ data: any DataSet, _ size: Int, _ augmentation: Augmentation) throws {
        var first: Size?
        for index in 0..<data.count {
            try checkInterrupt()
            let found = try data.size(index)
            try augmentation.check(found, source: data.source(index))
            guard augmentation.crop != nil || size == 1 || found == first ?? found else {
                throw DataError(
                    "\(data.source(index)) is \(found), \(data.source(0)) is \(first ?? found)", remedy: "give a crop, or use batches of 1")
            }
            first = first ?? found
        }
    }

    deinit { producer.stop() }

    public var data: any DataSet { maker.data }
    /// Samples a batch.
    public var size: Int { maker.size }
    public var augmentation: Augmentation { maker.augmentation }
    public var transform: SampleTransform? { maker.transform }
    /// Batches of one pass over the data.
    public var batchesPerEpoch: Int { maker.perEpoch }

    /// The next batch; after the last of an epoch the first of the following one.
    /// - Throws: `DataError` with the sample whose preparation met an error, and what that was; asking again tries the same batch again.
    ///   `Interrupted`.
    public func next() throws -> Batch {
        let batch = try producer.next(position)
        position.advance(maker.perEpoch)
        return batch
    }

    /// Where the loader stands; save it to continue later.
    public var state: State {
        State(epoch: position.epoch, batch: position.batch, seed: maker.seed, images: maker.data.count, size: maker.size)
    }

    /// Continues where `state` was taken.
    /// - Throws: `DataError` when it belongs to other data, another seed or batch size.
    public func restore(_ state: State) throws(DataError) {
        let mine = State(epoch: state.epoch, batch: state.batch, seed: maker.seed, images: maker.data.count, size: maker.size)
        guard state == mine, (0..<BatchLoader.mostEpochs).contains(state.epoch), (0..<maker.perEpoch).contains(state.batch) else {
            throw DataError(
                "expected the state of a loader of \(mine.images) images in batches of \(mine.size) with seed \(mine.seed), got "
                    + "\(state.images) images, batches of \(state.size), seed \(state.seed), epoch \(state.epoch), batch \(state.batch)",
                remedy: "resume with the settings of the first run")
        }
        position = Position(epoch: state.epoch, batch: state.batch)
    }
}

/// An epoch and a batch of it.
struct Position: Equatable, Sendable {
    var epoch = 0
    var batch = 0

    mutating func advance(_ perEpoch: Int) {
        batch += 1
        if batch == perEpoch { (epoch, batch) = (epoch + 1, 0) }
    }
}
