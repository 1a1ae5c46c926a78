/// `batch` images of `channels` planes of `size` elements; image n begins at n·`batchStride`, its planes follow one another.
public struct PlaneShape: Hashable, Sendable {
    public var batch, channels, size: Int
    /// Elements from one image to the next: larger than channels·size where the tensor is a channel slice of a larger one.
    public var batchStride: Int

    public init(batch: Int, channels: Int, size: Int, batchStride: Int? = nil) {
        self.batch = batch
        self.channels = channels
        self.size = size
        self.batchStride = batchStride ?? channels * size
    }
}
