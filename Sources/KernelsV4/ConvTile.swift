import CKernels

// The register tile: `tileRows` destination channels by three vectors of neighbouring flat positions. Each step loads three
// vectors of source and broadcasts one weight per row.

struct Row {
    var a, b, c: V

    @inline(always) init(_ start: Float) {
        a = V(repeating: start)
        b = a
        c = a
    }

    @inline(always) mutating func add(_ weight: Float, _ x: V, _ y: V, _ z: V) {
        let w = V(repeating: weight)
        a = fma(a, w, x)
        b = fma(b, w, y)
        c = fma(c, w, z)
    }

    @inline(always) func put(_ p: UnsafeMutablePointer<Float>) {
        store(p, a)
        store(p + lanes, b)
        store(p + 2 * lanes, c)
    }
}

struct Tile {
    var r0, r1, r2, r3: Row
    #if KernelsV4
    var r4, r5, r6, r7: Row
    #endif

    /// `bias` holds `tileRows` values.
    @inline(always) init(_ bias: UnsafePointer<Float>) {
        r0 = Row(bias[0])
        r1 = Row(bias[1])
        r2 = Row(bias[2])
        r3 = Row(bias[3])
        #if KernelsV4
        r4 = Row(bias[4])
        r5 = Row(bias[5])
        r6 = Row(bias[6])
        r7 = Row(bias[7])
        #endif
    }

    @inline(always) mutating func add(_ w: UnsafePointer<Float>, _ x: V, _ y: V, _ z: V) {
        r0.add(w[0], x, y, z)
        r1.add(w[1], x, y, z)
        r2.add(w[2], x, y, z)
        r3.add(w[3], x, y, z)
        #if KernelsV4
        r4.add(w[4], x, y, z)
        r5.add(w[5], x, y, z)
        r6.add(w[6], x, y, z)
        r7.add(w[7], x, y, z)
        #endif
    }

    /// Stores the rows `stride` apart.
    @inline(always) func put(_ p: UnsafeMutablePointer<Float>, _ stride: Int) {
        r0.put(p)
        r1.put(p + stride)
        r2.put(p + 2 * stride)
        r3.put(p + 3 * stride)
        #if KernelsV4
        r4.put(p + 4 * stride)
        r5.put(p + 5 * stride)
        r6.put(p + 6 * stride)
        r7.put(p + 7 * stride)
        #endif
    }
}

/// Sums over channels and over taps `first ..< last` for `tileWidth` positions from `source` on, into `result`,
/// rows `resultStride` apart.
@inline(never)
func tileTaps(
    _ source: UnsafePointer<Float>, _ channelStride: Int, _ channels: Int, _ offsets: UnsafePointer<Int>, _ taps: Int, _ first: Int,
    _ last: Int, _ weights: UnsafePointer<Float>, _ bias: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Float>, _ resultStride: Int
) {
    var tile = Tile(bias)
    var plane = source, w = weights + first * tileRows
    for _ in 0..<channels {
        var v = w
        for t in first..<last {
            let p = plane + offsets[t]
            tile.add(v, load(p), load(p + lanes), load(p + 2 * lanes))
            v += tileRows
        }
        plane += channelStride
        w += taps * tileRows
    }
    tile.put(result, resultStride)
}

/// The same with a single tap: planes read in place, in whole vectors.
@inline(never)
func tilePoint(
    _ source: UnsafePointer<Float>, _ channelStride: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ bias: UnsafePointer<Float>,
    _ relu: Bool, _ result: UnsafeMutablePointer<Float>, _ resultStride: Int
) {
    var tile = Tile(bias)
    var p = source, w = weights
    if relu {
        for _ in 0..<channels {
            tile.add(w, positive(load(p)), positive(load(p + lanes)), positive(load(p + 2 * lanes)))
            p += channelStride
            w += tileRows
        }
    } else {
        for _ in 0..<channels {
            tile.add(w, load(p), load(p + lanes), load(p + 2 * lanes))
            p += channelStride
            w += tileRows
        }
    }
    tile.put(result, resultStride)
}

/// The same for the last `count` < tileWidth positions of a plane, reading nothing behind it.
@inline(never)
func tilePointTail(
    _ source: UnsafePointer<Float>, _ channelStride: Int, _ channels: Int, _ weights: UnsafePointer<Float>, _ bias: UnsafePointer<Float>,
    _ relu: Bool, _ count: Int, _ result: UnsafeMutablePointer<Float>, _ resultStride: Int
) {
    var tile = Tile(bias)
    var p = source, w = weights
    let na = smaller(count, lanes), nb = larger(0, smaller(count - lanes, lanes)), nc = larger(0, count - 2 * lanes)
    for _ in 0..<channels {
        var x = load(p, na), y = load(p + lanes, nb), z = load(p + 2 * lanes, nc)
        if relu {
            x = positive(x)
            y = positive(y)
            z = positive(z)
        }
        tile.add(w, x, y, z)
        p += channelStride
        w += tileRows
    }
    tile.put(result, resultStride)
}
