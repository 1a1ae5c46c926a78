import CKernels

// The weight gradient by Winograd's minimal filtering: the adjoint of the forward pass in its weights. Tiles of the input go to the eight points of a side as
// they do there, tiles of the output's gradient by the adjoint of the way back; at each point both are multiplied and summed over all tiles, a matrix product
// of channels by channels; the sums come back as kernels. For a tile and two channels that is 64 products instead of 324 (3x3) or 400 (5x5).

private struct GradientJob {
    let s: trellis_conv
    let grid: TileGrid
    let tiles: TileSource
    let gradient: UnsafePointer<Float>
    let gradientPlaces: TilePlaces
    /// Rows of tiles of a chunk: its factors stay in the second-level cache while they are multiplied.
    let rows: Int
    /// [point][panel of tileWidth input channels][tile][tileWidth].
    let factors: UnsafeMutablePointer<Float>
    /// [point][block of tileRows output channels][tile][tileRows].
    let gradients: UnsafeMutablePointer<Float>
    /// [point][output channel][input channel], whole blocks and panels.
    let sums: UnsafeMutablePointer<Float>
    let factorStride, gradientStride, sumStride: Int

    var panels: Int { ceilDivide(s.inChannels, tileWidth) }
    var blocks: Int { ceilDivide(s.outChannels, tileRows) }
    /// Tiles of a whole chunk.
    var room: Int { rows * grid.columns }
    /// Tiles of a group of rows, in one channel's transforms.
    var width: Int { ceilDivide(tiles.group * grid.columns, lanes) * lanes }
}

/// Gradient with respect to the weight of a dense convolution at stride 1, of max(x, 0) with `relu`.
public func winogradWeightGradient(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>, _ relu: Bool, _ accumulate: Bool,
    _ parallel: Parallel
) {
    let grid = TileGrid(s)
    // A panel of a chunk fills the first-level cache.
    let rows = larger(1, smaller(grid.rows, 8192 / tileWidth / grid.columns)), room = rows * grid.columns
    let group = larger(1, smaller(rows, 64 / grid.columns)), line = lineWidth(grid, group)
    let panels = ceilDivide(s.inChannels, tileWidth) * tileWidth, blocks = ceilDivide(s.outChannels, tileRows) * tileRows
    // A little apart from round distances, as in the forward pass.
    let factorStride = panels * room + 16, gradientStride = blocks * room + 16, sumStride = panels * blocks + 16
    guard let placing = scratch(4, 2 * TilePlaces.floats(grid)) else { return }
    guard let factors = scratch(5, points * (factorStride + gradientStride + sumStride)) else { return }
    var plain = s
    (plain.padWidth, plain.inWidth) = (0, s.outWidth)
    let job = GradientJob(
        s: s, grid: grid, tiles: TileSource(s: s, grid: grid, source: x, relu: relu, group: group, places: TilePlaces(grid, s, stride: line, placing)),
        gradient: g, gradientPlaces: TilePlaces(grid, plain, stride: line, placing + TilePlaces.floats(grid)), rows: rows, factors: factors,
        gradients: factors + points * factorStride, sums: factors + points * (factorStride + gradientStride), factorStride: factorStride,
        gradientStride: gradientStride, sumStride: sumStride)
    let inGroups = ceilDivide(s.inChannels, lanes), outGroups = ceilDivide(s.outChannels, lanes)
    var first = 0
    while first < grid.rows {
        let last = smaller(grid.rows, first + rows), isFirst = first == 0
        parallel(inGroups + outGroups) { piece in
            if piece < inGroups { turnFactors(job, first, last, piece * lanes) } else { turnGradients(job, first, last, (piece - inGroups) * lanes) }
        }
        parallel(points) { point in multiply(job, point, (last - first) * grid.columns, isFirst) }
        first = last
    }
    parallel(s.outChannels) { channel in deliver(job, channel, dw, accumulate) }
}

/// The factors of `lanes` input channels for rows `first ..< last` of tiles.
private func turnFactors(_ job: GradientJob, _ first: Int, _ last: Int, _ channel: Int) {
    let width = job.width, each = points * width + lanes, count = smaller(lanes, job.s.inChannels - channel)
    guard let memory = scratch(7, lanes * each + points * (job.tiles.line + lanes)) else { return }
    let target = job.factors + channel / tileWidth * job.room * tileWidth + channel % tileWidth
    job.eachGroup(first, last) { row, end, tile in
        for c in 0..<count { job.tiles.transform(row, end, channel + c, memory + c * each, width, memory + lanes * each) }
        for p in 0..<points {
            transpose(memory + p * width, each, count, (end - row) * job.grid.columns, target + p * job.factorStride + tile * tileWidth, tileWidth)
        }
    }
}

