import Glibc

/// The derivative rules: for y = operation(x) and g = dL/dy, what dL/dx is. Rules emit operations, so they can be differentiated
/// again and recorded like everything else. nil: the derivative is zero everywhere, or not defined (indices, conditions).
extension Operation {
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        switch self {
        // Element-wise.
        case .unary(let f): return [try f.derivative(x[0], y, g)]
        case .binary(let f): return try f.derivative(x[0], x[1], y, g)
        case .scalar(let f, let s, let first): return [try f.derivative(x[0], s, first, y, g)]
        case .remainder:
            let db = x[1].requiresGrad ? try -(g * Operation.floorDivide(x[0], x[1])) : nil
            return [try g.sum(to: x[0].shape), try db?.sum(to: x[1].shape)]
        case .floorDivide: return [nil, nil]
        case .extreme:
            // Shared by equal ones, as in PyTorch.
            let isExtreme = try x[0].binary(.eq, y)
            return [try isExtreme * (g / isExtreme.sum())]
        case .select:
            let (condition, zero) = (x[0], try Tensor.scalar(0))
            return [
                nil, try Tensor.select(condition, g, zero).sum(to: x[1].shape), try Tensor.select(condition, zero, g).sum(to: x[2].shape),
            ]
        case .cast: return [x[0].dtype == .float32 ? try g.cast(.float32) : nil]

        // Shape: the adjoint moves the gradient back to where the values came from.
        case .broadcast: return [try g.sum(to: x[0].shape)]
        case .reshape: return [try g.reshape(x[0].shape)]
        case .permute(let order): return [try g.permute(order.indices.map { i in order.firstIndex(of: i) ?? i })]
        case .slice(let starts, _, let steps): return [try Operation.unslice(shape: x[0].shape, starts: starts, steps: steps)(g)]
        case .unslice(_, let starts, let steps): return [try Operation.slice(starts: starts, sizes: x[0].shape, steps: steps)(g)]
        case .pad(let before, _, _):
            return [try Operation.slice(starts: before, sizes: x[0].shape, steps: before.map { _ in 1 })(g)]
        case .concat(let axis):
            var start = 0
            return try x.map { part in
                defer { start += part.shape[axis] }
                return try g.narrow(axis, start, part.shape[axis])
            }
        case .gather(let axis): return [try Operation.scatterAdd(axis: axis, size: x[0].shape[axis])(x[1], g), nil]
        case .scatterAdd(let axis, _): return [nil, try Operation.gather(axis: axis)(g, x[0])]
        case .detach: return [nil]
        // In the runs that compute x, which alone read it, the derivative is g.
        case .emerge(_, let otherwise):
            guard otherwise else { return [g] + x.dropFirst().map { _ in nil } }
            let rest = x[1].requiresGrad ? try self.apply([Tensor.zeros(x[1].shape), g] + x.dropFirst(2)) : nil
            return [g, rest] + x.dropFirst(2).map { _ in nil }
        case .alias, .copy: return [g]
        case .asStrided(let layout, let offset): return [try Operation.overwrite(layout, offset: offset)(Tensor.zeros(x[0].shape), g)]
        case .overwrite(let layout, let offset):
            return [
                try Operation.overwrite(layout, offset: offset)(g, Tensor.zeros(x[1].shape)), try Operation.asStrided(layout, offset: offset)(g),
            ]

        // Reductions and products.
        case .sum(let axes, let keep):
            let shape = x[0].shape.indices.map { axes.contains($0) ? 1 : x[0].shape[$0] }
            return [try (keep ? g : g.reshape(shape)).expand(x[0].shape)]
        case .integerMoment, .argmax, .argsort: return [nil]
        case .matmul(let tA, let tB):
            let (a, b) = (x[0], x[1])
            return [
                tA ? try Operation.matmul(transposeA: tB, transposeB: true)(b, g) : try Operation.matmul(transposeA: false, transposeB: !tB)(g, b),
                tB ? try Operation.matmul(transposeA: true, transposeB: tA)(g, a) : try Operation.matmul(transposeA: !tA, transposeB: false)(a, g),
            ]

        // Layers. A convolution is bilinear: its three forms are each other's derivatives.
        case .conv2d(let o):
            let (h, w, kh, kw) = (x[0].shape[2], x[0].shape[3], x[1].shape[2], x[1].shape[3])
            let dx = x[0].requiresGrad ? try Operation.convInputGradient(o, height: h, width: w)(g, x[1]) : nil
            let dw = x[1].requiresGrad ? try Operation.convWeightGradient(o, kernelHeight: kh, kernelWidth: kw)(x[0], g) : nil
            return [dx, dw] + (x.count > 2 ? [try g.sum([0, 2, 3])] : [])
        case .convInputGradient(let o, _, _):
            return [
                try Operation.conv2d(o)(g, x[1]),
                try Operation.convWeightGradient(o, kernelHeight: x[1].shape[2], kernelWidth: x[1].shape[3])(g, x[0]),
            ]
        case .convWeightGradient(let o, _, _):
            return [
                try Operation.convInputGradient(o, height: x[0].shape[2], width: x[0].shape[3])(x[1], g), try Operation.conv2d(o)(x[0], g),
            ]
        case .maxPool(let o): return [try Operation.maxPoolGradient(o)(x[0], g)]
        case .maxPoolGradient(let o): return [nil, try Operation.maxPoolPick(o)(x[0], g)]
        case .maxPoolPick(let o): return [nil, try Operation.maxPoolGradient(o)(x[0], g)]
        case .averagePool(let o, let padding):
            return [try Operation.averagePoolGradient(o, countPadding: padding, height: x[0].shape[2], width: x[0].shape[3])(g)]
        case .averagePoolGradient(let o, let padding, _, _): return [try Operation.averagePool(o, countPadding: padding)(g)]
        case .resize(let mode, _, _): return [try Operation.resizeGradient(mode, height: x[0].shape[2], width: x[0].shape[3])(g)]
        case .resizeGradient(let mode, _, _): return [try Operation.resize(mode, height: x[0].shape[2], width: x[0].shape[3])(g)]
        case .moments: return [try momentsDerivative(x[0], y, g)]
        case .batchNorm: return try batchNormDerivative(x, g)
        case .batchNormSums, .batchNormInputGradient, .softmaxGradient, .crossEntropyGradient:
            return try derivativeOfDecomposition(x, g)
        case .lost(let reason): throw TensorError("backward", reason)
        case .runningStatistics, .stackedRunning, .random, .permutation: return x.map { _ in nil }
        case .stackedMoments, .stackedNorm, .stackedNormSums, .stackedNormInputGradient, .spreadGroups, .weightGroups, .groupProducts:
            return try stackedDerivative(x, y, g)
        case .softmax(let axis, let logarithm): return [try Operation.softmaxGradient(axis: axis, logarithm: logarithm)(y, g)]
        case .crossEntropy(let ignore, let weights):
            let inputs = weights ? [x[0], x[1], g, x[2]] : [x[0], x[1], g]
            return [try Operation.crossEntropyGradient(ignore: ignore, weights: weights).apply(inputs)] + x.dropFirst().map { _ in nil }
        }
    }
}

