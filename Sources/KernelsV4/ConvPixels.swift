import CKernels

// The second form of the convolution tile, for small planes: lanes are destination channels, source pixels are broadcast one
// by one. A tile is a few pixels for which the same taps meet the source, however they lie, and takes only those, so that an atrous
// kernel on a plane smaller than itself costs its few live products (5x5 at rate 2 on 4x4: 4 of 25 taps a tile; on 2x2: 1). All of a
// pixel's products are summed in registers: with a tap at a time, sums that went through memory in between took half of the time of 16
// channels; with tiles of neighbours, which take any tap that one of them needs, 3x3 at rate 2 on 4x4 took 1.4 times as long.
// Sums lie [pixel][channel] in scratch, and are transposed into place at the end.

#if KernelsV4
/// Pixels of a tile, two vectors of channels each.
@inline(always) var tilePixels: Int { 8 }
#else
@inline(always) var tilePixels: Int { 4 }
#endif
/// Pixels of a tile of a single vector of channels: eight sums, for an AVX2 core has to have eight on the way.
@inline(always) var halfPixels: Int { 8 }
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

/// One run of products of a tile: `count` elements of source from `source` on, counted from a pixel's own, with the weights from
/// `weights` on. Neighbouring taps of one source row are one run where the channels of their pixels follow each other.
struct PixelRun {
    var source = 0, weights = 0, count = 0
}

