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
        let square = scratch(7, lanes * lanes)
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

/// Packs as [block of blockLanes][tap][channel][blockLanes].
func packForPixels(_ s: WeightSource, _ target: UnsafeMutablePointer<Float>, _ parallel: Parallel) {
    let strips = ceilDivide(s.rows, lanes), each = channelsEach(s), parts = ceilDivide(s.channels, each)
    let size = s.channels * s.taps * blockLanes
    parallel(strips * parts) { piece in
        let strip = piece / parts, part = piece % parts
        let square = scratch(7, lanes * lanes)
        let to = target + strip / 2 * size + strip % 2 * lanes
        s.each(strip * lanes, part * each..<smaller(s.channels, (part + 1) * each), square) { channel, tap, values in
            store(to + (tap * s.channels + channel) * blockLanes, load(values))
        }
    }
}
