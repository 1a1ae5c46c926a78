import Tensors

/// Layer normalisation over the last dimensions (Ba et al., 2016); the same in training and evaluation.
public final class LayerNorm: Module {
    /// Of `sizes`; nil without weights.
    public let gamma, beta: Tensor?
    public let sizes: [Int]
    public let epsilon: Float

    public init(_ sizes: [Int], affine: Bool = true, epsilon: Float = 1e-5) throws {
        guard !sizes.isEmpty, sizes.allSatisfy({ $0 > 0 }) else { throw TensorError("layer_norm", "sizes should be 1 or more, got \(sizes)") }
        try BatchNorm.check(epsilon, "layer_norm")
        try Tensor.checkSize(sizes, "layer_norm")
        (self.sizes, self.epsilon) = (sizes, epsilon)
        gamma = affine ? try Tensor.ones(sizes).requireGrad() : nil
        beta = affine ? try Tensor.zeros(sizes).requireGrad() : nil
    }

    public override var kind: String { "layer_norm" }
    public override var details: String { sizes.map(String.init).joined(separator: "x") + (gamma == nil ? ", no weights" : "") }
    public override var ownParameters: [Named] { (gamma.map { [("weight", $0)] } ?? []) + (beta.map { [("bias", $0)] } ?? []) }
    public override func forward(_ x: Tensor) throws -> Tensor { try x.layerNorm(sizes, gamma: gamma, beta: beta, epsilon: epsilon) }
}

/// Group normalisation of [N, C, ...] (Wu and He, 2018); the same in training and evaluation.
public final class GroupNorm: Module {
    /// [C]; nil without weights.
    public let gamma, beta: Tensor?
    public let groups, channels: Int
    public let epsilon: Float

    public init(_ groups: Int, _ channels: Int, affine: Bool = true, epsilon: Float = 1e-5) throws {
        guard groups > 0, channels > 0, channels % groups == 0 else { throw TensorError("group_norm", "\(groups) groups do not divide \(channels) channels") }
        try BatchNorm.check(epsilon, "group_norm")
        try Tensor.checkSize([channels], "group_norm")
        (self.groups, self.channels, self.epsilon) = (groups, channels, epsilon)
        gamma = affine ? try Tensor.ones([channels]).requireGrad() : nil
        beta = affine ? try Tensor.zeros([channels]).requireGrad() : nil
    }

    public override var kind: String { "group_norm" }
    public override var details: String { "\(channels) in \(groups) group\(groups == 1 ? "" : "s")" + (gamma == nil ? ", no weights" : "") }
    public override var ownParameters: [Named] { (gamma.map { [("weight", $0)] } ?? []) + (beta.map { [("bias", $0)] } ?? []) }

    public override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank >= 2, x.shape[1] == channels else { throw TensorError("group_norm", "expects [N, \(channels), ...], got \(x.shape)") }
        return try x.groupNorm(groups, gamma: gamma, beta: beta, epsilon: epsilon)
    }
}
