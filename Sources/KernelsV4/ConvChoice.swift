import CKernels

// Which form of the tile a pass takes: decided by the shape alone.

/// Cycles of the pixel-major form: whole tiles of pixels for each tap, and the loads, stores and bookkeeping of each tile.
func pixelCost(_ job: PixelJob) -> Int {
    let vectors = ceilDivide(job.rows, lanes)
    var cycles = 0
    for t in 0..<job.tapCount {
        let tiles = ceilDivide(job.batch * job.taps[t].pixels, tilePixels)
        cycles += tiles * (job.channels * tilePixels * vectors * 9 / 8 + (2 * tilePixels + 24) * ceilDivide(vectors, 2))
    }
    return cycles
}

/// Cycles of the form whose lanes are pixels: padding between rows is computed too, and whole tiles of rows.
func tileCost(_ batch: Int, _ rows: Int, _ channels: Int, _ taps: Int, _ positions: Int) -> Int {
    let tiles = ceilDivide(positions, tileWidth) * ceilDivide(rows, tileRows) * batch
    return tiles * (channels * taps * tileRows * tileVectors + 2 * tileRows * tileVectors + 24)
}

/// The grid of output pixels over the input, and the taps that meet it, in the calling thread's tap memory.
func gridForward(_ s: trellis_conv, _ x: UnsafePointer<Float>, _ destination: UnsafeMutablePointer<Float>) -> PixelJob {
    let (list, slots) = room(s.kernelHeight * s.kernelWidth)
    var job = PixelJob(source: x, taps: UnsafePointer(list), slots: UnsafePointer(slots), weights: x, destination: destination)
    job.sourceBatchStride = s.inBatchStride
    job.sourceHeight = s.inHeight
    job.sourceWidth = s.inWidth
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
    var job = gridForward(s, x, y)
    job.batchStride = s.outBatchStride
    job.channelStride = s.outHeight * s.outWidth
    job.destinationRow = s.outWidth
    job.bias = bias
    job.accumulate = accumulate
    if pixelCost(job) >= tileCost(s.batch, s.outChannels, s.inChannels, count, positions) { return false }
    if relu || job.tapCount > 1 { turnSource(&job, relu, parallel) }
    let packed = scratch(5, ceilDivide(job.rows, blockLanes) * blockLanes * job.channels * larger(1, job.tapCount))
    packForPixels(
        WeightSource(
            w, rows: s.outChannels, rowStride: s.inChannels * kernel, channels: s.inChannels, channelStride: kernel, kernel: kernel,
            slots: job.slots, taps: job.tapCount), packed, parallel)
    job.weights = UnsafePointer(packed)
    run(job, parallel)
    return true
}

/// Copies the source to [image][pixel][channel], so that the channels of a pixel, which the inner loop runs over, are
/// neighbours: planes of 21x21 with 64 channels were 1.3 times slower read in place.
private func turnSource(_ job: inout PixelJob, _ relu: Bool, _ parallel: Parallel) {
    let channels = job.channels, pixels = job.sourceHeight * job.sourceWidth, stride = job.sourceBatchStride
    let source = job.source, to = scratch(4, job.batch * pixels * channels + lanes)
    let part = larger(lanes, 16384 / channels / lanes * lanes), parts = ceilDivide(pixels, part)
    parallel(job.batch * parts) { piece in
        let n = piece / parts, first = piece % parts * part, count = smaller(part, pixels - first)
        let place = to + (n * pixels + first) * channels
        transpose(source + n * stride + first, pixels, channels, count, place, channels)
        if relu { copyRow(place, place, count * channels, true) }
    }
    job.source = UnsafePointer(to)
    job.sourceBatchStride = pixels * channels
    job.sourcePixel = channels
    job.sourceChannel = 1
}

/// Input gradient in pixel-major form for the destination pixels of one residue by the stride; false as above.
func pixelGradient(
    _ s: trellis_conv, _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ mask: UnsafePointer<Float>?, _ accumulate: Bool, _ py: Int, _ px: Int, _ positions: Int, _ count: Int, _ parallel: Parallel
) -> Bool {
    let kernel = s.kernelHeight * s.kernelWidth, at = py * s.inWidth + px
    let (list, slots) = room(kernel)
    var job = PixelJob(source: g, taps: UnsafePointer(list), slots: UnsafePointer(slots), weights: w, destination: dx + at)
    job.sourceBatchStride = s.outBatchStride
    job.sourceHeight = s.outHeight
    job.sourceWidth = s.outWidth
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
    if job.tapCount > 1 { turnSource(&job, false, parallel) }
    let packed = scratch(5, ceilDivide(job.rows, blockLanes) * blockLanes * job.channels * larger(1, job.tapCount))
    packForPixels(
        WeightSource(
            w, rows: s.inChannels, rowStride: kernel, channels: s.outChannels, channelStride: s.inChannels * kernel, kernel: kernel,
            slots: job.slots, taps: job.tapCount), packed, parallel)
    job.weights = UnsafePointer(packed)
    run(job, parallel)
    return true
}

/// Memory for the lists of taps of both forms, and behind them for `more` integers of the caller's.
func tapMemory(_ kernel: Int, _ more: Int = 0) -> UnsafeMutablePointer<Int> {
    trellis_workspace(6, (tapRoom(kernel) + more) * 8).assumingMemoryBound(to: Int.self)
}

/// Integers that the lists of taps take.
func tapRoom(_ kernel: Int) -> Int { kernel * (Taps.room(1) + 1 + MemoryLayout<PixelTap>.stride / 8) }

/// The part of it behind `Taps`: taps of a pixel job, and their places in the list.
private func room(_ kernel: Int) -> (UnsafeMutablePointer<PixelTap>, UnsafeMutablePointer<Int>) {
    let slots = tapMemory(kernel) + Taps.room(kernel)
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
