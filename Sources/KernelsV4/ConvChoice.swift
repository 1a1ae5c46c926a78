import CKernels

// Which form of the tile a pass takes: decided by the shape alone.

// Costs are in multiply-adds of whole vectors. What a tile, and each run of a tile's taps, takes besides was measured on a Zen 3 for AVX2
// (packing and delivering included), and on a Zen 4 for AVX-512, whose kernels hold larger tiles; a single tap has neither planes to
// pack nor rows to cross.
#if KernelsV4
private let tileExtra = 48, halfExtra = 64, pairExtra = 88, halfRun = 20, pairRun = 20
#else
private let tileExtra = 674, halfExtra = 400, pairExtra = 100, halfRun = 40, pairRun = 25
#endif

/// Cost of the pixel-major form: the pixels that each tap meets, and what each tile and run takes besides.
func pixelCost(_ job: PixelJob) -> Int {
    if job.tapCount > 64 { return .max }
    let vectors = ceilDivide(job.rows, lanes), blocks = ceilDivide(vectors, 2)
    let size = vectors == 1 ? halfPixels : tilePixels
    var pixels = 0, starts = 0
    for t in 0..<job.tapCount {
        let tap = job.taps[t]
        pixels += tap.pixels
        if t == 0 || job.taps[t - 1].row != tap.row || job.taps[t - 1].column + 1 != tap.column { starts += tap.pixels }
    }
    let tiles = ceilDivide(job.batch * job.gridHeight * job.gridWidth, size) + 4
    let products = job.batch * pixels * job.channels * vectors * 9 / 8
    if job.tapCount == 1 { return products + tiles * (3 * size * vectors + 40 * blocks) }
    let single = vectors == 1
    return products + blocks * (tiles * (single ? halfExtra : pairExtra) + job.batch * starts / size * (single ? halfRun : pairRun))
}

/// Cost of the form whose lanes are pixels: padding between rows is computed too, and whole tiles of rows.
func tileCost(_ batch: Int, _ rows: Int, _ channels: Int, _ taps: Int, _ positions: Int) -> Int {
    let tiles = ceilDivide(positions, tileWidth) * ceilDivide(rows, tileRows) * batch
    return tiles * (channels * taps * tileRows * tileVectors + (taps == 1 ? 2 * tileRows * tileVectors + 24 : tileExtra))
}

/// The grid of output pixels over the input, and the taps that meet it, in the calling thread's tap memory; nil where that cannot be had.
func gridForward(_ s: trellis_conv, _ x: UnsafePointer<Float>, _ destination: UnsafeMutablePointer<Float>) -> PixelJob? {
    guard let (list, slots) = room(s.kernelHeight * s.kernelWidth) else { return nil }
    var job = PixelJob(source: x, taps: UnsafePointer(list), slots: UnsafePointer(slots), weights: x, destination: destination)
    job.sourceBatchStride = s.inBatchStride
    job.sourceHeight = s.inHeight
    job.sourceWidth = s.inWidth
    job.sourceRow = s.inWidth
    job.sourceChannel = s.inHeight * s.inWidth
    job.channels = s.inChannels
    job.strideHeight = s.strideHeight
    job.strideWidth = s.strideWidth
    job.batch = s.batch
    job.rows = s.outChannels
    job.gridHeight = s.outHeight
    job.gridWidth = s.outWidth
    for ky in 0..<s.kernelHeight {
        for kx in 0..<s.kernelWidth {
            let index = ky * s.kernelWidth + kx
            slots[index] = -1
            guard let tap = PixelTap(index, ky * s.dilationHeight - s.padHeight, kx * s.dilationWidth - s.padWidth, job) else { continue }
            list[job.tapCount] = tap
            slots[index] = job.tapCount
            job.tapCount += 1
        }
    }
    return job
}

