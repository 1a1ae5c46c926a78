import Kernels

/// (queries [B, L, D], keys [B, S, D], values [B, S, E]) -> [B, L, E]: softmax(q kᵀ · scale) v, rows of queries at a time, so that memory grows with S and not
/// with L · S (Rabe and Staats, 2021; Dao et al., 2022). `causal`: query i sees the keys up to i.
struct AttentionRule: OperationRule {
    let scale: Float
    let causal: Bool

    var name: String { "attention" }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let (q, k, v) = (x[0].shape, x[1].shape, x[2].shape)
        guard q.count == 3, k.count == 3, v.count == 3, q[0] == k[0], k[0] == v[0], q[2] == k[2], k[1] == v[1], k[1] > 0 else {
            throw TensorError(
                name, "expects queries [..., L, D], keys [..., S, D] and values [..., S, E] with S of 1 or more, got \(x.map { Shapes.text($0.shape) }.joined(separator: ", "))")
        }
        return [q[0], q[1], v[2]]
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let all = try Operation(AttentionGradientRule(scale: scale, causal: causal))(x[0], x[1], x[2], g)
        var start = 0
        return try x.map { input in
            defer { start += input.count }
            return input.requiresGrad ? try all.narrow(0, start, input.count).reshape(input.shape) : nil
        }
    }

    func decomposition(_ x: [Tensor]) throws -> Tensor? { try AttentionRule.weights(x, scale, causal: causal).matmul(x[2]) }

    /// The softmax as a whole, [B, L, S].
    static func weights(_ x: [Tensor], _ scale: Float, causal: Bool) throws -> Tensor {
        var scores = try x[0].matmul(x[1].transpose(1, 2)) * scale
        if causal {
            let (rows, columns) = (x[0].shape[1], x[1].shape[1])
            var mask = [Float](repeating: 0, count: rows * columns)
            for i in 0..<rows { for j in min(i + 1, columns)..<columns { mask[i * columns + j] = -.infinity } }
            scores = try scores + Tensor(mask, shape: [rows, columns])
        }
        return try scores.softmax(2)
    }

    func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int { saturatingProduct(x[0][0] * x[0][1], saturatingProduct(x[1][1], x[0][2] + x[2][2])) }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let job = AttentionJob(x, scale: scale, causal: causal)
        return { p in
            let scratch = try Storage(count: job.blockCount, for: "attention")
            job.eachBlock { b, first, rows in
                let weights = scratch.floats
                job.weights(p, b, first, rows, into: weights)
                Matrix.multiply(
                    transposeA: false, transposeB: false, m: rows, n: job.e, k: job.s, alpha: 1, a: weights, lda: job.s, b: p.floats(2) + b * job.s * job.e,
                    ldb: job.e, beta: 0, c: p.floats(3) + (b * job.l + first) * job.e, ldc: job.e)
            }
            withExtendedLifetime(scratch) {}
        }
    }
}

/// (queries, keys, values, gradient [B, L, E]) -> the derivatives of `AttentionRule` by the first three, one behind the other as one row of numbers. What the
/// forward pass did not keep is computed again.
struct AttentionGradientRule: OperationRule {
    let scale: Float
    let causal: Bool

    var name: String { "attention_gradient" }
    var traits: OperationTraits { OperationTraits(isOfDerivative: true) }
    func shape(_ x: [Tensor]) throws -> [Int] { [x[0].count + x[1].count + x[2].count] }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try derivativeOfDecomposition(x, g) }

    func decomposition(_ x: [Tensor]) throws -> Tensor? {
        let (q, k, v, g) = (x[0], x[1], x[2], x[3])
        let weights = try AttentionRule.weights(x, scale, causal: causal)
        let dWeights = try g.matmul(v.transpose(1, 2))
        let dScores = try weights * (dWeights - (weights * dWeights).sum([2], keep: true)) * scale
        let parts = try [dScores.matmul(k), dScores.transpose(1, 2).matmul(q), weights.transpose(1, 2).matmul(g)]
        return try Tensor.concat(parts.map { try $0.reshape([$0.count]) }, 0)
    }

    func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int { saturatingProduct(x[0][0] * x[0][1], saturatingProduct(x[1][1], 3 * x[0][2] + 2 * x[2][2])) }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let job = AttentionJob(x, scale: scale, causal: causal)
        let (l, s, d, e) = (job.l, job.s, job.d, job.e)
        return { p in
            let scratch = try Storage(count: 3 * job.blockCount, for: "attention")
            let weights = scratch.floats, dWeights = weights + job.blockCount, dScores = dWeights + job.blockCount
            let dq = p.floats(4), dk = dq + job.batch * l * d, dv = dk + job.batch * s * d
            dk.update(repeating: 0, count: job.batch * s * (d + e))
            job.eachBlock { b, first, rows in
                let (q, k, v) = (p.floats(0) + (b * l + first) * d, p.floats(1) + b * s * d, p.floats(2) + b * s * e)
                let g = p.floats(3) + (b * l + first) * e
                job.weights(p, b, first, rows, into: weights)
                Matrix.multiply(
                    transposeA: true, transposeB: false, m: s, n: e, k: rows, alpha: 1, a: weights, lda: s, b: g, ldb: e, beta: 1, c: dv + b * s * e, ldc: e)
                Matrix.multiply(transposeA: false, transposeB: true, m: rows, n: s, k: e, alpha: 1, a: g, lda: e, b: v, ldb: e, beta: 0, c: dWeights, ldc: s)
                Softmax.backward(outer: rows, n: s, inner: 1, y: weights, g: dWeights, dx: dScores)
                Matrix.multiply(
                    transposeA: false, transposeB: false, m: rows, n: d, k: s, alpha: job.scale, a: dScores, lda: s, b: k, ldb: d, beta: 0,
                    c: dq + (b * l + first) * d, ldc: d)
                Matrix.multiply(
                    transposeA: true, transposeB: false, m: s, n: d, k: rows, alpha: job.scale, a: dScores, lda: s, b: q, ldb: d, beta: 1, c: dk + b * s * d, ldc: d)
            }
            withExtendedLifetime(scratch) {}
        }
    }
}

