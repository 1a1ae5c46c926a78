/// What a computation costs, for one image.
public struct Cost: Hashable, Sendable {
    /// Weights, in floats.
    public var parameters: Int
    /// Multiply-adds of one forward pass by the field's usual count: those of convolutions; batch norm, pooling, resizing and
    /// additions count nothing.
    public var multiplyAdds: Int
    /// Floats that a backward pass needs again when every operation keeps what its derivative reads and nothing is recomputed.
    public var activations: Int

    public init(parameters: Int = 0, multiplyAdds: Int = 0, activations: Int = 0) {
        self.parameters = parameters
        self.multiplyAdds = multiplyAdds
        self.activations = activations
    }

    public static let zero = Cost()

    /// Sums that would not fit an integer stay at the largest: somebody's own operator may cost anything.
    public static func + (a: Cost, b: Cost) -> Cost {
        Cost(
            parameters: saturating(1, a.parameters, plus: b.parameters),
            multiplyAdds: saturating(1, a.multiplyAdds, plus: b.multiplyAdds),
            activations: saturating(1, a.activations, plus: b.activations))
    }

    public static func += (a: inout Cost, b: Cost) { a = a + b }
}

/// `factor * a + b` of numbers that are not negative, or the largest integer.
func saturating(_ factor: Int, _ a: Int, plus b: Int = 0) -> Int {
    let (product, large) = a.multipliedReportingOverflow(by: factor)
    let (sum, larger) = product.addingReportingOverflow(b)
    return large || larger ? .max : sum
}

/// Where an operator stands: `channels` in and out on a plane of `height` times `width`.
public struct OperatorSite: Hashable, Sendable {
    public var channels: Int
    /// Of what it gives.
    public var height: Int
    public var width: Int
    /// Whether its batch norms have a scale and a shift of their own.
    public var affine: Bool
    /// Of what it reads: on a down arrow of a derived network about twice what it gives.
    public var inputHeight: Int
    public var inputWidth: Int
    /// 2 on a down arrow, else 1.
    public var stride: Int

    /// - Parameter input: size of what it reads with stride 2; nil for stride 1.
    public init(channels: Int, height: Int, width: Int, affine: Bool = false, halving input: (height: Int, width: Int)? = nil) {
        self.channels = channels
        self.height = height
        self.width = width
        self.affine = affine
        inputHeight = input?.height ?? height
        inputWidth = input?.width ?? width
        stride = input == nil ? 1 : 2
    }

    /// Pixels of a channel.
    public var pixels: Int { height * width }
    /// Floats of one tensor.
    public var volume: Int { channels * pixels }
    /// Parameters of one batch norm.
    public var normParameters: Int { affine ? 2 * channels : 0 }
}

/// The cost of a candidate operator, known before anything is allocated.
public protocol OperatorCost: Sendable {
    func cost(at site: OperatorSite) -> Cost
}

/// The cost of an operator somebody added, given as a function.
public struct CustomCost: OperatorCost {
    private let function: @Sendable (OperatorSite) -> Cost

    public init(_ function: @escaping @Sendable (OperatorSite) -> Cost) { self.function = function }

    public func cost(at site: OperatorSite) -> Cost { function(site) }
}

/// The ten operators of the design (search-space.md, "Cell").
///
/// Activations count what a plain backward pass reads: an operator's result belongs to it (the mixture weight's derivative
/// reads it), its input does not (it belongs to whoever made it).
public enum StandardOperator: String, CaseIterable, OperatorCost {
    case none
    case maxPool3 = "max_pool_3x3"
    case averagePool3 = "avg_pool_3x3"
    case skipConnect = "skip_connect"
    case separable3 = "sep_conv_3x3"
    case separable5 = "sep_conv_5x5"
    case atrous3 = "atrous_conv_3x3"
    case atrous5 = "atrous_conv_5x5"
    case dilated3 = "dil_conv_3x3"
    case dilated5 = "dil_conv_5x5"

    public func cost(at site: OperatorSite) -> Cost {
        switch self {
        case .none: .zero
        // With a stride: ReLU, 1x1 convolution, BN, as the released code has it.
        case .skipConnect: site.stride == 1 ? .zero : Self.dense(kernel: 1, site)
        // Pool, BN.
        case .maxPool3, .averagePool3: Cost(parameters: site.normParameters, activations: 2 * site.volume)
        case .separable3: Self.separable(kernel: 3, times: 2, site)
        case .separable5: Self.separable(kernel: 5, times: 2, site)
        case .atrous3: Self.dense(kernel: 3, site)
        case .atrous5: Self.dense(kernel: 5, site)
        case .dilated3: Self.separable(kernel: 3, times: 1, site)
        case .dilated5: Self.separable(kernel: 5, times: 1, site)
        }
    }

    /// ReLU, depthwise, pointwise, BN, `times` times over. Kept: each of the four but a BN that only a ReLU reads.
    private static func separable(kernel: Int, times: Int, _ site: OperatorSite) -> Cost {
        let weights = kernel * kernel * site.channels + site.channels * site.channels
        return Cost(
            parameters: times * (weights + site.normParameters), multiplyAdds: times * weights * site.pixels,
            activations: (3 * times + 1) * site.volume)
    }

    /// ReLU, dense convolution, BN.
    private static func dense(kernel: Int, _ site: OperatorSite) -> Cost {
        let weights = kernel * kernel * site.channels * site.channels
        return Cost(
            parameters: weights + site.normParameters, multiplyAdds: weights * site.pixels, activations: 3 * site.volume)
    }
}