/// The forward pass in pixel-major form. Returns false, having done nothing, where the other form,
/// with `positions` flat positions an image and `count` taps, is the cheaper one.
func pixelForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ y: UnsafeMutablePointer<Float>, _ relu: Bool, _ accumulate: Bool, _ positions: Int, _ count: Int, _ parallel: Parallel
) -> Bool {
    let kernel = s.kernelHeight * s.kernelWidth
    guard var job = gridForward(s, x, y) else { return true }
    job.batchStride = s.outBatchStride
    job.channelStride = s.outHeight * s.outWidth
    job.destinationRow = s.outWidth
    job.bias = bias
    job.accumulate = accumulate
    if pixelCost(job) >= tileCost(s.batch, s.outChannels, s.inChannels, count, positions) { return false }
    if relu || !job.isWhole, !turnSource(&job, relu, parallel) { return true }
    guard let packed = scratch(5, ceilDivide(job.rows, blockLanes) * tapStride(job.channels) * larger(1, job.tapCount)) else { return true }
    packForPixels(
        WeightSource(
            w, rows: s.outChannels, rowStride: s.inChannels * kernel, channels: s.inChannels, channelStride: kernel, kernel: kernel,
            slots: job.slots, taps: job.tapCount), packed, parallel)
    job.weights = UnsafePointer(packed)
    run(job, parallel)
    return true
}

/// Copies the source to [image][row][column][channel], zeros around as far as taps reach, so that the channels of a pixel, which the
/// inner loop runs over, are neighbours: planes of 21x21 with 64 channels were 1.3 times slower read in place. False when there is no memory for it.
private func turnSource(_ job: inout PixelJob, _ relu: Bool, _ parallel: Parallel) -> Bool {
    let channels = job.channels, height = job.sourceHeight, width = job.sourceWidth, stride = job.sourceBatchStride
    let plane = job.sourceChannel, source = job.source
    var top = 0, left = 0, bottom = 0, right = 0
    for t in 0..<job.tapCount {
        let tap = job.taps[t]
        top = larger(top, -tap.row)
        left = larger(left, -tap.column)
        bottom = larger(bottom, (job.gridHeight - 1) * job.strideHeight + tap.row - height + 1)
        right = larger(right, (job.gridWidth - 1) * job.strideWidth + tap.column - width + 1)
    }
    let pitch = left + width + right, before = top * pitch + left, rows = top + height + bottom
    let image = rows * pitch * channels
    let masks = 2 * (job.gridHeight + job.gridWidth)
    guard let memory = scratch(4, masks + job.batch * image + 2 * lanes) else { return false }
    let to = memory + ceilDivide(masks, lanes) * lanes
    // Rows, or whole planes where nothing is between them, in pieces that are worth it.
    let flat = left + right == 0, run = flat ? height * width : width, runs = flat ? 1 : height
    let each = larger(1, 16384 / larger(1, run * channels)), parts = larger(1, ceilDivide(runs, each))
    parallel(job.batch * parts) { piece in
        let n = piece / parts, first = piece % parts * each, last = smaller(runs, first + each)
        let here = to + n * image
        if first == 0 { clear(here, before * channels) }
        for r in first..<last {
            let place = here + (before + r * pitch) * channels
            transpose(source + n * stride + r * run, plane, channels, run, place, channels)
            if relu { copyRow(place, place, run * channels, true) }
            if !flat { clear(place + run * channels, (r + 1 < runs ? left + right : right) * channels) }
        }
        if last == runs { clear(here + (top + height) * pitch * channels, bottom * pitch * channels) }
    }
    job.source = UnsafePointer(to) + before * channels
    job.sourceBatchStride = image
    job.sourcePixel = channels
    job.sourceRow = pitch * channels
    job.sourceChannel = 1
    job.listTaps(UnsafeMutableRawPointer(memory).assumingMemoryBound(to: UInt64.self))
    return true
}

extension PixelJob {
    /// A single tap that meets the source everywhere: it is read where it is.
    fileprivate var isWhole: Bool { tapCount == 1 && taps[0].pixels == gridHeight * gridWidth }

    /// Which taps are live for each row and column of the grid.
    fileprivate mutating func listTaps(_ memory: UnsafeMutablePointer<UInt64>) {
        let columns = memory + gridHeight
        for y in 0..<gridHeight + gridWidth { memory[y] = 0 }
        for t in 0..<tapCount {
            for y in taps[t].firstRow..<taps[t].lastRow { memory[y] |= 1 << UInt64(t) }
            for x in taps[t].firstColumn..<taps[t].lastColumn { columns[x] |= 1 << UInt64(t) }
        }
        rowTaps = UnsafePointer(memory)
        columnTaps = UnsafePointer(columns)
    }
}

