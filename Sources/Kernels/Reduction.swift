import KernelsV2
import KernelsV3
import KernelsV4

/// Reductions of x, viewed as [outer, n, inner], to [outer, inner]. Fixed order, so the same bits for any number of
/// threads; sums are accurate to a few units in the last place (partial sums of about sqrt(n)). Maximum and minimum are
/// NaN where an element is; over nothing (n = 0) they are -∞ and ∞, and the sum 0.
public enum Reduction {
    public static func sum(outer: Int, n: Int, inner: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        reduce(outer, n, inner, x, y, 0)
    }

    public static func max(outer: Int, n: Int, inner: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        reduce(outer, n, inner, x, y, 1)
    }

    public static func min(outer: Int, n: Int, inner: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        reduce(outer, n, inner, x, y, 2)
    }

    /// Place (from 0) of the first largest element; of the first NaN, if there is one. n must not be 0.
    public static func argmax(outer: Int, n: Int, inner: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Int32>) {
        precondition(n > 0 || outer * inner == 0, "argmax of nothing")
        Lines(outer, n, inner).run { row in
            y[row] = choose(KernelsV4.argmaxRow, KernelsV3.argmaxRow, KernelsV2.argmaxRow)(x + row * n, n)
        } columns: { outer, first, end in
            choose(KernelsV4.argmaxColumns, KernelsV3.argmaxColumns, KernelsV2.argmaxColumns)(
                x + outer * n * inner, n, inner, first, end, y + outer * inner)
        }
    }

    /// Σ a·b, in Double over stretches of 1024.
    public static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
        Float(stretches(count, a, b))
    }

    /// Σ x².
    public static func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
        let sum = stretches(count, x, x)
        if sum.isFinite { return sum }
        // Stretches are added in float32, where squares of numbers from 1e19 on overflow.
        return UnsafeBufferPointer(start: x, count: count).reduce(0.0) { $0 + Double($1) * Double($1) }
    }

    private static func stretches(_ count: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> Double {
        let grain = 16384
        let pieces = (count + grain - 1) / grain
        guard pieces > 0 else { return 0 }
        var total = 0.0
        Workspace.withTemporary(Double.self, pieces) { partial in
            ThreadPool.run(pieces) { piece in
                let first = piece * grain
                partial[piece] = choose(KernelsV4.dotStretch, KernelsV3.dotStretch, KernelsV2.dotStretch)(
                    a + first, b + first, Swift.min(grain, count - first))
            }
            for piece in 0..<pieces { total += partial[piece] }
        }
        return total
    }

    /// Elements of one [n, inner] above which n is cut, so that a few large reductions keep all threads busy.
    private static let largest = 65536

    private static func reduce(
        _ outer: Int, _ n: Int, _ inner: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ kind: Int
    ) {
        guard outer * inner > 0 else { return }
        if n * inner > largest && n > 1 {
            let rows = Swift.max(64, largest / 2 / inner)
            let chunks = (n + rows - 1) / rows
            if chunks > 1 { return reduceInChunks(outer, n, inner, x, y, kind, rows, chunks) }
        }
        Lines(outer, n, inner).run { row in
            y[row] = choose(KernelsV4.reduceRow, KernelsV3.reduceRow, KernelsV2.reduceRow)(x + row * n, n, kind)
        } columns: { outer, first, end in
            choose(KernelsV4.reduceColumns, KernelsV3.reduceColumns, KernelsV2.reduceColumns)(
                x + outer * n * inner, n, inner, first, end, y + outer * inner, kind)
        }
    }

    private static func reduceInChunks(
        _ outer: Int, _ n: Int, _ inner: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ kind: Int,
        _ rows: Int, _ chunks: Int
    ) {
        Workspace.withTemporary(Float.self, outer * chunks * inner) { partial in
            ThreadPool.run(outer * chunks) { piece in
                let first = piece % chunks * rows
                let count = Swift.min(rows, n - first)
                let source = x + (piece / chunks * n + first) * inner
                if inner == 1 {
                    partial[piece] = choose(KernelsV4.reduceRow, KernelsV3.reduceRow, KernelsV2.reduceRow)(source, count, kind)
                } else {
                    choose(KernelsV4.reduceColumns, KernelsV3.reduceColumns, KernelsV2.reduceColumns)(
                        source, count, inner, 0, inner, partial + piece * inner, kind)
                }
            }
            reduce(outer, chunks, inner, partial, y, kind)
        }
    }
}

/// The independent lines along n of [outer, n, inner], cut into pieces by shape: runs of rows where inner is 1, else
/// stretches of columns.
struct Lines {
    private let outer, inner, rowsPerPiece, columnsPerPiece: Int
    private static let grain = 8192

    init(_ outer: Int, _ n: Int, _ inner: Int) {
        self.outer = outer
        self.inner = inner
        let length = Swift.max(1, n)
        rowsPerPiece = Swift.max(1, Lines.grain / length)
        // Whole cache lines of 64 columns.
        columnsPerPiece = Swift.max(64, Lines.grain / length / 64 * 64)
    }

    func run(rows: (Int) -> Void, columns: (_ outer: Int, _ first: Int, _ end: Int) -> Void) {
        if inner == 1 {
            ThreadPool.run((outer + rowsPerPiece - 1) / rowsPerPiece) { piece in
                let first = piece * rowsPerPiece
                for row in first..<Swift.min(first + rowsPerPiece, outer) { rows(row) }
            }
        } else if inner > 0 {
            let stretches = (inner + columnsPerPiece - 1) / columnsPerPiece
            // Several small ones make up a piece.
            let group = stretches > 1 ? 1 : Swift.max(1, rowsPerPiece / inner)
            let pieces = (outer * stretches + group - 1) / group
            ThreadPool.run(pieces) { piece in
                for i in piece * group..<Swift.min(piece * group + group, outer * stretches) {
                    let first = i % stretches * columnsPerPiece
                    columns(i / stretches, first, Swift.min(first + columnsPerPiece, inner))
                }
            }
        }
    }
}
