import Networks
import Tensors

/// A named group of modules without a computation of its own.
final class Group: Module {
    private let text: String
    private let members: [(name: String, module: Module)]

    init(_ kind: String, _ members: [(name: String, module: Module)]) {
        text = kind
        self.members = members
    }

    override var kind: String { text }
    override var isContainer: Bool { true }
    override var children: [(name: String, module: Module)] { members }
}

/// Convolution, batch norm, ReLU: stem and heads.
public final class ConvNormReLU: Module {
    let conv: Conv2d
    let bn: BatchNorm

    init(_ inChannels: Int, _ outChannels: Int, kernel: Int, stride: Int = 1, rate: Int = 1, epsilon: Float, momentum: Float) throws {
        let pad = rate * (kernel / 2)
        conv = try Conv2d(
            inChannels, outChannels, kernel: (kernel, kernel), stride: (stride, stride), padding: (pad, pad), dilation: (rate, rate), bias: false)
        bn = try BatchNorm(outChannels, epsilon: epsilon, momentum: momentum)
    }

    convenience init(_ inChannels: Int, _ outChannels: Int, kernel: Int, stride: Int = 1, rate: Int = 1, _ options: SpaceOptions) throws {
        try self.init(
            inChannels, outChannels, kernel: kernel, stride: stride, rate: rate, epsilon: options.batchNormEpsilon,
            momentum: options.batchNormMomentum)
    }

    public override var kind: String { "conv_bn_relu" }
    public override var children: [(name: String, module: Module)] { [("conv", conv), ("bn", bn)] }
    public override func forward(_ x: Tensor) throws -> Tensor {
        let y = try located("conv") { try conv(x) }
        return try located("bn") { try bn(y) }.unary(.relu)
    }
}

/// What brings a tensor to a node's channels and size: [resize,] ReLU, convolution, BN without weights.
public final class InputProjection: Module {
    private let conv: Conv2d
    private let bn: BatchNorm
    /// Whether it takes a size.
    public let resizes: Bool

    /// - Parameter move: how the arrow goes; nil for the two-back input.
    public init(_ inChannels: Int, _ outChannels: Int, move: Move?, _ options: SpaceOptions) throws {
        let strided = move == .coarser && options.down == .conv
        resizes = move == .finer || move == .coarser && options.down == .bilinear
        let k = strided ? options.downKernel : 1
        conv = try Conv2d(
            inChannels, outChannels, kernel: (k, k), stride: strided ? (2, 2) : (1, 1), padding: (strided ? k / 2 : 0, strided ? k / 2 : 0), bias: false)
        bn = try BatchNorm(outChannels, affine: options.affine, epsilon: options.batchNormEpsilon, momentum: options.batchNormMomentum)
    }

    public override var kind: String { "input" }
    public override var details: String { conv.details }
    public override var ownParameters: [Named] { conv.ownParameters }
    public override var children: [(name: String, module: Module)] { [("bn", bn)] }

    public func callAsFunction(_ x: Tensor, height: Int, width: Int) throws -> Tensor {
        try forward(resizes ? x.resize(.bilinearAlignCorners, height: height, width: width) : x)
    }

    /// x has its size already.
    public override func forward(_ x: Tensor) throws -> Tensor {
        let y = try conv(x.unary(.relu))
        return try located("bn") { try bn(y) }
    }
}

/// All operators of one edge: Σ_k softmax(alpha)_k · O_k(x) (paper, eq. 4 and 5). `SupernetCell` computes them.
final class MixedOperator: Module {
    /// Without `none`, which is zero and takes no part; `index` is the column of alpha.
    let operators: [(name: String, index: Int, module: Module)]

    init(_ names: [String], _ context: OperatorContext, _ registry: OperatorRegistry) throws {
        operators = try names.enumerated().compactMap { index, name in
            name == OperatorCatalogue.none ? nil : (name, index, try located(name) { try registry.make(name, context) })
        }
    }

    override var kind: String { "mixed_operator" }
    override var children: [(name: String, module: Module)] { operators.map { ($0.name, $0.module) } }
}

/// A head at one stride of the last layer: ASPP of three branches as wide as their input, a 1×1 convolution to the classes.
public final class SupernetHead: Module {
    private let branches: [(name: String, module: ConvNormReLU)]
    private let classifier: Conv2d

    public init(_ channels: Int, classes: Int, rate: Int, _ options: SpaceOptions) throws {
        let width = options.headWidth ?? channels
        branches = [
            ("conv1x1", try ConvNormReLU(channels, width, kernel: 1, options)),
            ("atrous", try ConvNormReLU(channels, width, kernel: 3, rate: rate, options)),
            ("pool", try ConvNormReLU(channels, width, kernel: 1, options)),
        ]
        classifier = try Conv2d(3 * width, classes, kernel: (1, 1))
    }

    public override var kind: String { "aspp_head" }
    public override var children: [(name: String, module: Module)] { branches.map { ($0.name, $0.module) } + [("classifier", classifier)] }

    public override func forward(_ x: Tensor) throws -> Tensor {
        let pooled = try located("pool") { try branches[2].module(try x.mean([2, 3], keep: true)) }
        let parts = [
            try located("conv1x1") { try branches[0].module(x) }, try located("atrous") { try branches[1].module(x) },
            try pooled.expand([x.shape[0], pooled.shape[1], x.shape[2], x.shape[3]]),
        ]
        return try located("classifier") { try classifier(Tensor.concat(parts, 1)) }
    }
}
