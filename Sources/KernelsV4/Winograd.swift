import CKernels

// The forward convolution by Winograd's minimal filtering, for kernels of 3x3 (tiles of 6x6 outputs, 5.06 times fewer products) and 5x5 (tiles of 4x4,
// 6.25 times fewer) at stride 1 and any dilation: an atrous convolution is one at rate 1 for each residue of rows and columns.

/// How an output plane is cut into tiles. Tiles of a row of tiles are numbered column residue first, so that neighbouring tiles of a wide atrous
/// kernel read neighbouring columns.
struct TileGrid {
    /// Outputs of a tile on a side, and taps of the kernel.
    let m: Int
    let batch, height, width: Int
    let rate, rateX: Int
    let rowsPerImage, columns: Int

    init(_ s: trellis_conv) {
        m = 9 - s.kernelHeight
        batch = s.batch
        height = s.outHeight
        width = s.outWidth
        rate = s.dilationHeight
        rateX = s.dilationWidth
        rowsPerImage = TileGrid.count(s.outHeight, m, rate)
        columns = TileGrid.count(s.outWidth, m, rateX)
    }

    /// Tiles that have an output, of `size` outputs at this rate.
    private static func count(_ size: Int, _ m: Int, _ rate: Int) -> Int {
        let whole = (size - 1) / (m * rate)
        return whole * rate + smaller(rate, size - whole * m * rate)
    }

    var tiles: Int { batch * rowsPerImage * columns }

    /// First output row of row of tiles `row` (within an image), and distance to the next is `rate`.
    @inline(always) func top(_ row: Int) -> Int { row / rate * m * rate + row % rate }

    /// Calls `body` with (image, row of tiles, first column, number of columns, place in the piece) for the stretches of a run of tiles.
    @inline(always) func each(_ first: Int, _ count: Int, _ body: (Int, Int, Int, Int, Int) -> Void) {
        var row = first / columns, column = first % columns, at = 0
        while at < count {
            let length = smaller(columns - column, count - at)
            body(row / rowsPerImage, row % rowsPerImage, column, length, at)
            at += length
            column = 0
            row += 1
        }
    }
}

private struct WinogradJob {
    let s: trellis_conv
    let grid: TileGrid
    let source: UnsafePointer<Float>
    /// [point][block of tileRows][channel][tileRows].
    let weights: UnsafePointer<Float>
    let shift: UnsafePointer<Float>?
    let relu: Bool
    let finish: Finish
    let output: UnsafeMutablePointer<Float>
    let blocks: Int
    /// Tiles of a piece, whole register tiles.
    let tiles: Int
}

@inline(always) var points: Int { 64 }

/// output = finish(scale · conv(input, weight) + shift).
public func winogradForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ f: trellis_finish,
    _ parallel: Parallel
) {
    let grid = TileGrid(s), blocks = ceilDivide(s.outChannels, tileRows)
    let packed = scratch(5, points * winogradPointStride(blocks, s.inChannels))
    packWinograd(s, w, f.scale, packed, blocks, parallel)
    // Factors and products of a piece should stay in the caches; some eight pieces at least where there are tiles for them.
    let most = smaller(4, larger(2, 98304 / (points * (s.inChannels + s.outChannels) * tileWidth)))
    let tiles = larger(1, smaller(most, grid.tiles / (8 * tileWidth))) * tileWidth
    let job = WinogradJob(
        s: s, grid: grid, source: x, weights: packed, shift: f.shift, relu: f.relu, finish: Finish(f), output: y, blocks: blocks, tiles: tiles)
    parallel(ceilDivide(grid.tiles, tiles)) { piece in runPiece(job, piece * tiles) }
}

