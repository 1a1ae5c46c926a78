import CKernels

/// How an output plane is cut into tiles. Tiles of a row of tiles are numbered column residue first, so that neighbouring tiles of a wide atrous
/// kernel read neighbouring columns. Rows of tiles are numbered through all images.
struct TileGrid {
    /// Outputs of a tile on a side.
    let m: Int
    let batch, height, width: Int
    let rate, rateX: Int
    let rowsPerImage, columns: Int

    init(_ s: trellis_conv) {
        m = 9 - s.kernelHeight
        batch = s.batch
        height = s.outHeight
        width = s.outWidth
        rate = s.dilationHeight
        rateX = s.dilationWidth
        rowsPerImage = TileGrid.count(s.outHeight, m, rate)
        columns = TileGrid.count(s.outWidth, m, rateX)
    }

    /// Tiles that have an output, of `size` outputs at this rate.
    private static func count(_ size: Int, _ m: Int, _ rate: Int) -> Int {
        let whole = (size - 1) / (m * rate)
        return whole * rate + smaller(rate, size - whole * m * rate)
    }

    var rows: Int { batch * rowsPerImage }

    /// First output row of a row of tiles within its image; the next is `rate` further.
    @inline(always) func top(_ row: Int) -> Int { row / rate * m * rate + row % rate }

    /// Rows of tiles of a piece: as many as keep factors and products in the second-level cache, and so that whole register tiles are filled
    /// and two threads have the same to do.
    func rowsOfPiece(_ channels: Int) -> Int {
        let most = smaller(4, larger(2, 98304 / (64 * channels * tileWidth))) * tileWidth
        var (best, least) = (1, Int.max)
        for count in 1...larger(1, smaller(rows, most / columns)) {
            let cost = ceilDivide(ceilDivide(rows, count), 2) * ceilDivide(count * columns, tileWidth)
            if cost <= least { (best, least) = (count, cost) }
        }
        return best
    }
}

/// Where the pixels of a row lie in rows of tiles, and the way back: the same for all rows.
///
/// A tile column meets every m-th pixel (times the rate). Rows are split into lines by residue, in which neighbouring tile columns, which lanes are,
/// lie side by side: line i of tile column t · rate + r holds pixel rate · (m t + i) + r.
struct TilePlaces {
    let line: Int
    /// [m][line]: pixel of the source row, or -1 where there is padding. A line goes on for the tile column after the last.
    private let split: UnsafeMutablePointer<Int32>
    /// Of each pixel of an output row: its line times `stride`, plus its tile column.
    private let join: UnsafeMutablePointer<Int32>

    static func floats(_ grid: TileGrid) -> Int { grid.m * lineLength(grid) + grid.width }
    private static func lineLength(_ grid: TileGrid) -> Int { grid.columns + grid.rateX }

    /// In `memory` of `floats` elements.
    init(_ grid: TileGrid, _ s: trellis_conv, stride: Int, _ memory: UnsafeMutablePointer<Float>) {
        line = TilePlaces.lineLength(grid)
        split = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: Int32.self)
        join = split + grid.m * line
        let rate = grid.rateX
        for i in 0..<grid.m {
            for l in 0..<line {
                let pixel = rate * (grid.m * (l / rate) + i) + l % rate
                let source = pixel - s.padWidth
                split[i * line + l] = source >= 0 && source < s.inWidth ? Int32(source) : -1
                if l < grid.columns && pixel < grid.width { join[pixel] = Int32(i * stride + l) }
            }
        }
    }

    /// What the tile columns meet of a source row (nil: of padding), as `grid.m` lines `step` apart. A line's rest, of the tile column after the last, lies
    /// where the next row of tiles goes.
    @inline(always)
    func splitRow(_ grid: TileGrid, _ source: UnsafePointer<Float>?, _ target: UnsafeMutablePointer<Float>, _ step: Int) {
        for i in 0..<grid.m {
            if let source { trellis_gather(source, split + i * line, target + i * step, line) } else { clear(target + i * step, line) }
        }
    }

    /// The rest of a source row's eight lines: those of the next tile column.
    @inline(always)
    func addNeighbours(_ grid: TileGrid, _ target: UnsafeMutablePointer<Float>, _ step: Int) {
        for j in grid.m..<8 { copyRow(target + (j - grid.m) * step + grid.rateX, target + j * step, grid.columns, false) }
    }

    /// An output row from the lines at `from`.
    @inline(always)
    func joinRow(_ from: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ width: Int) { trellis_gather(from, join, target, width) }
}
