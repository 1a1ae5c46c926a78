import CKernels

/// Gradient with respect to the input: for each residue of the destination pixel by the stride, the taps that reach it.
public func denseInputGradient(
    _ s: trellis_conv, _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ mask: UnsafePointer<Float>?, _ accumulate: Bool, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth, inPlane = s.inHeight * s.inWidth
    // Without outputs (a kernel that does not fit its image) no form below has anything to lay out.
    if s.outHeight * s.outWidth * s.outChannels == 0 {
        if !accumulate { for n in 0..<s.batch { clear(dx + n * s.inBatchStride, inPlane * s.inChannels) } }
        return
    }
    guard let memory = tapMemory(kernel) else { return }
    var job = Job(source: g, offsets: UnsafePointer(memory), tapRows: UnsafePointer(memory), weights: w, destination: dx, bias: nil)
    job.channels = s.outChannels
    job.batch = s.batch
    job.rows = s.inChannels
    job.batchStride = s.inBatchStride
    job.channelStride = inPlane
    job.accumulate = accumulate
    job.mask = mask
    if isPoint(s) {
        if pixelGradient(s, g, w, dx, mask, accumulate, 0, 0, inPlane, 1, parallel) { return }
        var taps = Taps(memory, 1)
        job = pointJob(job, &taps, inPlane, s.outBatchStride)
        runGradient(s, job, w, taps, parallel)
        return
    }
    let planes = layOutGradient(s)
    job.rowStride = planes.rowStride
    job.sourceHeight = s.outHeight
    job.sourceChannelStride = planes.channelStride
    job.sourceBatchStride = planes.channelStride * s.outChannels
    job.destinationRow = s.inWidth * s.strideHeight
    job.destinationColumn = s.strideWidth
    // Both forms keep their copy of the source in the same scratch memory.
    var packed = false
    for py in 0..<smaller(s.strideHeight, s.inHeight) {
        for px in 0..<smaller(s.strideWidth, s.inWidth) {
            var taps = Taps(memory, kernel)
            gatherGradient(s, planes, py, px, &taps)
            job.gridHeight = ceilDivide(s.inHeight - py, s.strideHeight)
            job.gridWidth = ceilDivide(s.inWidth - px, s.strideWidth)
            if pixelGradient(s, g, w, dx, mask, accumulate, py, px, job.positions, taps.count, parallel) {
                packed = false
                continue
            }
            if !packed {
                guard let source = scratch(4, s.batch * job.sourceBatchStride + tileWidth) else { return }
                packGradient(s, planes, g, source, parallel)
                job.source = UnsafePointer(source)
                packed = true
            }
            job.taps = taps.count
            job.tapsPerRow = taps.perRow
            job.destination = dx + py * s.inWidth + px
            job.mask = mask.map { $0 + py * s.inWidth + px }
            runGradient(s, job, w, taps, parallel)
        }
    }
}

/// Packs the weights of a job of the input gradient and runs it.
private func runGradient(_ s: trellis_conv, _ job: Job, _ w: UnsafePointer<Float>, _ taps: Taps, _ parallel: Parallel) {
    guard let packed = scratch(5, ceilDivide(job.rows, tileRows) * tileRows * job.channels * larger(1, taps.count)) else { return }
    packForTiles(weightsBack(s, w, taps), packed, parallel)
    var job = job
    job.offsets = UnsafePointer(taps.offsets)
    job.tapRows = UnsafePointer(taps.rows)
    job.weights = UnsafePointer(packed)
    run(job, parallel)
}
