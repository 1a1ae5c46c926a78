/// Element-wise functions of one value.
public enum UnaryFunction: String, Hashable, Sendable, CaseIterable {
    case neg, abs, sign, exp, log, sqrt, rsqrt, reciprocal, square, relu, sigmoid, tanh, step, sin, cos, floor, ceil, round
}

/// Element-wise functions of two values. Comparisons give 1 or 0; `gate(x, g)` is g where x > 0, else 0: the derivative of ReLU.
public enum BinaryFunction: String, Hashable, Sendable, CaseIterable {
    case add, sub, mul, div, pow, max, min, eq, ne, lt, le, gt, ge, gate
}

extension BinaryFunction {
    public var isComparison: Bool {
        switch self {
        case .eq, .ne, .lt, .le, .gt, .ge: true
        default: false
        }
    }
}

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

/// Every operation of the graph. What it is stands in three tables: its shape rule (`Operation+Shape.swift`), its derivative rule
/// (`Derivatives.swift`) and its kernel (`Operation+Kernel.swift`). Attributes are part of the value, so equal operations on
/// equal inputs are equal keys: that is how a recording shares common subexpressions.
public indirect enum Operation: Hashable, Sendable {
    // Element-wise; two operands broadcast.
    case unary(UnaryFunction)
    case binary(BinaryFunction)
    /// With a constant as one operand, the first one if `scalarFirst`.
    case scalar(BinaryFunction, Double, scalarFirst: Bool)
    /// (a, b): a - ⌊a / b⌋·b, with the sign of b; and ⌊a / b⌋, as NumPy and PyTorch have both.
    case remainder
    case floorDivide
    /// (condition, a, b): a where the condition is not 0, else b.
    case select
    case cast(DType)
    // Shape.
    case broadcast([Int])
    case reshape([Int])
    case permute([Int])
    case slice(starts: [Int], sizes: [Int], steps: [Int])
    /// Zeros of a shape with the input written into a slice: the adjoint of `slice`.
    case unslice(shape: [Int], starts: [Int], steps: [Int])
    case pad(before: [Int], after: [Int], value: Float)
    case concat(axis: Int)
    /// (x, indices of the same rank): picks along an axis; `scatterAdd` is its adjoint.
    case gather(axis: Int)
    case scatterAdd(axis: Int, size: Int)
    /// The same value without its history.
    case detach
    /// The same value as if in memory of its own: in recordings, where nothing overwrites values, instead of a copy. No two are equal.
    case alias(Int)
    /// A copy.
    case copy
    /// The elements of memory [n] that a layout reaches from an offset on; `overwrite` is its adjoint.
    case asStrided(TensorLayout, offset: Int)
    /// (memory [n], x): the memory with x written where a layout reaches from an offset on.
    case overwrite(TensorLayout, offset: Int)
    /// (x, otherwise?, guards...): a value that is computed only in some runs: x where, of one of the lists of guards, none is 0; else zeros, or `otherwise`.
    /// What leaves a region of a recording, see `Regions`.
    case emerge([[Int]], otherwise: Bool)
    // Reductions.
    case sum(axes: [Int], keep: Bool)
    /// The largest or smallest of all elements.
    case extreme(largest: Bool)
    /// Of each row of int32 [rows, n]: the mean (nil), or the variance with this correction; float32 [rows].
    case integerMoment(correction: Int?)
    case argmax(axis: Int, largest: Bool)
    case argsort(axis: Int, descending: Bool)
    case matmul(transposeA: Bool, transposeB: Bool)
    // Layers.
    /// (x, weight) or (x, weight, bias).
    case conv2d(ConvOptions)
    /// (gradient, weight).
    case convInputGradient(ConvOptions, height: Int, width: Int)
    /// (x, gradient).
    case convWeightGradient(ConvOptions, kernelHeight: Int, kernelWidth: Int)
    case maxPool(PoolOptions)
    /// (x, gradient).
    case maxPoolGradient(PoolOptions)
    /// (x, v): v at the place of each window's maximum of x; the adjoint of `maxPoolGradient` in its second input.
    case maxPoolPick(PoolOptions)
    case averagePool(PoolOptions, countPadding: Bool)
    case averagePoolGradient(PoolOptions, countPadding: Bool, height: Int, width: Int)
    case resize(ResizeMode, height: Int, width: Int)
    case resizeGradient(ResizeMode, height: Int, width: Int)
    /// Mean and biased variance of each channel of [N, C, ...] as [2, C].
    case moments
    /// (x, moments [2, C], gamma?, beta?). With `batchStatistics` the moments are x's own and the derivative goes through them.
    case batchNorm(epsilon: Float, batchStatistics: Bool, gamma: Bool, beta: Bool)
    /// (x, gradient, moments): Σ g and Σ g·x̂ of each channel, [2, C]. `batchStatistics` as in `batchNorm`.
    case batchNormSums(epsilon: Float, batchStatistics: Bool)
    /// (x, gradient, moments, sums, gamma?): the derivative of `batchNorm` with batch statistics.
    case batchNormInputGradient(epsilon: Float, gamma: Bool)
    /// (running [2, C], moments [2, C]): the next running statistics, the variance made unbiased by `count` values.
    case runningStatistics(momentum: Float, count: Int)
    // Stacks, see `StackedNorm`: A batches of N samples behind one another, [A·N, C, ...].
    /// Mean and biased variance of each channel of each batch, [A, 2, C].
    case stackedMoments(groups: Int)
    /// (x [A·N, C, ...], moments [A, 2, S], gamma [R·C]?, beta [R·C]?) -> [A·N, R·C, ...]. S is C, R·C or 1; A may be 1 for the moments alone.
    case stackedNorm(StackedNorm)
    /// (x, gradient [A·N, R·C, ...], moments): Σ g and Σ g·x̂, [A, 2, R·C].
    case stackedNormSums(StackedNorm)
    /// (x, gradient, moments, sums, gamma?): the derivative of `stackedNorm` with respect to x. Sums only with batch statistics.
    case stackedNormInputGradient(StackedNorm)
    /// (running [A, 2, R·C], moments [A, 2, C]): as `runningStatistics`.
    case stackedRunning(momentum: Float, count: Int)
    /// (x [N, ...], weights [A]?) -> [A·N, ...]: each batch of the stack is x times its weight.
    case spreadGroups(groups: Int, weighted: Bool)
    /// (x [A·N, ...], weights [A]?) -> [N, ...]: the weighted sum of a stack's batches, the adjoint of `spreadGroups`.
    case weightGroups(groups: Int, weighted: Bool)
    /// (x [A·N, ...], y [N, ...]) -> [A]: Σ x·y of each batch of the stack.
    case groupProducts(groups: Int)
    case softmax(axis: Int, logarithm: Bool)
    /// (y, gradient).
    case softmaxGradient(axis: Int, logarithm: Bool)
    /// (logits [N, C, ...], labels [N, ...], class weights [C]?) -> weighted mean over the pixels whose label is not `ignore`.
    case crossEntropy(ignore: Int32, weights: Bool)
    /// (logits, labels, gradient [], class weights?).
    case crossEntropyGradient(ignore: Int32, weights: Bool)
    /// Fresh random numbers each time it runs, of the draw-th stream that the run takes.
    case random(RandomDistribution, shape: [Int], draw: Int)
    /// In the history of a tensor that has one which was not kept, and why.
    case lost(String)
    /// 0 ..< n in random order, int32, new each time it runs.
    case permutation(Int, draw: Int)

    /// Name as the user writes it, for messages and profiles.
    public var name: String {
        switch self {
        case .unary(let f): f.rawValue
        case .binary(let f), .scalar(let f, _, _): f.rawValue
        case .softmax(_, let logarithm): logarithm ? "log_softmax" : "softmax"
        case .averagePool: "avg_pool2d"
        case .maxPool: "max_pool2d"
        case .conv2d: "conv2d"
        case .batchNorm: "batch_norm"
        case .crossEntropy: "cross_entropy"
        case .remainder: "%"
        case .floorDivide: "//"
        case .extreme(let largest): largest ? "max" : "min"
        case .select: "where"
        case .cast: "cast"
        case .broadcast: "expand"
        case .reshape: "reshape"
        case .permute: "permute"
        case .slice: "slice"
        case .unslice: "unslice"
        case .pad: "pad"
        case .concat: "concat"
        case .gather: "gather"
        case .scatterAdd: "scatter_add"
        case .detach: "detach"
        case .alias, .copy: "clone"
        case .asStrided: "as_strided"
        case .overwrite: "assign"
        case .emerge: "when"
        case .sum: "sum"
        case .integerMoment(let correction): correction == nil ? "mean" : "var"
        case .argmax(_, let largest): largest ? "argmax" : "argmin"
        case .argsort: "sort"
        case .matmul: "matmul"
        case .convInputGradient: "conv2d_input_gradient"
        case .convWeightGradient: "conv2d_weight_gradient"
        case .maxPoolGradient: "max_pool2d_gradient"
        case .maxPoolPick: "max_pool2d_pick"
        case .averagePoolGradient: "avg_pool2d_gradient"
        case .resize: "resize"
        case .resizeGradient: "resize_gradient"
        case .moments: "moments"
        case .batchNormSums: "batch_norm_sums"
        case .batchNormInputGradient: "batch_norm_input_gradient"
        case .runningStatistics: "running_statistics"
        case .stackedMoments: "stacked_moments"
        case .stackedNorm: "stacked_norm"
        case .stackedNormSums: "stacked_norm_sums"
        case .stackedNormInputGradient: "stacked_norm_input_gradient"
        case .stackedRunning: "stacked_running_statistics"
        case .spreadGroups: "spread_groups"
        case .weightGroups: "weight_groups"
        case .groupProducts: "group_products"
        case .softmaxGradient(_, let logarithm): logarithm ? "log_softmax_gradient" : "softmax_gradient"
        case .crossEntropyGradient: "cross_entropy_gradient"
        case .random: "random"
        case .permutation: "permutation"
        case .lost: "a compiled function"
        }
    }

    /// Whether the result is another look at the input's memory, where that can be, so that writes to one are seen in the other.
    var isView: Bool {
        switch self {
        case .detach, .reshape, .permute, .broadcast, .slice: true
        default: false
        }
    }

    /// Whether the result has the input's elements as they are.
    var isIdentity: Bool {
        switch self {
        case .alias, .copy, .detach: true
        default: false
        }
    }

    /// Whether there is anything to differentiate: comparisons and positions are steps without a slope, statistics that run along are not of the function.
    var hasDerivative: Bool {
        switch self {
        case .detach, .integerMoment, .argmax, .argsort, .random, .permutation, .runningStatistics, .stackedRunning: false
        case .binary(let f), .scalar(let f, _, _): !f.isComparison
        default: true
        }
    }

    /// Whether each element of the result depends on the same element (after broadcasting) of each input only.
    var isElementwise: Bool {
        switch self {
        case .unary, .binary, .scalar, .select: true
        default: false
        }
    }
}

public enum RandomDistribution: Hashable, Sendable {
    case uniform(low: Float, high: Float)
    case normal(mean: Float, deviation: Float)
    /// 1 with this probability, else 0.
    case bernoulli(Float)
}
