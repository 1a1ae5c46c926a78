import Networks
import Tensors

extension ConvNormReLU {
    convenience init(_ inChannels: Int, _ outChannels: Int, kernel: Int, stride: Int = 1, rate: Int = 1, _ options: DerivedOptions) throws {
        try self.init(
            inChannels, outChannels, kernel: kernel, stride: stride, rate: rate, epsilon: options.batchNormEpsilon,
            momentum: options.batchNormMomentum)
    }
}

/// Atrous spatial pyramid pooling (Chen et al. 2017, arXiv 1706.05587): 1x1, three dense 3x3 at growing rates and image pooling side by side,
/// joined by a 1x1; each convolution with BN and ReLU.
public final class DerivedASPP: Module {
    private let point: ConvNormReLU
    private let atrous: [ConvNormReLU]
    private let pool: ConvNormReLU
    private let project: ConvNormReLU

    convenience init(_ layout: DerivedLayout, _ options: DerivedOptions) throws {
        try self.init(
            layout.outChannels, layout.widths.aspp, rates: layout.rates, epsilon: options.batchNormEpsilon, momentum: options.batchNormMomentum)
    }

    /// - Parameter rates: of the dense 3x3 convolutions, one for each.
    public init(_ from: Int, _ to: Int, rates: [Int], epsilon: Float, momentum: Float) throws {
        func layer(_ from: Int, kernel: Int, rate: Int = 1) throws -> ConvNormReLU {
            try ConvNormReLU(from, to, kernel: kernel, rate: rate, epsilon: epsilon, momentum: momentum)
        }
        point = try layer(from, kernel: 1)
        atrous = try rates.map { try layer(from, kernel: 3, rate: $0) }
        pool = try layer(from, kernel: 1)
        project = try layer((2 + rates.count) * to, kernel: 1)
    }

    public override var kind: String { "aspp" }
    public override var children: [(name: String, module: Module)] {
        [("conv1x1", point), ("atrous", Group("branches", atrous.enumerated().map { (String($0 + 1), $1) })), ("pool", pool), ("project", project)]
    }

    /// x [N, C, H, W] to [N, width, H, W].
    public override func forward(_ x: Tensor) throws -> Tensor {
        var parts = [try located("conv1x1") { try point(x) }]
        for (i, branch) in atrous.enumerated() { parts.append(try located("atrous.\(i + 1)") { try branch(x) }) }
        let mean = try x.mean([2, 3], keep: true)
        let pooled = try located("pool") { try pool(mean) }
        parts.append(try pooled.expand([x.shape[0], pooled.shape[1], x.shape[2], x.shape[3]]))
        let joined = try Tensor.concat(parts, 1)
        return try located("project") { try project(joined) }
    }
}

/// DeepLabv3+'s decoder (Chen et al. 2018, arXiv 1802.02611) at the finest stride: ASPP and low-level features, both resized to it, through two
/// 3x3 convolutions and a classifier.
public final class DerivedDecoder: Module {
    private let low: ConvNormReLU
    private let refine: [ConvNormReLU]
    private let classifier: Conv2d

    convenience init(_ layout: DerivedLayout, _ options: DerivedOptions) throws {
        try self.init(
            layout.widths.aspp, low: layout.lowChannels, classes: options.classes, lowWidth: layout.widths.lowLevel, width: layout.widths.decoder,
            epsilon: options.batchNormEpsilon, momentum: options.batchNormMomentum)
    }

    /// - Parameters:
    ///   - channels: of what the ASPP gives; lowChannels: of the low-level features.
    ///   - lowWidth: channels that these are brought to; width: of the two 3x3 convolutions.
    public init(_ channels: Int, low lowChannels: Int, classes: Int, lowWidth: Int, width: Int, epsilon: Float, momentum: Float) throws {
        low = try ConvNormReLU(lowChannels, lowWidth, kernel: 1, epsilon: epsilon, momentum: momentum)
        refine = [
            try ConvNormReLU(channels + lowWidth, width, kernel: 3, epsilon: epsilon, momentum: momentum),
            try ConvNormReLU(width, width, kernel: 3, epsilon: epsilon, momentum: momentum),
        ]
        classifier = try Conv2d(width, classes, kernel: (1, 1))
    }

    public override var kind: String { "decoder" }
    public override var children: [(name: String, module: Module)] {
        [("low", low), ("refine", Group("convolutions", refine.enumerated().map { (String($0 + 1), $1) })), ("classifier", classifier)]
    }

    /// - Parameters:
    ///   - x: what the ASPP gives; lowLevel: output of an early cell; each of any size.
    ///   - size: height and width of the finest stride.
    /// - Returns: class scores [N, classes, height, width].
    public func callAsFunction(_ x: Tensor, lowLevel: Tensor, size: (height: Int, width: Int)) throws -> Tensor {
        func sized(_ x: Tensor) throws -> Tensor { try x.resize(.bilinearAlignCorners, height: size.height, width: size.width) }
        let fine = try sized(located("low") { try low(lowLevel) })
        var y = try Tensor.concat([sized(x), fine], 1)
        for (i, layer) in refine.enumerated() { y = try located("refine.\(i + 1)") { try layer(y) } }
        return try located("classifier") { try classifier(y) }
    }
}
