import CKernels

// Strided copies of float rows and planes.

/// d[i·dStride] = s[i·sStride].
public func copyRow(_ d: UnsafeMutablePointer<Float>, _ dStride: Int, _ s: UnsafePointer<Float>, _ sStride: Int, _ n: Int) {
    if dStride == 1 {
        gatherStrided(d, s, sStride, n)
    } else if sStride == 1 {
        scatterStrided(d, dStride, s, n)
    } else {
        for i in 0..<n { d[i &* dStride] = s[i &* sStride] }
    }
}

/// Transposes: d[c·dPitch + r] = s[r·sPitch + c] for r < rows, c < columns. In squares of 16 so that both sides stay in the
/// first-level cache, and within these in registers, four by four.
public func transposePlane(
    _ d: UnsafeMutablePointer<Float>, _ dPitch: Int, _ s: UnsafePointer<Float>, _ sPitch: Int, _ rows: Int, _ columns: Int
) {
    let wholeRows = rows & ~3, wholeColumns = columns & ~3
    var r0 = 0
    while r0 < wholeRows {
        let rEnd = wholeRows - r0 < 16 ? wholeRows : r0 + 16
        var c = 0
        while c < wholeColumns {
            var r = r0
            while r < rEnd {
                trellis_transpose4(d + c * dPitch + r, dPitch, s + r * sPitch + c, sPitch)
                r += 4
            }
            c += 4
        }
        r0 = rEnd
    }
    for r in 0..<rows {
        for c in (r < wholeRows ? wholeColumns : 0)..<columns { d[c * dPitch + r] = s[r * sPitch + c] }
    }
}
