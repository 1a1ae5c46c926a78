import CKernels

// The gradient of max pooling goes to the first maximum of each window in scan order (the last NaN, if there is one), as
// in PyTorch. The place is found again from the input instead of being stored: first the best column within each row's
// window, then the best row, which together are the first in scan order.

/// The ring's slot after `slot`.
@inline(always) private func following(_ slot: Int, _ pitch: Int, _ end: Int) -> Int { slot + pitch == end ? 0 : slot + pitch }

/// Best value and best offset in the window, for each window of one input row: `best` and `code` rows of outWidth.
@inline(always) private func rowWindows(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ padded: UnsafeMutablePointer<Float>, _ wide: UnsafeMutablePointer<Float>,
    _ wideCode: UnsafeMutablePointer<Float>, _ best: UnsafeMutablePointer<Float>, _ code: UnsafeMutablePointer<Float>
) {
    var c = 0
    while c < s.inWidth {
        let m = s.inWidth - c < lanes ? s.inWidth - c : lanes
        store(padded + s.padWidth + c, load(x + c, m), m)
        c += lanes
    }
    if s.strideWidth == 2 {
        var j = 0
        while j < s.outWidth {
            var v = evens(padded + 2 * j)
            var place = V.zero
            var k = 1
            while k < s.kernelWidth {
                let u = evens(padded + 2 * j + k)
                let take = u .> v
                v = maximum(v, u)
                place = place.replacing(with: splat(Float(k)), where: take)
                k += 1
            }
            let m = s.outWidth - j < lanes ? s.outWidth - j : lanes
            store(best + j, v, m)
            store(code + j, place, m)
            j += lanes
        }
    } else {
        let reach = (s.outWidth - 1) * s.strideWidth + 1
        let strided = s.strideWidth > 1
        let values = strided ? wide : best, codes = strided ? wideCode : code
        var j = 0
        while j < reach {
            var v = load(padded + j)
            var place = V.zero
            var k = 1
            while k < s.kernelWidth {
                let u = load(padded + j + k)
                let take = u .> v
                v = maximum(v, u)
                place = place.replacing(with: splat(Float(k)), where: take)
                k += 1
            }
            let m = reach - j < lanes ? reach - j : lanes
            store(values + j, v, m)
            store(codes + j, place, m)
            j += lanes
        }
        if strided {
            takeStrided(best, wide, s.strideWidth, s.outWidth)
            takeStrided(code, wideCode, s.strideWidth, s.outWidth)
        }
    }
    // Where all elements are -inf the padding came first; the first element within the plane counts.
    var j = 0
    while j < s.outWidth && j * s.strideWidth < s.padWidth {
        let least = Float(s.padWidth - j * s.strideWidth)
        if code[j] < least { code[j] = least }
        j += 1
    }
}

/// dx (zero before, or accumulated into) gets each window's g at the window's maximum.
public func maxPoolGradientPlane(
    _ s: UnsafePointer<trellis_pool>, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>, accumulate: Bool
) {
    let p = s.pointee, pitch = poolPitch(s)
    let all = p.inHeight &* p.inWidth
    let nan = containsNaN(x, all)
    if !nan && p.strideHeight == 1 && p.strideWidth == 1 {
        return commonStride(p) == 1
            ? denseGradient(threeByThree(p, 1), x, g, dx, work, pitch, accumulate)
            : denseGradient(p, x, g, dx, work, pitch, accumulate)
    }
    if !accumulate {
        var i = 0
        while i < all {
            store(dx + i, V.zero, all - i < lanes ? all - i : lanes)
            i += lanes
        }
    }
    if nan {
        for i in 0..<p.outHeight {
            for j in 0..<p.outWidth { dx[slowPlace(p, x, i, j)] += g[i * p.outWidth + j] }
        }
    } else if commonStride(p) == 2 {
        scatterGradient(threeByThree(p, 2), x, g, dx, work, pitch)
    } else {
        scatterGradient(p, x, g, dx, work, pitch)
    }
}

