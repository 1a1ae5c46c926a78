import CKernels

// The weight gradient for small planes: lanes are output channels, eight input channels are broadcast, and the sums over the
// pixels which a tap really meets stay in registers. Nothing is spent on padding, nor on adding up lanes at the end.

/// The pixels of one tap: `batch` images of `rows` x `columns`, with the steps between them in input and packed gradient.
private struct OuterWalk {
    var batch = 0, rows = 0, columns = 0
    var xBatch = 0, xRow = 0, xColumn = 0
    var gBatch = 0, gRow = 0
}

/// result[i * stride ..< + blockLanes] += sum over pixels of x[channel i] * g, for `tilePixels` channels i. Of fewer
/// (`last` + 1), the last is taken again, to no use.
@inline(never)
private func outerTile(
    _ x: UnsafePointer<Float>, _ plane: Int, _ last: Int, _ g: UnsafePointer<Float>, _ walk: OuterWalk,
    _ result: UnsafeMutablePointer<Float>, _ stride: Int
) {
    let x0 = x, x1 = x + smaller(1, last) * plane, x2 = x + smaller(2, last) * plane, x3 = x + smaller(3, last) * plane
    #if KernelsV4
    let x4 = x + smaller(4, last) * plane, x5 = x + smaller(5, last) * plane
    let x6 = x + smaller(6, last) * plane, x7 = x + smaller(7, last) * plane
    #endif
    var p0 = Pair(), p1 = Pair(), p2 = Pair(), p3 = Pair()
    #if KernelsV4
    var p4 = Pair(), p5 = Pair(), p6 = Pair(), p7 = Pair()
    #endif
    for n in 0..<walk.batch {
        for r in 0..<walk.rows {
            var k = n * walk.xBatch + r * walk.xRow
            var p = g + n * walk.gBatch + r * walk.gRow
            let end = p + walk.columns * blockLanes
            while p != end {
                let u = load(p), v = load(p + lanes)
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
                k += walk.xColumn
                p += blockLanes
            }
        }
    }
    p0.add(to: result)
    p1.add(to: result + stride)
    p2.add(to: result + 2 * stride)
    p3.add(to: result + 3 * stride)
    #if KernelsV4
    p4.add(to: result + 4 * stride)
    p5.add(to: result + 5 * stride)
    p6.add(to: result + 6 * stride)
    p7.add(to: result + 7 * stride)
    #endif
}

extension Pair {
    @inline(always) func add(to p: UnsafeMutablePointer<Float>) {
        store(p, load(p) + a)
        store(p + lanes, load(p + lanes) + b)
    }
}

@inline(always) private func add(_ v: V, to p: UnsafeMutablePointer<Float>) { store(p, load(p) + v) }

