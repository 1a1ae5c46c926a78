import CKernels

// What the wide forms of the forward convolution share (`ConvWide`, `Winograd`): a register tile over packed panels, and the way of finished sums
// into the output. They serve inference and other passes with many channels: source values are copied into panels that stay in the first-level
// cache while all output channels pass by.

extension Row {
    @inline(always) init(loading p: UnsafePointer<Float>) {
        a = load(p)
        b = load(p + lanes)
        c = load(p + 2 * lanes)
    }
}

extension Tile {
    /// Goes on from sums that lie `stride` apart.
    @inline(always) init(loading p: UnsafePointer<Float>, _ stride: Int) {
        r0 = Row(loading: p)
        r1 = Row(loading: p + stride)
        r2 = Row(loading: p + 2 * stride)
        r3 = Row(loading: p + 3 * stride)
        #if KernelsV4
        r4 = Row(loading: p + 4 * stride)
        r5 = Row(loading: p + 5 * stride)
        r6 = Row(loading: p + 6 * stride)
        r7 = Row(loading: p + 7 * stride)
        #endif
    }
}

/// Copies the `tileRows` weights of one product. (A masked store takes 20 cycles on some machines.)
@inline(always)
func copyRows(_ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>) {
    #if KernelsV4
    trellis_store8(to, trellis_load8(from))
    #else
    trellis_store4(to, trellis_load4(from))
    #endif
}

/// `tileRows` rows of `result`, `resultStride` apart: start + sum over k < count of weights[k * tileRows + row] * panel[k * stride ...].
/// `start` holds one value a row; without it the sums that `result` holds go on.
@inline(never)
func panelTile(
    _ panel: UnsafePointer<Float>, _ stride: Int, _ count: Int, _ weights: UnsafePointer<Float>, _ start: UnsafePointer<Float>?,
    _ result: UnsafeMutablePointer<Float>, _ resultStride: Int
) {
    var tile = start.map { Tile($0) } ?? Tile(loading: result, resultStride)
    var p = panel, w = weights
    for _ in 0..<count {
        tile.add(w, load(p), load(p + lanes), load(p + 2 * lanes))
        p += stride
        w += tileRows
    }
    tile.put(result, resultStride)
}

/// What happens to a sum on its way into the output: added to what is there, then max(·, 0).
struct Finish {
    let accumulate: Bool
    let rectify: Bool

    init(_ f: trellis_finish) {
        accumulate = f.accumulate
        rectify = f.rectify
    }

    @inline(always) func put(_ to: UnsafeMutablePointer<Float>, _ sum: V) {
        let v = accumulate ? sum + load(to) : sum
        store(to, rectify ? positive(v) : v)
    }

    @inline(always) func put(_ to: UnsafeMutablePointer<Float>, _ sum: V, _ n: Int) {
        let v = accumulate ? sum + load(to, n) : sum
        store(to, rectify ? positive(v) : v, n)
    }

    @inline(always) func single(_ to: UnsafeMutablePointer<Float>, _ sum: Float) {
        let v = accumulate ? sum + to[0] : sum
        to[0] = rectify && v < 0 ? 0 : v
    }

    /// Delivers `count` neighbouring sums.
    @inline(always) func row(_ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, _ count: Int) { row(from, to, nil, count) }

    /// Delivers `count` neighbouring sums, zero where the mask is not above zero.
    @inline(always) func row(_ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, _ mask: UnsafePointer<Float>?, _ count: Int) {
        var i = 0
        while i < count {
            let n = smaller(lanes, count - i)
            if n == lanes {
                var v = load(from + i)
                if let mask { v = V.zero.replacing(with: v, where: load(mask + i) .> V.zero) }
                put(to + i, v)
            } else {
                var v = load(from + i, n)
                if let mask { v = V.zero.replacing(with: v, where: load(mask + i, n) .> V.zero) }
                put(to + i, v, n)
            }
            i += lanes
        }
    }
}
