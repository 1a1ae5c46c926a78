import Tensors

/// Batch normalisation (Ioffe and Szegedy, 2015) of x [N, C, ...] over all but the channels.
///
/// In training it uses the batch's statistics and moves the running ones towards them (the variance made unbiased, as in PyTorch);
/// in evaluation, and where a channel has one value only, it uses the running ones.
public final class BatchNorm: Module {
    public let gamma: Tensor?
    public let beta: Tensor?
    /// Running mean and variance, [2, C], for each branch that the layer has run in; see `branch`.
    private var statistics: [(branch: String, tensor: Tensor)] = []
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
        super.init()
        _ = try running("")
    }

    /// The branch of the network that is being computed. A layer whose weights serve several branches (the arrows into a node of a trellis)
    /// sees other values in each and keeps running statistics for each.
    nonisolated(unsafe) public private(set) static var branch = ""

    public static func inBranch<T>(_ name: String, _ body: () throws -> T) rethrows -> T {
        let before = branch
        branch = name
        defer { branch = before }
        return try body()
    }

    /// Running statistics of a branch, made when it is first met.
    private func running(_ branch: String) throws -> Tensor {
        if let known = statistics.first(where: { $0.branch == branch }) { return known.tensor }
        let fresh = Tensor.zeros([2, channels])
        try fresh.withFloats { for i in 0..<channels { $0[channels + i] = 1 } }
        statistics.append((branch, fresh))
        return fresh
    }

    /// Makes the statistics of branches before they are met, so that a network's state is complete from the start.
    public func prepare(branches: [String]) throws {
        statistics.removeAll { $0.branch.isEmpty && !branches.isEmpty && !branches.contains("") }
        for branch in branches { _ = try running(branch) }
    }

    public override var kind: String { "batch_norm" }
    public override var details: String { "\(channels)" + (gamma == nil ? ", not affine" : "") }
    public override var ownParameters: [Named] {
        guard let gamma, let beta else { return [] }
        return [("weight", gamma), ("bias", beta)]
    }
    public override var ownBuffers: [Named] {
        statistics.flatMap { branch, tensor -> [Named] in
            guard let mean = try? tensor.select(0, 0), let variance = try? tensor.select(0, 1) else { return [] }
            let suffix = branch.isEmpty ? "" : "." + branch
            return [("running_mean" + suffix, mean), ("running_var" + suffix, variance)]
        }
    }

    public override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank >= 2, x.shape[1] == channels else {
            throw TensorError("batch_norm", "expects [N, \(channels), ...], got \(x.shape)")
        }
        let values = x.count / channels
        let statistics = try running(BatchNorm.branch)
        guard isTraining, values > 1 else {
            return try x.batchNorm(statistics: statistics, gamma: gamma, beta: beta, epsilon: epsilon)
        }
        return try x.batchNorm(updating: statistics, momentum: momentum, gamma: gamma, beta: beta, epsilon: epsilon)
    }
}
