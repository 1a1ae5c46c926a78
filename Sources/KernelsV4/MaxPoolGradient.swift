import CKernels

// The gradient of max pooling goes to the first maximum of each window in scan order (the last NaN, if there is one), as
// in PyTorch. The place is found again from the input instead of being stored: first the best column within each row's
// window, then the best row, which together are the first in scan order. The 3 x 3 window at stride 1, which candidate operators
// use, has a form of its own (`maxPoolGradient3x3`).

/// The ring's slot after `slot`.
@inline(always) private func following(_ slot: Int, _ pitch: Int, _ end: Int) -> Int { slot + pitch == end ? 0 : slot + pitch }

/// Scratch rows: 0 and 1 padded input rows in turn, 2 and 3 windows at stride 1, 4 and 5 sums (4 also the lanes' numbers), 6 places,
/// then rings of kernelHeight + 1 rows each: best values, best offsets, best rows.
@inline(always) private func ringRows(_ s: trellis_pool) -> Int { s.kernelHeight + 1 }
@inline(always) private func ring(
    _ s: trellis_pool, _ work: UnsafeMutablePointer<Float>, _ pitch: Int, _ which: Int
) -> UnsafeMutablePointer<Float> { work + (7 + which * ringRows(s)) * pitch }

/// Input row `row` into its padded row.
@inline(always) private func padRow(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ row: Int, _ work: UnsafeMutablePointer<Float>, _ pitch: Int
) {
    let padded = work + (row & 1) * pitch + s.padWidth, source = x + row * s.inWidth
    var c = 0
    while c < s.inWidth {
        storeUpTo(padded + c, loadUpTo(source + c, s.inWidth - c), s.inWidth - c)
        c += lanes
    }
}

