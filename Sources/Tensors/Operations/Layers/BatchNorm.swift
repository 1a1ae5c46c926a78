import Kernels

/// Mean and biased variance of each channel of [N, C, ...] as [2, C].
struct MomentsRule: OperationRule {
    var name: String { "moments" }
    var traits: OperationTraits { OperationTraits(makesValue: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { [2, try Channels.count(x[0])] }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || Images.isBatch(layout) }

    /// y = [mean, variance]: d mean / dx = 1/M, d variance / dx = 2 (x - mean) / M.
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let x = x[0]
        let values = Float(x.count / max(x.shape[1], 1))
        let centred = try x - y.channelRow(0, x.rank)
        return [try (g.channelRow(0, x.rank) + centred * g.channelRow(1, x.rank) * 2) / values]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let shape = Channels.plane(x[0])
        return { p in Normalisation.moments(shape, p.floats(0), mean: p.floats(1), variance: p.floats(1) + shape.channels) }
    }
}

/// (x, moments [2, C], gamma?, beta?). With `batchStatistics` the moments are x's own and the derivative goes through them.
struct BatchNormRule: OperationRule {
    let epsilon: Float
    let batchStatistics, gamma, beta: Bool

    var name: String { "batch_norm" }
    var traits: OperationTraits { OperationTraits(fusions: .accumulate, writes: .images, repetition: .cheap) }
    var withoutDerivative: (place: Int, name: String)? { batchStatistics ? nil : (1, "given statistics") }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || index == 0 && Images.isBatch(layout) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let channels = try Channels.count(x[0])
        for parameter in x.dropFirst() where parameter.shape.last != channels {
            throw TensorError("batch_norm", "input has \(channels) channels, its statistics or weights are for \(parameter.shape.last ?? 1)")
        }
        return x[0].shape
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let weight = gamma ? x[2] : nil
        var result: [Tensor?] = []
        let sums = try Operation.batchNormSums(epsilon: epsilon, batchStatistics: batchStatistics)(x[0], g, x[1])
        if !x[0].requiresGrad {
            result.append(nil)
        } else if batchStatistics {
            result.append(try Operation.batchNormInputGradient(epsilon: epsilon, gamma: gamma).apply([x[0], g, x[1], sums] + (weight.map { [$0] } ?? [])))
        } else {
            var scale = try (x[1].channelRow(1, x[0].rank) + epsilon).unary(.rsqrt)
            if let weight { scale = try scale * weight.channels(x[0].rank) }
            result.append(try g * scale)
        }
        result.append(nil)
        if gamma { result.append(try sums.row(1)) }
        if beta { result.append(try sums.row(0)) }
        return result
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (shape, out, outStride) = (Channels.plane(x[0]), x.count, y.layout.batchStride)
        let (gamma, beta, epsilon, accumulate) = (gamma, beta, epsilon, form.has(.accumulate))
        return { p in
            Normalisation.apply(
                shape, p.floats(0), mean: p.floats(1), variance: p.floats(1) + shape.channels, gamma: gamma ? UnsafePointer(p.floats(2)) : nil,
                beta: beta ? UnsafePointer(p.floats(gamma ? 3 : 2)) : nil, epsilon: epsilon, output: p.floats(out),
                outBatchStride: outStride, relu: false, accumulate: accumulate)
        }
    }
}

/// (x, gradient, moments): Σ g and Σ g·x̂ of each channel, [2, C]. `batchStatistics` as in `BatchNormRule`.
struct BatchNormSumsRule: OperationRule {
    let epsilon: Float
    let batchStatistics: Bool

    var name: String { "batch_norm_sums" }
    var traits: OperationTraits { OperationTraits(isOfDerivative: true) }
    func shape(_ x: [Tensor]) throws -> [Int] { [2, try Channels.count(x[0])] }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || index < 2 && Images.isBatch(layout) }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try derivativeOfDecomposition(x, g) }

    func decomposition(_ x: [Tensor]) throws -> Tensor? {
        let (normalised, _) = try Channels.normalise(x[0], epsilon, by: batchStatistics ? nil : x[2])
        let axes = [0] + Array(2..<x[0].rank)
        return try Tensor.stack([x[1].sum(axes), (x[1] * normalised).sum(axes)], 0)
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (shape, stride, epsilon) = (Channels.plane(x[0]), x[1].layout.batchStride, epsilon)
        return { p in
            Normalisation.gradientSums(
                shape, p.floats(0), p.floats(1), gBatchStride: stride, mean: p.floats(2), variance: p.floats(2) + shape.channels,
                epsilon: epsilon, sumG: p.floats(3), sumGX: p.floats(3) + shape.channels)
        }
    }
}

/// (x, gradient, moments, sums, gamma?): the derivative of `BatchNormRule` with batch statistics.
struct BatchNormInputGradientRule: OperationRule {
    let epsilon: Float
    let gamma: Bool

