import CKernels

// The second form of the convolution tile, for small planes: lanes are destination channels, source pixels are broadcast one
// by one. No lane is spent on padding, and every tap is computed for exactly those pixels whose source it meets, so that an
// atrous kernel on a plane smaller than itself costs only its few live products (5x5 at rate 2 on 11x11: 61%; on 2x2: 1/25).
// Sums lie [pixel][channel] in scratch meanwhile, and are transposed into place at the end.

#if KernelsV4
/// Pixels of a tile, two vectors of channels each.
@inline(always) var tilePixels: Int { 8 }
#else
@inline(always) var tilePixels: Int { 4 }
#endif
/// Destination channels of a block.
@inline(always) var blockLanes: Int { 2 * lanes }

struct Pair {
    var a = V.zero, b = V.zero
    @inline(always) init() {}
    @inline(always) init(_ p: UnsafePointer<Float>) {
        a = load(p)
        b = load(p + lanes)
    }
    @inline(always) mutating func add(_ x: Float, _ u: V, _ v: V) {
        let s = V(repeating: x)
        a = fma(a, s, u)
        b = fma(b, s, v)
    }
    @inline(always) func put(_ p: UnsafeMutablePointer<Float>) {
        store(p, a)
        store(p + lanes, b)
    }
}

/// sums[to[i]] += over channels: source[from[i] + channel * stride] * weights[channel], for `tilePixels` pixels i.
@inline(never)
private func pixelTile(
    _ source: UnsafePointer<Float>, _ from: UnsafePointer<Int>, _ stride: Int, _ channels: Int, _ weights: UnsafePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>, _ to: UnsafePointer<Int>
) {
    var p0 = Pair(sums + to[0]), p1 = Pair(sums + to[1]), p2 = Pair(sums + to[2]), p3 = Pair(sums + to[3])
    let x0 = source + from[0], x1 = source + from[1], x2 = source + from[2], x3 = source + from[3]
    #if KernelsV4
    var p4 = Pair(sums + to[4]), p5 = Pair(sums + to[5]), p6 = Pair(sums + to[6]), p7 = Pair(sums + to[7])
    let x4 = source + from[4], x5 = source + from[5], x6 = source + from[6], x7 = source + from[7]
    #endif
    var w = weights, k = 0
    let end = channels * stride
    while k != end {
        let u = load(w), v = load(w + lanes)
        p0.add(x0[k], u, v)
        p1.add(x1[k], u, v)
        p2.add(x2[k], u, v)
        p3.add(x3[k], u, v)
        #if KernelsV4
        p4.add(x4[k], u, v)
        p5.add(x5[k], u, v)
        p6.add(x6[k], u, v)
        p7.add(x7[k], u, v)
        #endif
        k += stride
        w += 2 * lanes
    }
    p0.put(sums + to[0])
    p1.put(sums + to[1])
    p2.put(sums + to[2])
    p3.put(sums + to[3])
    #if KernelsV4
    p4.put(sums + to[4])
    p5.put(sums + to[5])
    p6.put(sums + to[6])
    p7.put(sums + to[7])
    #endif
}

/// The same for a last block of at most one vector of channels; weights and sums are still two vectors apart.
@inline(never)
private func pixelTileHalf(
    _ source: UnsafePointer<Float>, _ from: UnsafePointer<Int>, _ stride: Int, _ channels: Int, _ weights: UnsafePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>, _ to: UnsafePointer<Int>
) {
    var p0 = load(sums + to[0]), p1 = load(sums + to[1]), p2 = load(sums + to[2]), p3 = load(sums + to[3])
    let x0 = source + from[0], x1 = source + from[1], x2 = source + from[2], x3 = source + from[3]
    #if KernelsV4
    var p4 = load(sums + to[4]), p5 = load(sums + to[5]), p6 = load(sums + to[6]), p7 = load(sums + to[7])
    let x4 = source + from[4], x5 = source + from[5], x6 = source + from[6], x7 = source + from[7]
    #endif
    var w = weights, k = 0
    let end = channels * stride
    while k != end {
        let u = load(w)
        p0 = fma(p0, V(repeating: x0[k]), u)
        p1 = fma(p1, V(repeating: x1[k]), u)
        p2 = fma(p2, V(repeating: x2[k]), u)
        p3 = fma(p3, V(repeating: x3[k]), u)
        #if KernelsV4
        p4 = fma(p4, V(repeating: x4[k]), u)
        p5 = fma(p5, V(repeating: x5[k]), u)
        p6 = fma(p6, V(repeating: x6[k]), u)
        p7 = fma(p7, V(repeating: x7[k]), u)
        #endif
        k += stride
        w += 2 * lanes
    }
    store(sums + to[0], p0)
    store(sums + to[1], p1)
    store(sums + to[2], p2)
    store(sums + to[3], p3)
    #if KernelsV4
    store(sums + to[4], p4)
    store(sums + to[5], p5)
    store(sums + to[6], p6)
    store(sums + to[7], p7)
    #endif
}

/// A tap of a PixelJob: index of the kernel element, offset of its source pixel, and the grid pixels that have one.
struct PixelTap {
    var index = 0, row = 0, column = 0
    var firstRow = 0, lastRow = 0, firstColumn = 0, lastColumn = 0

    /// nil when no grid pixel's source lies inside.
    init?(_ index: Int, _ row: Int, _ column: Int, _ job: PixelJob) {
        self.index = index
        self.row = row
        self.column = column
        firstRow = row < 0 ? ceilDivide(-row, job.strideHeight) : 0
        firstColumn = column < 0 ? ceilDivide(-column, job.strideWidth) : 0
        lastRow = smaller(job.gridHeight, floorDivide(job.sourceHeight - 1 - row, job.strideHeight) + 1)
        lastColumn = smaller(job.gridWidth, floorDivide(job.sourceWidth - 1 - column, job.strideWidth) + 1)
        if firstRow >= lastRow || firstColumn >= lastColumn { return nil }
    }

