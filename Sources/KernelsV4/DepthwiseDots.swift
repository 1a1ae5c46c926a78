// The weight gradient of a depthwise convolution of one plane at stride 1: products of the gradient with the packed plane under each tap, added up in
// a vector for each tap. Four rows of gradient stay in registers for a column of taps, so that its source rows, of which neighbouring taps
// share most, are loaded once: loads bind, because most of them cross a line. With two rows at a time 3x3 takes 1.3 and 5x5 1.6 times as long.

/// A packed plane (`packPlane`) and the grid of gradients over it; `source` is the position of gradient (0, 0)'s first tap.
struct PlaneTaps {
    let source: UnsafePointer<Float>
    let rowStride, height, width, dilationHeight, dilationWidth: Int
}

/// Vectors of partial sums for some columns of taps.
private protocol TapSums {
    init()
    /// Adds the products of four rows of gradient, or of one, with the source rows from `p` on, which are `step` apart as columns are `column`.
    mutating func add(_ g: Four, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int)
    mutating func add(_ g: V, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int)
}

extension PlaneTaps {
    var step: Int { rowStride * dilationHeight }

    /// The sums of a plane, for taps that begin `shift` elements into its source. (Loops and not closures: those would keep the sums in memory.)
    @inline(always)
    fileprivate func sums<Sums: TapSums>(_ g: UnsafePointer<Float>, _ shift: Int, _ kind: Sums.Type) -> Sums {
        var sums = Sums()
        let below = dilationHeight * width
        for residue in 0..<smaller(dilationHeight, height) {
            var y = residue
            while y + 3 * dilationHeight < height {
                let p = source + (shift + y * rowStride), q = g + y * width
                var x = 0
                while x < width {
                    sums.add(Four(q + x, below, smaller(lanes, width - x)), p + x, step, dilationWidth)
                    x += lanes
                }
                y += 4 * dilationHeight
            }
            while y < height {
                let p = source + (shift + y * rowStride), q = g + y * width
                var x = 0
                while x < width {
                    sums.add(load(q + x, smaller(lanes, width - x)), p + x, step, dilationWidth)
                    x += lanes
                }
                y += dilationHeight
            }
        }
        return sums
    }
}

/// Vectors of four rows of gradient.
private struct Four {
    let a, b, c, d: V

    @inline(always) init(_ g: UnsafePointer<Float>, _ below: Int, _ n: Int) {
        if n == lanes {
            (a, b, c, d) = (load(g), load(g + below), load(g + 2 * below), load(g + 3 * below))
        } else {
            (a, b, c, d) = (load(g, n), load(g + below, n), load(g + 2 * below, n), load(g + 3 * below, n))
        }
    }

    @inline(always) func dot(_ sum: V, _ x0: V, _ x1: V, _ x2: V, _ x3: V) -> V { fma(fma(fma(fma(sum, a, x0), b, x1), c, x2), d, x3) }
}

/// The sums of one column of taps.
private protocol ColumnSums: TapSums {
    mutating func add(_ g: Four, _ p: UnsafePointer<Float>, _ step: Int)
    mutating func add(_ g: V, _ p: UnsafePointer<Float>, _ step: Int)
}

extension ColumnSums {
    @inline(always) fileprivate mutating func add(_ g: Four, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int) { add(g, p, step) }
    @inline(always) fileprivate mutating func add(_ g: V, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int) { add(g, p, step) }
}

/// The sums of a column of three taps.
private struct ThreeSums: ColumnSums {
    var a = V.zero, b = V.zero, c = V.zero

    @inline(always) mutating func add(_ g: Four, _ p: UnsafePointer<Float>, _ step: Int) {
        let x1 = load(p + step), x2 = load(p + 2 * step), x3 = load(p + 3 * step), x4 = load(p + 4 * step)
        a = g.dot(a, load(p), x1, x2, x3)
        b = g.dot(b, x1, x2, x3, x4)
        c = g.dot(c, x2, x3, x4, load(p + 5 * step))
    }

    @inline(always) mutating func add(_ g: V, _ p: UnsafePointer<Float>, _ step: Int) {
        a = fma(a, g, load(p))
        b = fma(b, g, load(p + step))
        c = fma(c, g, load(p + 2 * step))
    }
}

/// The sums of a column of five taps.
private struct FiveSums: ColumnSums {
    var a = V.zero, b = V.zero, c = V.zero, d = V.zero, e = V.zero

