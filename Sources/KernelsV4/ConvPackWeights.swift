import CKernels

// Weights [row][channel][tap] (or [channel][row][tap], for the input gradient) are packed so that the rows of a tile lie side
// by side: one vector-width square is transposed at a time.

/// The weights as a pass sees them: element (row, channel, tap) at row * rowStride + channel * channelStride + index of the tap.
struct WeightSource {
    var weights: UnsafePointer<Float>
    var rows = 0, rowStride = 0, channels = 0, channelStride = 0, kernel = 0
    /// For each kernel element the number of its tap in the list, or -1.
    let slots: UnsafePointer<Int>
    var taps = 0

    init(
        _ weights: UnsafePointer<Float>, rows: Int, rowStride: Int, channels: Int, channelStride: Int, kernel: Int,
        slots: UnsafePointer<Int>, taps: Int
    ) {
        self.weights = weights
        self.rows = rows
        self.rowStride = rowStride
        self.channels = channels
        self.channelStride = channelStride
        self.kernel = kernel
        self.slots = slots
        self.taps = taps
    }

    /// Calls `body` with (channel, tap, `lanes` weights of the rows from `first` on, zero beyond the last).
    @inline(always)
    func each(
        _ first: Int, _ channelRange: Range<Int>, _ square: UnsafeMutablePointer<Float>,
        _ body: (Int, Int, UnsafePointer<Float>) -> Void
    ) {
        let height = smaller(lanes, rows - first)
        if height < lanes { clear(square, lanes * lanes) }
        if kernel == 1 && rowStride == 1 {
            // The rows are neighbours already.
            for channel in channelRange.lowerBound..<channelRange.upperBound {
                let from = weights + channel * channelStride + first
                if height < lanes { store(square, load(from, height), height) }
                body(channel, 0, height < lanes ? UnsafePointer(square) : from)
            }
            return
        }
        // Taps of one channel are neighbours in memory, and so are channels in the forward pass: one long row.
        let together = channelStride == kernel
        let runs = together ? 1 : channelRange.count, length = together ? channelRange.count * kernel : kernel
        for run in 0..<runs {
            var channel = channelRange.lowerBound + run, k = 0, at = 0
            let from = weights + first * rowStride + channel * channelStride
            while at < length {
                let width = smaller(lanes, length - at)
                transposeSquare(from + at, rowStride, square, lanes, height, width)
                for i in 0..<width {
                    let slot = slots[k]
                    if slot >= 0 { body(channel, slot, square + i * lanes) }
                    k += 1
                    if k == kernel {
                        k = 0
                        channel += 1
                    }
                }
                at += width
            }
        }
    }
}

/// Channels that a piece packs: enough for some microseconds.
@inline(always) private func channelsEach(_ s: WeightSource) -> Int { larger(1, 16384 / (lanes * s.kernel)) }

/// Packs as [block of tileRows][channel][tap][tileRows].
func packForTiles(_ s: WeightSource, _ target: UnsafeMutablePointer<Float>, _ parallel: Parallel) {
    let strips = ceilDivide(s.rows, lanes), each = channelsEach(s), parts = ceilDivide(s.channels, each)
    let size = s.channels * s.taps * tileRows, blocks = ceilDivide(s.rows, tileRows)
    parallel(strips * parts) { piece in
        let strip = piece / parts, part = piece % parts
        guard let square = scratch(7, lanes * lanes) else { return }
        s.each(strip * lanes, part * each..<smaller(s.channels, (part + 1) * each), square) { channel, tap, values in
            let at = (channel * s.taps + tap) * tileRows
            var block = strip * lanes / tileRows, i = 0
            while i < lanes && block < blocks {
                store(target + block * size + at, load(values + i, tileRows), tileRows)
                i += tileRows
                block += 1
            }
        }
    }
}

/// Floats from one tap's weights to the next's in the pixel-major form. Not a multiple of 2048 bytes: 25 taps would share a few sets of
/// the first-level cache, and packing took twice as long.
@inline(always) func tapStride(_ channels: Int) -> Int {
    let size = channels * blockLanes
    return size % 512 == 0 ? size + 16 : size
}