@inline(always) private func scatterGradient(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>, _ pitch: Int
) {
    let places = UnsafeMutableRawPointer(work + (3 * s.kernelHeight + 5) * pitch).assumingMemoryBound(to: Int32.self)
    var next = 0
    for i in 0..<s.outHeight {
        placeRow(s, x, i, &next, work, pitch, places)
        for j in 0..<s.outWidth { dx[Int(places[j])] += g[i * s.outWidth + j] }
    }
}

/// y = the element of v at the place of each window's maximum in x: the adjoint of the above in g.
public func maxPoolPickPlane(
    _ s: UnsafePointer<trellis_pool>, _ x: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>
) {
    let p = s.pointee
    if containsNaN(x, p.inHeight &* p.inWidth) {
        for i in 0..<p.outHeight {
            for j in 0..<p.outWidth { y[i * p.outWidth + j] = v[slowPlace(p, x, i, j)] }
        }
        return
    }
    let places = UnsafeMutableRawPointer(work + (3 * p.kernelHeight + 5) * poolPitch(s)).assumingMemoryBound(to: Int32.self)
    var next = 0
    for i in 0..<p.outHeight {
        placeRow(p, x, i, &next, work, poolPitch(s), places)
        for j in 0..<p.outWidth { y[i * p.outWidth + j] = v[Int(places[j])] }
    }
}

/// The place of one window's maximum, element by element, NaN included.
private func slowPlace(_ s: trellis_pool, _ x: UnsafePointer<Float>, _ i: Int, _ j: Int) -> Int {
    let top = i * s.strideHeight - s.padHeight, left = j * s.strideWidth - s.padWidth
    let firstRow = top < 0 ? 0 : top, firstColumn = left < 0 ? 0 : left
    let endRow = top + s.kernelHeight < s.inHeight ? top + s.kernelHeight : s.inHeight
    let endColumn = left + s.kernelWidth < s.inWidth ? left + s.kernelWidth : s.inWidth
    var place = firstRow * s.inWidth + firstColumn
    var best = -Float.infinity
    for r in firstRow..<endRow {
        for c in firstColumn..<endColumn {
            let u = x[r * s.inWidth + c]
            if u > best || u != u {
                best = u
                place = r * s.inWidth + c
            }
        }
    }
    return place
}

/// Scratch rows: 0 padded, 1 and 2 wide value and code, 3 the lanes' numbers, then kernelHeight rows each of values and codes (a ring by
/// input row). `next` is the first input row not yet in the ring.
@inline(always) private func placeRow(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ i: Int, _ next: inout Int, _ work: UnsafeMutablePointer<Float>, _ pitch: Int,
    _ places: UnsafeMutablePointer<Int32>
) {
    if i == 0 { fill(work, pitch, -.infinity) }
    let values = work + 4 * pitch, codes = values + s.kernelHeight * pitch
    let laneNumbers = UnsafeMutableRawPointer(work + 3 * pitch).assumingMemoryBound(to: Int32.self)
    if i == 0 {
        for lane in 0..<lanes { laneNumbers[lane] = Int32(truncatingIfNeeded: lane) }
    }
    let top = i * s.strideHeight - s.padHeight
    let first = top < 0 ? 0 : top
    let end = top + s.kernelHeight < s.inHeight ? top + s.kernelHeight : s.inHeight
    if next < first { next = first }
    while next < end {
        let slot = next % s.kernelHeight * pitch
        rowWindows(s, x + next * s.inWidth, work, work + pitch, work + 2 * pitch, values + slot, codes + slot)
        next += 1
    }
    let firstSlot = first % s.kernelHeight * pitch, ringEnd = s.kernelHeight * pitch
    // Column j's window begins at j·stride - pad.
    let lane = load(laneNumbers)
    var j = 0
    while j < s.outWidth {
        var slot = firstSlot
        var v = load(values + slot + j)
        var place = load(codes + slot + j)
        var row = V.zero
        var r = first + 1
        while r < end {
            slot = following(slot, pitch, ringEnd)
            let u = load(values + slot + j)
            let take = u .> v
            v = maximum(v, u)
            place = place.replacing(with: load(codes + slot + j), where: take)
            row = row.replacing(with: splat(Float(r - first)), where: take)
            r += 1
        }
        let left = Int32(truncatingIfNeeded: first &* s.inWidth &+ j &* s.strideWidth &- s.padWidth)
        let columns = integer(place) &+ lane &* VI(repeating: Int32(truncatingIfNeeded: s.strideWidth))
        let rows = integer(row) &* VI(repeating: Int32(truncatingIfNeeded: s.inWidth))
        store(places + j, columns &+ rows &+ VI(repeating: left))
        j += lanes
    }
}