private func runPiece(_ job: WinogradJob, _ first: Int) {
    let count = smaller(job.tiles, job.grid.tiles - first), width = ceilDivide(count, tileWidth) * tileWidth
    let s = job.s, channels = s.inChannels, rows = job.blocks * tileRows
    // A little apart from round distances: equal cache sets would evict each other.
    let pointStride = channels * width + 16
    let lines = 8 * splitSize(job) + 2 * points * lanes
    let memory = scratch(7, points * pointStride + points * rows * width + lines + tileRows)
    let factors = memory, products = memory + points * pointStride, work = products + points * rows * width, start = work + lines
    for c in 0..<channels { transformChannel(job, first, count, width, c, factors + c * width, pointStride, work) }
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
    for c in 0..<s.outChannels { deliverChannel(job, first, count, width, c, products + c * points * width, work) }
}

/// Floats of one source row split by its residues: `m` lines of all tile columns and the next one.
private func splitSize(_ job: WinogradJob) -> Int { job.grid.m * splitLine(job) }
private func splitLine(_ job: WinogradJob) -> Int { ceilDivide(job.grid.columns + job.grid.rateX, lanes) * lanes + 2 * lanes }

/// Writes the factors of one channel for the piece's tiles.
private func transformChannel(
    _ job: WinogradJob, _ first: Int, _ count: Int, _ width: Int, _ channel: Int, _ target: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ work: UnsafeMutablePointer<Float>
) {
    let s = job.s, grid = job.grid, line = splitLine(job), size = splitSize(job)
    let temporary = work + 8 * size
    for j in count..<width { for p in 0..<points { target[p * pointStride + j] = 0 } }
    grid.each(first, count) { n, row, column, length, at in
        let source = job.source + n * s.inBatchStride + channel * s.inHeight * s.inWidth
        let top = grid.top(row) - s.padHeight
        for i in 0..<8 {
            let y = top + i * grid.rate
            splitRow(
                grid, y >= 0 && y < s.inHeight ? source + y * s.inWidth : nil, s.inWidth, s.padWidth, column, length + grid.rateX,
                work + i * size, line)
        }
        var l = 0
        while l < length {
            let n = smaller(lanes, length - l)
            for j in 0..<8 {
                let from = work + (j % grid.m) * line + l + (j / grid.m) * grid.rateX
                let values = Eight(from, size)
                (job.relu ? values.positive : values).input.put(temporary + j * 8 * lanes, lanes)
            }
            for i in 0..<8 {
                let result = Eight(temporary + i * lanes, 8 * lanes).input
                let to = target + 8 * i * pointStride + at + l
                if n == lanes { result.put(to, pointStride) } else { result.put(to, pointStride, n) }
            }
            l += lanes
        }
    }
}

/// Turns the products of one output channel into outputs.
private func deliverChannel(
    _ job: WinogradJob, _ first: Int, _ count: Int, _ width: Int, _ channel: Int, _ products: UnsafePointer<Float>, _ work: UnsafeMutablePointer<Float>
) {
    let s = job.s, grid = job.grid, m = grid.m, line = splitLine(job), size = splitSize(job)
    let temporary = work + 8 * size
    let shift = V(repeating: job.shift.map { $0[channel] } ?? 0)
    // Nothing is added behind it: the ReLU is taken while the sums are in registers.
    let rectify = job.finish.rectify && !job.finish.accumulate
    grid.each(first, count) { n, row, column, length, at in
        var l = 0
        while l < length {
            for j in 0..<8 { Eight(products + at + l + j * width, 8 * width).output(m == 6).put(temporary + j * lanes, 8 * lanes) }
            for i in 0..<m {
                let sums = Eight(temporary + i * 8 * lanes, lanes).output(m == 6).plus(shift)
                let r = rectify ? sums.positive : sums
                let to = work + i * size + l
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
        let plane = job.output + n * s.outBatchStride + channel * s.outHeight * s.outWidth
        for i in 0..<m {
            let y = grid.top(row) + i * grid.rate
            if y < s.outHeight { joinRow(grid, work + i * size, line, column, length, job.finish, plane + y * s.outWidth) }
        }
    }
}
