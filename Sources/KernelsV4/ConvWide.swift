import CKernels

// The forward convolution of many channels as a matrix product that is never written out: output positions, numbered through the plane, are columns;
// kernel taps times input channels are what is summed over. It goes in chunks of some 256 products: the weights of a chunk stay in the second-level
// cache while all tiles of a piece pass by, and the tile's panel (the source values that its positions meet) in the first while all rows do.

/// One chunk of the products: taps `firstTap ..< lastTap`, channels `firstChannel ..< lastChannel`, in this order.
struct Chunk {
    var firstTap = 0, lastTap = 0, firstChannel = 0, lastChannel = 0
    /// Products before it.
    var before = 0
    var count: Int { (lastTap - firstTap) * (lastChannel - firstChannel) }
}

struct WideJob {
    let s: trellis_conv
    let source: UnsafePointer<Float>
    let relu: Bool
    let weights: UnsafePointer<Float>
    let shift: UnsafePointer<Float>?
    let finish: Finish
    let output: UnsafeMutablePointer<Float>
    let blocks: Int
    let positions: Int

    var kernel: Int { s.kernelHeight * s.kernelWidth }
    /// Products of a chunk: a panel of them fills most of the first-level cache.
    static var longest: Int { 256 }

    /// Channels of a chunk, and taps.
    var chunkChannels: Int { s.inChannels <= WideJob.longest ? s.inChannels : ceilDivide(s.inChannels, ceilDivide(s.inChannels, WideJob.longest)) }
    var chunkTaps: Int { larger(1, smaller(kernel, WideJob.longest / chunkChannels)) }

    func each(_ body: (Chunk) -> Void) {
        var chunk = Chunk()
        var tap = 0
        while tap < kernel {
            chunk.firstTap = tap
            chunk.lastTap = smaller(kernel, tap + chunkTaps)
            var channel = 0
            while channel < s.inChannels {
                chunk.firstChannel = channel
                chunk.lastChannel = smaller(s.inChannels, channel + chunkChannels)
                body(chunk)
                chunk.before += chunk.count
                channel = chunk.lastChannel
            }
            tap = chunk.lastTap
        }
    }
}

/// output = finish(scale · conv(input, weight) + shift).
public func wideForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ f: trellis_finish,
    _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth, blocks = ceilDivide(s.outChannels, tileRows)
    guard let packed = scratch(5, blocks * tileRows * s.inChannels * kernel) else { return }
    let job = WideJob(
        s: s, source: x, relu: f.relu, weights: packed, shift: f.shift, finish: Finish(f), output: y, blocks: blocks,
        positions: s.outHeight * s.outWidth)
    packWide(job, w, f.scale, packed, parallel)
    let tiles = ceilDivide(job.positions, tileWidth)
    // Sums of a piece take a quarter of the second-level cache; at least some ten pieces where there is work for them.
    let most = smaller(20, larger(2, 32768 / (tileWidth * tileRows * blocks)))
    let each = larger(1, smaller(most, s.batch * tiles / 10))
    let groups = ceilDivide(tiles, each)
    // An image of few tiles is divided by rows too.
    let splits = s.batch * groups >= 8 ? 1 : smaller(4, blocks)
    parallel(s.batch * groups * splits) { piece in
        let n = piece / (groups * splits), rest = piece % (groups * splits)
        let group = rest / splits, split = rest % splits
        runPiece(
            job, n, group * each, smaller(tiles, (group + 1) * each), split * blocks / splits, (split + 1) * blocks / splits)
    }
}