/// Input gradient in pixel-major form for the destination pixels of one residue by the stride; false as above.
func pixelGradient(
    _ s: trellis_conv, _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ mask: UnsafePointer<Float>?, _ accumulate: Bool, _ py: Int, _ px: Int, _ positions: Int, _ count: Int, _ parallel: Parallel
) -> Bool {
    let kernel = s.kernelHeight * s.kernelWidth, at = py * s.inWidth + px
    guard let (list, slots) = room(kernel) else { return true }
    var job = PixelJob(source: g, taps: UnsafePointer(list), slots: UnsafePointer(slots), weights: w, destination: dx + at)
    job.sourceBatchStride = s.outBatchStride
    job.sourceHeight = s.outHeight
    job.sourceWidth = s.outWidth
    job.sourceRow = s.outWidth
    job.sourceChannel = s.outHeight * s.outWidth
    job.channels = s.outChannels
    job.batch = s.batch
    job.rows = s.inChannels
    job.gridHeight = ceilDivide(s.inHeight - py, s.strideHeight)
    job.gridWidth = ceilDivide(s.inWidth - px, s.strideWidth)
    job.batchStride = s.inBatchStride
    job.channelStride = s.inHeight * s.inWidth
    job.destinationRow = s.inWidth * s.strideHeight
    job.destinationColumn = s.strideWidth
    job.mask = mask.map { $0 + at }
    job.accumulate = accumulate
    for ky in 0..<s.kernelHeight {
        for kx in 0..<s.kernelWidth {
            let index = ky * s.kernelWidth + kx
            slots[index] = -1
            guard
                let row = gradientOffset(ky, py, s.strideHeight, s.padHeight, s.dilationHeight, job.gridHeight, s.outHeight),
                let column = gradientOffset(kx, px, s.strideWidth, s.padWidth, s.dilationWidth, job.gridWidth, s.outWidth),
                let tap = PixelTap(index, row, column, job)
            else { continue }
            list[job.tapCount] = tap
            slots[index] = job.tapCount
            job.tapCount += 1
        }
    }
    if pixelCost(job) >= tileCost(s.batch, s.inChannels, s.outChannels, count, positions) { return false }
    if !job.isWhole, !turnSource(&job, false, parallel) { return true }
    guard let packed = scratch(5, ceilDivide(job.rows, blockLanes) * tapStride(job.channels) * larger(1, job.tapCount)) else { return true }
    packForPixels(
        WeightSource(
            w, rows: s.inChannels, rowStride: kernel, channels: s.outChannels, channelStride: s.inChannels * kernel, kernel: kernel,
            slots: job.slots, taps: job.tapCount), packed, parallel)
    job.weights = UnsafePointer(packed)
    run(job, parallel)
    return true
}

/// Memory for the lists of taps of both forms, and behind them for `more` integers of the caller's; nil as for `scratch`.
func tapMemory(_ kernel: Int, _ more: Int = 0) -> UnsafeMutablePointer<Int>? {
    trellis_workspace(6, (tapRoom(kernel) + more) * 8)?.assumingMemoryBound(to: Int.self)
}

/// Integers that the lists of taps take.
func tapRoom(_ kernel: Int) -> Int { kernel * (Taps.room(1) + 1 + MemoryLayout<PixelTap>.stride / 8) }

/// The part of it behind `Taps`: taps of a pixel job, and their places in the list.
private func room(_ kernel: Int) -> (UnsafeMutablePointer<PixelTap>, UnsafeMutablePointer<Int>)? {
    guard let memory = tapMemory(kernel) else { return nil }
    let slots = memory + Taps.room(kernel)
    return (UnsafeMutableRawPointer(slots + kernel).assumingMemoryBound(to: PixelTap.self), slots)
}

/// max(x, 0) of whole images, one behind the other.
func positiveImages(
    _ x: UnsafePointer<Float>, _ stride: Int, _ to: UnsafeMutablePointer<Float>, _ image: Int, _ batch: Int, _ parallel: Parallel
) {
    let part = 16384, parts = ceilDivide(image, part)
    parallel(batch * parts) { piece in
        let n = piece / parts, at = piece % parts * part
        copyRow(x + n * stride + at, to + n * image + at, smaller(part, image - at), true)
    }
}
