import CKernels

/// The weight gradient as the tile kernel sees it: dot products over flat positions of planes.
struct DotJob {
    var g: UnsafePointer<Float>
    var gBatchStride = 0, gChannelStride = 0
    var x: UnsafePointer<Float>
    var xBatchStride = 0
    /// Offset in x of each column (input channel, tap); columns follow each other in the result of a row as in `place`.
    var columns = 0
    let offsets: UnsafePointer<Int>
    let places: UnsafePointer<Int>
    var rows = 0, batch = 0, positions = 0
    var exact = false, relu = false, accumulate = false
    var result: UnsafeMutablePointer<Float>
    var resultRow = 0
}

/// Flat positions summed at a time: g's planes of one chunk stay in the second-level cache while the columns pass by.
/// Twice the length halves the cost of summing lanes (6% of the work at 2048).
@inline(always) private var chunk: Int { 2048 }
/// Rows that are passed with one column tile before the next: 64 planes of a chunk are half a megabyte.
@inline(always) private var rowGroup: Int { 64 }

func run(_ job: DotJob, _ parallel: Parallel) {
    let rowTiles = ceilDivide(job.rows, dotRows), columnTiles = ceilDivide(job.columns, dotColumns)
    let tileWork = dotRows * dotColumns * job.positions * job.batch
    let wish = larger(1, smaller(rowTiles * columnTiles * tileWork / pieceWork, 64))
    let columnPieces = smaller(wish, columnTiles)
    let rowPieces = smaller(ceilDivide(wish, columnPieces), rowTiles)
    parallel(columnPieces * rowPieces) { piece in
        let r = piece / columnPieces, c = piece % columnPieces
        runPiece(
            job, r * rowTiles / rowPieces, (r + 1) * rowTiles / rowPieces,
            c * columnTiles / columnPieces, (c + 1) * columnTiles / columnPieces)
    }
}

private func runPiece(_ job: DotJob, _ firstRow: Int, _ lastRow: Int, _ firstColumn: Int, _ lastColumn: Int) {
    guard let tile = scratch(7, dotRows * dotColumns) else { return }
    var fresh = !job.accumulate
    for n in 0..<job.batch {
        var start = 0
        while start < job.positions {
            let count = smaller(chunk, job.positions - start)
            var group = firstRow
            while group < lastRow {
                let groupEnd = smaller(lastRow, group + rowGroup / dotRows)
                for column in firstColumn..<lastColumn {
                    for row in group..<groupEnd { tileAt(job, n, start, count, row * dotRows, column * dotColumns, tile, fresh) }
                }
                group = groupEnd
            }
            fresh = false
            start += count
        }
    }
}

@inline(always)
private func tileAt(
    _ job: DotJob, _ n: Int, _ start: Int, _ count: Int, _ row: Int, _ column: Int, _ tile: UnsafeMutablePointer<Float>, _ fresh: Bool
) {
    let rows = smaller(dotRows, job.rows - row), columns = smaller(dotColumns, job.columns - column)
    dotTile(
        job.g + n * job.gBatchStride + row * job.gChannelStride + start, job.gChannelStride, rows,
        job.x + n * job.xBatchStride + start, job.offsets + column, count, job.exact, job.relu, tile)
    add(job, tile, row, column, rows, columns, fresh)
}

@inline(always)
private func add(
    _ job: DotJob, _ tile: UnsafePointer<Float>, _ row: Int, _ column: Int, _ rows: Int, _ columns: Int, _ fresh: Bool
) {
    for r in 0..<rows {
        let to = job.result + (row + r) * job.resultRow, from = tile + r * dotColumns
        for c in 0..<columns {
            let place = job.places[column + c]
            to[place] = fresh ? from[c] : to[place] + from[c]
        }
    }
}

/// Gradient with respect to the weight of a dense convolution.
public func denseWeightGradient(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>,
    _ relu: Bool, _ accumulate: Bool, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth
    let inPlane = s.inHeight * s.inWidth, outPlane = s.outHeight * s.outWidth
    let room = s.inChannels * kernel + dotColumns
    guard let memory = tapMemory(kernel, 2 * room) else { return }
    let offsets = memory + tapRoom(kernel), places = offsets + room
    var job = DotJob(g: g, x: x, offsets: UnsafePointer(offsets), places: UnsafePointer(places), result: dw)
    job.rows = s.outChannels
    job.batch = s.batch
    job.accumulate = accumulate
    job.resultRow = s.inChannels * kernel
    job.gBatchStride = s.outBatchStride
    job.gChannelStride = outPlane

    var taps = Taps(memory, kernel)
    if isPoint(s) {
        if outerWeightGradient(s, x, g, dw, relu, accumulate, inPlane, 1, parallel) { return }
        taps.append(0, 0)
        job.columns = listColumns(s.inChannels, inPlane, kernel, taps, offsets, places)
        job.exact = true
        job.relu = relu
        job.positions = inPlane
        job.xBatchStride = s.inBatchStride
        run(job, parallel)
        return
    }

    let planes = gatherForward(s, &taps)
    let positions = (s.outHeight - 1) * planes.layout.rowStride + s.outWidth
    if outerWeightGradient(s, x, g, dw, relu, accumulate, positions, taps.count, parallel) { return }
    let channel = planes.phases * planes.layout.channelStride
    job.columns = listColumns(s.inChannels, channel, kernel, taps, offsets, places)
    if taps.count < kernel && !accumulate { clear(dw, s.outChannels * s.inChannels * kernel) }
    if taps.count == 0 { return }

    // The gradient in rows as far apart as the input's, zeros in the gaps: what the input has there does not count.
    let layout = gradientLike(planes.layout, s)
    job.positions = positions
    job.xBatchStride = channel * s.inChannels
    job.gChannelStride = layout.channelStride
    job.gBatchStride = layout.channelStride * s.outChannels
    guard let packedX = scratch(4, s.batch * job.xBatchStride + tileWidth) else { return }
    guard let packedG = scratch(5, s.batch * job.gBatchStride) else { return }
    packPhases(s, planes, x, relu, packedX, parallel)
    packGradient(s, layout, g, packedG, parallel)
    job.x = UnsafePointer(packedX)
    job.g = UnsafePointer(packedG)
    run(job, parallel)
}

/// Lists the columns (channel, tap) of a weight gradient: offset in the packed source and place in the result of a row. A last
/// tile's missing columns take the first tap again.
private func listColumns(
    _ channels: Int, _ channelStride: Int, _ kernel: Int, _ taps: Taps, _ offsets: UnsafeMutablePointer<Int>,
    _ places: UnsafeMutablePointer<Int>
) -> Int {
    var columns = 0
    for c in 0..<channels {
        for t in 0..<taps.count {
            offsets[columns] = c * channelStride + taps.offsets[t]
            places[columns] = c * kernel + taps.indices[t]
            columns += 1
        }
    }
    for i in 0..<dotColumns { offsets[columns + i] = taps.count > 0 ? taps.offsets[0] : 0 }
    return columns
}

/// Planes for the output's gradient, rows as far apart as in the input's `like`, zeros in the gaps.
func gradientLike(_ like: Planes, _ s: trellis_conv) -> Planes {
    var layout = like
    layout.height = s.outHeight
    layout.width = s.outWidth
    (layout.top, layout.left, layout.bottom, layout.right) = (0, 0, 0, 0)
    layout.channelStride = ceilDivide(s.outHeight * layout.rowStride + lanes, 16) * 16
    if layout.channelStride % 512 == 0 { layout.channelStride += 16 }
    return layout
}