private func runPiece(_ job: WideJob, _ n: Int, _ firstTile: Int, _ lastTile: Int, _ firstBlock: Int, _ lastBlock: Int) {
    let tiles = lastTile - firstTile, blocks = lastBlock - firstBlock, size = tileRows * tileWidth
    let panelSize = job.chunkChannels * job.chunkTaps * tileWidth
    guard let memory = scratch(7, tileRows + tiles * (panelSize + blocks * size) + PanelRuns.room) else { return }
    let start = memory, panels = memory + tileRows, sums = panels + tiles * panelSize
    var runs = PanelRuns(UnsafeMutableRawPointer(sums + tiles * blocks * size).assumingMemoryBound(to: Int.self))
    let source = job.source + n * job.s.inBatchStride
    var isFirst = true
    job.each { chunk in
        // A chunk whose taps all lie in the padding for all of the piece's positions is left out.
        if !isFirst && !meets(job, chunk, firstTile, lastTile) { return }
        let count = chunk.count
        for tap in chunk.firstTap..<chunk.lastTap {
            for t in 0..<tiles {
                runs.find(job.s, tap, (firstTile + t) * tileWidth, job.positions)
                let at = t * panelSize + (tap - chunk.firstTap) * (chunk.lastChannel - chunk.firstChannel) * tileWidth
                runs.copy(source, job.s.inHeight * job.s.inWidth, chunk.firstChannel, chunk.lastChannel, job.relu, panels + at)
            }
        }
        let weights = job.weights + chunk.before * tileRows * job.blocks
        for t in 0..<tiles {
            for b in firstBlock..<lastBlock {
                let sum = sums + (t * blocks + b - firstBlock) * size
                if isFirst { for i in 0..<tileRows { start[i] = value(job.shift, b * tileRows + i, job.s.outChannels) } }
                panelTile(panels + t * panelSize, tileWidth, count, weights + b * count * tileRows, isFirst ? UnsafePointer(start) : nil, sum, tileWidth)
            }
        }
        isFirst = false
    }
    let output = job.output + n * job.s.outBatchStride
    for b in firstBlock..<lastBlock {
        for i in 0..<smaller(tileRows, job.s.outChannels - b * tileRows) {
            for t in 0..<tiles {
                let position = (firstTile + t) * tileWidth
                job.finish.row(
                    sums + (t * blocks + b - firstBlock) * size + i * tileWidth, output + (b * tileRows + i) * job.positions + position,
                    smaller(tileWidth, job.positions - position))
            }
        }
    }
}

@inline(always) private func value(_ p: UnsafePointer<Float>?, _ i: Int, _ count: Int) -> Float { i < count ? p.map { $0[i] } ?? 0 : 0 }

/// Whether a tap of the chunk has a source row for any position of the tiles.
private func meets(_ job: WideJob, _ chunk: Chunk, _ firstTile: Int, _ lastTile: Int) -> Bool {
    let s = job.s
    let top = firstTile * tileWidth / s.outWidth, bottom = (smaller(job.positions, lastTile * tileWidth) - 1) / s.outWidth
    for tap in chunk.firstTap..<chunk.lastTap {
        let row = tap / s.kernelWidth * s.dilationHeight - s.padHeight, column = tap % s.kernelWidth * s.dilationWidth - s.padWidth
        if bottom * s.strideHeight + row >= 0 && top * s.strideHeight + row < s.inHeight && (s.outWidth - 1) * s.strideWidth + column >= 0
            && column < s.inWidth { return true }
    }
    return false
}

/// Packs weights as [chunk][block of tileRows][tap][channel][tileRows], each row times its scale.
private func packWide(
    _ job: WideJob, _ w: UnsafePointer<Float>, _ scale: UnsafePointer<Float>?, _ target: UnsafeMutablePointer<Float>, _ parallel: Parallel
) {
    let s = job.s, kernel = job.kernel, blocks = job.blocks
    guard let slots = tapMemory(kernel) else { return }
    for k in 0..<kernel { slots[k] = k }
    let source = WeightSource(
        w, rows: s.outChannels, rowStride: s.inChannels * kernel, channels: s.inChannels, channelStride: kernel, kernel: kernel, slots: slots, taps: kernel)
    let strips = ceilDivide(s.outChannels, lanes), parts = ceilDivide(s.inChannels, job.chunkChannels)
    parallel(strips * parts) { piece in
        let strip = piece / parts, first = piece % parts * job.chunkChannels, last = smaller(s.inChannels, first + job.chunkChannels)
        guard let square = scratch(7, lanes * lanes + lanes) else { return }
        let factors = square + lanes * lanes
        for i in 0..<lanes { factors[i] = scale == nil ? 1 : value(scale, strip * lanes + i, s.outChannels) }
        let factor = load(factors)
        source.each(strip * lanes, first..<last, square) { channel, tap, values in
            let group = tap / job.chunkTaps, firstTap = group * job.chunkTaps, taps = smaller(job.chunkTaps, kernel - firstTap)
            // Products in the chunks before: all channels of the tap groups before, and this group's channels before.
            let before = firstTap * s.inChannels + taps * first
            let count = taps * (last - first)
            let at = (tap - firstTap) * (last - first) + channel - first
            let scaled = load(values) * factor
            store(square + lanes * lanes, scaled)
            var block = strip * lanes / tileRows, i = 0
            while i < lanes && block < blocks {
                let place = target + before * tileRows * blocks + (block * count + at) * tileRows
                copyRows(square + lanes * lanes + i, place)
                i += tileRows
                block += 1
            }
        }
    }
}
