import Tensors

/// The Euclidean projection of z / τ onto the simplex (Martins and Astudillo 2016): as softmax, but weak options get exactly 0.
public final class Sparsemax: Relaxation {
    public init(temperature: Double = 1) throws { try super.init("sparsemax", isSparse: true, temperature: temperature) }

    public override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights {
        Weights(try Rows(distributionsOf: decision).apply(scaled(logits), fill: Rows.nothing, Sparsemax.project))
    }

    /// Rows of a table [rows, n].
    static func project(_ z: Tensor) throws -> Tensor {
        let n = z.shape[1]
        // How many of the largest are in the support: 1 + k·z_k > z_1 + ... + z_k holds for k = 1 up to that.
        let fixed = z.detach()
        let sorted = try fixed.sort(1, descending: true).values
        let ones = try Tensor((0..<n * n).map { $0 / n <= $0 % n ? Float(1) : 0 }, shape: [n, n])
        let sums = try sorted.matmul(ones)
        let ranks = try Tensor((1...n).map(Float.init), shape: [1, n])
        let within = try (sorted * ranks).scalar(.add, 1).binary(.gt, sums)
        let least = try Tensor.select(within, sorted, Tensor.scalar(Float.greatestFiniteMagnitude)).extremum(1, largest: false).values
        let support = try fixed.binary(.ge, least.reshape([z.shape[0], 1]))
        // Within the support the threshold is the mean of z less 1 / k.
        let threshold = try ((z * support).sum([1], keep: true) - 1) / support.sum([1], keep: true)
        return try (z - threshold).unary(.relu) * support
    }
}
