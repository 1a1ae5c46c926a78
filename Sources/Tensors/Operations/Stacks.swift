import Kernels

// Operations on stacks of batches (`StackedNorm`): their shapes, derivatives and kernels. The supernet runs the arrows into a node and the edges
// that leave a state through them as one.

extension Operation {
    func stackedShape(_ inputs: [Tensor]) throws -> [Int] {
        let x = inputs[0].shape
        func check(_ good: Bool, _ expected: String) throws {
            guard good else { throw TensorError(name, "expects \(expected), got \(inputs.map { Shapes.text($0.shape) }.joined(separator: ", "))") }
        }
        switch self {
        case .stackedMoments(let groups):
            try check(x.count >= 2 && groups > 0 && x[0] % groups == 0, "[A·N, C, ...] with A = \(groups)")
            return [groups, 2, x[1]]
        case .stackedNorm(let o):
            try check(x.count >= 2 && o.groups > 0 && x[0] % o.groups == 0, "[A·N, C, ...] with A = \(o.groups)")
            let (moments, wide) = (inputs[1].shape, x[1] * o.repeats)
            try check(
                moments.count == 3 && moments[0] == o.groups && moments[1] == 2 && [1, x[1], wide].contains(moments[2]),
                "moments [\(o.groups), 2, \(x[1])] or for \(wide) channels")
            for parameter in inputs.dropFirst(2) { try check(parameter.shape == [wide], "weights [\(wide)]") }
            return [x[0], wide] + x.dropFirst(2)
        case .stackedNormSums(let o):
            return [o.groups, 2, x[1] * o.repeats]
        case .stackedRunning:
            try check(x.count == 3 && inputs[1].rank == 3 && x[2] % max(inputs[1].shape[2], 1) == 0, "running and batch statistics [A, 2, C]")
            return x
        case .spreadGroups(let groups, let weighted):
            try check(!x.isEmpty && (!weighted || inputs[1].shape == [groups]), "[N, ...] and weights [\(groups)]")
            return [x[0] * groups] + x.dropFirst()
        case .weightGroups(let groups, let weighted):
            try check(!x.isEmpty && x[0] % groups == 0 && (!weighted || inputs[1].shape == [groups]), "[A·N, ...] with A = \(groups) and weights [\(groups)]")
            return [x[0] / groups] + x.dropFirst()
        case .groupProducts(let groups):
            try check(!x.isEmpty && [x[0] / groups] + x.dropFirst() == inputs[1].shape && x[0] % groups == 0, "[A·N, ...] and [N, ...] with A = \(groups)")
            return [groups]
        default:
            return x
        }
    }
}

// Derivatives.
extension Operation {
    func stackedDerivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        switch self {
        case .stackedNorm(let options): return try stackedNormDerivative(options, x, g)
        case .stackedMoments, .stackedNormSums, .stackedNormInputGradient: return try derivativeOfDecomposition(x, g)
        // Three bilinear operations that are each other's derivatives, as those of a convolution are.
        case .spreadGroups(let groups, let weighted):
            let back = try Operation.weightGroups(groups: groups, weighted: weighted).apply([g] + x.dropFirst())
            return [back] + (weighted ? [x[1].requiresGrad ? try Operation.groupProducts(groups: groups)(g, x[0]) : nil] : [])
        case .weightGroups(let groups, let weighted):
            let back = try Operation.spreadGroups(groups: groups, weighted: weighted).apply([g] + x.dropFirst())
            return [back] + (weighted ? [x[1].requiresGrad ? try Operation.groupProducts(groups: groups)(x[0], g) : nil] : [])
        case .groupProducts(let groups):
            return [
                try Operation.spreadGroups(groups: groups, weighted: true)(x[1], g), try Operation.weightGroups(groups: groups, weighted: true)(x[0], g),
            ]
        default: return x.map { _ in nil }
        }
    }

    private func stackedNormDerivative(_ options: StackedNorm, _ x: [Tensor], _ g: Tensor) throws -> [Tensor?] {
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

    /// The small operations that a fused one stands for, over [batches, samples, repeats, channels, pixels].
    func stackedDecomposition(_ x: [Tensor]) throws -> Tensor {
        let shape = x[0].shape
        let pixels = shape.dropFirst(2).reduce(1, *)
        switch self {
        case .stackedMoments(let groups):
            let parts = try x[0].reshape([groups, shape[0] / groups, shape[1], pixels])
            let mean = try parts.mean([1, 3], keep: true)
            let variance = try (parts - mean).unary(.square).mean([1, 3], keep: true)
            return try Tensor.concat([mean, variance].map { try $0.reshape([groups, 1, shape[1]]) }, 1)
        case .stackedNormSums(let o), .stackedNormInputGradient(let o):
            let wide = [o.groups, shape[0] / o.groups, o.repeats, shape[1], pixels]
            let parts = try x[0].reshape([o.groups, shape[0] / o.groups, 1, shape[1], pixels])
            let moments = o.batchStatistics ? try Operation.stackedMoments(groups: o.groups)(x[0]) : x[2]
            func row(_ i: Int) throws -> Tensor {
                let part = try moments.narrow(1, i, 1)
                let channels = moments.shape[2]
                return try part.reshape(channels == shape[1] * o.repeats ? [o.groups, 1, o.repeats, shape[1], 1] : [o.groups, 1, 1, channels, 1])
            }
            let inverse = try (row(1) + o.epsilon).unary(.rsqrt)
            let normalised = try (parts - row(0)) * inverse
            let g = try x[1].reshape(wide)
            if case .stackedNormSums = self {
                return try Tensor.concat([g.sum([1, 4]), (g * normalised).sum([1, 4])].map { try $0.reshape([o.groups, 1, o.repeats * shape[1]]) }, 1)
            }
            let projected = o.batchStatistics ? try g - g.mean([1, 4], keep: true) - normalised * (g * normalised).mean([1, 4], keep: true) : g
            var scaled = try projected * inverse
            if o.gamma { scaled = try scaled * x[o.batchStatistics ? 4 : 3].reshape([1, 1, o.repeats, shape[1], 1]) }
            return try scaled.sum([2]).reshape(shape)
        default:
            throw TensorError(name, "has no decomposition")
        }
    }
}