    var pixels: Int { (lastRow - firstRow) * (lastColumn - firstColumn) }
}

/// A convolution pass over a grid of destination pixels whose source is read in place.
struct PixelJob {
    var source: UnsafePointer<Float>
    var sourceBatchStride = 0, sourceHeight = 0, sourceWidth = 0, channels = 0
    /// Elements from one source pixel, and one channel, to the next: planes as they are, or pixel-major.
    var sourcePixel = 1, sourceChannel = 0
    /// Source pixels between neighbouring grid pixels.
    var strideHeight = 1, strideWidth = 1
    var taps: UnsafePointer<PixelTap>
    var tapCount = 0
    /// For each kernel element its place in the list, or -1.
    var slots: UnsafePointer<Int>
    /// Packed [block][tap][channel][blockLanes].
    var weights: UnsafePointer<Float>
    var batch = 0, rows = 0, gridHeight = 0, gridWidth = 0
    var destination: UnsafeMutablePointer<Float>
    var batchStride = 0, channelStride = 0, destinationRow = 0, destinationColumn = 1
    var bias: UnsafePointer<Float>?
    var mask: UnsafePointer<Float>?
    var accumulate = false
}

func run(_ job: PixelJob, _ parallel: Parallel) {
    let blocks = ceilDivide(job.rows, blockLanes), rows = job.batch * job.gridHeight
    var products = 0
    for t in 0..<job.tapCount { products += job.taps[t].pixels }
    let work = job.batch * products * job.channels * blockLanes
    // Every band has a ragged last tile for each tap, so bands are long, but at least two pieces of what is worth it.
    let most = larger(blocks == 1 ? 2 : 1, rows * job.gridWidth / 128)
    let bands = larger(1, smaller(smaller(work / pieceWork, most), smaller(rows, ceilDivide(64, blocks))))
    parallel(blocks * bands) { piece in
        let band = piece / blocks
        runBand(job, piece % blocks, band * rows / bands, (band + 1) * rows / bands)
    }
}

private func runBand(_ job: PixelJob, _ block: Int, _ first: Int, _ last: Int) {
    let pixels = (last - first) * job.gridWidth
    let memory = scratch(7, (pixels + 1) * blockLanes + 4 * tilePixels + lanes * (pixels + lanes))
    let from = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: Int.self), to = from + tilePixels
    let sums = memory + 4 * tilePixels, turned = sums + (pixels + 1) * blockLanes
    let channel = block * blockLanes, count = smaller(blockLanes, job.rows - channel)
    for i in 0..<blockLanes { sums[i] = i < count ? (job.bias.map { $0[channel + i] } ?? 0) : 0 }
    let u = load(sums), v = load(sums + lanes)
    for p in 0...pixels {
        store(sums + p * blockLanes, u)
        store(sums + p * blockLanes + lanes, v)
    }
    let spare = pixels * blockLanes
    let stride = job.sourceChannel, pixel = job.sourcePixel, next = job.strideWidth * pixel
    for t in 0..<job.tapCount {
        let tap = job.taps[t]
        let weights = job.weights + (block * job.tapCount + t) * job.channels * blockLanes
        var filled = 0
        for r in first..<last {
            let n = r / job.gridHeight, y = r - n * job.gridHeight
            if y < tap.firstRow || y >= tap.lastRow { continue }
            let line = n * job.sourceBatchStride + ((y * job.strideHeight + tap.row) * job.sourceWidth + tap.column) * pixel
            let place = (r - first) * job.gridWidth
            for x in tap.firstColumn..<tap.lastColumn {
                from[filled] = line + x * next
                to[filled] = (place + x) * blockLanes
                filled += 1
                if filled == tilePixels {
                    flush(job, count, from, stride, weights, sums, to)
                    filled = 0
                }
            }
        }
        if filled > 0 {
            while filled < tilePixels {
                from[filled] = from[0]
                to[filled] = spare
                filled += 1
            }
            flush(job, count, from, stride, weights, sums, to)
        }
    }
    var c = 0
    while c < count {
        let part = smaller(lanes, count - c)
        transpose(sums + c, blockLanes, pixels, part, turned, pixels)
        for i in 0..<part { deliverBand(job, turned + i * pixels, channel + c + i, first, last) }
        c += lanes
    }
}

@inline(always)
private func flush(
    _ job: PixelJob, _ count: Int, _ from: UnsafePointer<Int>, _ stride: Int, _ weights: UnsafePointer<Float>,
    _ sums: UnsafeMutablePointer<Float>, _ to: UnsafePointer<Int>
) {
    if count > lanes {
        pixelTile(job.source, from, stride, job.channels, weights, sums, to)
    } else {
        pixelTileHalf(job.source, from, stride, job.channels, weights, sums, to)
    }
}

/// Copies one channel's pixels of a band from scratch to the destination.
private func deliverBand(_ job: PixelJob, _ line: UnsafePointer<Float>, _ channel: Int, _ first: Int, _ last: Int) {
    var row = first
    while row < last {
        let n = row / job.gridHeight, y = row - n * job.gridHeight
        // Rows that follow each other without a gap in the destination are one run.
        let lines = job.destinationColumn == 1 && job.destinationRow == job.gridWidth ? smaller(last - row, job.gridHeight - y) : 1
        let offset = n * job.batchStride + channel * job.channelStride + y * job.destinationRow
        deliverRow(
            line + (row - first) * job.gridWidth, job.destination, job.mask, job.accumulate, job.destinationColumn, offset,
            lines * job.gridWidth)
        row += lines
    }
}
