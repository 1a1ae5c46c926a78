import Kernels

// Norms of stacks of batches, see `StackedNorm`: A batches of N samples behind one another, [A·N, C, ...].

/// Mean and biased variance of each channel of each batch, [A, 2, C].
struct StackedMomentsRule: OperationRule {
    let groups: Int

    var name: String { "stacked_moments" }
    var traits: OperationTraits { OperationTraits(makesValue: false) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { Stacks.accepts(layout, at: index) }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try derivativeOfDecomposition(x, g) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try Stacks.check(x, name, x[0].rank >= 2 && groups > 0 && x[0].shape[0] % groups == 0, "[A·N, C, ...] with A = \(groups)")
        return [groups, 2, x[0].shape[1]]
    }

    func decomposition(_ x: [Tensor]) throws -> Tensor? {
        let shape = x[0].shape
        let parts = try x[0].reshape([groups, shape[0] / groups, shape[1], shape.dropFirst(2).reduce(1, *)])
        let mean = try parts.mean([1, 3], keep: true)
        let variance = try (parts - mean).unary(.square).mean([1, 3], keep: true)
        return try Tensor.concat([mean, variance].map { try $0.reshape([groups, 1, shape[1]]) }, 1)
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let shape = Stacks.shape(x[0], groups, repeats: 1, statistics: y.shape[2])
        return { p in StackedNormalisation.moments(shape, p.floats(0), p.floats(1)) }
    }
}

/// (x [A·N, C, ...], moments [A, 2, S], gamma [R·C]?, beta [R·C]?) -> [A·N, R·C, ...]. S is C, R·C or 1; A may be 1 for the moments alone.
struct StackedNormRule: PlainOperationRule {
    let options: StackedNorm

    var name: String { "stacked_norm" }
    var traits: OperationTraits {
        OperationTraits(fusions: options.batchStatistics ? [.accumulate, .statistics] : .accumulate, writes: .images, repetition: .cheap)
    }
    var withoutDerivative: (place: Int, name: String)? { options.batchStatistics ? nil : (1, "given statistics") }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { Stacks.accepts(layout, at: index) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let (shape, groups) = (x[0].shape, options.groups)
        try Stacks.check(x, name, shape.count >= 2 && groups > 0 && shape[0] % groups == 0, "[A·N, C, ...] with A = \(groups)")
        let (moments, wide) = (x[1].shape, shape[1] * options.repeats)
        try Stacks.check(
            x, name, moments.count == 3 && moments[0] == groups && moments[1] == 2 && [1, shape[1], wide].contains(moments[2]),
            "moments [\(groups), 2, \(shape[1])] or for \(wide) channels")
        for parameter in x.dropFirst(2) { try Stacks.check(x, name, parameter.shape == [wide], "weights [\(wide)]") }
        return [shape[0], wide] + shape.dropFirst(2)
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let gamma = options.gamma ? x[2] : nil
        let sums = try Operation.stackedNormSums(options)(x[0], g, x[1])
        var result: [Tensor?] = [nil, nil]
        if x[0].requiresGrad {
            let inputs = [x[0], g, x[1]] + (options.batchStatistics ? [sums] : []) + (gamma.map { [$0] } ?? [])
            result[0] = try Operation.stackedNormInputGradient(options).apply(inputs)
        }
        // A weight serves all batches of the stack.
        func total(_ row: Int) throws -> Tensor { try sums.narrow(1, row, 1).sum([0, 1]) }
        if options.gamma { result.append(x[2].requiresGrad ? try total(1) : nil) }
        if options.beta { result.append(try total(0)) }
        return result
    }

    func plainKernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) -> PlainLaunch {
        let o = options, n = x.count
        let shape = Stacks.shape(x[0], o.groups, repeats: o.repeats, statistics: x[1].shape[2])
        let (stride, accumulate, fresh) = (y.layout.batchStride, form.has(.accumulate), form.has(.statistics))
        return { p in
            StackedNormalisation.apply(
                shape, p.floats(0), statistics: p.floats(1), gamma: o.gamma ? UnsafePointer(p.floats(2)) : nil,
                beta: o.beta ? UnsafePointer(p.floats(o.gamma ? 3 : 2)) : nil, epsilon: o.epsilon, output: p.floats(n), outBatchStride: stride,
                accumulate: accumulate, fresh: fresh)
        }
    }
}

