// Between rows of an image and rows of tiles. A tile column meets every m-th pixel (times the rate), so rows are split into m lines by residue: there
// neighbouring tile columns, which lanes are, lie side by side.

/// Where place l of line i, counted from tile column `first`, lies in a row: pixel rate · (m t + i) + r - pad for the column t · rate + r. It rises
/// with l.
private struct RowPlaces {
    let m: Int, rate: Int, first: Int, offset: Int

    @inline(always) init(_ m: Int, _ rate: Int, _ first: Int, _ offset: Int) {
        self.m = m
        self.rate = rate
        self.first = first
        self.offset = offset
    }

    @inline(always) func pixel(_ l: Int) -> Int {
        let t = (first + l) / rate
        return rate * m * t + first + l - t * rate + offset
    }

    @inline(always) func isStart(_ l: Int) -> Bool { (first + l) % rate == 0 }
}

/// What tile columns `first ..< first + count` meet of one source row, as `grid.m` lines; `source` is nil for a row of padding. Each line ends in zeros
/// for a whole vector.
@inline(never)
func splitRow(
    _ grid: TileGrid, _ source: UnsafePointer<Float>?, _ width: Int, _ pad: Int, _ first: Int, _ count: Int, _ target: UnsafeMutablePointer<Float>, _ line: Int
) {
    let rate = grid.rateX, step = rate * grid.m
    for i in 0..<grid.m {
        let to = target + i * line, places = RowPlaces(grid.m, rate, first, rate * i - pad)
        guard let source else {
            clear(to, count + lanes)
            continue
        }
        var l = 0
        while l < count, !places.isStart(l) || places.pixel(l) < 0 {
            let x = places.pixel(l)
            to[l] = x >= 0 && x < width ? source[x] : 0
            l += 1
        }
        // Whole runs of `rate` pixels that lie inside.
        let x = l < count ? places.pixel(l) : 0
        let runs = l < count && x + rate <= width ? smaller((count - l) / rate, (width - rate - x) / step + 1) : 0
        copyRuns(source + x, step, to + l, rate, rate, runs)
        l += runs * rate
        while l < count {
            let x = places.pixel(l)
            to[l] = x < width ? source[x] : 0
            l += 1
        }
        clear(to + count, lanes)
    }
}

/// Copies `runs` runs of `rate` elements.
@inline(always)
private func copyRuns(
    _ from: UnsafePointer<Float>, _ fromStep: Int, _ to: UnsafeMutablePointer<Float>, _ toStep: Int, _ rate: Int, _ runs: Int
) {
    var p = from, q = to
    switch rate {
    case 1:
        for _ in 0..<runs {
            q[0] = p[0]
            p += fromStep
            q += toStep
        }
    case 2:
        for _ in 0..<runs {
            (q[0], q[1]) = (p[0], p[1])
            p += fromStep
            q += toStep
        }
    default:
        for _ in 0..<runs {
            copyRow(p, q, rate, false)
            p += fromStep
            q += toStep
        }
    }
}

/// The way back: outputs of `count` tile columns, in lines by residue, to their places in a row of the output; added to what is there with
/// `accumulate`, and rectified then.
@inline(never)
func joinRow(
    _ grid: TileGrid, _ source: UnsafePointer<Float>, _ line: Int, _ first: Int, _ count: Int, _ finish: Finish, _ target: UnsafeMutablePointer<Float>
) {
    let rate = grid.rateX, step = rate * grid.m, width = grid.width
    for i in 0..<grid.m {
        let from = source + i * line, places = RowPlaces(grid.m, rate, first, rate * i)
        var l = 0
        while l < count, !places.isStart(l) {
            let x = places.pixel(l)
            if x < width { finish.single(target + x, from[l]) }
            l += 1
        }
        let x = l < count ? places.pixel(l) : 0
        let runs = l < count && x + rate <= width ? smaller((count - l) / rate, (width - rate - x) / step + 1) : 0
        if finish.accumulate && rate < lanes {
            for run in 0..<runs {
                for k in 0..<rate { finish.single(target + x + run * step + k, from[l + run * rate + k]) }
            }
        } else if finish.accumulate {
            for run in 0..<runs { finish.row(from + l + run * rate, target + x + run * step, rate) }
        } else {
            copyRuns(from + l, rate, target + x, step, rate, runs)
        }
        l += runs * rate
        while l < count {
            let x = places.pixel(l)
            if x >= width { break }
            finish.single(target + x, from[l])
            l += 1
        }
    }
}
