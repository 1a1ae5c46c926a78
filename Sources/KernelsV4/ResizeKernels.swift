import CKernels

// Resizing of one plane as two sparse row operators, one down the rows and one along them; forward and adjoint are the
// same code with other operators. Neighbouring outputs read neighbouring inputs, so that a permutation of one or two
// vectors replaces the gather.

/// Scratch floats that `resizePlane` needs.
public func resizeWork(_ rows: UnsafePointer<trellis_taps>, _ columns: UnsafePointer<trellis_taps>) -> Int {
    paddedWidth(columns.pointee) + rows.pointee.taps * outPitch(columns.pointee)
}

@inline(always) private func paddedWidth(_ t: trellis_taps) -> Int { t.inCount + t.taps + 3 * lanes }
@inline(always) private func outPitch(_ t: trellis_taps) -> Int { t.count + lanes }

/// Rows `first` ..< `end` of the result y [rows.count, columns.count] of x [rows.inCount, columns.inCount].
public func resizePlane(
    _ rows: UnsafePointer<trellis_taps>, _ columns: UnsafePointer<trellis_taps>, _ x: UnsafePointer<Float>,
    _ y: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int, _ work: UnsafeMutablePointer<Float>, accumulate: Bool
) {
    let r = rows.pointee, c = columns.pointee
    // Along the rows is the dearer half: do it where there are fewer rows.
    if r.inCount > r.count {
        downFirst(r, c, x, y, first, end, work, accumulate)
    } else {
        alongFirst(r, c, x, y, first, end, work, accumulate)
    }
}

@inline(always) private func downFirst(
    _ r: trellis_taps, _ c: trellis_taps, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int,
    _ work: UnsafeMutablePointer<Float>, _ accumulate: Bool
) {
    fill(work, paddedWidth(c), 0)
    for i in first..<end {
        let start = Int(r.start[i])
        mixRows(x + start * c.inCount, c.inCount, r, i, c.inCount, work, false)
        alongRow(c, work, y + i * c.count, accumulate)
    }
}

@inline(always) private func alongFirst(
    _ r: trellis_taps, _ c: trellis_taps, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int,
    _ work: UnsafeMutablePointer<Float>, _ accumulate: Bool
) {
    fill(work, paddedWidth(c), 0)
    let ring = work + paddedWidth(c), pitch = outPitch(c)
    var next = 0
    for i in first..<end {
        let start = Int(r.start[i])
        let stop = start + r.taps < r.inCount ? start + r.taps : r.inCount
        if next < start { next = start }
        while next < stop {
            let source = x + next * c.inCount
            var j = 0
            while j < c.inCount {
                let m = c.inCount - j < lanes ? c.inCount - j : lanes
                store(work + j, load(source + j, m), m)
                j += lanes
            }
            alongRow(c, work, ring + next % r.taps * pitch, false)
            next += 1
        }
        mixRing(ring, pitch, r, i, c.count, y + i * c.count, accumulate)
    }
}

/// out = Σ weight·row over the taps of output row i; `x` is the first tap's row.
@inline(always) private func mixRows(
    _ x: UnsafePointer<Float>, _ pitch: Int, _ r: trellis_taps, _ i: Int, _ count: Int, _ out: UnsafeMutablePointer<Float>,
    _ accumulate: Bool
) {
    var j = 0
    while j < count {
        let m = count - j < lanes ? count - j : lanes
        var v = V.zero
        if accumulate { v = load(out + j, m) }
        for k in 0..<r.taps {
            let weight = r.weight[k * r.pitch + i]
            if weight != 0 { v = fma(v, splat(weight), load(x + k * pitch + j, m)) }
        }
        store(out + j, v, m)
        j += lanes
    }
}

@inline(always) private func mixRing(
    _ ring: UnsafePointer<Float>, _ pitch: Int, _ r: trellis_taps, _ i: Int, _ count: Int, _ out: UnsafeMutablePointer<Float>,
    _ accumulate: Bool
) {
    let start = Int(r.start[i])
    if r.taps == 2 && start + 1 < r.inCount && r.weight[i] != 0 && r.weight[r.pitch + i] != 0 {
        // Bilinear, forward: the common case without a loop over taps.
        let a = ring + start % 2 * pitch, b = ring + (start + 1) % 2 * pitch
        let u = splat(r.weight[i]), w = splat(r.weight[r.pitch + i])
        var j = 0
        while j < count {
            let m = count - j < lanes ? count - j : lanes
            var v = fma(u * load(a + j), w, load(b + j))
            if accumulate { v += load(out + j, m) }
            store(out + j, v, m)
            j += lanes
        }
        return
    }
    let firstSlot = start % r.taps * pitch, ringEnd = r.taps * pitch
    var j = 0
    while j < count {
        let m = count - j < lanes ? count - j : lanes
        var v = V.zero
        var slot = firstSlot
        for k in 0..<r.taps {
            let weight = r.weight[k * r.pitch + i]
            if weight != 0 { v = fma(v, splat(weight), load(ring + slot + j)) }
            slot += pitch
            if slot == ringEnd { slot = 0 }
        }
        if accumulate { v += load(out + j, m) }
        store(out + j, v, m)
        j += lanes
    }
}

/// sum + weight · x; a tap of weight 0 adds nothing, also where x is infinite.
@inline(always) private func tap(_ sum: V, _ weight: V, _ x: V) -> V { fma(sum, weight, x.replacing(with: V.zero, where: weight .== V.zero)) }

/// The operator along one row; `x` has zeros behind its last element, as many as taps and three vectors.
@inline(always) private func alongRow(
    _ c: trellis_taps, _ x: UnsafePointer<Float>, _ out: UnsafeMutablePointer<Float>, _ accumulate: Bool
) {
    var j = 0
    while j < c.count {
        let m = c.count - j < lanes ? c.count - j : lanes
        let base = c.start[j]
        let reach = Int(c.start[j + m - 1] - base)
        var v = V.zero
        if reach < 2 * lanes {
            let index = load(c.start + j) &- VI(repeating: base)
            let from = x + Int(base)
            if reach < lanes {
                for k in 0..<c.taps { v = tap(v, load(c.weight + k * c.pitch + j), near(from + k, index)) }
            } else {
                for k in 0..<c.taps { v = tap(v, load(c.weight + k * c.pitch + j), pick(from + k, index)) }
            }
        } else {
            let index = load(c.start + j)
            for k in 0..<c.taps { v = tap(v, load(c.weight + k * c.pitch + j), gather(x + k, index)) }
        }
        if accumulate { v += load(out + j, m) }
        store(out + j, v, m)
        j += lanes
    }
}