    var name: String { "batch_norm_input_gradient" }
    var traits: OperationTraits { OperationTraits(isOfDerivative: true, fusions: .accumulate, writes: .images) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || index < 2 && Images.isBatch(layout) }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try derivativeOfDecomposition(x, g) }

    func decomposition(_ x: [Tensor]) throws -> Tensor? {
        let (normalised, inverse) = try Channels.normalise(x[0], epsilon)
        let axes = [0] + Array(2..<x[0].rank)
        let g = x[1]
        let projected = try g - g.mean(axes, keep: true) - normalised * (g * normalised).mean(axes, keep: true)
        let scaled = try projected * inverse
        return gamma ? try scaled * x[4].channels(x[0].rank) : scaled
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (shape, out, stride, outStride) = (Channels.plane(x[0]), x.count, x[1].layout.batchStride, y.layout.batchStride)
        let (gamma, epsilon, accumulate) = (gamma, epsilon, form.has(.accumulate))
        return { p in
            Normalisation.inputGradient(
                shape, p.floats(0), p.floats(1), gBatchStride: stride, mean: p.floats(2), variance: p.floats(2) + shape.channels,
                gamma: gamma ? UnsafePointer(p.floats(4)) : nil, epsilon: epsilon, sumG: p.floats(3), sumGX: p.floats(3) + shape.channels,
                output: p.floats(out), outBatchStride: outStride, accumulate: accumulate)
        }
    }
}

/// (running [2, C], moments [2, C]): the next running statistics, the variance made unbiased by `count` values.
struct RunningStatisticsRule: OperationRule {
    let momentum: Float
    let count: Int

    var name: String { "running_statistics" }
    var traits: OperationTraits { OperationTraits(hasDerivative: false, makesValue: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil, nil] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let c = y.layout.count / 2, momentum = momentum
        let unbias = count > 1 ? Float(count) / Float(count - 1) : 1
        return { p in
            for i in 0..<2 * c {
                let now = i < c ? p.floats(1)[i] : p.floats(1)[i] * unbias
                p.floats(2)[i] = (1 - momentum) * p.floats(0)[i] + momentum * now
            }
        }
    }
}

/// Channels of [N, C, ...].
enum Channels {
    /// - Throws: where there are none.
    static func count(_ x: Tensor) throws -> Int {
        guard x.rank >= 2 else { throw TensorError("batch_norm", "expects [N, C, ...], got \(Shapes.text(x.shape))") }
        return x.shape[1]
    }

    static func plane(_ x: Operand) -> PlaneShape {
        PlaneShape(
            batch: x.shape[0], channels: x.shape.count > 1 ? x.shape[1] : 1, size: x.shape.dropFirst(2).reduce(1, *), batchStride: x.layout.batchStride)
    }

    /// (x - mean) / √(variance + epsilon), and 1 / √(variance + epsilon).
    fileprivate static func normalise(_ x: Tensor, _ epsilon: Float, by statistics: Tensor? = nil) throws -> (Tensor, Tensor) {
        let moments = try statistics ?? Operation.moments(x)
        let inverse = try (moments.channelRow(1, x.rank) + epsilon).unary(.rsqrt)
        return (try (x - moments.channelRow(0, x.rank)) * inverse, inverse)
    }
}

extension Tensor {
    /// Row `i` of [2, C].
    func row(_ i: Int) throws -> Tensor { try narrow(0, i, 1).reshape([shape[1]]) }
    /// Row `i` of [2, C] as [1, C, 1, ...] with `rank` dimensions.
    func channelRow(_ i: Int, _ rank: Int) throws -> Tensor { try row(i).channels(rank) }
    /// [C] as [1, C, 1, ...] with `rank` dimensions.
    func channels(_ rank: Int) throws -> Tensor { try reshape([1, count] + [Int](repeating: 1, count: rank - 2)) }

    /// Batch norm over [N, C, ...] with the given statistics [2, C] (mean, variance), or its own when nil.
    public func batchNorm(statistics: Tensor? = nil, gamma: Tensor? = nil, beta: Tensor? = nil, epsilon: Float = 1e-5) throws -> Tensor {
        if let statistics, statistics.requiresGrad && GradientMode.isEnabled || statistics.isSymbolic && Recording.current?.isForCode == true {
            // The norm's own derivative leaves its statistics out, here and in PyTorch.
            let deviation = try (statistics.channelRow(1, rank) + epsilon).unary(.sqrt)
            let normal = try (self - statistics.channelRow(0, rank)) / deviation
            let scaled = try gamma.map { try normal * $0.channels(rank) } ?? normal
            return try beta.map { try scaled + $0.channels(rank) } ?? scaled
        }
        let weights = [gamma, beta].compactMap { $0 }
        func value() throws -> Tensor {
            let moments = try statistics ?? GradientMode.disabled { try Operation.moments(self) }
            return try Operation.batchNorm(epsilon: epsilon, batchStatistics: statistics == nil, gamma: gamma != nil, beta: beta != nil).apply([self, moments] + weights)
        }
        if statistics != nil { return try value() }
        let arguments: [PyTorchCall.Argument] = [
            .input(0), .text("None"), .text("None"), gamma == nil ? .text("None") : .input(1), beta == nil ? .text("None") : .input(weights.count), .text("True"), .text("0.0"),
            .text("\(epsilon)"),
        ]
        return try Tensor.whole("batch_norm", [self] + weights, PyTorchCall("F.batch_norm", arguments), value)
    }

    /// Batch norm by the batch's own statistics; `running` [2, C] moves towards them.
    public func batchNorm(updating running: Tensor, momentum: Float, gamma: Tensor? = nil, beta: Tensor? = nil, epsilon: Float = 1e-5) throws -> Tensor {
        let moments = try GradientMode.disabled { try Operation.moments(self) }
        let values = count / max(shape[1], 1)
        try GradientMode.disabled {
            try running.assign(Operation.runningStatistics(momentum: momentum, count: values)(running, moments))
        }
        return try Operation.batchNorm(epsilon: epsilon, batchStatistics: true, gamma: gamma != nil, beta: beta != nil)
            .apply([self, moments] + (gamma.map { [$0] } ?? []) + (beta.map { [$0] } ?? []))
    }
}
