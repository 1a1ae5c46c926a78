import CKernels

// Running a job: cutting the grid into pieces, tiles within a piece, and the way from a tile into the destination.

/// Multiply-adds of a piece of work that is worth handing to another thread: some 5 microseconds, ten times what the pool takes
/// to hand it over.
@inline(always) var pieceWork: Int { 1 << 18 }

func run(_ job: Job, _ parallel: Parallel) {
    let blocks = ceilDivide(job.rows, tileRows)
    let tiles = ceilDivide(job.positions, tileWidth)
    let tileWork = job.channels * job.taps * tileWidth * tileRows * blocks
    // Pieces of whole tiles; of an image with few of them, the channel blocks are divided too.
    let pieceTiles = larger(1, smaller(pieceWork / larger(1, tileWork), ceilDivide(tiles, 2)))
    let groups = ceilDivide(tiles, pieceTiles)
    let splits = tiles * job.batch >= 8 || tileWork < pieceWork ? 1 : smaller(blocks, 4)
    let pieces = job.batch * groups * splits
    parallel(pieces) { piece in
        let n = piece / (groups * splits), rest = piece % (groups * splits)
        let group = rest / splits, split = rest % splits
        runPiece(
            job, n, group * pieceTiles, smaller(tiles, (group + 1) * pieceTiles),
            split * blocks / splits, (split + 1) * blocks / splits)
    }
}

private func runPiece(_ job: Job, _ n: Int, _ firstTile: Int, _ lastTile: Int, _ firstBlock: Int, _ lastBlock: Int) {
    guard let own = scratch(7, tileRows * tileWidth + tileRows + lanes) else { return }
    let tile = own + tileRows
    let source = job.source + n * job.sourceBatchStride
    let blockWeights = job.channels * job.taps * tileRows
    for t in firstTile..<lastTile {
        let start = t * tileWidth
        let count = smaller(tileWidth, job.positions - start)
        let y = start / job.rowStride, x = start % job.rowStride
        // Kernel rows that lie wholly in the padding for all of the tile's rows are skipped.
        let lastY = (start + count - 1) / job.rowStride
        var first = 0, last = job.taps
        let kernelRows = job.taps / job.tapsPerRow
        while first < last, lastY + job.tapRows[first / job.tapsPerRow] < 0 || y + job.tapRows[first / job.tapsPerRow] >= job.sourceHeight {
            first += job.tapsPerRow
        }
        var row = kernelRows - 1
        while last > first, lastY + job.tapRows[row] < 0 || y + job.tapRows[row] >= job.sourceHeight {
            last -= job.tapsPerRow
            row -= 1
        }
        // A tile within one row goes straight to its place.
        let inRow = count == tileWidth && x + tileWidth <= job.gridWidth && job.destinationColumn == 1
        let direct = inRow && job.mask == nil && !job.accumulate
        for block in firstBlock..<lastBlock {
            let channel = block * tileRows
            let rows = smaller(tileRows, job.rows - channel)
            for i in 0..<tileRows { own[i] = i < rows ? (job.bias.map { $0[channel + i] } ?? 0) : 0 }
            let weights = job.weights + block * blockWeights
            let place = job.destination + n * job.batchStride + channel * job.channelStride + y * job.destinationRow + x
            let result = direct && rows == tileRows ? place : tile
            let stride = direct && rows == tileRows ? job.channelStride : tileWidth
            if job.inPlace {
                if count == tileWidth {
                    tilePoint(source + start, job.sourceChannelStride, job.channels, weights, own, job.relu, result, stride)
                } else {
                    tilePointTail(source + start, job.sourceChannelStride, job.channels, weights, own, job.relu, count, result, stride)
                }
            } else {
                tileTaps(
                    source + start, job.sourceChannelStride, job.channels, job.offsets, job.taps, first, last, weights, own, result, stride)
            }
            if result == tile { deliver(job, tile, n, start, count, channel, rows) }
        }
    }
}

/// Copies a tile's rows of valid pixels from scratch to the destination.
func deliver(_ job: Job, _ tile: UnsafePointer<Float>, _ n: Int, _ start: Int, _ count: Int, _ channel: Int, _ rows: Int) {
    var y = start / job.rowStride, x = start % job.rowStride, at = 0
    while at < count {
        let run = smaller(job.rowStride - x, count - at)
        let valid = smaller(run, job.gridWidth - x)
        if valid > 0 {
            var offset = n * job.batchStride + channel * job.channelStride + y * job.destinationRow + x * job.destinationColumn
            var from = tile + at
            for _ in 0..<rows {
                deliverRow(from, job.destination, job.mask, job.accumulate, job.destinationColumn, offset, valid)
                offset += job.channelStride
                from += tileWidth
            }
        }
        at += run
        x = 0
        y += 1
    }
}

/// Writes `count` sums to destination + offset, `column` elements apart.
@inline(always)
func deliverRow(
    _ from: UnsafePointer<Float>, _ destination: UnsafeMutablePointer<Float>, _ mask: UnsafePointer<Float>?, _ accumulate: Bool,
    _ column: Int, _ offset: Int, _ count: Int
) {
    let to = destination + offset
    if column != 1 {
        for i in 0..<count {
            let at = i * column
            var v = from[i]
            if let mask, !(mask[offset + at] > 0) { v = 0 }
            to[at] = accumulate ? to[at] + v : v
        }
        return
    }
    var i = 0
    while i + lanes <= count {
        var v = load(from + i)
        if let mask { v = V.zero.replacing(with: v, where: load(mask + offset + i) .> V.zero) }
        if accumulate { v += load(to + i) }
        store(to + i, v)
        i += lanes
    }
    if i < count {
        let part = count - i
        var v = load(from + i)
        if let mask { v = V.zero.replacing(with: v, where: load(mask + offset + i, part) .> V.zero) }
        if accumulate { v += load(to + i, part) }
        store(to + i, v, part)
    }
}
