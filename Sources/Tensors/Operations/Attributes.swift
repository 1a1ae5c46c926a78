/// Stride, padding, dilation (height, width) and groups of a convolution.
public struct ConvOptions: Hashable, Sendable {
    public var strideHeight, strideWidth, padHeight, padWidth, dilationHeight, dilationWidth, groups: Int
    /// The input counts as this many copies of itself along the channels: several depthwise convolutions of one input are one.
    public var repeats: Int

    public init(
        stride: (Int, Int) = (1, 1), padding: (Int, Int) = (0, 0), dilation: (Int, Int) = (1, 1), groups: Int = 1, repeats: Int = 1
    ) {
        (strideHeight, strideWidth) = stride
        (padHeight, padWidth) = padding
        (dilationHeight, dilationWidth) = dilation
        self.groups = groups
        self.repeats = repeats
    }
}

/// Batch norm of a stack: several batches of one shape, one behind the other, each normalised by itself (the arrows into a node), and of one input
/// normalised for several readers, each with weights of its own (the edges that leave a state).
public struct StackedNorm: Hashable, Sendable {
    /// Batches in the stack: samples are `groups` runs of equal length, with statistics for each.
    public var groups: Int
    /// Times that the input's channels appear in the result, one set behind the other.
    public var repeats: Int
    public var epsilon: Float
    /// The moments are the input's own and the derivative goes through them.
    public var batchStatistics: Bool
    public var gamma, beta: Bool

    public init(groups: Int, repeats: Int, epsilon: Float, batchStatistics: Bool, gamma: Bool, beta: Bool) {
        self.groups = groups
        self.repeats = repeats
        self.epsilon = epsilon
        self.batchStatistics = batchStatistics
        self.gamma = gamma
        self.beta = beta
    }
}

/// Window, stride and padding (height, width) of a pooling.
public struct PoolOptions: Hashable, Sendable {
    public var kernelHeight, kernelWidth, strideHeight, strideWidth, padHeight, padWidth: Int

    public init(kernel: (Int, Int), stride: (Int, Int), padding: (Int, Int) = (0, 0)) {
        (kernelHeight, kernelWidth) = kernel
        (strideHeight, strideWidth) = stride
        (padHeight, padWidth) = padding
    }
}

/// How resized pixels are placed: `bilinear` with corners aligned or half-pixel centres, or `nearest`.
public enum ResizeMode: String, Hashable, Sendable {
    case bilinearAlignCorners, bilinearHalfPixel, nearest
}

public enum RandomDistribution: Hashable, Sendable {
    case uniform(low: Float, high: Float)
    case normal(mean: Float, deviation: Float)
    /// 1 with this probability, else 0.
    case bernoulli(Float)
}
