import CKernels

// Depthwise convolution of any kernel, stride and dilation: flat positions of a padded plane (see Job) and a list of taps.

private struct Four {
    var a, b, c, d: V
    @inline(always) init(_ start: Float) {
        a = V(repeating: start)
        b = a
        c = a
        d = a
    }
}

/// Four vectors of neighbouring positions: sums over taps, into `result`.
@inline(never)
private func flatTile(
    _ source: UnsafePointer<Float>, _ offsets: UnsafePointer<Int>, _ indices: UnsafePointer<Int>, _ taps: Int, _ w: UnsafePointer<Float>,
    _ bias: Float, _ result: UnsafeMutablePointer<Float>
) {
    var r = Four(bias)
    for t in 0..<taps {
        let p = source + offsets[t], u = V(repeating: w[indices[t]])
        r.a = fma(r.a, u, load(p))
        r.b = fma(r.b, u, load(p + lanes))
        r.c = fma(r.c, u, load(p + 2 * lanes))
        r.d = fma(r.d, u, load(p + 3 * lanes))
    }
    store(result, r.a)
    store(result + lanes, r.b)
    store(result + 2 * lanes, r.c)
    store(result + 3 * lanes, r.d)
}

/// One plane of a job with one channel and one row.
private func flatPlane(
    _ job: Job, _ taps: Taps, _ source: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ bias: Float,
    _ tile: UnsafeMutablePointer<Float>
) {
    var start = 0
    while start < job.positions {
        let count = smaller(4 * lanes, job.positions - start)
        flatTile(source + start, taps.offsets, taps.indices, taps.count, w, bias, tile)
        deliver(job, tile, 0, start, count, 0, 1)
        start += count
    }
}

@inline(always) private func planesEach(_ plane: Int, _ kernel: Int) -> Int { larger(1, pieceWork / 8 / larger(1, plane * kernel)) }

func flatForward(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ bias: UnsafePointer<Float>?,
    _ y: UnsafeMutablePointer<Float>, _ relu: Bool, _ accumulate: Bool, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth, count = s.batch * s.inChannels, outPlane = s.outHeight * s.outWidth
    guard let memory = tapMemory(kernel) else { return }
    var list = Taps(memory, kernel)
    let planes = gatherForward(s, &list)
    let taps = list
    var pattern = Job(
        source: x, offsets: UnsafePointer(taps.offsets), tapRows: UnsafePointer(taps.rows), weights: w, destination: y, bias: nil)
    pattern.gridHeight = s.outHeight
    pattern.gridWidth = s.outWidth
    pattern.rowStride = planes.layout.rowStride
    pattern.destinationRow = s.outWidth
    pattern.accumulate = accumulate
    let shape = pattern, each = planesEach(outPlane, kernel)
    let size = planes.phases * planes.layout.channelStride + 4 * lanes
    parallel(ceilDivide(count, each)) { piece in
        guard let tile = scratch(7, size + 5 * lanes) else { return }
        let own = tile + 5 * lanes
        var job = shape
        for i in piece * each..<smaller(count, (piece + 1) * each) {
            let n = i / s.inChannels, c = i % s.inChannels
            packChannel(s, planes, x, i, relu, own)
            job.destination = y + n * s.outBatchStride + c * outPlane
            flatPlane(job, taps, own, w + c * kernel, bias.map { $0[c] } ?? 0, tile)
        }
    }
}

func flatInputGradient(
    _ s: trellis_conv, _ g: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ mask: UnsafePointer<Float>?, _ accumulate: Bool, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth, count = s.batch * s.inChannels
    let inPlane = s.inHeight * s.inWidth, outPlane = s.outHeight * s.outWidth
    guard let memory = tapMemory(kernel) else { return }
    let layout = layOutGradient(s)
    var pattern = Job(source: g, offsets: UnsafePointer(memory), tapRows: UnsafePointer(memory), weights: w, destination: dx, bias: nil)
    pattern.rowStride = layout.rowStride
    pattern.destinationRow = s.inWidth * s.strideHeight
    pattern.destinationColumn = s.strideWidth
    pattern.accumulate = accumulate
    let each = planesEach(inPlane, kernel)
    let size = layout.channelStride + 4 * lanes
    for py in 0..<smaller(s.strideHeight, s.inHeight) {
        for px in 0..<smaller(s.strideWidth, s.inWidth) {
            var list = Taps(memory, kernel)
            gatherGradient(s, layout, py, px, &list)
            let taps = list
            pattern.gridHeight = ceilDivide(s.inHeight - py, s.strideHeight)
            pattern.gridWidth = ceilDivide(s.inWidth - px, s.strideWidth)
            let shape = pattern
            parallel(ceilDivide(count, each)) { piece in
                guard let tile = scratch(7, size + 5 * lanes) else { return }
                let own = tile + 5 * lanes
                var job = shape
                for i in piece * each..<smaller(count, (piece + 1) * each) {
                    let n = i / s.inChannels, c = i % s.inChannels, place = n * s.inBatchStride + c * inPlane + py * s.inWidth + px
                    packPlane(layout, g + n * s.outBatchStride + c * outPlane, s.outWidth, 1, s.outHeight, s.outWidth, false, own)
                    job.destination = dx + place
                    job.mask = mask.map { $0 + place }
                    flatPlane(job, taps, own, w + c * kernel, 0, tile)
                }
            }
        }
    }
}

func flatWeightGradient(
    _ s: trellis_conv, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dw: UnsafeMutablePointer<Float>,
    _ relu: Bool, _ accumulate: Bool, _ parallel: Parallel
) {
    let kernel = s.kernelHeight * s.kernelWidth, outPlane = s.outHeight * s.outWidth
    guard let memory = tapMemory(kernel) else { return }
    var list = Taps(memory, kernel)
    let planes = gatherForward(s, &list)
    let taps = list, each = planesEach(outPlane * s.batch, kernel)
    let layout = gradientLike(planes.layout, s)
    let positions = (s.outHeight - 1) * layout.rowStride + s.outWidth
    let size = planes.phases * planes.layout.channelStride + 4 * lanes
    parallel(ceilDivide(s.inChannels, each)) { piece in
        guard let packedG = scratch(7, size + layout.channelStride) else { return }
        let own = packedG + layout.channelStride
        for c in piece * each..<smaller(s.inChannels, (piece + 1) * each) {
            let result = dw + c * kernel
            if !accumulate { clear(result, kernel) }
            for n in 0..<s.batch {
                packChannel(s, planes, x, n * s.inChannels + c, relu, own)
                packPlane(layout, g + n * s.outBatchStride + c * outPlane, s.outWidth, 1, s.outHeight, s.outWidth, false, packedG)
                for t in 0..<taps.count {
                    var a = V.zero, b = V.zero, i = 0
                    let p = own + taps.offsets[t]
                    while i < positions {
                        a = fma(a, load(packedG + i), load(p + i))
                        i += lanes
                        if i >= positions { break }
                        b = fma(b, load(packedG + i), load(p + i))
                        i += lanes
                    }
                    result[taps.indices[t]] += sum(a + b)
                }
            }
        }
    }
}
