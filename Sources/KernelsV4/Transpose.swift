import CKernels

/// to[c * toStride + r] = from[r * fromStride + c], for rows and columns up to the number of lanes.
@inline(always)
func transposeSquare(
    _ from: UnsafePointer<Float>, _ fromStride: Int, _ to: UnsafeMutablePointer<Float>, _ toStride: Int, _ rows: Int, _ columns: Int
) {
    #if KernelsV4
    trellis_transpose16(from, fromStride, to, toStride, rows, columns)
    #else
    if rows == lanes && columns == lanes {
        #if KernelsV3
        trellis_transpose8(from, fromStride, to, toStride)
        #else
        trellis_transpose4(to, toStride, from, fromStride)
        #endif
        return
    }
    #if KernelsV3
    if rows * columns > 16 {
        trellis_transpose8_part(from, fromStride, to, toStride, rows, columns)
        return
    }
    #endif
    for r in 0..<rows {
        for c in 0..<columns { to[c * toStride + r] = from[r * fromStride + c] }
    }
    #endif
}

/// to[c * toStride + r] = from[r * fromStride + c] for any number of rows and columns.
@inline(never)
func transpose(
    _ from: UnsafePointer<Float>, _ fromStride: Int, _ rows: Int, _ columns: Int, _ to: UnsafeMutablePointer<Float>, _ toStride: Int
) {
    var r = 0
    while r < rows {
        let height = smaller(lanes, rows - r)
        var c = 0
        while c < columns {
            transposeSquare(from + r * fromStride + c, fromStride, to + c * toStride + r, toStride, height, smaller(lanes, columns - c))
            c += lanes
        }
        r += lanes
    }
}
