import CKernels

// The forward convolution and the input gradient by Winograd's minimal filtering, for kernels of 3x3 (tiles of 6x6 outputs, 5.06 times fewer
// products) and 5x5 (tiles of 4x4, 6.25 times fewer) at stride 1 and any dilation: an atrous convolution is one at rate 1 for each residue of rows
// and columns.
//
// The transforms weigh as much as the products where there are few channels. What made them three times as fast: rows of tiles side by side, so that
// narrow planes fill vectors too (11 tiles a row on 41x41), and pixels read and written by lists of places, made once, instead of a division each.

private struct WinogradJob {
    let s: trellis_conv
    let grid: TileGrid
    let tiles: TileSource
    /// [point][block of tileRows][channel][tileRows].
    let weights: UnsafePointer<Float>
    let shift: UnsafePointer<Float>?
    let finish: Finish
    let output: UnsafeMutablePointer<Float>
    /// Laid out as the output: where it is not above zero nothing is added, or zero stored.
    let mask: UnsafePointer<Float>?
    let blocks: Int
}

/// The input's tiles.
struct TileSource {
    let s: trellis_conv
    let grid: TileGrid
    let source: UnsafePointer<Float>
    let relu: Bool
    /// Rows of tiles that are transformed at once, so that narrow ones fill vectors together.
    let group: Int
    let places: TilePlaces

    /// Places of a group's tiles and the tile column behind them, whole vectors.
    var line: Int { lineWidth(grid, group) }
}

@inline(always) var points: Int { 64 }

/// output = finish(scale · conv(input, weight) + shift).
public func winogradForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ f: trellis_finish,
    _ parallel: Parallel
) {
    let blocks = ceilDivide(s.outChannels, tileRows)
    guard let packed = scratch(5, points * winogradPointStride(blocks, s.inChannels)) else { return }
    packWinograd(s, w, f.scale, packed, blocks, back: false, parallel)
    run(s, x, packed, f, nil, y, parallel)
}

/// The input gradient of a convolution at stride 1 is one too: `s`, of the output's gradient, by the kernel turned around, channels exchanged.
public func winogradInputGradient(
    _ s: trellis_conv, _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ mask: UnsafePointer<Float>?,
    _ accumulate: Bool, _ parallel: Parallel
) {
    let blocks = ceilDivide(s.outChannels, tileRows)
    guard let packed = scratch(5, points * winogradPointStride(blocks, s.inChannels)) else { return }
    packWinograd(s, w, nil, packed, blocks, back: true, parallel)
    run(s, g, packed, trellis_finish(scale: nil, shift: nil, relu: false, accumulate: accumulate, rectify: false), mask, dx, parallel)
}

private func run(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ packed: UnsafePointer<Float>, _ f: trellis_finish, _ mask: UnsafePointer<Float>?,
    _ y: UnsafeMutablePointer<Float>, _ parallel: Parallel
) {
    let grid = TileGrid(s), rows = grid.rowsOfPiece(s.inChannels + s.outChannels)
    // Eight lines of eight rows of a group are a third of the first-level cache.
    let group = larger(1, smaller(rows, 64 / grid.columns))
    guard let placing = scratch(4, TilePlaces.floats(grid)) else { return }
    let places = TilePlaces(grid, s, stride: lineWidth(grid, group), placing)
    let job = WinogradJob(
        s: s, grid: grid, tiles: TileSource(s: s, grid: grid, source: x, relu: f.relu, group: group, places: places), weights: packed, shift: f.shift,
        finish: Finish(f), output: y, mask: mask, blocks: ceilDivide(s.outChannels, tileRows))
    parallel(ceilDivide(grid.rows, rows)) { piece in runPiece(job, piece * rows, smaller(grid.rows, (piece + 1) * rows)) }
}

func lineWidth(_ grid: TileGrid, _ group: Int) -> Int { ceilDivide(group * grid.columns + grid.rateX, lanes) * lanes }