/// (x, gradient [A·N, R·C, ...], moments): Σ g and Σ g·x̂, [A, 2, R·C].
struct StackedNormSumsRule: OperationRule {
    let options: StackedNorm

    var name: String { "stacked_norm_sums" }
    var traits: OperationTraits { OperationTraits(isOfDerivative: true) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { Stacks.accepts(layout, at: index) }
    func shape(_ x: [Tensor]) throws -> [Int] { [options.groups, 2, x[0].shape[1] * options.repeats] }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try derivativeOfDecomposition(x, g) }

    func decomposition(_ x: [Tensor]) throws -> Tensor? {
        let (g, normalised, _) = try Stacks.parts(options, x)
        return try Tensor.concat([g.sum([1, 4]), (g * normalised).sum([1, 4])].map { try $0.reshape([options.groups, 1, options.repeats * x[0].shape[1]]) }, 1)
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let shape = Stacks.shape(x[0], options.groups, repeats: options.repeats, statistics: x[2].shape[2])
        let (stride, epsilon) = (x[1].layout.batchStride, options.epsilon)
        return { p in
            StackedNormalisation.gradientSums(
                shape, p.floats(0), p.floats(1), gBatchStride: stride, statistics: p.floats(2), epsilon: epsilon, sums: p.floats(3))
        }
    }
}

/// (x, gradient, moments, sums, gamma?): the derivative of `StackedNormRule` with respect to x. Sums only with batch statistics.
struct StackedNormInputGradientRule: PlainOperationRule {
    let options: StackedNorm

    var name: String { "stacked_norm_input_gradient" }
    var traits: OperationTraits {
        OperationTraits(isOfDerivative: true, fusions: options.batchStatistics ? [.accumulate, .statistics] : .accumulate, writes: .images)
    }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { Stacks.accepts(layout, at: index) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try derivativeOfDecomposition(x, g) }

    func decomposition(_ x: [Tensor]) throws -> Tensor? {
        let (g, normalised, inverse) = try Stacks.parts(options, x)
        let projected = options.batchStatistics ? try g - g.mean([1, 4], keep: true) - normalised * (g * normalised).mean([1, 4], keep: true) : g
        var scaled = try projected * inverse
        if options.gamma { scaled = try scaled * x[options.batchStatistics ? 4 : 3].reshape([1, 1, options.repeats, x[0].shape[1], 1]) }
        return try scaled.sum([2]).reshape(x[0].shape)
    }

    func plainKernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) -> PlainLaunch {
        let o = options
        let shape = Stacks.shape(x[0], o.groups, repeats: o.repeats, statistics: x[2].shape[2])
        let (stride, outStride) = (x[1].layout.batchStride, y.layout.batchStride)
        let gamma = o.gamma ? (o.batchStatistics ? 4 : 3) : nil
        let (n, accumulate, fresh) = (x.count, form.has(.accumulate), form.has(.statistics))
        return { p in
            StackedNormalisation.inputGradient(
                shape, p.floats(0), p.floats(1), gBatchStride: stride, statistics: p.floats(2),
                sums: o.batchStatistics ? p.floats(3) : nil, gamma: gamma.map { UnsafePointer(p.floats($0)) }, epsilon: o.epsilon,
                output: p.floats(n), outBatchStride: outStride, accumulate: accumulate, fresh: fresh)
        }
    }
}

/// (running [A, 2, R·C], moments [A, 2, C]): as `RunningStatisticsRule`.
struct StackedRunningRule: OperationRule {
    let momentum: Float
    let count: Int

    var name: String { "stacked_running_statistics" }
    var traits: OperationTraits { OperationTraits(hasDerivative: false, makesValue: false) }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil, nil] }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let shape = x[0].shape
        try Stacks.check(
            x, name, shape.count == 3 && x[1].rank == 3 && shape[2] % max(x[1].shape[2], 1) == 0, "running and batch statistics [A, 2, C]")
        return shape
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (wide, narrow) = (y.shape[2], x[1].shape[2])
        let (rows, momentum, count) = (y.shape[0] * 2, momentum, count)
        return { p in StackedNormalisation.running(rows, wide, narrow, momentum, count, p.floats(0), p.floats(1), p.floats(2)) }
    }
}