/// The same for a last block of at most one vector of output channels; memory is laid out as for two. Pixels go in turn to two sums
/// of each channel: an AVX2 core has to have eight on the way.
@inline(never)
private func outerTileHalf(
    _ x: UnsafePointer<Float>, _ plane: Int, _ last: Int, _ g: UnsafePointer<Float>, _ walk: OuterWalk,
    _ result: UnsafeMutablePointer<Float>, _ stride: Int
) {
    let x0 = x, x1 = x + smaller(1, last) * plane, x2 = x + smaller(2, last) * plane, x3 = x + smaller(3, last) * plane
    #if KernelsV4
    let x4 = x + smaller(4, last) * plane, x5 = x + smaller(5, last) * plane
    let x6 = x + smaller(6, last) * plane, x7 = x + smaller(7, last) * plane
    #endif
    var p0 = V.zero, p1 = V.zero, p2 = V.zero, p3 = V.zero
    #if KernelsV4
    var p4 = V.zero, p5 = V.zero, p6 = V.zero, p7 = V.zero
    #else
    var q0 = V.zero, q1 = V.zero, q2 = V.zero, q3 = V.zero
    #endif
    for n in 0..<walk.batch {
        for r in 0..<walk.rows {
            var k = n * walk.xBatch + r * walk.xRow
            var p = g + n * walk.gBatch + r * walk.gRow
            let end = p + walk.columns * blockLanes
            #if !KernelsV4
            let pairs = p + walk.columns / 2 * 2 * blockLanes, next = walk.xColumn
            while p != pairs {
                let u = load(p), v = load(p + blockLanes)
                p0 = fma(p0, V(repeating: x0[k]), u)
                q0 = fma(q0, V(repeating: x0[k + next]), v)
                p1 = fma(p1, V(repeating: x1[k]), u)
                q1 = fma(q1, V(repeating: x1[k + next]), v)
                p2 = fma(p2, V(repeating: x2[k]), u)
                q2 = fma(q2, V(repeating: x2[k + next]), v)
                p3 = fma(p3, V(repeating: x3[k]), u)
                q3 = fma(q3, V(repeating: x3[k + next]), v)
                k += 2 * next
                p += 2 * blockLanes
            }
            #endif
            while p != end {
                let u = load(p)
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
                k += walk.xColumn
                p += blockLanes
            }
        }
    }
    #if !KernelsV4
    p0 += q0
    p1 += q1
    p2 += q2
    p3 += q3
    #endif
    add(p0, to: result)
    add(p1, to: result + stride)
    add(p2, to: result + 2 * stride)
    add(p3, to: result + 3 * stride)
    #if KernelsV4
    add(p4, to: result + 4 * stride)
    add(p5, to: result + 5 * stride)
    add(p6, to: result + 6 * stride)
    add(p7, to: result + 7 * stride)
    #endif
}

/// A weight gradient in this form.
///
/// Pixels are taken in units, a band of rows or a few whole images, that stay in the caches while all taps pass by: with a tap at a time over all pixels
/// 5x5 at rate 2 from 8 to 32 channels on 81x81 ran at a third of the speed, from memory. A piece is a block of output channels over some of the
/// units, has sums of its own, and turns its part of the output's gradient to pixel-major as it goes; the sums of all pieces of a block are added
/// up in the end, in the order of the pixels.
private struct OuterJob {
    /// Shape of the pass: a grid over the output, its source the input.
    var grid: PixelJob
    let gradient: UnsafePointer<Float>
    let gradientBatchStride: Int
    let kernel: Int
    let result: UnsafeMutablePointer<Float>
    let accumulate: Bool
    /// Images and rows of a unit, and how many there are.
    let images: Int, rows: Int, units: Int
    /// Pieces of a block.
    let splits: Int
    /// [split][block][group][channel][tap][blockLanes].
    var sums: UnsafeMutablePointer<Float>

    var blocks: Int { ceilDivide(grid.rows, blockLanes) }
    var groups: Int { ceilDivide(grid.channels, tilePixels) }
    var groupSize: Int { tilePixels * kernel * blockLanes }
    var bands: Int { ceilDivide(grid.gridHeight, rows) }
    var pixels: Int { grid.gridHeight * grid.gridWidth }

    init(
        _ grid: PixelJob, _ gradient: UnsafePointer<Float>, _ gradientBatchStride: Int, _ kernel: Int, _ result: UnsafeMutablePointer<Float>,
        _ accumulate: Bool
    ) {
        (self.grid, self.gradient, self.gradientBatchStride) = (grid, gradient, gradientBatchStride)
        (self.kernel, self.result, self.accumulate) = (kernel, result, accumulate)
        let pixels = grid.gridHeight * grid.gridWidth, whole = pixels <= 1024, blocks = ceilDivide(grid.rows, blockLanes)
        // A single block should come in two pieces at least.
        images = whole ? smaller(ceilDivide(grid.batch * blocks, 2), larger(1, smaller(grid.batch, 1024 / pixels))) : 1
        rows = !whole ? larger(1, 512 / grid.gridWidth) : grid.batch * blocks == 1 ? ceilDivide(grid.gridHeight, 2) : grid.gridHeight
        units = ceilDivide(grid.batch, images) * ceilDivide(grid.gridHeight, rows)
        var products = 0
        for t in 0..<grid.tapCount { products += grid.batch * grid.taps[t].pixels }
        splits = larger(1, smaller(smaller(units, ceilDivide(8, blocks)), products * grid.channels * grid.rows / pieceWork / blocks))
        sums = result
    }
}