/// sums[to[i]] = bias + over runs and channels: source * weights, for `tilePixels` pixels i, `blockLanes` sums each.
@inline(never)
private func pixelTile(
    _ from: UnsafePointer<UnsafePointer<Float>>, _ runs: UnsafePointer<PixelRun>, _ runCount: Int, _ step: Int,
    _ weights: UnsafePointer<Float>, _ bias: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>, _ to: UnsafePointer<Int>
) {
    var p0 = Pair(bias), p1 = p0, p2 = p0, p3 = p0
    let x0 = from[0], x1 = from[1], x2 = from[2], x3 = from[3]
    #if KernelsV4
    var p4 = p0, p5 = p0, p6 = p0, p7 = p0
    let x4 = from[4], x5 = from[5], x6 = from[6], x7 = from[7]
    #endif
    for r in 0..<runCount {
        let run = runs[r]
        var w = weights + run.weights, k = run.source
        let end = w + run.count * 2 * lanes
        while w != end {
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
            k += step
            w += 2 * lanes
        }
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

/// The same for a last block of at most one vector of channels, `halfPixels` at a time; weights and sums are still two vectors apart.
@inline(never)
private func pixelTileHalf(
    _ from: UnsafePointer<UnsafePointer<Float>>, _ runs: UnsafePointer<PixelRun>, _ runCount: Int, _ step: Int,
    _ weights: UnsafePointer<Float>, _ bias: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>, _ to: UnsafePointer<Int>
) {
    var p0 = load(bias), p1 = p0, p2 = p0, p3 = p0, p4 = p0, p5 = p0, p6 = p0, p7 = p0
    let x0 = from[0], x1 = from[1], x2 = from[2], x3 = from[3], x4 = from[4], x5 = from[5], x6 = from[6], x7 = from[7]
    for r in 0..<runCount {
        let run = runs[r]
        var w = weights + run.weights, k = run.source
        let end = w + run.count * 2 * lanes
        while w != end {
            let u = load(w)
            p0 = fma(p0, V(repeating: x0[k]), u)
            p1 = fma(p1, V(repeating: x1[k]), u)
            p2 = fma(p2, V(repeating: x2[k]), u)
            p3 = fma(p3, V(repeating: x3[k]), u)
            p4 = fma(p4, V(repeating: x4[k]), u)
            p5 = fma(p5, V(repeating: x5[k]), u)
            p6 = fma(p6, V(repeating: x6[k]), u)
            p7 = fma(p7, V(repeating: x7[k]), u)
            k += step
            w += 2 * lanes
        }
    }
    store(sums + to[0], p0)
    store(sums + to[1], p1)
    store(sums + to[2], p2)
    store(sums + to[3], p3)
    store(sums + to[4], p4)
    store(sums + to[5], p5)
    store(sums + to[6], p6)
    store(sums + to[7], p7)
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
    /// Elements from one source pixel, row, and channel, to the next: planes as they are, or pixel-major with zeros around.
    var sourcePixel = 1, sourceRow = 0, sourceChannel = 0
    /// For each grid row and column the taps that meet the source there, as bits; nil when all of them do everywhere.
    var rowTaps: UnsafePointer<UInt64>?
    var columnTaps: UnsafePointer<UInt64>?
    /// Source pixels between neighbouring grid pixels.
    var strideHeight = 1, strideWidth = 1
    var taps: UnsafePointer<PixelTap>
    var tapCount = 0
    /// For each kernel element its place in the list, or -1.
    var slots: UnsafePointer<Int>
    /// Packed by `packForPixels`.
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

/// A row or column of a band: where its source and its sums begin, and the taps that are live for it.
private struct PixelLine {
    var source = 0, place = 0
    var taps: UInt64 = 0
}

/// Sorts by live taps; lines of the same ones stay in order.
private func sort(_ lines: UnsafeMutablePointer<PixelLine>, _ count: Int) {
    for i in 1..<larger(1, count) {
        let line = lines[i]
        var at = i
        while at > 0 && lines[at - 1].taps > line.taps {
            lines[at] = lines[at - 1]
            at -= 1
        }
        lines[at] = line
    }
}

/// The first line from `first` on with other taps.
@inline(always) private func groupEnd(_ lines: UnsafePointer<PixelLine>, _ first: Int, _ count: Int) -> Int {
    var end = first + 1
    while end < count && lines[end].taps == lines[first].taps { end += 1 }
    return end
}

/// The grid pixels of a band, those with the same live taps one after another; and the runs of the taps of a tile.
private struct PixelWalk {
    let job: PixelJob
    let rows, columns: UnsafeMutablePointer<PixelLine>
    let rowCount: Int
    var firstRow = 0, endRow = 0, firstColumn = 0, endColumn = 0, row = 0, column = 0
    var live: UInt64 = 0
    let runs: UnsafeMutablePointer<PixelRun>
    var runCount = 0

    /// Floats of memory for a band.
    static func room(_ job: PixelJob, _ rows: Int) -> Int { 6 * (rows + job.gridWidth + larger(1, job.tapCount)) }

    init(_ job: PixelJob, _ first: Int, _ last: Int, _ memory: UnsafeMutablePointer<Float>) {
        self.job = job
        rowCount = last - first
        rows = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: PixelLine.self)
        columns = rows + rowCount
        runs = UnsafeMutableRawPointer(columns + job.gridWidth).assumingMemoryBound(to: PixelRun.self)
        for r in first..<last {
            let n = r / job.gridHeight, y = r - n * job.gridHeight
            rows[r - first] = PixelLine(
                source: n * job.sourceBatchStride + y * job.strideHeight * job.sourceRow, place: (r - first) * job.gridWidth,
                taps: job.rowTaps.map { $0[y] } ?? 0)
        }
        for x in 0..<job.gridWidth {
            columns[x] = PixelLine(source: x * job.strideWidth * job.sourcePixel, place: x, taps: job.columnTaps.map { $0[x] } ?? 0)
        }
        if job.rowTaps == nil {
            for t in 0..<job.tapCount { append(t) }
        } else {
            sort(rows, rowCount)
            sort(columns, job.gridWidth)
        }
        endRow = groupEnd(rows, 0, rowCount)
        endColumn = groupEnd(columns, 0, job.gridWidth)
    }

    /// Where the sources and sums of the next `count` pixels are, up to `size` the last again and to no use; and the runs for them.
    @inline(always) mutating func take(
        _ count: Int, _ size: Int, _ spare: Int, _ from: UnsafeMutablePointer<UnsafePointer<Float>>, _ to: UnsafeMutablePointer<Int>
    ) {
        var meet: UInt64 = 0
        for i in 0..<count {
            let y = rows[row], x = columns[column]
            from[i] = job.source + y.source + x.source
            to[i] = (y.place + x.place) * blockLanes
            meet |= y.taps & x.taps
            column += 1
            if column == endColumn { nextRow() }
        }
        var i = count
        while i < size {
            from[i] = from[count - 1]
            to[i] = spare
            i += 1
        }
        if meet != live { list(meet) }
    }

    private mutating func nextRow() {
        column = firstColumn
        row += 1
        guard row == endRow else { return }
        if endColumn < job.gridWidth {
            firstColumn = endColumn
        } else {
            firstColumn = 0
            firstRow = endRow
            if firstRow == rowCount { return }
            endRow = groupEnd(rows, firstRow, rowCount)
        }
        endColumn = groupEnd(columns, firstColumn, job.gridWidth)
        column = firstColumn
        row = firstRow
    }

    private mutating func list(_ meet: UInt64) {
        live = meet
        runCount = 0
        var rest = meet
        while rest != 0 {
            append(rest.trailingZeroBitCount)
            rest &= rest - 1
        }
    }

    private mutating func append(_ t: Int) {
        let source = job.taps[t].row * job.sourceRow + job.taps[t].column * job.sourcePixel, weights = t * tapStride(job.channels)
        if runCount > 0 && job.sourceChannel == 1 {
            let last = runs[runCount - 1]
            if source == last.source + last.count && weights == last.weights + last.count * blockLanes {
                runs[runCount - 1].count += job.channels
                return
            }
        }
        runs[runCount] = PixelRun(source: source, weights: weights, count: job.channels)
        runCount += 1
    }
}

private func runBand(_ job: PixelJob, _ block: Int, _ first: Int, _ last: Int) {
    let pixels = (last - first) * job.gridWidth
    let lists = 4 * halfPixels, room = PixelWalk.room(job, last - first)
    guard let memory = scratch(7, lists + room + (pixels + 2) * blockLanes + lanes * (pixels + lanes)) else { return }
    let from = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: UnsafePointer<Float>.self)
    let to = UnsafeMutableRawPointer(from + halfPixels).assumingMemoryBound(to: Int.self)
    let bias = memory + lists + room, sums = bias + blockLanes, turned = sums + (pixels + 1) * blockLanes
    let channel = block * blockLanes, count = smaller(blockLanes, job.rows - channel)
    for i in 0..<blockLanes { bias[i] = i < count ? (job.bias.map { $0[channel + i] } ?? 0) : 0 }
    let weights = job.weights + block * job.tapCount * tapStride(job.channels)
    var walk = PixelWalk(job, first, last, memory + lists), at = 0
    let size = count > lanes ? tilePixels : halfPixels
    while at < pixels {
        walk.take(smaller(size, pixels - at), size, pixels * blockLanes, from, to)
        if count > lanes {
            pixelTile(from, walk.runs, walk.runCount, job.sourceChannel, weights, bias, sums, to)
        } else {
            pixelTileHalf(from, walk.runs, walk.runCount, job.sourceChannel, weights, bias, sums, to)
        }
        at += size
    }
    var c = 0
    while c < count {
        let part = smaller(lanes, count - c)
        transpose(sums + c, blockLanes, pixels, part, turned, pixels)
        for i in 0..<part { deliverBand(job, turned + i * pixels, channel + c + i, first, last) }
        c += lanes
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
