import CKernels

// The weight gradient for small planes: lanes are output channels, eight input channels are broadcast, and the sums over the
// pixels which a tap really meets stay in registers. Nothing is spent on padding, nor on adding up lanes at the end.

/// The pixels of one tap: `batch` images of `rows` x `columns`, with the steps between them in input and packed gradient.
private struct OuterWalk {
    var batch = 0, rows = 0, columns = 0
    var xBatch = 0, xRow = 0, xColumn = 0
    var gBatch = 0, gRow = 0
}

/// result[i * stride ..< + blockLanes] = sum over pixels of x[channel i] * g, for `tilePixels` channels i. Of fewer
/// (`last` + 1), the last is taken again.
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
    p0.put(result)
    p1.put(result + stride)
    p2.put(result + 2 * stride)
    p3.put(result + 3 * stride)
    #if KernelsV4
    p4.put(result + 4 * stride)
    p5.put(result + 5 * stride)
    p6.put(result + 6 * stride)
    p7.put(result + 7 * stride)
    #endif
}

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
    store(result, p0)
    store(result + stride, p1)
    store(result + 2 * stride, p2)
    store(result + 3 * stride, p3)
    #if KernelsV4
    store(result + 4 * stride, p4)
    store(result + 5 * stride, p5)
    store(result + 6 * stride, p6)
    store(result + 7 * stride, p7)
    #endif
}

/// A weight gradient in this form.
struct OuterJob {
    /// Shape of the pass: a grid over the output, its source the input.
    var grid: PixelJob
    /// Packed [block][image][pixel][blockLanes].
    var gradient: UnsafePointer<Float>
    var kernel = 0
    var result: UnsafeMutablePointer<Float>
    var accumulate = false
}

func outerCost(_ job: PixelJob) -> Int {
    let vectors = ceilDivide(job.rows, lanes)
    var pixels = 0
    for t in 0..<job.tapCount { pixels += job.batch * job.taps[t].pixels }
    return ceilDivide(job.channels, tilePixels) * (vectors * tilePixels * (pixels * 17 / 16 + job.tapCount * lanes / 2) + job.tapCount * 80)
}

func dotCost(_ batch: Int, _ rows: Int, _ columns: Int, _ positions: Int) -> Int {
    let tiles = ceilDivide(rows, dotRows) * ceilDivide(columns, dotColumns) * batch
    return tiles * dotRows * dotColumns * (ceilDivide(positions, lanes) + 10 * ceilDivide(positions, 2048))
}

func run(_ job: OuterJob, _ parallel: Parallel) {
    let blocks = ceilDivide(job.grid.rows, blockLanes), groups = ceilDivide(job.grid.channels, tilePixels)
    var work = 0
    for t in 0..<job.grid.tapCount { work += job.grid.batch * job.grid.taps[t].pixels }
    work = larger(1, work * tilePixels * blockLanes)
    let each = larger(1, smaller(pieceWork / work, ceilDivide(groups * blocks, 2)))
    parallel(ceilDivide(blocks * groups, each)) { piece in
        for i in piece * each..<smaller(blocks * groups, (piece + 1) * each) { runGroup(job, i / groups, i % groups * tilePixels) }
    }
}

