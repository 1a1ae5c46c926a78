import CKernels

/// How a source image's planes lie in packed memory: `top` rows of zeros, the image's rows one gap apart, `bottom` rows of
/// zeros, and zeros behind for vectors that run over the end.
struct Planes {
    var height = 0, width = 0
    var top = 0, left = 0, bottom = 0, right = 0
    var rowStride = 0, channelStride = 0

    /// For taps at row offsets `minRow ... maxRow` and column offsets `minColumn ... maxColumn` from a grid of pixels.
    init(height: Int, width: Int, gridHeight: Int, gridWidth: Int, minRow: Int, maxRow: Int, minColumn: Int, maxColumn: Int) {
        self.height = height
        self.width = width
        top = larger(0, -minRow)
        left = larger(0, -minColumn)
        bottom = larger(0, gridHeight - 1 + maxRow - (height - 1))
        right = larger(0, gridWidth - 1 + maxColumn - (width - 1))
        rowStride = larger(width + larger(left, right), gridWidth)
        // Room for the last row's right padding and for one tile over the end; whole lines, and never a multiple of 4096
        // bytes apart: planes that share a cache set would evict each other.
        let size = (top + height + bottom) * rowStride + left + right + lanes
        channelStride = ceilDivide(size, 16) * 16
        if channelStride % 512 == 0 { channelStride += 16 }
    }

    var origin: Int { top * rowStride + left }
}

/// Copies one plane into packed form, zeros around it. `column` is the distance of neighbouring source pixels (a stride
/// over 1 picks one phase of the source); `height` and `width` may be one less than the layout's.
func packPlane(
    _ p: Planes, _ source: UnsafePointer<Float>, _ sourceRow: Int, _ column: Int, _ height: Int, _ width: Int, _ relu: Bool,
    _ target: UnsafeMutablePointer<Float>
) {
    clear(target, p.origin)
    var to = target + p.origin
    var from = source
    let gap = p.rowStride - width
    for _ in 0..<height {
        if column == 1 {
            copyRow(from, to, width, relu)
        } else {
            for x in 0..<width {
                let v = from[x * column]
                to[x] = relu && v < 0 ? 0 : v
            }
        }
        clear(to + width, gap)
        to += p.rowStride
        from += sourceRow
    }
    let end = target + p.channelStride
    clear(to, end - to)
}

@inline(always) func clear(_ p: UnsafeMutablePointer<Float>, _ count: Int) {
    var i = 0
    while i + lanes <= count {
        store(p + i, V.zero)
        i += lanes
    }
    if i < count { store(p + i, V.zero, count - i) }
}

@inline(always) func copyRow(_ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, _ count: Int, _ relu: Bool) {
    var i = 0
    while i + lanes <= count {
        let v = load(from + i)
        store(to + i, relu ? positive(v) : v)
        i += lanes
    }
    if i < count {
        let v = load(from + i, count - i)
        store(to + i, relu ? positive(v) : v, count - i)
    }
}
