import CKernels

/// Runs a body once for each of 0 ..< n; the facade passes the thread pool in.
public typealias Parallel = (Int, (Int) -> Void) -> Void

/// A convolution as the tile kernels see it. Both passes over pixels (forward, and the input gradient, whose source is the
/// output's gradient) come down to this: the source lies in planes with zeros around them, and each destination pixel of a
/// grid sums over source channels and taps, a tap being an offset from the pixel's flat position in the plane.
///
/// Rows of a plane follow each other with one gap that is right padding of the one and left padding of the next, so that a
/// vector may run over the end of a row into the next one and only the gap's few lanes are wasted.
struct Job {
    // Source planes.
    var source: UnsafePointer<Float>
    var sourceBatchStride = 0, sourceChannelStride = 0
    var channels = 0
    /// Flat distance between rows; position of grid pixel (y, x) is y * rowStride + x.
    var rowStride = 0
    /// max(source, 0) while loading: only where planes are read in place (a copy takes it into the copying).
    var relu = false
    // Taps, in groups of equal row offset.
    var taps = 0
    var offsets: UnsafePointer<Int>
    /// Number of taps of one kernel row; first and last source row (0 ... sourceHeight) which it meets at grid row 0.
    var tapsPerRow = 1
    var tapRows: UnsafePointer<Int>
    var sourceHeight = 0
    // Weights, packed [block of tileRows][channel][tap][tileRows].
    var weights: UnsafePointer<Float>
    // Destination.
    var batch = 0, rows = 0, gridHeight = 0, gridWidth = 0
    var destination: UnsafeMutablePointer<Float>
    var batchStride = 0, channelStride = 0, destinationRow = 0, destinationColumn = 1
    var bias: UnsafePointer<Float>?
    var mask: UnsafePointer<Float>?
    var accumulate = false

    /// One tap per channel in a source that was not copied: nothing around its planes may be read.
    var inPlace = false

    /// Flat positions from the first to the last grid pixel.
    var positions: Int { (gridHeight - 1) * rowStride + gridWidth }
}

#if KernelsV4
/// Destination channels of a register tile; with `tileVectors` vectors of pixels each, 24 of the 32 registers.
@inline(always) var tileRows: Int { 8 }
#else
/// Destination channels of a register tile; with `tileVectors` vectors of pixels each, 12 of the 16 registers.
@inline(always) var tileRows: Int { 4 }
#endif
@inline(always) var tileVectors: Int { 3 }
@inline(always) var tileWidth: Int { tileVectors * lanes }

@inline(always) func ceilDivide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }
@inline(always) func larger(_ a: Int, _ b: Int) -> Int { a > b ? a : b }
@inline(always) func smaller(_ a: Int, _ b: Int) -> Int { a < b ? a : b }

/// Scratch of the calling thread. Slots: 4 packed source, 5 packed weights, 6 taps and second source, 7 a piece's own.
/// nil when there is no memory: the kernel returns with its work undone, and who launched it hears of it (`trellis_memory_missing`).
@inline(always) func scratch(_ slot: Int32, _ floats: Int) -> UnsafeMutablePointer<Float>? {
    trellis_workspace(slot, floats * 4)?.assumingMemoryBound(to: Float.self)
}
