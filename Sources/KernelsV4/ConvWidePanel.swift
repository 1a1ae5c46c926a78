import CKernels

/// The stretches of source rows that a tile's positions meet through one tap: found once, copied for every channel.
struct PanelRuns {
    /// Integers of memory, as floats.
    static var room: Int { 2 * 4 * (tileWidth + 1) }

    /// (place in the tile, offset in the plane, count) of each.
    private let list: UnsafeMutablePointer<Int>
    private var count = 0
    private var step = 1

    init(_ memory: UnsafeMutablePointer<Int>) { list = memory }

    /// For positions `start ..< start + tileWidth` of the output plane.
    mutating func find(_ s: trellis_conv, _ tap: Int, _ start: Int, _ positions: Int) {
        let row = tap / s.kernelWidth * s.dilationHeight - s.padHeight, column = tap % s.kernelWidth * s.dilationWidth - s.padWidth
        // Columns of the output whose source lies inside.
        let low = column < 0 ? ceilDivide(-column, s.strideWidth) : 0
        let high = smaller(s.outWidth, floorDivide(s.inWidth - 1 - column, s.strideWidth) + 1)
        step = s.strideWidth
        count = 0
        var y = start / s.outWidth, x = start % s.outWidth, at = 0
        let end = smaller(tileWidth, positions - start)
        while at < end {
            let length = smaller(s.outWidth - x, end - at), sourceRow = y * s.strideHeight + row
            let first = larger(x, low), last = smaller(x + length, high)
            if sourceRow >= 0 && sourceRow < s.inHeight && first < last {
                list[3 * count] = at + first - x
                list[3 * count + 1] = sourceRow * s.inWidth + first * s.strideWidth + column
                list[3 * count + 2] = last - first
                count += 1
            }
            at += length
            x = 0
            y += 1
        }
    }

    /// Fills a panel: one row of `tileWidth` for each channel, zero where there is no source.
    @inline(never)
    func copy(_ source: UnsafePointer<Float>, _ plane: Int, _ firstChannel: Int, _ lastChannel: Int, _ relu: Bool, _ panel: UnsafeMutablePointer<Float>) {
        var from = source + firstChannel * plane, to = panel
        if count == 1 && list[2] == tileWidth && step == 1 {
            from += list[1]
            for _ in firstChannel..<lastChannel {
                let a = load(from), b = load(from + lanes), c = load(from + 2 * lanes)
                store(to, relu ? positive(a) : a)
                store(to + lanes, relu ? positive(b) : b)
                store(to + 2 * lanes, relu ? positive(c) : c)
                from += plane
                to += tileWidth
            }
            return
        }
        for _ in firstChannel..<lastChannel {
            store(to, V.zero)
            store(to + lanes, V.zero)
            store(to + 2 * lanes, V.zero)
            for i in 0..<count {
                let length = list[3 * i + 2]
                let p = from + list[3 * i + 1], q = to + list[3 * i]
                if step == 1 {
                    copyRow(p, q, length, relu)
                } else {
                    for k in 0..<length {
                        let v = p[k * step]
                        q[k] = relu && v < 0 ? 0 : v
                    }
                }
            }
            from += plane
            to += tileWidth
        }
    }
}
