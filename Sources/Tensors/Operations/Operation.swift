/// Every operation of the graph: the ones that the planner and translators recognise by name, and all others as `other`. What an operation is, its rule says
/// (`OperationRule`), one file for each. Attributes are part of the value, so equal operations on equal inputs are equal keys: that is how a recording shares
/// common subexpressions.
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
    /// One that nobody has to recognise.
    case other(AnyOperationRule)

    /// All else that there is to know of it.
    var rule: any OperationRule {
        switch self {
        case .unary(let f): UnaryRule(function: f)
        case .binary(let f): BinaryRule(function: f)
        case .scalar(let f, let number, let first): ScalarRule(function: f, number: number, scalarFirst: first)
        case .remainder: DivisionRule(givesRemainder: true)
        case .floorDivide: DivisionRule(givesRemainder: false)
        case .select: SelectRule()
        case .cast(let dtype): CastRule(target: dtype)
        case .broadcast(let shape): BroadcastRule(target: shape)
        case .reshape(let shape): ReshapeRule(target: shape)
        case .permute(let order): PermuteRule(order: order)
        case .slice(let starts, let sizes, let steps): SliceRule(starts: starts, sizes: sizes, steps: steps)
        case .unslice(let shape, let starts, let steps): UnsliceRule(target: shape, starts: starts, steps: steps)
        case .pad(let before, let after, let value): PadRule(before: before, after: after, value: value)
        case .concat(let axis): ConcatRule(axis: axis)
        case .gather(let axis): GatherRule(axis: axis)
        case .scatterAdd(let axis, let size): ScatterAddRule(axis: axis, size: size)
        case .detach: DetachRule()
        case .alias(let number): AliasRule(number: number)
        case .copy: CopyRule()
        case .asStrided(let layout, let offset): AsStridedRule(layout: layout, offset: offset)
        case .overwrite(let layout, let offset): OverwriteRule(layout: layout, offset: offset)
        case .emerge(let alternatives, let otherwise): EmergeRule(alternatives: alternatives, otherwise: otherwise)
        case .sum(let axes, let keep): SumRule(axes: axes, keep: keep)
        case .extreme(let largest): ExtremeRule(largest: largest)
        case .integerMoment(let correction): IntegerMomentRule(correction: correction)
        case .argmax(let axis, let largest): ArgMaxRule(axis: axis, largest: largest)
        case .argsort(let axis, let descending): ArgSortRule(axis: axis, descending: descending)
        case .matmul(let a, let b): MatrixProductRule(transposeA: a, transposeB: b)
        case .conv2d(let options): ConvolutionRule(options: options)
        case .convInputGradient(let options, let height, let width): ConvInputGradientRule(options: options, height: height, width: width)
        case .convWeightGradient(let options, let height, let width): ConvWeightGradientRule(options: options, kernelHeight: height, kernelWidth: width)
        case .maxPool(let options): MaxPoolRule(options: options)
        case .maxPoolGradient(let options): MaxPoolGradientRule(options: options)
        case .maxPoolPick(let options): MaxPoolPickRule(options: options)
        case .averagePool(let options, let padding): AveragePoolRule(options: options, countPadding: padding)
        case .averagePoolGradient(let options, let padding, let height, let width):
            AveragePoolGradientRule(options: options, countPadding: padding, height: height, width: width)
        case .resize(let mode, let height, let width): ResizeRule(mode: mode, height: height, width: width)
        case .resizeGradient(let mode, let height, let width): ResizeGradientRule(mode: mode, height: height, width: width)
        case .moments: MomentsRule()
        case .batchNorm(let epsilon, let batch, let gamma, let beta): BatchNormRule(epsilon: epsilon, batchStatistics: batch, gamma: gamma, beta: beta)
        case .batchNormSums(let epsilon, let batch): BatchNormSumsRule(epsilon: epsilon, batchStatistics: batch)
        case .batchNormInputGradient(let epsilon, let gamma): BatchNormInputGradientRule(epsilon: epsilon, gamma: gamma)
        case .runningStatistics(let momentum, let count): RunningStatisticsRule(momentum: momentum, count: count)
        case .stackedMoments(let groups): StackedMomentsRule(groups: groups)
        case .stackedNorm(let options): StackedNormRule(options: options)
        case .stackedNormSums(let options): StackedNormSumsRule(options: options)
        case .stackedNormInputGradient(let options): StackedNormInputGradientRule(options: options)
        case .stackedRunning(let momentum, let count): StackedRunningRule(momentum: momentum, count: count)
        case .spreadGroups(let groups, let weighted): SpreadGroupsRule(groups: groups, weighted: weighted)
        case .weightGroups(let groups, let weighted): WeightGroupsRule(groups: groups, weighted: weighted)
        case .groupProducts(let groups): GroupProductsRule(groups: groups)
        case .softmax(let axis, let logarithm): SoftmaxRule(axis: axis, logarithm: logarithm)
        case .softmaxGradient(let axis, let logarithm): SoftmaxGradientRule(axis: axis, logarithm: logarithm)
        case .crossEntropy(let ignore, let weights): CrossEntropyRule(ignore: ignore, weights: weights)
        case .crossEntropyGradient(let ignore, let weights): CrossEntropyGradientRule(ignore: ignore, weights: weights)
        case .random(let distribution, let shape, let draw): RandomRule(distribution: distribution, size: shape, draw: draw)
        case .lost(let reason): LostRule(reason: reason)
        case .permutation(let count, let draw): PermutationRule(count: count, draw: draw)
        case .other(let any): any.rule
        }
    }

    /// An operation that is no case of its own.
    init(_ rule: some OperationRule) { self = .other(AnyOperationRule(rule: rule)) }
}
