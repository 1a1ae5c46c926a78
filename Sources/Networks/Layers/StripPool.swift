import Tensors

/// Strip pooling (Hou et al., 2020), x [N, C, H, W] to the same: each row's and each column's mean, made by convolutions along the strips, says how much of a pixel
/// stays, so that whole rows and columns are seen at once.
///
/// x · sigmoid(conv3(relu(bn1(conv1(mean of rows)) + bn2(conv2(mean of columns))))); parts are called as in the published code.
public final class StripPool: Module {
    /// Along the column of the rows' means, along the row of the columns' means, and across channels.
    private let conv1, conv2, conv3: Conv2d
    private let bn1, bn2: BatchNorm

    public init(_ channels: Int, random: RandomState = .global) throws {
        guard channels > 0 else { throw TensorError("strip_pool", "channels should be 1 or more, got \(channels)") }
        conv1 = try Conv2d(channels, channels, kernel: (3, 1), padding: (1, 0), bias: false, random: random)
        bn1 = try BatchNorm(channels)
        conv2 = try Conv2d(channels, channels, kernel: (1, 3), padding: (0, 1), bias: false, random: random)
        bn2 = try BatchNorm(channels)
        conv3 = try Conv2d(channels, channels, kernel: (1, 1), random: random)
    }

    public override var kind: String { "strip_pool" }
    public override var details: String { "\(conv3.weight.shape[0])" }
    public override var children: [(name: String, module: Module)] { [("conv1", conv1), ("bn1", bn1), ("conv2", conv2), ("bn2", bn2), ("conv3", conv3)] }

    public override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank == 4, x.shape[1] == conv3.weight.shape[0] else { throw TensorError("strip_pool", "expects [N, \(details), H, W], got \(x.shape)") }
        func part(_ name: String, _ module: Module, _ x: Tensor) throws -> Tensor { try located(name) { try module(x) } }
        let rows = try part("bn1", bn1, part("conv1", conv1, x.mean([3], keep: true)))
        let columns = try part("bn2", bn2, part("conv2", conv2, x.mean([2], keep: true)))
        return try x * part("conv3", conv3, (rows + columns).unary(.relu)).unary(.sigmoid)
    }
}