func outerCost(_ job: PixelJob) -> Int {
    let vectors = ceilDivide(job.rows, lanes)
    var pixels = 0
    for t in 0..<job.tapCount { pixels += job.batch * job.taps[t].pixels }
    // Turning the gradient costs a pixel of a vector as much as the products with a dozen channels.
    return ceilDivide(job.channels, tilePixels) * (vectors * tilePixels * (pixels * 17 / 16 + job.tapCount * lanes / 2) + job.tapCount * 80)
        + 12 * vectors * job.batch * job.gridHeight * job.gridWidth
}

func dotCost(_ batch: Int, _ rows: Int, _ columns: Int, _ positions: Int) -> Int {
    let tiles = ceilDivide(rows, dotRows) * ceilDivide(columns, dotColumns) * batch
    return tiles * dotRows * dotColumns * (ceilDivide(positions, lanes) + 10 * ceilDivide(positions, 2048))
}

private func run(_ job: OuterJob, _ parallel: Parallel) {
    let blocks = job.blocks, groups = job.groups
    if job.splits == 1 {
        parallel(blocks) { block in
            runPiece(job, block, 0)
            for group in 0..<groups { deliver(job, block, group) }
        }
        return
    }
    parallel(blocks * job.splits) { piece in runPiece(job, piece % blocks, piece / blocks) }
    let each = larger(1, pieceWork / (job.groupSize * (job.splits + 8)))
    parallel(ceilDivide(blocks * groups, each)) { piece in
        for i in piece * each..<smaller(blocks * groups, (piece + 1) * each) { deliver(job, i / groups, i % groups) }
    }
}

private func runPiece(_ job: OuterJob, _ block: Int, _ split: Int) {
    let grid = job.grid, sums = job.sums + (split * job.blocks + block) * job.groups * job.groupSize
    let rows = smaller(blockLanes, grid.rows - block * blockLanes), room = job.images * job.rows * grid.gridWidth * blockLanes
    guard let turned = scratch(7, room) else { return }
    clear(sums, job.groups * job.groupSize)
    if rows % lanes != 0 { clear(turned, room) }
    for unit in split * job.units / job.splits..<(split + 1) * job.units / job.splits {
        let image = unit / job.bands * job.images, top = unit % job.bands * job.rows
        let images = smaller(job.images, grid.batch - image), bottom = smaller(grid.gridHeight, top + job.rows), length = (bottom - top) * grid.gridWidth
        let from = job.gradient + image * job.gradientBatchStride + block * blockLanes * job.pixels + top * grid.gridWidth
        for i in 0..<images {
            transpose(from + i * job.gradientBatchStride, job.pixels, rows, length, turned + i * length * blockLanes, blockLanes)
        }
        for group in 0..<job.groups {
            for t in 0..<grid.tapCount {
                addTap(job, grid.taps[t], image, images, top, bottom, group * tilePixels, rows, turned, sums + group * job.groupSize)
            }
        }
    }
}