/// The sizes of an attention, and how it is cut into rows of queries.
private struct AttentionJob {
    /// Rows of a block: enough for a matrix product to pay.
    private static let block = 64
    let batch, l, s, d, e: Int
    let scale: Float
    let causal: Bool

    init(_ x: [Operand], scale: Float, causal: Bool) {
        (batch, l, s, d, e) = (x[0].shape[0], x[0].shape[1], x[1].shape[1], x[0].shape[2], x[2].shape[2])
        (self.scale, self.causal) = (scale, causal)
    }

    /// Numbers of a block's weights.
    var blockCount: Int { min(AttentionJob.block, max(l, 1)) * s }

    func eachBlock(_ body: (_ batch: Int, _ first: Int, _ rows: Int) -> Void) {
        for b in 0..<batch {
            for first in stride(from: 0, to: l, by: AttentionJob.block) { body(b, first, min(AttentionJob.block, l - first)) }
        }
    }

    /// softmax(q kᵀ · scale) of some rows.
    func weights(_ p: UnsafeMutablePointer<UnsafeMutableRawPointer>, _ b: Int, _ first: Int, _ rows: Int, into weights: UnsafeMutablePointer<Float>) {
        Matrix.multiply(
            transposeA: false, transposeB: true, m: rows, n: s, k: d, alpha: scale, a: p.floats(0) + (b * l + first) * d, lda: d, b: p.floats(1) + b * s * d, ldb: d,
            beta: 0, c: weights, ldc: s)
        if causal {
            for i in 0..<rows { for j in min(first + i + 1, s)..<s { weights[i * s + j] = -.infinity } }
        }
        Softmax.forward(outer: rows, n: s, inner: 1, weights, weights)
    }
}

extension Tensor {
    /// softmax(self · keysᵀ · scale) · values, [..., L, D], [..., S, D] and [..., S, E] to [..., L, E]; memory grows with S, not with L · S.
    /// - Parameters:
    ///   - scale: 1/√D when nil.
    ///   - causal: query i sees the keys up to i.
    public func attention(keys: Tensor, values: Tensor, scale: Float? = nil, causal: Bool = false) throws -> Tensor {
        guard rank >= 2, keys.rank == rank, values.rank == rank, keys.shape.dropLast(2) == shape.dropLast(2), values.shape.dropLast(2) == shape.dropLast(2) else {
            throw TensorError(
                "attention", "queries, keys and values should have equal leading sizes, got \([self, keys, values].map { Shapes.text($0.shape) }.joined(separator: ", "))")
        }
        let batch = shape.dropLast(2).reduce(1, *)
        func flat(_ x: Tensor) throws -> Tensor { try x.reshape([batch] + x.shape.suffix(2)) }
        let rule = AttentionRule(scale: scale ?? 1 / Float(max(shape[rank - 1], 1)).squareRoot(), causal: causal)
        let call = PyTorchCall("F.scaled_dot_product_attention", inputs: 3, causal ? "is_causal=True" : "", scale.map { "scale=\($0)" } ?? "")
        return try Tensor.whole("attention", [self, keys, values], call) {
            let result = try Operation(rule)(flat(self), flat(keys), flat(values))
            return try result.reshape(shape.dropLast() + [values.shape[values.rank - 1]])
        }
    }
}