private func runGroup(_ job: OuterJob, _ block: Int, _ first: Int) {
    let grid = job.grid, kernel = job.kernel
    let memory = scratch(7, 2 * tilePixels * kernel * blockLanes)
    let turned = memory + tilePixels * kernel * blockLanes
    let pixels = grid.gridHeight * grid.gridWidth, plane = grid.sourceHeight * grid.sourceWidth
    let channels = smaller(tilePixels, grid.channels - first), rows = smaller(blockLanes, grid.rows - block * blockLanes)
    // Where few taps are live their sums go one by one to their places, and the others' zeros straight into the result.
    let few = grid.tapCount * 2 <= kernel
    if !few && grid.tapCount < kernel { clear(memory, tilePixels * kernel * blockLanes) }
    for t in 0..<grid.tapCount {
        let tap = grid.taps[t]
        var walk = OuterWalk()
        walk.batch = grid.batch
        walk.rows = tap.lastRow - tap.firstRow
        walk.columns = tap.lastColumn - tap.firstColumn
        walk.xBatch = grid.sourceBatchStride
        walk.xRow = grid.strideHeight * grid.sourceWidth
        walk.xColumn = grid.strideWidth
        walk.gBatch = pixels * blockLanes
        walk.gRow = grid.gridWidth * blockLanes
        if walk.columns == grid.gridWidth && walk.xRow == walk.columns * walk.xColumn {
            // Whole rows are one run.
            walk.columns *= walk.rows
            walk.rows = 1
        }
        let row = tap.firstRow * grid.strideHeight + tap.row, column = tap.firstColumn * grid.strideWidth + tap.column
        let x = grid.source + first * plane + row * grid.sourceWidth + column
        let g = job.gradient + (block * grid.batch * pixels + tap.firstRow * grid.gridWidth + tap.firstColumn) * blockLanes
        if rows > lanes {
            outerTile(x, plane, channels - 1, g, walk, memory + tap.index * blockLanes, kernel * blockLanes)
        } else {
            outerTileHalf(x, plane, channels - 1, g, walk, memory + tap.index * blockLanes, kernel * blockLanes)
        }
    }
    let length = channels * kernel
    let place = job.result + (block * blockLanes * grid.channels + first) * kernel, stride = grid.channels * kernel
    if few {
        if !job.accumulate { for r in 0..<rows { clear(place + r * stride, length) } }
        for c in 0..<channels {
            for t in 0..<grid.tapCount {
                let index = c * kernel + grid.taps[t].index
                for r in 0..<rows { place[r * stride + index] += memory[index * blockLanes + r] }
            }
        }
        return
    }
    if !job.accumulate {
        transpose(memory, blockLanes, length, rows, place, stride)
        return
    }
    transpose(memory, blockLanes, length, rows, turned, length)
    for r in 0..<rows { deliverRow(turned + r * length, place, nil, true, 1, r * stride, length) }
}

/// The weight gradient in this form. Returns false, having done nothing, where dot products over planes are cheaper:
/// `positions` is their length for one image, `count` the number of taps.
func outerWeightGradient(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>,
    _ relu: Bool, _ accumulate: Bool, _ positions: Int, _ count: Int, _ parallel: Parallel
) -> Bool {
    var grid = gridForward(s, x, dw)
    if outerCost(grid) >= dotCost(s.batch, s.outChannels, s.inChannels * count, positions) { return false }
    if relu {
        let image = s.inChannels * s.inHeight * s.inWidth
        let copy = scratch(4, s.batch * image)
        positiveImages(x, s.inBatchStride, copy, image, s.batch, parallel)
        grid.source = UnsafePointer(copy)
        grid.sourceBatchStride = image
    }
    let pixels = s.outHeight * s.outWidth, strips = ceilDivide(s.outChannels, lanes), blocks = ceilDivide(s.outChannels, blockLanes)
    let packed = scratch(5, blocks * s.batch * pixels * blockLanes)
    let each = larger(1, 16384 / (lanes * pixels)), count = s.batch * blocks * 2
    parallel(ceilDivide(count, each)) { piece in
        for i in piece * each..<smaller(count, (piece + 1) * each) {
            let n = i / (2 * blocks), strip = i % (2 * blocks)
            let to = packed + ((strip / 2 * s.batch + n) * pixels) * blockLanes + strip % 2 * lanes
            let rows = strip < strips ? smaller(lanes, s.outChannels - strip * lanes) : 0
            if rows == 0 { continue }
            if rows < lanes { for p in 0..<pixels { store(to + p * blockLanes, V.zero) } }
            transpose(g + n * s.outBatchStride + strip * lanes * pixels, pixels, rows, pixels, to, blockLanes)
        }
    }
    let kernel = s.kernelHeight * s.kernelWidth
    run(OuterJob(grid: grid, gradient: UnsafePointer(packed), kernel: kernel, result: dw, accumulate: accumulate), parallel)
    return true
}
