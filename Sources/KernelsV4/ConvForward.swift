import CKernels

/// The job of a 1x1 convolution at stride 1: one tap, and planes that are read where they are.
func pointJob(_ job: Job, _ taps: inout Taps, _ plane: Int, _ batchStride: Int) -> Job {
    taps.append(0, 0)
    taps.rows[0] = 0
    var job = job
    job.taps = 1
    job.inPlace = true
    job.gridHeight = 1
    job.gridWidth = plane
    job.rowStride = plane
    job.sourceHeight = 1
    job.sourceBatchStride = batchStride
    job.sourceChannelStride = plane
    return job
}

/// A 1x1 kernel at stride 1 without padding: a matrix product over flat pixels.
@inline(always)
func isPoint(_ s: trellis_conv) -> Bool {
    s.kernelHeight == 1 && s.kernelWidth == 1 && s.strideHeight == 1 && s.strideWidth == 1 && s.padHeight == 0 && s.padWidth == 0
}

/// output = conv(input, weight) + bias, with the ReLU of the input and the addition to the output as asked for.
public func denseForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ y: UnsafeMutablePointer<Float>, _ relu: Bool, _ accumulate: Bool, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth, outPlane = s.outHeight * s.outWidth
    guard let memory = tapMemory(kernel) else { return }
    var taps = Taps(memory, kernel)
    let blocks = ceilDivide(s.outChannels, tileRows)
    var job = Job(
        source: x, offsets: UnsafePointer(taps.offsets), tapRows: UnsafePointer(taps.rows), weights: w, destination: y, bias: bias)
    job.channels = s.inChannels
    job.batch = s.batch
    job.rows = s.outChannels
    job.batchStride = s.outBatchStride
    job.channelStride = outPlane
    job.accumulate = accumulate
    if isPoint(s) {
        if pixelForward(s, x, w, bias, y, relu, accumulate, outPlane, 1, parallel) { return }
        job = pointJob(job, &taps, outPlane, s.inBatchStride)
        job.relu = relu
    } else {
        let planes = gatherForward(s, &taps)
        job.gridHeight = s.outHeight
        job.gridWidth = s.outWidth
        job.destinationRow = s.outWidth
        job.rowStride = planes.layout.rowStride
        if pixelForward(s, x, w, bias, y, relu, accumulate, job.positions, taps.count, parallel) { return }
        job.sourceHeight = planes.layout.height
        job.sourceChannelStride = planes.phases * planes.layout.channelStride
        job.sourceBatchStride = job.sourceChannelStride * s.inChannels
        job.taps = taps.count
        job.tapsPerRow = taps.perRow
        guard let packed = scratch(4, s.batch * job.sourceBatchStride + tileWidth) else { return }
        packPhases(s, planes, x, relu, packed, parallel)
        job.source = UnsafePointer(packed)
    }
    guard let packed = scratch(5, blocks * tileRows * job.channels * larger(1, taps.count)) else { return }
    packForTiles(weightsForward(s, w, taps), packed, parallel)
    job.weights = UnsafePointer(packed)
    run(job, parallel)
}