// Kernels.
extension Operation {
    /// - Parameter computesStatistics: the moments (of `stackedNorm`) or sums (of its derivative) among the inputs are computed first, in their place.
    func stackedKernel(_ x: [Operand], _ y: Operand, accumulate: Bool = false, computesStatistics: Bool = false) -> PlainLaunch {
        let n = x.count
        switch self {
        case .stackedMoments(let groups):
            let shape = Operation.stack(x[0], groups, repeats: 1, statistics: y.shape[2])
            return { p in StackedNormalisation.moments(shape, p.floats(0), p.floats(1)) }
        case .stackedNorm(let o):
            let shape = Operation.stack(x[0], o.groups, repeats: o.repeats, statistics: x[1].shape[2])
            let stride = y.layout.batchStride
            return { p in
                StackedNormalisation.apply(
                    shape, p.floats(0), statistics: p.floats(1), gamma: o.gamma ? UnsafePointer(p.floats(2)) : nil,
                    beta: o.beta ? UnsafePointer(p.floats(o.gamma ? 3 : 2)) : nil, epsilon: o.epsilon, output: p.floats(n), outBatchStride: stride,
                    accumulate: accumulate, fresh: computesStatistics)
            }
        case .stackedNormSums(let o):
            let shape = Operation.stack(x[0], o.groups, repeats: o.repeats, statistics: x[2].shape[2])
            let stride = x[1].layout.batchStride
            return { p in
                StackedNormalisation.gradientSums(
                    shape, p.floats(0), p.floats(1), gBatchStride: stride, statistics: p.floats(2), epsilon: o.epsilon, sums: p.floats(3))
            }
        case .stackedNormInputGradient(let o):
            let shape = Operation.stack(x[0], o.groups, repeats: o.repeats, statistics: x[2].shape[2])
            let (stride, outStride) = (x[1].layout.batchStride, y.layout.batchStride)
            let gamma = o.gamma ? (o.batchStatistics ? 4 : 3) : nil
            return { p in
                StackedNormalisation.inputGradient(
                    shape, p.floats(0), p.floats(1), gBatchStride: stride, statistics: p.floats(2),
                    sums: o.batchStatistics ? p.floats(3) : nil, gamma: gamma.map { UnsafePointer(p.floats($0)) }, epsilon: o.epsilon,
                    output: p.floats(n), outBatchStride: outStride, accumulate: accumulate, fresh: computesStatistics)
            }
        case .stackedRunning(let momentum, let count):
            let (wide, narrow) = (y.shape[2], x[1].shape[2])
            let rows = y.shape[0] * 2
            return { p in StackedNormalisation.running(rows, wide, narrow, momentum, count, p.floats(0), p.floats(1), p.floats(2)) }
        case .spreadGroups(let groups, let weighted):
            let count = x[0].layout.count
            return { p in
                StackedNormalisation.spread(
                    groups, count, p.floats(0), weights: weighted ? UnsafePointer(p.floats(1)) : nil, p.floats(n), accumulate: accumulate)
            }
        case .weightGroups(let groups, let weighted):
            let count = y.layout.count
            return { p in StackedNormalisation.weigh(groups, count, p.floats(0), weights: weighted ? UnsafePointer(p.floats(1)) : nil, p.floats(n)) }
        case .groupProducts(let groups):
            let count = x[1].layout.count
            return { p in StackedNormalisation.products(groups, count, p.floats(0), p.floats(1), p.floats(2)) }
        default:
            hasNoKernel(among: "stacks")
        }
    }

    private static func stack(_ x: Operand, _ groups: Int, repeats: Int, statistics: Int) -> StackShape {
        StackShape(
            groups: groups, samples: x.shape[0] / groups, channels: x.shape[1], size: x.shape.dropFirst(2).reduce(1, *), repeats: repeats,
            statistics: statistics, batchStride: x.layout.batchStride)
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

    /// Σ_a weights[a]·x_a over the `groups` batches of a stack [A·N, ...].
    public func weightGroups(_ weights: Tensor) throws -> Tensor { try Operation.weightGroups(groups: weights.count, weighted: true)(self, weights) }

    /// The same batch `groups` times, [N, ...] -> [A·N, ...].
    public func spreadGroups(_ groups: Int) throws -> Tensor {
        groups == 1 ? self : try Operation.spreadGroups(groups: groups, weighted: false)(self)
    }
}