    @inline(always) mutating func add(_ g: Four, _ p: UnsafePointer<Float>, _ step: Int) {
        let x1 = load(p + step), x2 = load(p + 2 * step), x3 = load(p + 3 * step)
        a = g.dot(a, load(p), x1, x2, x3)
        let x4 = load(p + 4 * step)
        b = g.dot(b, x1, x2, x3, x4)
        let x5 = load(p + 5 * step)
        c = g.dot(c, x2, x3, x4, x5)
        let x6 = load(p + 6 * step)
        d = g.dot(d, x3, x4, x5, x6)
        e = g.dot(e, x4, x5, x6, load(p + 7 * step))
    }

    @inline(always) mutating func add(_ g: V, _ p: UnsafePointer<Float>, _ step: Int) {
        a = fma(a, g, load(p))
        b = fma(b, g, load(p + step))
        c = fma(c, g, load(p + 2 * step))
        d = fma(d, g, load(p + 3 * step))
        e = fma(e, g, load(p + 4 * step))
    }
}

private struct TwoColumns<Column: ColumnSums>: TapSums {
    var a = Column(), b = Column()

    @inline(always) mutating func add(_ g: Four, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int) {
        a.add(g, p, step)
        b.add(g, p + column, step)
    }

    @inline(always) mutating func add(_ g: V, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int) {
        a.add(g, p, step)
        b.add(g, p + column, step)
    }
}

/// Two columns and one behind them.
private struct ThreeColumns<Column: ColumnSums>: TapSums {
    var ab = TwoColumns<Column>(), c = Column()

    @inline(always) mutating func add(_ g: Four, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int) {
        ab.add(g, p, step, column)
        c.add(g, p + 2 * column, step)
    }

    @inline(always) mutating func add(_ g: V, _ p: UnsafePointer<Float>, _ step: Int, _ column: Int) {
        ab.add(g, p, step, column)
        c.add(g, p + 2 * column, step)
    }
}

/// The products of one plane for 3x3 taps, added to nine vectors of partial sums.
@inline(never)
func dots3(_ taps: PlaneTaps, _ g: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>) {
    let found = taps.sums(g, 0, ThreeColumns<ThreeSums>.self)
    addColumn(sums, 0, found.ab.a)
    addColumn(sums, 1, found.ab.b)
    addColumn(sums, 2, found.c)
}

/// The same for k x k taps (k at least 5), by columns of five kernel rows: two columns at a time, or three where the level has registers for their sums.
@inline(never)
func dotsAny(_ k: Int, _ taps: PlaneTaps, _ g: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>) {
    var ky = 0
    while ky < k {
        // A last group over the edge overlaps the one before; only its new rows count.
        let top = smaller(ky, k - 5)
        var kx = 0
        while kx < k {
            let shift = top * taps.step + kx * taps.dilationWidth
            func put(_ column: Int, _ s: FiveSums) { addColumn(sums, k, kx + column, top, ky - top, s) }
            if lanes == 16, k - kx == 3 || k - kx > 4 {
                let found = taps.sums(g, shift, ThreeColumns<FiveSums>.self)
                put(0, found.ab.a)
                put(1, found.ab.b)
                put(2, found.c)
                kx += 3
            } else if k - kx > 1 {
                let found = taps.sums(g, shift, TwoColumns<FiveSums>.self)
                put(0, found.a)
                put(1, found.b)
                kx += 2
            } else {
                put(0, taps.sums(g, shift, FiveSums.self))
                kx += 1
            }
        }
        ky += 5
    }
}

@inline(always)
private func addColumn(_ sums: UnsafeMutablePointer<Float>, _ kx: Int, _ s: ThreeSums) {
    addTo(sums, kx, s.a)
    addTo(sums, kx + 3, s.b)
    addTo(sums, kx + 6, s.c)
}

@inline(always) private func addTo(_ sums: UnsafeMutablePointer<Float>, _ i: Int, _ v: V) { store(sums + i * lanes, load(sums + i * lanes) + v) }

/// - Parameter skip: rows of the five that are there already.
@inline(always)
private func addColumn(_ sums: UnsafeMutablePointer<Float>, _ k: Int, _ kx: Int, _ top: Int, _ skip: Int, _ s: FiveSums) {
    if skip <= 0 { addTo(sums, top * k + kx, s.a) }
    if skip <= 1 { addTo(sums, (top + 1) * k + kx, s.b) }
    if skip <= 2 { addTo(sums, (top + 2) * k + kx, s.c) }
    if skip <= 3 { addTo(sums, (top + 3) * k + kx, s.d) }
    addTo(sums, (top + 4) * k + kx, s.e)
}
