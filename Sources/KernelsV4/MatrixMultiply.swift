import CKernels

/// c = alpha op(a) op(b) + beta c, row-major, by the register tile of the convolutions: a packed like weights, b read in place
/// (or, when it is transposed, from a transposed copy). For sizes whose operands stay in the second-level cache.
public func multiply(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: UnsafePointer<Float>, _ lda: Int,
    _ b: UnsafePointer<Float>, _ ldb: Int, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int, _ parallel: Parallel
) {
    if beta != 0 && beta != 1 { scaleRows(c, m, n, ldc, beta) }
    guard let taps = tapMemory(1) else { return }
    taps[0] = 0
    taps[1] = 0
    guard let packed = scratch(5, ceilDivide(m, tileRows) * tileRows * k) else { return }
    packForTiles(
        WeightSource(
            a, rows: m, rowStride: transposeA ? 1 : lda, channels: k, channelStride: transposeA ? lda : 1, kernel: 1, slots: taps, taps: 1),
        packed, parallel)
    if alpha != 1 { scaleRows(packed, 1, ceilDivide(m, tileRows) * tileRows * k, 0, alpha) }
    var job = Job(source: b, offsets: UnsafePointer(taps), tapRows: UnsafePointer(taps + 1), weights: packed, destination: c, bias: nil)
    job.sourceChannelStride = ldb
    if transposeB {
        guard let turned = scratch(4, k * n) else { return }
        let part = larger(lanes, 16384 / larger(1, k) / lanes * lanes)
        parallel(ceilDivide(n, part)) { piece in
            let first = piece * part
            transpose(b + first * ldb, ldb, smaller(part, n - first), k, turned + first, n)
        }
        job.source = UnsafePointer(turned)
        job.sourceChannelStride = n
    }
    job.channels = k
    job.taps = 1
    job.inPlace = true
    job.batch = 1
    job.rows = m
    job.gridHeight = 1
    job.gridWidth = n
    job.rowStride = n
    job.sourceHeight = 1
    job.channelStride = ldc
    job.accumulate = beta != 0
    run(job, parallel)
}

private func scaleRows(_ p: UnsafeMutablePointer<Float>, _ rows: Int, _ columns: Int, _ stride: Int, _ factor: Float) {
    let f = V(repeating: factor)
    for r in 0..<rows {
        let row = p + r * stride
        var i = 0
        while i < columns {
            let part = smaller(lanes, columns - i)
            store(row + i, load(row + i, part) * f, part)
            i += lanes
        }
    }
}
