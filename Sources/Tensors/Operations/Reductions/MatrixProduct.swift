import Kernels

/// Of matrices [..., m, k] and [..., k, n] with equal leading sizes, either transposed or not.
struct MatrixProductRule: OperationRule {
    let transposeA, transposeB: Bool

    var name: String { "matmul" }
    var operands: OperandTypes { .alike }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let (a, b) = (x[0].shape, x[1].shape)
        guard a.count >= 2, b.count >= 2 else {
            throw TensorError("matmul", "expects matrices, got \(Shapes.text(a)) and \(Shapes.text(b))")
        }
        let (m, k) = transposeA ? (a[a.count - 1], a[a.count - 2]) : (a[a.count - 2], a[a.count - 1])
        let (k2, n) = transposeB ? (b[b.count - 1], b[b.count - 2]) : (b[b.count - 2], b[b.count - 1])
        guard k == k2 else {
            throw TensorError("matmul", "inner sizes differ: \(Shapes.text(a)) has \(k) columns, \(Shapes.text(b)) has \(k2) rows")
        }
        guard a.dropLast(2).elementsEqual(b.dropLast(2)) else {
            throw TensorError("matmul", "leading sizes differ: \(Shapes.text(a)) and \(Shapes.text(b))")
        }
        return a.dropLast(2) + [m, n]
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let (a, b) = (x[0], x[1])
        return [
            transposeA
                ? try Operation.matmul(transposeA: transposeB, transposeB: true)(b, g) : try Operation.matmul(transposeA: false, transposeB: !transposeB)(g, b),
            transposeB
                ? try Operation.matmul(transposeA: true, transposeB: transposeA)(g, a) : try Operation.matmul(transposeA: !transposeA, transposeB: false)(a, g),
        ]
    }

    func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int { saturatingProduct(y.reduce(1, *), x[0].dropLast(transposeA ? 1 : 0).last ?? 1) }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (tA, tB) = (transposeA, transposeB)
        let (a, b, c) = (x[0].shape, x[1].shape, y.shape)
        let (m, n) = (c[c.count - 2], c[c.count - 1])
        let k = tA ? a[a.count - 2] : a[a.count - 1]
        let (lda, ldb) = (a[a.count - 1], b[b.count - 1])
        let batch = c.dropLast(2).reduce(1, *)
        if y.dtype == .int32 { return Integers.product(batch: batch, m: m, n: n, k: k, transposed: (tA, tB)) }
        if batch == 1 {
            return { p in
                Matrix.multiply(
                    transposeA: tA, transposeB: tB, m: m, n: n, k: k, alpha: 1, a: p.floats(0), lda: lda, b: p.floats(1), ldb: ldb, beta: 0,
                    c: p.floats(2), ldc: n)
            }
        }
        return { p in
            Matrix.multiplyBatched(
                batch: batch, strideA: m * k, strideB: k * n, strideC: m * n, transposeA: tA, transposeB: tB, m: m, n: n, k: k, alpha: 1,
                a: p.floats(0), lda: lda, b: p.floats(1), ldb: ldb, beta: 0, c: p.floats(2), ldc: n)
        }
    }
}