private func runPiece(_ job: WinogradJob, _ first: Int, _ last: Int) {
    let count = (last - first) * job.grid.columns, width = ceilDivide(count, tileWidth) * tileWidth
    let s = job.s, channels = s.inChannels, rows = job.blocks * tileRows
    // A little apart from round distances: equal cache sets would evict each other.
    let pointStride = channels * width + 16
    let lines = points * (job.tiles.line + lanes), own = ceilDivide(s.outWidth, lanes) * lanes
    guard let memory = scratch(7, points * pointStride + points * rows * width + lines + own + tileRows) else { return }
    let factors = memory, products = memory + points * pointStride, work = products + points * rows * width, start = work + lines + own
    for c in 0..<channels {
        let target = factors + c * width
        if count < width { for p in 0..<points { clear(target + p * pointStride + count, width - count) } }
        for row in stride(from: first, to: last, by: job.tiles.group) {
            job.tiles.transform(row, smaller(last, row + job.tiles.group), c, target + (row - first) * job.grid.columns, pointStride, work)
        }
    }
    for i in 0..<tileRows { start[i] = 0 }
    for p in 0..<points {
        let weights = job.weights + p * winogradPointStride(job.blocks, channels)
        var g = 0
        while g < width {
            for b in 0..<job.blocks {
                panelTile(
                    factors + p * pointStride + g, width, channels, weights + b * channels * tileRows, start,
                    products + (b * tileRows * points + p) * width + g, points * width)
            }
            g += tileWidth
        }
    }
    for c in 0..<s.outChannels {
        for row in stride(from: first, to: last, by: job.tiles.group) {
            deliverGroup(
                job, row, smaller(last, row + job.tiles.group), c, products + c * points * width + (row - first) * job.grid.columns, width, work, work + lines)
        }
    }
}

extension TileSource {
    /// Writes the factors of one channel for rows `first ..< last` of tiles.
    func transform(
        _ first: Int, _ last: Int, _ channel: Int, _ target: UnsafeMutablePointer<Float>, _ pointStride: Int, _ work: UnsafeMutablePointer<Float>
    ) {
        let line = line, count = (last - first) * grid.columns
        let temporary = work + points * line
        for row in first..<last {
            let source = source + row / grid.rowsPerImage * s.inBatchStride + channel * s.inHeight * s.inWidth
            let top = grid.top(row % grid.rowsPerImage) - s.padHeight
            for i in 0..<8 {
                let y = top + i * grid.rate
                places.splitRow(grid, y >= 0 && y < s.inHeight ? source + y * s.inWidth : nil, work + i * 8 * line + (row - first) * grid.columns, line)
            }
            // After all of them: a line that was stored just now is not ready to be read yet.
            for i in 0..<8 { places.addNeighbours(grid, work + i * 8 * line + (row - first) * grid.columns, line) }
        }
        var l = 0
        while l < count {
            let n = smaller(lanes, count - l)
            for j in 0..<8 {
                let values = Eight(work + j * line + l, 8 * line)
                (relu ? values.positive : values).input.put(temporary + j * 8 * lanes, lanes)
            }
            for i in 0..<8 {
                let result = Eight(temporary + i * lanes, 8 * lanes).input
                let to = target + 8 * i * pointStride + l
                if n == lanes { result.put(to, pointStride) } else { result.put(to, pointStride, n) }
            }
            l += lanes
        }
    }
}

/// Turns the products of one output channel into outputs, rows `first ..< last` of tiles.
private func deliverGroup(
    _ job: WinogradJob, _ first: Int, _ last: Int, _ channel: Int, _ products: UnsafePointer<Float>, _ width: Int, _ work: UnsafeMutablePointer<Float>,
    _ ordered: UnsafeMutablePointer<Float>
) {
    let s = job.s, grid = job.grid, m = grid.m, line = job.tiles.line, count = (last - first) * grid.columns
    let temporary = work + points * line
    let shift = V(repeating: job.shift.map { $0[channel] } ?? 0)
    // Nothing is added behind it: the ReLU is taken while the sums are in registers.
    let rectify = job.finish.rectify && !job.finish.accumulate
    var l = 0
    while l < count {
        for j in 0..<8 { Eight(products + l + j * width, 8 * width).output(m == 6).put(temporary + j * lanes, 8 * lanes) }
        for i in 0..<m {
            let sums = Eight(temporary + i * 8 * lanes, lanes).output(m == 6).plus(shift)
            let r = rectify ? sums.positive : sums
            let to = work + i * m * line + l
            store(to, r.a)
            store(to + line, r.b)
            store(to + 2 * line, r.c)
            store(to + 3 * line, r.d)
            if m == 6 {
                store(to + 4 * line, r.e)
                store(to + 5 * line, r.f)
            }
        }
        l += lanes
    }
    let isPlain = !job.finish.accumulate && job.mask == nil
    for row in first..<last {
        let plane = row / grid.rowsPerImage * s.outBatchStride + channel * s.outHeight * s.outWidth
        for i in 0..<m {
            let y = grid.top(row % grid.rowsPerImage) + i * grid.rate, at = plane + y * s.outWidth
            if y >= s.outHeight { break }
            let from = work + i * m * line + (row - first) * grid.columns
            if isPlain {
                job.tiles.places.joinRow(from, job.output + at, s.outWidth)
            } else {
                job.tiles.places.joinRow(from, ordered, s.outWidth)
                job.finish.row(ordered, job.output + at, job.mask.map { $0 + at }, s.outWidth)
            }
        }
    }
}
