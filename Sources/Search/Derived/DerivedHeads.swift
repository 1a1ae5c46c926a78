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
final class DerivedASPP: Module {
    private let point: ConvNormReLU
    private let atrous: [ConvNormReLU]
    private let pool: ConvNormReLU
    private let project: ConvNormReLU

    init(_ layout: DerivedLayout, _ options: DerivedOptions) throws {
        let (from, to) = (layout.outChannels, layout.widths.aspp)
        point = try ConvNormReLU(from, to, kernel: 1, options)
        atrous = try layout.rates.map { try ConvNormReLU(from, to, kernel: 3, rate: $0, options) }
        pool = try ConvNormReLU(from, to, kernel: 1, options)
        project = try ConvNormReLU((2 + layout.rates.count) * to, to, kernel: 1, options)
    }

    override var kind: String { "aspp" }
    override var children: [(name: String, module: Module)] {
        [("conv1x1", point), ("atrous", Group("branches", atrous.enumerated().map { (String($0 + 1), $1) })), ("pool", pool), ("project", project)]
    }

    /// x [N, C, H, W] to [N, width, H, W].
    override func forward(_ x: Tensor) throws -> Tensor {
        var parts = [try located("conv1x1") { try point(x) }]
        for (i, branch) in atrous.enumerated() { parts.append(try located("atrous.\(i + 1)") { try branch(x) }) }
        let pooled = try located("pool") { try pool(x.mean([2, 3], keep: true)) }
        parts.append(try pooled.expand([x.shape[0], pooled.shape[1], x.shape[2], x.shape[3]]))
        return try located("project") { try project(Tensor.concat(parts, 1)) }
    }
}

/// DeepLabv3+'s decoder (Chen et al. 2018, arXiv 1802.02611) at the finest stride: ASPP and low-level features, both resized to it, through two
/// 3x3 convolutions and a classifier.
final class DerivedDecoder: Module {
    private let low: ConvNormReLU
    private let refine: [ConvNormReLU]
    private let classifier: Conv2d

    init(_ layout: DerivedLayout, _ options: DerivedOptions) throws {
        let widths = layout.widths
        low = try ConvNormReLU(layout.lowChannels, widths.lowLevel, kernel: 1, options)
        refine = [
            try ConvNormReLU(widths.aspp + widths.lowLevel, widths.decoder, kernel: 3, options),
            try ConvNormReLU(widths.decoder, widths.decoder, kernel: 3, options),
        ]
        classifier = try Conv2d(widths.decoder, options.classes, kernel: (1, 1))
    }

    override var kind: String { "decoder" }
    override var children: [(name: String, module: Module)] {
        [("low", low), ("refine", Group("convolutions", refine.enumerated().map { (String($0 + 1), $1) })), ("classifier", classifier)]
    }

    /// - Parameters:
    ///   - x: what the ASPP gives; lowLevel: output of an early cell; each of any size.
    ///   - size: height and width of the finest stride.
    /// - Returns: class scores [N, classes, height, width].
    func callAsFunction(_ x: Tensor, lowLevel: Tensor, size: (height: Int, width: Int)) throws -> Tensor {
        func sized(_ x: Tensor) throws -> Tensor { try x.resize(.bilinearAlignCorners, height: size.height, width: size.width) }
        let fine = try sized(located("low") { try low(lowLevel) })
        var y = try Tensor.concat([sized(x), fine], 1)
        for (i, layer) in refine.enumerated() { y = try located("refine.\(i + 1)") { try layer(y) } }
        return try located("classifier") { try classifier(y) }
    }
}