extension UnaryFunction {
    fileprivate func derivative(_ x: Tensor, _ y: Tensor, _ g: Tensor) throws -> Tensor? {
        switch self {
        case .neg: return try -g
        case .abs: return try g * x.unary(.sign)
        case .exp: return try g * y
        case .log: return try g / x
        case .sqrt: return try g * 0.5 / y
        case .rsqrt: return try g * (y * y * y) * -0.5
        case .reciprocal: return try -(g * (y * y))
        case .square: return try g * x * 2
        case .relu: return try x.binary(.gate, g)
        case .sigmoid: return try g * (y * (1 - y))
        case .tanh: return try g * (1 - y * y)
        case .sin: return try g * x.unary(.cos)
        case .cos: return try -(g * x.unary(.sin))
        case .sign, .step, .floor, .ceil, .round: return nil
        }
    }
}

extension BinaryFunction {
    fileprivate func derivative(_ a: Tensor, _ b: Tensor, _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let da: Tensor?
        let db: Tensor?
        switch self {
        case .add: (da, db) = (g, g)
        case .sub: (da, db) = (g, b.requiresGrad ? try -g : nil)
        case .mul: (da, db) = (a.requiresGrad ? try g * b : nil, b.requiresGrad ? try g * a : nil)
        case .div: (da, db) = (try g / b, b.requiresGrad ? try -(g * y / b) : nil)
        case .pow:
            // Where x^0 stands the slope is 0, and where 0^b does, that along b.
            da = a.requiresGrad ? try Tensor.select(b.compare(.eq, 0), Tensor.scalar(0), g * b * a.binary(.pow, b - 1)) : nil
            db = b.requiresGrad ? try Tensor.select(a.compare(.eq, 0) * b.compare(.ge, 0), Tensor.scalar(0), g * y * a.unary(.log)) : nil
        case .max, .min:
            // Where both are equal each gets half, as in PyTorch.
            let first = try a.binary(self == .max ? .gt : .lt, b)
            let share = try first + a.binary(.eq, b) * 0.5
            (da, db) = (try g * share, try g * (1 - share))
        case .gate: (da, db) = (nil, try a.binary(.gate, g))
        case .eq, .ne, .lt, .le, .gt, .ge: return [nil, nil]
        }
        return [try da?.sum(to: a.shape), try db?.sum(to: b.shape)]
    }

