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
        switch InstructionSet.current {
        case .v4: KernelsV4.referenceMultiply(transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
        case .v3: KernelsV3.referenceMultiply(transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
        case .v2: KernelsV2.referenceMultiply(transposeA, transposeB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
        }
    }

    /// `batch` products, each operand at its own stride (in elements; 0 repeats it).
    public static func multiplyBatched(
        batch: Int, strideA: Int, strideB: Int, strideC: Int, transposeA: Bool = false, transposeB: Bool = false,
        m: Int, n: Int, k: Int, alpha: Float = 1, a: UnsafePointer<Float>, lda: Int, b: UnsafePointer<Float>, ldb: Int,
        beta: Float = 0, c: UnsafeMutablePointer<Float>, ldc: Int
    ) {
        for i in 0..<batch {
            multiply(
                transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k, alpha: alpha, a: a + i * strideA, lda: lda,
                b: b + i * strideB, ldb: ldb, beta: beta, c: c + i * strideC, ldc: ldc)
        }
    }
}
