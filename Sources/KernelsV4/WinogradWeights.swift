import CKernels

/// Floats from one point's weights to the next's: a little more than they take, as distances of whole pages put all points into one set of the cache.
@inline(always) func winogradPointStride(_ blocks: Int, _ channels: Int) -> Int { blocks * channels * tileRows + 16 }

/// Packs transformed weights as [point][block of tileRows][channel][tileRows], each row times its scale. With `back`, the weights lie as
/// [channel][row] and each kernel is turned around.
func packWinograd(
    _ s: trellis_conv, _ w: UnsafePointer<Float>, _ scale: UnsafePointer<Float>?, _ target: UnsafeMutablePointer<Float>, _ blocks: Int,
    back: Bool, _ parallel: Parallel
) {
    let size = s.kernelHeight, kernel = size * size, channels = s.inChannels
    guard let slots = tapMemory(kernel) else { return }
    for k in 0..<kernel { slots[k] = back ? kernel - 1 - k : k }
    let last = slots[kernel - 1]
    let source = WeightSource(
        w, rows: s.outChannels, rowStride: back ? kernel : channels * kernel, channels: channels, channelStride: back ? s.outChannels * kernel : kernel,
        kernel: kernel, slots: slots, taps: kernel)
    let strips = ceilDivide(s.outChannels, lanes), each = larger(1, 64 / lanes), parts = ceilDivide(channels, each)
    let pointStride = winogradPointStride(blocks, channels)
    parallel(strips * parts) { piece in
        let strip = piece / parts, first = piece % parts * each
        guard let square = scratch(7, lanes * (lanes + 1 + 25 + 40 + 64)) else { return }
        let factors = square + lanes * lanes, taps = factors + lanes, rows = taps + 25 * lanes, values = rows + 40 * lanes
        for i in 0..<lanes {
            let row = strip * lanes + i
            factors[i] = row < s.outChannels ? scale.map { $0[row] } ?? 1 : 0
        }
        let factor = load(factors)
        source.each(strip * lanes, first..<smaller(channels, first + each), square) { channel, tap, weights in
            store(taps + tap * lanes, load(weights) * factor)
            if tap != last { return }
            // Columns first, then rows.
            for x in 0..<size { atPoints(taps + x * lanes, size * lanes, size, rows + x * lanes, size * lanes) }
            for y in 0..<8 { atPoints(rows + y * size * lanes, lanes, size, values + y * 8 * lanes, lanes) }
            var block = strip * lanes / tileRows, i = 0
            while i < lanes && block < blocks {
                let place = target + (block * channels + channel) * tileRows
                for p in 0..<points { copyRows(values + p * lanes + i, place + p * pointStride) }
                i += tileRows
                block += 1
            }
        }
    }
}

@inline(always)
private func atPoints(_ from: UnsafePointer<Float>, _ step: Int, _ size: Int, _ to: UnsafeMutablePointer<Float>, _ toStep: Int) {
    let five = size == 5
    kernelAtPoints(
        load(from), load(from + step), load(from + 2 * step), five ? load(from + 3 * step) : V.zero, five ? load(from + 4 * step) : V.zero, five
    ).put(to, toStep)
}