/// Adds what a unit's pixels (rows `top ..< bottom` of `images` images) give to one tap of a group of channels.
@inline(always)
private func addTap(
    _ job: OuterJob, _ tap: PixelTap, _ image: Int, _ images: Int, _ top: Int, _ bottom: Int, _ channel: Int, _ rows: Int,
    _ turned: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>
) {
    let grid = job.grid, plane = grid.sourceHeight * grid.sourceWidth
    let first = larger(top, tap.firstRow), last = smaller(bottom, tap.lastRow)
    if first >= last { return }
    var walk = OuterWalk()
    walk.batch = images
    walk.rows = last - first
    walk.columns = tap.lastColumn - tap.firstColumn
    walk.xBatch = grid.sourceBatchStride
    walk.xRow = grid.strideHeight * grid.sourceWidth
    walk.xColumn = grid.strideWidth
    walk.gBatch = (bottom - top) * grid.gridWidth * blockLanes
    walk.gRow = grid.gridWidth * blockLanes
    if walk.columns == grid.gridWidth && walk.xRow == walk.columns * walk.xColumn {
        // Whole rows are one run.
        walk.columns *= walk.rows
        walk.rows = 1
    }
    let row = first * grid.strideHeight + tap.row, column = tap.firstColumn * grid.strideWidth + tap.column
    let x = grid.source + image * grid.sourceBatchStride + channel * plane + row * grid.sourceWidth + column
    let g = turned + ((first - top) * grid.gridWidth + tap.firstColumn) * blockLanes
    let lastChannel = smaller(tilePixels, grid.channels - channel) - 1, stride = job.kernel * blockLanes
    if rows > lanes {
        outerTile(x, plane, lastChannel, g, walk, sums + tap.index * blockLanes, stride)
    } else {
        outerTileHalf(x, plane, lastChannel, g, walk, sums + tap.index * blockLanes, stride)
    }
}

/// Adds up the pieces of a block for one group of channels, and puts the sums into their places.
private func deliver(_ job: OuterJob, _ block: Int, _ group: Int) {
    let grid = job.grid, kernel = job.kernel, first = group * tilePixels
    let channels = smaller(tilePixels, grid.channels - first), rows = smaller(blockLanes, grid.rows - block * blockLanes), length = channels * kernel
    let sums = job.sums + (block * job.groups + group) * job.groupSize
    for split in 1..<larger(1, job.splits) {
        let more = sums + split * job.blocks * job.groups * job.groupSize
        var i = 0
        while i < length * blockLanes {
            store(sums + i, load(sums + i) + load(more + i))
            i += lanes
        }
    }
    let place = job.result + (block * blockLanes * grid.channels + first) * kernel, stride = grid.channels * kernel
    if grid.tapCount * 2 <= kernel {
        // Where few taps are live their sums go one by one to their places, and the others' zeros straight into the result.
        if !job.accumulate { for r in 0..<rows { clear(place + r * stride, length) } }
        for c in 0..<channels {
            for t in 0..<grid.tapCount {
                let index = c * kernel + grid.taps[t].index
                for r in 0..<rows { place[r * stride + index] += sums[index * blockLanes + r] }
            }
        }
        return
    }
    if !job.accumulate {
        transpose(sums, blockLanes, length, rows, place, stride)
        return
    }
    guard let turned = scratch(7, blockLanes * length) else { return }
    transpose(sums, blockLanes, length, rows, turned, length)
    for r in 0..<rows { deliverRow(turned + r * length, place, nil, true, 1, r * stride, length) }
}

/// The weight gradient in this form. Returns false, having done nothing, where dot products over planes are cheaper:
/// `positions` is their length for one image, `count` the number of taps.
func outerWeightGradient(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>,
    _ relu: Bool, _ accumulate: Bool, _ positions: Int, _ count: Int, _ parallel: Parallel
) -> Bool {
    guard var grid = gridForward(s, x, dw) else { return true }
    if outerCost(grid) >= dotCost(s.batch, s.outChannels, s.inChannels * count, positions) { return false }
    if relu {
        let image = s.inChannels * s.inHeight * s.inWidth
        guard let copy = scratch(4, s.batch * image) else { return true }
        positiveImages(x, s.inBatchStride, copy, image, s.batch, parallel)
        grid.source = UnsafePointer(copy)
        grid.sourceBatchStride = image
    }
    var job = OuterJob(grid, g, s.outBatchStride, s.kernelHeight * s.kernelWidth, dw, accumulate)
    guard let sums = scratch(5, job.splits * job.blocks * job.groups * job.groupSize) else { return true }
    job.sums = sums
    run(job, parallel)
    return true
}