/// Packs as [block of blockLanes][tap][channel][blockLanes], taps `tapStride` apart.
func packForPixels(_ s: WeightSource, _ target: UnsafeMutablePointer<Float>, _ parallel: Parallel) {
    let strips = ceilDivide(s.rows, lanes), each = channelsEach(s), parts = ceilDivide(s.channels, each)
    let stride = tapStride(s.channels), size = s.taps * stride
    parallel(strips * parts) { piece in
        let strip = piece / parts, part = piece % parts
        let channels = part * each..<smaller(s.channels, (part + 1) * each)
        guard let memory = scratch(7, lanes * (lanes + 2) + 2 * s.kernel) else { return }
        let to = target + strip / 2 * size + strip % 2 * lanes
        if s.taps * 2 <= s.kernel {
            s.pick(strip * lanes, channels, to, stride)
            return
        }
        #if KernelsV3
        if strip * lanes + lanes <= s.rows {
            s.scatter(strip * lanes, channels, to, stride, memory)
            return
        }
        #endif
        s.each(strip * lanes, channels, memory) { channel, tap, values in
            store(to + tap * stride + channel * blockLanes, load(values))
        }
    }
}

extension WeightSource {
    /// `lanes` weights of the rows from `first` on, one by one: where few taps are live, as on planes smaller than an atrous kernel,
    /// transposing all of them takes longer.
    @inline(always)
    fileprivate func pick(_ first: Int, _ channelRange: Range<Int>, _ target: UnsafeMutablePointer<Float>, _ stride: Int) {
        let height = smaller(lanes, rows - first)
        for channel in channelRange.lowerBound..<channelRange.upperBound {
            let from = weights + first * rowStride + channel * channelStride
            for k in 0..<kernel where slots[k] >= 0 {
                let to = target + slots[k] * stride + channel * blockLanes
                if height < lanes { store(to, V.zero) }
                for i in 0..<height { to[i] = from[i * rowStride + k] }
            }
        }
    }

    #if KernelsV3
    /// The same by whole squares of weights, every column of a square straight to its place.
    @inline(always)
    fileprivate func scatter(
        _ first: Int, _ channelRange: Range<Int>, _ target: UnsafeMutablePointer<Float>, _ stride: Int, _ memory: UnsafeMutablePointer<Float>
    ) {
        if kernel == 1 && rowStride == 1 {
            for channel in channelRange.lowerBound..<channelRange.upperBound {
                store(target + channel * blockLanes, load(weights + channel * channelStride + first))
            }
            return
        }
        let nowhere = memory
        let places = UnsafeMutableRawPointer(memory + lanes).assumingMemoryBound(to: UnsafeMutablePointer<Float>?.self)
        let offsets = UnsafeMutableRawPointer(places + lanes).assumingMemoryBound(to: Int.self)
        for k in 0..<kernel { offsets[k] = slots[k] >= 0 ? slots[k] * stride : -1 }
        // Taps of one channel are neighbours in memory, and so are channels in the forward pass: one long row.
        let together = channelStride == kernel
        let runs = together ? 1 : channelRange.count, length = together ? channelRange.count * kernel : kernel
        for run in 0..<runs {
            let channel = channelRange.lowerBound + run
            let from = weights + first * rowStride + channel * channelStride
            var k = 0, at = 0, to = target + channel * blockLanes
            while at < length {
                let width = smaller(lanes, length - at)
                for i in 0..<width {
                    let offset = offsets[k]
                    places[i] = offset >= 0 ? to + offset : nowhere
                    k += 1
                    if k == kernel {
                        k = 0
                        to += blockLanes
                    }
                }
                if width == lanes {
                    trellis_scatter8(from + at, rowStride, places)
                } else {
                    for i in 0..<width {
                        let place = places[i] ?? nowhere
                        for r in 0..<lanes { place[r] = from[r * rowStride + at + i] }
                    }
                }
                at += width
            }
        }
    }
    #endif
}