/// The same of `lanes` output channels of the gradient.
private func turnGradients(_ job: GradientJob, _ first: Int, _ last: Int, _ channel: Int) {
    let width = job.width, each = points * width + lanes, count = smaller(lanes, job.s.outChannels - channel)
    guard let memory = scratch(7, lanes * each + points * (job.tiles.line + lanes)) else { return }
    job.eachGroup(first, last) { row, end, tile in
        for c in 0..<count { transformGradient(job, row, end, channel + c, memory + c * each, width, memory + lanes * each) }
        for b in stride(from: 0, to: count, by: tileRows) {
            let target = job.gradients + (channel + b) * job.room + tile * tileRows
            for p in 0..<points {
                transpose(
                    memory + b * each + p * width, each, smaller(tileRows, count - b), (end - row) * job.grid.columns, target + p * job.gradientStride, tileRows)
            }
        }
    }
}

extension GradientJob {
    /// Rows of tiles in groups, and the number of each group's first tile in the chunk.
    fileprivate func eachGroup(_ first: Int, _ last: Int, _ body: (_ row: Int, _ end: Int, _ tile: Int) -> Void) {
        for row in stride(from: first, to: last, by: tiles.group) { body(row, smaller(last, row + tiles.group), (row - first) * grid.columns) }
    }
}

/// Writes one output channel's gradient at the points, for rows `first ..< last` of tiles.
private func transformGradient(
    _ job: GradientJob, _ first: Int, _ last: Int, _ channel: Int, _ target: UnsafeMutablePointer<Float>, _ pointStride: Int,
    _ work: UnsafeMutablePointer<Float>
) {
    let s = job.s, grid = job.grid, m = grid.m, line = job.tiles.line, count = (last - first) * grid.columns
    let temporary = work + points * line
    for row in first..<last {
        let source = job.gradient + row / grid.rowsPerImage * s.outBatchStride + channel * s.outHeight * s.outWidth
        let top = grid.top(row % grid.rowsPerImage)
        for i in 0..<m {
            let y = top + i * grid.rate
            job.gradientPlaces.splitRow(grid, y < s.outHeight ? source + y * s.outWidth : nil, work + i * m * line + (row - first) * grid.columns, line)
        }
    }
    var l = 0
    while l < count {
        let n = smaller(lanes, count - l)
        for j in 0..<m { outputsAtPoints(work + j * line + l, m * line, m == 6).put(temporary + j * 8 * lanes, lanes) }
        for i in 0..<8 {
            let result = outputsAtPoints(temporary + i * lanes, 8 * lanes, m == 6), to = target + 8 * i * pointStride + l
            if n == lanes { result.put(to, pointStride) } else { result.put(to, pointStride, n) }
        }
        l += lanes
    }
}

/// Adds up one point's products over `count` tiles.
private func multiply(_ job: GradientJob, _ point: Int, _ count: Int, _ isFirst: Bool) {
    guard let start = scratch(7, tileRows) else { return }
    for i in 0..<tileRows { start[i] = 0 }
    let factors = job.factors + point * job.factorStride, gradients = job.gradients + point * job.gradientStride, sums = job.sums + point * job.sumStride
    let row = job.panels * tileWidth
    for panel in 0..<job.panels {
        for b in 0..<job.blocks {
            panelTile(
                factors + panel * job.room * tileWidth, tileWidth, count, gradients + b * job.room * tileRows, isFirst ? UnsafePointer(start) : nil,
                sums + b * tileRows * row + panel * tileWidth, row)
        }
    }
}

/// The sums of one output channel as its kernels.
private func deliver(_ job: GradientJob, _ channel: Int, _ dw: UnsafeMutablePointer<Float>, _ accumulate: Bool) {
    let s = job.s, size = s.kernelHeight, kernel = size * size
    guard let memory = scratch(7, (8 * 5 + 25 + 25) * lanes) else { return }
    let taps = memory + 8 * 5 * lanes, turned = taps + 25 * lanes
    let sums = job.sums + channel * job.panels * tileWidth
    var c = 0
    while c < s.inChannels {
        let n = smaller(lanes, s.inChannels - c)
        // Columns first, then rows.
        for j in 0..<8 { pointsAsKernel(Eight(sums + j * job.sumStride + c, 8 * job.sumStride), size == 5, memory + j * size * lanes, lanes) }
        for y in 0..<size { pointsAsKernel(Eight(memory + y * lanes, size * lanes), size == 5, taps + y * size * lanes, lanes) }
        let to = dw + (channel * s.inChannels + c) * kernel
        if accumulate {
            transpose(taps, lanes, kernel, n, turned, kernel)
            for i in 0..<n * kernel { to[i] += turned[i] }
        } else {
            transpose(taps, lanes, kernel, n, to, kernel)
        }
        c += lanes
    }
}