/// Best value and best offset in the window, for each window of input row `row`: `best` and `code` rows of outWidth, written
/// a vector beyond. The row after it is padded first: a row that was stored just now cannot be loaded at another alignment
/// without a stall.
@inline(always) private func rowWindows(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ row: Int, _ work: UnsafeMutablePointer<Float>, _ pitch: Int,
    _ best: UnsafeMutablePointer<Float>, _ code: UnsafeMutablePointer<Float>
) {
    if row + 1 < s.inHeight { padRow(s, x, row + 1, work, pitch) }
    let padded = work + (row & 1) * pitch, wide = work + 2 * pitch, wideCode = work + 3 * pitch
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
            store(best + j, v)
            store(code + j, place)
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
            store(values + j, v)
            store(codes + j, place)
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

/// dx (zero before, or accumulated into) gets each window's g at the window's maximum. `maxPoolGradientPrepare` came before.
public func maxPoolGradientPlane(
    _ s: UnsafePointer<trellis_pool>, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>, accumulate: Bool
) {
    let p = s.pointee, pitch = poolPitch(s)
    let all = p.inHeight &* p.inWidth
    let nan = containsNaN(x, all)
    if !nan && p.strideHeight == 1 && p.strideWidth == 1 {
        return commonStride(p) == 1
            ? maxPoolGradient3x3(p, x, g, dx, work, accumulate)
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
    let places = UnsafeMutableRawPointer(work + 6 * pitch).assumingMemoryBound(to: Int32.self)
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
    let places = UnsafeMutableRawPointer(work + 6 * poolPitch(s)).assumingMemoryBound(to: Int32.self)
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

/// The places of one row of windows. `next` is the first input row not yet in the rings.
@inline(always) private func placeRow(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ i: Int, _ next: inout Int, _ work: UnsafeMutablePointer<Float>, _ pitch: Int,
    _ places: UnsafeMutablePointer<Int32>
) {
    let values = ring(s, work, pitch, 0), codes = ring(s, work, pitch, 1)
    let laneNumbers = UnsafeMutableRawPointer(work + 4 * pitch).assumingMemoryBound(to: Int32.self)
    if i == 0 {
        fill(work, 2 * pitch, -.infinity)
        for lane in 0..<lanes { laneNumbers[lane] = Int32(truncatingIfNeeded: lane) }
        padRow(s, x, 0, work, pitch)
    }
    let top = i * s.strideHeight - s.padHeight
    let first = top < 0 ? 0 : top
    let end = top + s.kernelHeight < s.inHeight ? top + s.kernelHeight : s.inHeight
    if next < first {
        // Rows between windows are in none.
        next = first
        padRow(s, x, next, work, pitch)
    }
    while next < end {
        let slot = next % ringRows(s) * pitch
        rowWindows(s, x, next, work, pitch, values + slot, codes + slot)
        next += 1
    }
    // Column j's window begins at j·stride - pad.
    let lane = load(laneNumbers) &* VI(repeating: Int32(truncatingIfNeeded: s.strideWidth))
    let rowLength = VI(repeating: Int32(truncatingIfNeeded: s.inWidth))
    var j = 0
    while j < s.outWidth {
        var slot = first % ringRows(s) * pitch
        var v = load(values + slot + j)
        var place = load(codes + slot + j)
        var row = V.zero
        if s.kernelHeight == 3 {
            // The rows below the plane's end are replaced by its last, which is never better than itself.
            for k in 1...2 {
                let r = first + k < end ? first + k : end - 1
                slot = r % ringRows(s) * pitch
                let u = load(values + slot + j)
                let take = u .> v
                v = maximum(v, u)
                place = place.replacing(with: load(codes + slot + j), where: take)
                row = row.replacing(with: splat(Float(k)), where: take)
            }
        } else {
            var r = first + 1
            while r < end {
                slot = following(slot, pitch, ringRows(s) * pitch)
                let u = load(values + slot + j)
                let take = u .> v
                v = maximum(v, u)
                place = place.replacing(with: load(codes + slot + j), where: take)
                row = row.replacing(with: splat(Float(r - first)), where: take)
                r += 1
            }
        }
        let left = Int32(truncatingIfNeeded: first &* s.inWidth &+ j &* s.strideWidth &- s.padWidth)
        store(places + j, integer(place) &+ lane &+ integer(row) &* rowLength &+ VI(repeating: left))
        j += lanes
    }
}

/// Stride 1, where windows overlap so much that scattering would wait for its own stores: every element gathers from the
/// windows that chose it, first down the rows, then along them.
@inline(always) private func denseGradient(
    _ s: trellis_pool, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    _ work: UnsafeMutablePointer<Float>, _ pitch: Int, _ accumulate: Bool
) {
    let height = s.kernelHeight, margin = s.kernelWidth, count = ringRows(s)
    let values = ring(s, work, pitch, 0), codes = ring(s, work, pitch, 1), rows = ring(s, work, pitch, 2)
    fill(work, 2 * pitch, -.infinity)
    fill(work + 4 * pitch, 2 * pitch, 0)
    // Before the row's first window no code matches.
    fill(codes, count * pitch, -1)
    padRow(s, x, 0, work, pitch)
    var nextRow = 0, nextWindow = 0
    for r in 0...s.inHeight {
        if r < s.inHeight {
            let last = r + s.padHeight < s.outHeight ? r + s.padHeight : s.outHeight - 1
            while nextWindow <= last {
                let top = nextWindow - s.padHeight
                let first = top < 0 ? 0 : top
                let end = top + height < s.inHeight ? top + height : s.inHeight
                while nextRow < end {
                    let slot = nextRow % count * pitch, code = codes + slot + margin
                    rowWindows(s, x, nextRow, work, pitch, values + slot, code)
                    // Nor behind its last.
                    for beyond in 0..<(s.kernelWidth + lanes - 1) / lanes + 1 {
                        store(code + s.outWidth + beyond * lanes, splat(-1))
                    }
                    nextRow += 1
                }
                bestRows(s, values, rows + nextWindow % count * pitch, first, end, top, pitch)
                nextWindow += 1
            }
            let sums = work + (4 + (r & 1)) * pitch + margin
            sumRows(s, g, rows, sums, r, last, pitch)
        }
        // One row behind, for the sums of this one were stored just now.
        guard r > 0 else { continue }
        let code = codes + (r - 1) % count * pitch + margin, sum = work + (4 + ((r - 1) & 1)) * pitch + margin
        let out = dx + (r - 1) * s.inWidth
        var c = 0
        while c + lanes <= s.inWidth {
            let v = chosen(s, sum + c, code + c)
            store(out + c, accumulate ? load(out + c) + v : v)
            c += lanes
        }
        if c < s.inWidth {
            let m = s.inWidth - c
            let v = chosen(s, sum + c, code + c)
            store(out + c, accumulate ? load(out + c, m) + v : v, m)
        }
    }
}

/// One vector of the sum over the windows along the row that chose each element.
@inline(always) private func chosen(_ s: trellis_pool, _ sum: UnsafePointer<Float>, _ code: UnsafePointer<Float>) -> V {
    var v = V.zero
    var k = 0
    while k < s.kernelWidth {
        let at = s.padWidth - k
        v += V.zero.replacing(with: load(sum + at), where: load(code + at) .== splat(Float(k)))
        k += 1
    }
    return v
}

/// Σ g of the windows whose best row is input row r, for each window's column.
@inline(always) private func sumRows(
    _ s: trellis_pool, _ g: UnsafePointer<Float>, _ rows: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>, _ r: Int,
    _ last: Int, _ pitch: Int
) {
    let low = r + s.padHeight - s.kernelHeight + 1
    let firstWindow = low < 0 ? 0 : low
    let firstSlot = firstWindow % ringRows(s) * pitch, ringEnd = ringRows(s) * pitch
    var j = 0
    while j < s.outWidth {
        var v = V.zero
        var i = firstWindow
        var slot = firstSlot
        while i <= last {
            let hit = load(rows + slot + j) .== splat(Float(r - i + s.padHeight))
            v += V.zero.replacing(with: loadUpTo(g + i * s.outWidth + j, s.outWidth - j), where: hit)
            slot = following(slot, pitch, ringEnd)
            i += 1
        }
        // Beyond the last window g was loaded as zeros.
        store(sums + j, v)
        j += lanes
    }
}

/// For each window of one row of windows: which of its rows has the (first) best value, counted from the window's top.
@inline(always) private func bestRows(
    _ s: trellis_pool, _ values: UnsafePointer<Float>, _ rows: UnsafeMutablePointer<Float>, _ first: Int, _ end: Int,
    _ top: Int, _ pitch: Int
) {
    let count = ringRows(s)
    let firstSlot = first % count * pitch, ringEnd = count * pitch
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