/// What operations on stacks have in common.
enum Stacks {
    static func check(_ x: [Tensor], _ name: String, _ good: Bool, _ expected: @autoclosure () -> String) throws {
        guard good else { throw TensorError(name, "expects \(expected()), got \(x.map { Shapes.text($0.shape) }.joined(separator: ", "))") }
    }

    static func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || index < 2 && Images.isBatch(layout) }

    fileprivate static func shape(_ x: Operand, _ groups: Int, repeats: Int, statistics: Int) -> StackShape {
        StackShape(
            groups: groups, samples: x.shape[0] / groups, channels: x.shape[1], size: x.shape.dropFirst(2).reduce(1, *), repeats: repeats,
            statistics: statistics, batchStride: x.layout.batchStride)
    }

    /// Of the inputs (x, gradient, moments) of a norm's derivatives, over [batches, samples, repeats, channels, pixels]: the gradient, the normalised x, and
    /// 1 / √(variance + epsilon).
    fileprivate static func parts(_ o: StackedNorm, _ x: [Tensor]) throws -> (g: Tensor, normalised: Tensor, inverse: Tensor) {
        let shape = x[0].shape
        let pixels = shape.dropFirst(2).reduce(1, *)
        let parts = try x[0].reshape([o.groups, shape[0] / o.groups, 1, shape[1], pixels])
        let moments = o.batchStatistics ? try Operation.stackedMoments(groups: o.groups)(x[0]) : x[2]
        func row(_ i: Int) throws -> Tensor {
            let part = try moments.narrow(1, i, 1)
            let channels = moments.shape[2]
            return try part.reshape(channels == shape[1] * o.repeats ? [o.groups, 1, o.repeats, shape[1], 1] : [o.groups, 1, 1, channels, 1])
        }
        let inverse = try (row(1) + o.epsilon).unary(.rsqrt)
        return (try x[1].reshape([o.groups, shape[0] / o.groups, o.repeats, shape[1], pixels]), try (parts - row(0)) * inverse, inverse)
    }
}

extension Tensor {
    /// Batch norm of a stack by its own statistics (`running` nil) or those given [A, 2, ...].
    /// - Parameters:
    ///   - updating: running statistics that move towards the stack's, [groups, 2, ...], or of one group [2, C].
    ///   - gamma, beta: [repeats·C].
    public func stackedNorm(
        groups: Int, repeats: Int = 1, statistics: Tensor? = nil, updating running: Tensor? = nil, momentum: Float = 0.1, gamma: Tensor? = nil,
        beta: Tensor? = nil, epsilon: Float = 1e-5
    ) throws -> Tensor {
        let moments = try statistics ?? GradientMode.disabled {
            let moments = try Operation.stackedMoments(groups: groups)(self)
            if let running {
                let values = count / max(shape[1] * groups, 1)
                if running.rank == 2 {
                    try running.assign(Operation.runningStatistics(momentum: momentum, count: values)(running, moments.reshape([2, shape[1]])))
                } else {
                    try running.assign(Operation.stackedRunning(momentum: momentum, count: values)(running, moments))
                }
            }
            return moments
        }
        let options = StackedNorm(
            groups: groups, repeats: repeats, epsilon: epsilon, batchStatistics: statistics == nil, gamma: gamma != nil, beta: beta != nil)
        return try Operation.stackedNorm(options).apply([self, moments] + (gamma.map { [$0] } ?? []) + (beta.map { [$0] } ?? []))
    }

    /// Each channel `repeats` times with a factor for each, [N, C, ...] · [repeats·C] -> [N, repeats·C, ...]: a norm by the `unitMoments`.
    public func scaledChannels(_ factors: Tensor, repeats: Int, unit: Tensor) throws -> Tensor {
        let options = StackedNorm(groups: 1, repeats: repeats, epsilon: 0, batchStatistics: false, gamma: true, beta: false)
        return try Operation.stackedNorm(options)(self, unit, factors)
    }

    /// Mean 0 and variance 1, whatever the channel.
    public static func unitMoments() throws -> Tensor { try Tensor([0, 1], shape: [1, 2, 1]) }
}