/// Stride 1, where windows overlap so much that scattering would wait for its own stores: every element gathers from the
/// windows that chose it, first down the rows, then along them.
@inline(always) private func denseGradient(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>, _ pitch: Int, _ accumulate: Bool
) {
    let height = s.kernelHeight, margin = s.kernelWidth
    let values = work + 4 * pitch, codes = values + height * pitch, rows = codes + height * pitch
    let sums = work + 3 * pitch
    fill(work, pitch, -.infinity)
    fill(sums, pitch, 0)
    // Beyond the row's windows no code matches.
    fill(codes, height * pitch, -1)
    var nextRow = 0, nextWindow = 0
    for r in 0..<s.inHeight {
        let last = r + s.padHeight < s.outHeight ? r + s.padHeight : s.outHeight - 1
        while nextWindow <= last {
            let top = nextWindow - s.padHeight
            let first = top < 0 ? 0 : top
            let end = top + height < s.inHeight ? top + height : s.inHeight
            while nextRow < end {
                let slot = nextRow % height * pitch
                rowWindows(
                    s, x + nextRow * s.inWidth, work, work + pitch, work + 2 * pitch, values + slot, codes + slot + margin)
                nextRow += 1
            }
            bestRows(s, values, rows + nextWindow % height * pitch, first, end, top, pitch)
            nextWindow += 1
        }
        let low = r + s.padHeight - height + 1
        let firstWindow = low < 0 ? 0 : low
        let firstSlot = firstWindow % height * pitch, ringEnd = height * pitch
        var j = 0
        while j < s.outWidth {
            let m = s.outWidth - j < lanes ? s.outWidth - j : lanes
            var v = V.zero
            var i = firstWindow
            var slot = firstSlot
            while i <= last {
                let hit = load(rows + slot + j) .== splat(Float(r - i + s.padHeight))
                v += V.zero.replacing(with: load(g + i * s.outWidth + j, m), where: hit)
                slot = following(slot, pitch, ringEnd)
                i += 1
            }
            store(sums + margin + j, v, m)
            j += lanes
        }
        let code = codes + r % height * pitch + margin, sum = sums + margin
        let out = dx + r * s.inWidth
        var c = 0
        while c < s.inWidth {
            let m = s.inWidth - c < lanes ? s.inWidth - c : lanes
            var v = V.zero
            if accumulate { v = load(out + c, m) }
            var k = 0
            while k < s.kernelWidth {
                let at = c + s.padWidth - k
                v += V.zero.replacing(with: load(sum + at), where: load(code + at) .== splat(Float(k)))
                k += 1
            }
            store(out + c, v, m)
            c += lanes
        }
    }
}

/// For each window of one row of windows: which of its rows has the (first) best value, counted from the window's top.
@inline(always) private func bestRows(
    _ s: trellis_pool, _ values: UnsafePointer<Float>, _ rows: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int,
    _ top: Int, _ pitch: Int
) {
    let firstSlot = first % s.kernelHeight * pitch, ringEnd = s.kernelHeight * pitch
    var j = 0
    while j < s.outWidth {
        var slot = firstSlot
        var v = load(values + slot + j)
        var place = splat(Float(first - top))
        var r = first + 1
        while r < end {
            slot = following(slot, pitch, ringEnd)
            let u = load(values + slot + j)
            let take = u .> v
            v = maximum(v, u)
            place = place.replacing(with: splat(Float(r - top)), where: take)
            r += 1
        }
        store(rows + j, place)
        j += lanes
    }
}
