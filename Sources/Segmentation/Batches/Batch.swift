import Base
import Tensors

/// Images and labels of one step, as contiguous memory that a tensor adopts without a copy.
public struct Batch: Sendable {
    /// Normalised float32 [images, 3, height, width].
    public let images: Buffer
    public let imageShape: [Int]
    /// int32 [images, height, width]; `LabelMap.ignore` where a pixel does not count.
    public let labels: Buffer
    public let labelShape: [Int]
    /// Numbers of the samples in the data set.
    public let indices: [Int]
    /// Which pass over the data this belongs to, from 0, and which batch of it.
    public let epoch: Int
    public let index: Int

    /// The images as a named array, e.g. to save them.
    public var imageArray: NamedArray { NamedArray(name: "images", dtype: .float32, shape: imageShape, buffer: images) }
    /// The labels as a named array.
    public var labelArray: NamedArray { NamedArray(name: "labels", dtype: .int32, shape: labelShape, buffer: labels) }
}

/// Makes batch `index` of epoch `epoch`: a function of these two and the settings, so that order and content depend on no
/// clock, thread or history.
struct BatchMaker: Sendable {
    let data: any DataSet
    let size: Int
    let augmentation: Augmentation
    let seed: UInt64
    let shuffle: Bool
    let dropLast: Bool

    /// Batches of one pass; the last may be smaller unless it is dropped.
    var perEpoch: Int { data.count / size + (dropLast || data.count % size == 0 ? 0 : 1) }

    /// The samples of an epoch in their order.
    func order(epoch: Int) -> [Int] {
        guard shuffle else { return Array(0..<data.count) }
        var draw = Draw(seed: seed, stream: Draw.Purpose.order.rawValue, UInt64(epoch))
        return draw.permutation(data.count)
    }

    /// Sample `number`; its errors say which one it is.
    private func sample(_ number: Int) throws -> Sample {
        do { return try data.sample(number) } catch let error as Interrupted { throw error } catch {
            throw DataError("sample \(number + 1) of \(data.name): \(error)")
        }
    }

    func make(epoch: Int, index: Int, order: [Int]) throws -> Batch {
        let first = index * size
        let positions = first..<first + min(size, data.count - first)
        let indices = positions.map { order[$0] }
        var windows: [Augmentation.Window] = []
        var samples: [Sample] = []
        for (position, number) in zip(positions, indices) {
            let sample = try sample(number)
            try augmentation.check(sample.image.size, source: data.source(number))
            var draw = Draw(seed: seed, stream: Draw.Purpose.augment.rawValue, UInt64(epoch), UInt64(position))
            var window = augmentation.window(sample.image.size, &draw)
            augmentation.aim(&window, at: sample.labels, &draw)
            if let first = windows.first, first.size != window.size {
                throw DataError(
                    "\(data.source(number)) is \(window.size), others of its batch are \(first.size)",
                    remedy: "give a crop, or use batches of 1")
            }
            samples.append(sample)
            windows.append(window)
        }
        guard let target = windows.first?.size else { throw DataError("batch \(index) of \(data.name) is empty") }
        try Memory.check(samples.count * target.count * 16, toHold: "a batch of \(samples.count) images of \(target)")
        let images = try Buffer(byteCount: samples.count * 3 * target.count * 4)
        let labels = try Buffer(byteCount: samples.count * target.count * 4)
        for (slot, sample) in samples.enumerated() {
            try augmentation.render(
                sample, windows[slot],
                images: (images.pointer + slot * 3 * target.count * 4).bindMemory(to: Float.self, capacity: 3 * target.count),
                labels: (labels.pointer + slot * target.count * 4).bindMemory(to: Int32.self, capacity: target.count))
        }
        return Batch(
            images: images, imageShape: [samples.count, 3, target.height, target.width], labels: labels,
            labelShape: [samples.count, target.height, target.width], indices: indices, epoch: epoch, index: index)
    }
}