    fileprivate func derivative(_ x: Tensor, _ s: Double, _ scalarFirst: Bool, _ y: Tensor, _ g: Tensor) throws -> Tensor? {
        switch self {
        case .add: return g
        case .sub: return scalarFirst ? try -g : g
        case .mul: return try g.scalar(.mul, s)
        case .div: return scalarFirst ? try -(g * y / x) : try g.scalar(.div, s)
        case .pow:
            guard scalarFirst else { return s == 0 ? nil : try (g * x.pow(s - 1)).scalar(.mul, s) }
            let slope = try (g * y).scalar(.mul, Glibc.log(s))
            return s == 0 ? try Tensor.select(x.compare(.ge, 0), Tensor.scalar(0), slope) : slope
        case .max, .min: return try g * (x.scalar(self == .max ? .gt : .lt, s) + x.scalar(.eq, s) * 0.5)
        case .gate: return scalarFirst ? (s > 0 ? g : nil) : nil
        case .eq, .ne, .lt, .le, .gt, .ge: return nil
        }
    }
}

extension Operation {
    /// y = [mean, variance]: d mean / dx = 1/M, d variance / dx = 2 (x - mean) / M.
    private func momentsDerivative(_ x: Tensor, _ y: Tensor, _ g: Tensor) throws -> Tensor {
        let values = Float(x.count / max(x.shape[1], 1))
        let centred = try x - y.channelRow(0, x.rank)
        return try (g.channelRow(0, x.rank) + centred * g.channelRow(1, x.rank) * 2) / values
    }

    private func batchNormDerivative(_ x: [Tensor], _ g: Tensor) throws -> [Tensor?] {
        guard case .batchNorm(let epsilon, let batchStatistics, let hasGamma, let hasBeta) = self else { return [] }
        let gamma = hasGamma ? x[2] : nil
        var result: [Tensor?] = []
        let sums = try Operation.batchNormSums(epsilon: epsilon, batchStatistics: batchStatistics)(x[0], g, x[1])
        if !x[0].requiresGrad {
            result.append(nil)
        } else if batchStatistics {
            result.append(try Operation.batchNormInputGradient(epsilon: epsilon, gamma: hasGamma).apply([x[0], g, x[1], sums] + (gamma.map { [$0] } ?? [])))
        } else {
            var scale = try (x[1].channelRow(1, x[0].rank) + epsilon).unary(.rsqrt)
            if let gamma { scale = try scale * gamma.channels(x[0].rank) }
            result.append(try g * scale)
        }
        result.append(nil)
        if hasGamma { result.append(try sums.row(1)) }
        if hasBeta { result.append(try sums.row(0)) }
        return result
    }

    /// Fused derivative kernels are differentiated through the small operations they stand for.
    func derivativeOfDecomposition(_ x: [Tensor], _ g: Tensor) throws -> [Tensor?] {
        let value = try GradientMode.with(true) { try decomposition(x) }
        let wanted = x.filter(\.requiresGrad)
        // The inputs may depend on each other; the decomposition's derivative stops at each of them.
        let found = try Gradient.compute(of: [value], seeds: [g], with: wanted, createGraph: GradientMode.isEnabled, stopAtTargets: true)
        var next = 0
        return x.map { input in
            guard input.requiresGrad else { return nil }
            defer { next += 1 }
            return found[next]
        }
    }

    private func decomposition(_ x: [Tensor]) throws -> Tensor {
        switch self {
        case .batchNormSums(let epsilon, let batchStatistics):
            let (normalised, _) = try normalise(x[0], epsilon, by: batchStatistics ? nil : x[2])
            let axes = [0] + Array(2..<x[0].rank)
            return try Tensor.stack([x[1].sum(axes), (x[1] * normalised).sum(axes)], 0)
        case .batchNormInputGradient(let epsilon, let hasGamma):
            let (normalised, inverse) = try normalise(x[0], epsilon)
            let axes = [0] + Array(2..<x[0].rank)
            let g = x[1]
            let projected = try g - g.mean(axes, keep: true) - normalised * (g * normalised).mean(axes, keep: true)
            let scaled = try projected * inverse
            return hasGamma ? try scaled * x[4].channels(x[0].rank) : scaled
        case .softmaxGradient(let axis, let logarithm):
            let (y, g) = (x[0], x[1])
            return logarithm
                ? try g - y.unary(.exp) * g.sum([axis], keep: true) : try y * (g - (g * y).sum([axis], keep: true))
        case .crossEntropyGradient(let ignore, let hasWeights):
            let (logits, labels, g) = (x[0], x[1], x[2])
            let target = try labels.oneHot(classes: logits.shape[1], axis: 1, ignore: ignore)
            let weighted = hasWeights ? try target * x[3].channels(logits.rank) : target
            let pixel = try weighted.sum([1], keep: true)
            return try (logits.softmax(1) * pixel - weighted) * (g / pixel.sum())
        case .stackedMoments, .stackedNormSums, .stackedNormInputGradient:
            return try stackedDecomposition(x)
        default:
            throw TensorError(name, "has no decomposition")
        }
    }

    private func normalise(_ x: Tensor, _ epsilon: Float, by statistics: Tensor? = nil) throws -> (Tensor, Tensor) {
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
}
