import Tensors

/// Batch normalisation (Ioffe and Szegedy, 2015) of x [N, C, ...] over all but the channels.
///
/// In training it uses the batch's statistics and moves the running ones towards them (the variance made unbiased, as in PyTorch);
/// in evaluation, and where a channel has one value only, it uses the running ones.
public final class BatchNorm: Module {
    public let gamma: Tensor?
    public let beta: Tensor?
    /// Running mean and variance, [2, C].
    public let statistics: Tensor
    public let epsilon: Float
    public let momentum: Float
    private let channels: Int

    public init(_ channels: Int, affine: Bool = true, epsilon: Float = 1e-5, momentum: Float = 0.1) throws {
        guard channels > 0 else { throw TensorError("batch_norm", "channels should be 1 or more, got \(channels)") }
        self.channels = channels
        self.epsilon = epsilon
        self.momentum = momentum
        gamma = affine ? try Tensor.ones([channels]).requireGrad() : nil
        beta = affine ? try Tensor.zeros([channels]).requireGrad() : nil
        statistics = try Tensor.concat([Tensor.zeros([1, channels]), Tensor.ones([1, channels])], 0)
    }

    public override var kind: String { "batch_norm" }
    public override var details: String { "\(channels)" + (gamma == nil ? ", not affine" : "") }
    public override var ownParameters: [Named] {
        guard let gamma, let beta else { return [] }
        return [("weight", gamma), ("bias", beta)]
    }
    public override var ownBuffers: [Named] {
        guard let mean = try? statistics.select(0, 0), let variance = try? statistics.select(0, 1) else { return [] }
        return [("running_mean", mean), ("running_var", variance)]
    }

    public override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank >= 2, x.shape[1] == channels else {
            throw TensorError("batch_norm", "expects [N, \(channels), ...], got \(x.shape)")
        }
        let values = x.count / channels
        guard isTraining, values > 1 else {
            return try x.batchNorm(statistics: statistics, gamma: gamma, beta: beta, epsilon: epsilon)
        }
        return try x.batchNorm(updating: statistics, momentum: momentum, gamma: gamma, beta: beta, epsilon: epsilon)
    }
}
