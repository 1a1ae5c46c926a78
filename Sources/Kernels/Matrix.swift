import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// Products of row-major float32 matrices.
public enum Matrix {
    /// c = alpha op(a) op(b) + beta c, with op(a) of m x k, op(b) of k x n; `lda`, `ldb`, `ldc` are row lengths in elements.
    /// With beta 0, c is not read.
    public static func multiply(
        transposeA: Bool = false, transposeB: Bool = false, m: Int, n: Int, k: Int, alpha: Float = 1,
        a: UnsafePointer<Float>, lda: Int, b: UnsafePointer<Float>, ldb: Int, beta: Float = 0,
        c: UnsafeMutablePointer<Float>, ldc: Int
    ) {
        guard m > 0, n > 0 else { return }
        guard k > 0 else {
            // A sum of nothing.
            for row in 0..<m { for column in 0..<n { c[row * ldc + column] = beta == 0 ? 0 : beta * c[row * ldc + column] } }
            return
        }
        // Our tile walks all of k for each of its results: past some hundred rows of b it leaves the caches' reach.
        if k > 512, m * n * k >= 1 << 24, max(m, n, k, lda, ldb, ldc) <= Int(Int32.max), let product = BLAS.product() {
            split(m, n) { row, rows, column, columns in
                product(
                    101, transposeA ? 112 : 111, transposeB ? 112 : 111, Int32(rows), Int32(columns), Int32(k), alpha,
                    a + (transposeA ? row : row * lda), Int32(lda), b + (transposeB ? column * ldb : column), Int32(ldb), beta,
                    c + row * ldc + column, Int32(ldc))
            }
            return
        }
        choose(KernelsV4.multiply, KernelsV3.multiply, KernelsV2.multiply)(
            transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, ThreadPool.run)
    }

    /// Cuts a large product's result into strips along its longer side, by the shape alone.
    private static func split(_ m: Int, _ n: Int, _ body: (Int, Int, Int, Int) -> Void) {
        let byRows = m >= n, size = max(m, n), strip = max(96, (size / 8 + 47) / 48 * 48)
        ThreadPool.run((size + strip - 1) / strip) { piece in
            let first = piece * strip, count = min(strip, size - first)
            if byRows { body(first, count, 0, n) } else { body(0, m, first, count) }
        }
    }

    /// `batch` products, each operand at its own stride (in elements; 0 repeats it).
    public static func multiplyBatched(
        batch: Int, strideA: Int, strideB: Int, strideC: Int, transposeA: Bool = false, transposeB: Bool = false,
        m: Int, n: Int, k: Int, alpha: Float = 1, a: UnsafePointer<Float>, lda: Int, b: UnsafePointer<Float>, ldb: Int,
        beta: Float = 0, c: UnsafeMutablePointer<Float>, ldc: Int
    ) {
        let one = { (i: Int) in
            multiply(
                transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k, alpha: alpha, a: a + i * strideA, lda: lda,
                b: b + i * strideB, ldb: ldb, beta: beta, c: c + i * strideC, ldc: ldc)
        }
        // Many small products go one to a piece (what they split themselves then runs in place); a few large ones split.
        if batch >= 8 && strideC != 0 {
            ThreadPool.run(batch, one)
        } else {
            for i in 0..<batch { one(i) }
        }
    }
}
