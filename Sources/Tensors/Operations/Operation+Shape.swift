/// The shape rules: what each operation makes of its inputs, or why it cannot.
extension Operation {
    func result(of inputs: [Tensor]) throws -> (shape: [Int], dtype: DType) {
        try checkTypes(inputs)
        let x = inputs.first?.shape ?? []
        switch self {
        case .unary, .scalar:
            return (x, inputs[0].dtype)
        case .extreme:
            guard inputs[0].count > 0 else { throw TensorError(name, "the tensor \(Shapes.text(x)) is empty") }
            return ([], inputs[0].dtype)
        case .binary, .remainder, .floorDivide:
            guard let shape = Shapes.broadcast(x, inputs[1].shape) else {
                throw TensorError(name, "shapes \(Shapes.text(x)) and \(Shapes.text(inputs[1].shape)) do not broadcast: sizes must be equal or 1")
            }
            return (shape, inputs[0].dtype)
        case .select:
            guard let ab = Shapes.broadcast(inputs[1].shape, inputs[2].shape), let shape = Shapes.broadcast(x, ab) else {
                throw TensorError("where", "shapes \(inputs.map { Shapes.text($0.shape) }.joined(separator: ", ")) do not broadcast")
            }
            return (shape, inputs[1].dtype)
        case .cast(let dtype):
            return (x, dtype)
        case .broadcast(let shape):
            guard Shapes.broadcast(x, shape) == shape else {
                throw TensorError("expand", "\(Shapes.text(x)) does not expand to \(Shapes.text(shape)): only sizes of 1 can grow")
            }
            return (shape, inputs[0].dtype)
        case .reshape(let shape):
            guard shape.reduce(1, *) == inputs[0].count else {
                throw TensorError("reshape", "\(Shapes.text(x)) has \(inputs[0].count) elements, \(Shapes.text(shape)) wants \(shape.reduce(1, *))")
            }
            return (shape, inputs[0].dtype)
        case .permute(let order):
            return (order.map { x[$0] }, inputs[0].dtype)
        case .slice(_, let sizes, _):
            return (sizes, inputs[0].dtype)
        case .unslice(let shape, _, _):
            return (shape, inputs[0].dtype)
        case .pad(let before, let after, let value):
            return (try padShape(inputs[0], before, after, value), inputs[0].dtype)
        case .concat(let axis):
            return (try concatShape(inputs, axis), inputs[0].dtype)
        case .gather, .scatterAdd, .argmax, .argsort, .sum:
            return try indexedShape(inputs)
        case .integerMoment:
            return ([x[0]], .float32)
        case .detach, .alias, .copy, .overwrite, .emerge:
            return (x, inputs[0].dtype)
        case .asStrided(let layout, _):
            return (layout.shape, inputs[0].dtype)
        case .matmul(let tA, let tB):
            return (try matmulShape(inputs[0].shape, inputs[1].shape, tA, tB), inputs[0].dtype)
        case .conv2d, .convInputGradient, .convWeightGradient, .maxPool, .maxPoolGradient, .maxPoolPick, .averagePool, .averagePoolGradient,
            .resize, .resizeGradient:
            return (try imageShape(inputs), .float32)
        case .moments, .batchNormSums:
            guard x.count >= 2 else { throw TensorError("batch_norm", "expects [N, C, ...], got \(Shapes.text(x))") }
            return ([2, x[1]], .float32)
        case .batchNorm:
            try checkChannels(inputs)
            return (x, .float32)
        case .softmax(let axis, _):
            try inputs[0].checkAxis(axis, name)
            return (x, .float32)
        case .batchNormInputGradient, .runningStatistics, .softmaxGradient, .crossEntropyGradient:
            return (x, .float32)
        case .stackedMoments, .stackedNorm, .stackedNormSums, .stackedNormInputGradient, .stackedRunning, .spreadGroups, .weightGroups, .groupProducts:
            return (try stackedShape(inputs), .float32)
        case .crossEntropy:
            try checkLabels(inputs)
            return ([], .float32)
        case .random(_, let shape, _):
            return (shape, .float32)
        case .lost(let reason):
            throw TensorError("backward", reason)
        case .permutation(let n, _):
            return ([n], .int32)
        }
    }

    private func padShape(_ x: Tensor, _ before: [Int], _ after: [Int], _ value: Float) throws -> [Int] {
        if x.dtype == .int32, Int32(exactly: value) == nil { throw TensorError("pad", "the value \(value) is no int32, as the tensor's elements are") }
        return try x.shape.indices.map { d in
            let (inner, first) = x.shape[d].addingReportingOverflow(before[d])
            let (size, second) = inner.addingReportingOverflow(after[d])
            guard !first, !second else { throw TensorError("pad", "\(before[d]) and \(after[d]) more elements are more than memory holds") }
            return size
        }
    }

    private func concatShape(_ inputs: [Tensor], _ axis: Int) throws -> [Int] {
        try inputs[0].checkAxis(axis, name)
        var shape = inputs[0].shape
        for (i, other) in inputs.enumerated().dropFirst() {
            var expected = shape
            guard other.rank == shape.count else {
                throw TensorError("concat", "input \(i + 1) has \(other.rank) dimensions, the first has \(shape.count)")
            }
            expected[axis] = other.shape[axis]
            guard other.shape == expected else {
                throw TensorError(
                    "concat",
                    "input \(i + 1) is \(other.dtype) \(Shapes.text(other.shape)), expected \(inputs[0].dtype) \(Shapes.text(expected)): all sizes but that of dimension \(axis + 1) must be equal"
                )
            }
            shape[axis] += other.shape[axis]
        }
        return shape
    }

    private func indexedShape(_ inputs: [Tensor]) throws -> (shape: [Int], dtype: DType) {
        var shape = inputs[0].shape
        switch self {
        case .gather(let axis):
            try inputs[0].checkAxis(axis, name)
            var expected = inputs[1].shape
            guard expected.count == shape.count else {
                throw TensorError("gather", "indices have \(expected.count) dimensions, the tensor has \(shape.count)")
            }
            expected[axis] = shape[axis]
            guard expected == shape else {
                throw TensorError("gather", "indices \(inputs[1].dtype) \(Shapes.text(inputs[1].shape)) do not fit \(Shapes.text(shape)) along dimension \(axis + 1)")
            }
            return (inputs[1].shape, inputs[0].dtype)
        case .scatterAdd(let axis, let size):
            shape[axis] = size
            return (shape, inputs[1].dtype)
        case .argmax(let axis, _):
            try checkPositions(inputs[0], axis)
            guard shape[axis] > 0 else { throw TensorError(name, "dimension \(axis + 1) of \(Shapes.text(shape)) is empty") }
            shape[axis] = 1
            return (shape, .int32)
        case .argsort(let axis, _):
            try checkPositions(inputs[0], axis)
            return (shape, .int32)
        case .sum(let axes, let keep):
            for axis in axes {
                try inputs[0].checkAxis(axis, name)
                shape[axis] = 1
            }
            if !keep { shape = shape.indices.filter { !axes.contains($0) }.map { shape[$0] } }
            return (shape, inputs[0].dtype)
        default:
            return (shape, inputs[0].dtype)
        }
    }

    /// Positions along a dimension are int32.
    private func checkPositions(_ x: Tensor, _ axis: Int) throws {
        try x.checkAxis(axis, name)
        guard x.shape[axis] <= Int(Int32.max) else { throw TensorError(name, "dimension \(axis + 1) of \(Shapes.text(x.shape)) has more positions than int32 tells apart") }
    }

    private func matmulShape(_ a: [Int], _ b: [Int], _ tA: Bool, _ tB: Bool) throws -> [Int] {
        guard a.count >= 2, b.count >= 2 else {
            throw TensorError("matmul", "expects matrices, got \(Shapes.text(a)) and \(Shapes.text(b))")
        }
        let (m, k) = tA ? (a[a.count - 1], a[a.count - 2]) : (a[a.count - 2], a[a.count - 1])
        let (k2, n) = tB ? (b[b.count - 1], b[b.count - 2]) : (b[b.count - 2], b[b.count - 1])
        guard k == k2 else {
            throw TensorError("matmul", "inner sizes differ: \(Shapes.text(a)) has \(k) columns, \(Shapes.text(b)) has \(k2) rows")
        }
        guard a.dropLast(2).elementsEqual(b.dropLast(2)) else {
            throw TensorError("matmul", "leading sizes differ: \(Shapes.text(a)) and \(Shapes.text(b))")
        }
        return a.dropLast(2) + [m, n]
    }

    private func checkChannels(_ inputs: [Tensor]) throws {
        let x = inputs[0].shape
        guard x.count >= 2 else { throw TensorError("batch_norm", "expects [N, C, ...], got \(Shapes.text(x))") }
        for parameter in inputs.dropFirst() where parameter.shape.last != x[1] {
            throw TensorError("batch_norm", "input has \(x[1]) channels, its statistics or weights are for \(parameter.shape.last ?? 1)")
        }
    }

    private func checkLabels(_ inputs: [Tensor]) throws {
        let (logits, labels) = (inputs[0], inputs[1])
        guard logits.rank >= 2, labels.dtype == .int32, [logits.shape[0]] + logits.shape.dropFirst(2) == labels.shape else {
            throw TensorError(
                "cross_entropy",
                "logits \(Shapes.text(logits.shape)) are [N, classes, ...] and want int32 labels [N, ...], got \(labels.dtype) \(Shapes.text(labels.shape))")
        }
        if inputs.count > 2, self.hasClassWeights, inputs[inputs.count - 1].shape != [logits.shape[1]] {
            throw TensorError("cross_entropy", "weights \(Shapes.text(inputs[inputs.count - 1].shape)) should be one for each of \(logits.shape[1]) classes")
        }
    }

    var hasClassWeights: Bool {
        switch self {
        case .crossEntropy(_, let weights), .crossEntropyGradient(_, let weights): weights
        default: false
        }
    }
}

/// The shape rules of operations on images [N, C, H, W].
extension Operation {
    private func imageShape(_ inputs: [Tensor]) throws -> [Int] {
        for input in inputs.prefix(2) where input.rank != 4 {
            throw TensorError(name, "expects [N, C, H, W], got \(Shapes.text(input.shape))")
        }
        let x = inputs[0].shape
        switch self {
        case .conv2d(let options):
            return try convShape(inputs, options)
        case .convInputGradient(let options, let height, let width):
            return [x[0], inputs[1].shape[1] * options.groups / options.repeats, height, width]
        case .convWeightGradient(let options, let kh, let kw):
            return [inputs[1].shape[1], x[1] * options.repeats / options.groups, kh, kw]
        case .maxPool(let options), .averagePool(let options, _), .maxPoolPick(let options):
            return try poolShape(x, options)
        case .maxPoolGradient:
            return x
        case .averagePoolGradient(_, _, let height, let width), .resize(_, let height, let width), .resizeGradient(_, let height, let width):
            guard min(height, width, x[2], x[3]) > 0 else { throw TensorError(name, "images of \(x[2])x\(x[3]) to \(height)x\(width): each size should be 1 or more") }
            // The tables of resizing hold int32 positions.
            guard max(height, width, x[2], x[3]) <= Int(Int32.max) else { throw TensorError(name, "size \(height) x \(width) is too large") }
            return [x[0], x[1], height, width]
        default:
            return x
        }
    }


    private func convShape(_ inputs: [Tensor], _ o: ConvOptions) throws -> [Int] {
        let (x, w) = (inputs[0].shape, inputs[1].shape)
        guard (1...max(w[0], 1)).contains(o.groups) else { throw TensorError("conv2d", "groups should be 1 to the \(w[0]) channels of the result, got \(o.groups)") }
        guard w[2] > 0, w[3] > 0 else { throw TensorError("conv2d", "weight \(Shapes.text(w)) has a kernel without pixels, [out, in / groups, 1 or more, 1 or more] expected") }
        guard w[0] % o.groups == 0, x[1] * o.repeats == w[1] * o.groups else {
            throw TensorError(
                "conv2d",
                "input \(Shapes.text(x)) has \(x[1]) channels, weight \(Shapes.text(w)) with \(o.groups) group\(o.groups == 1 ? "" : "s") expects \(w[1] * o.groups)")
        }
        guard min(o.strideHeight, o.strideWidth, o.dilationHeight, o.dilationWidth) > 0, min(o.padHeight, o.padWidth) >= 0 else {
            throw TensorError("conv2d", "stride and dilation should be 1 or more and padding 0 or more")
        }
        try checkWindow([o.strideHeight, o.strideWidth, o.dilationHeight, o.dilationWidth, o.padHeight, o.padWidth])
        if inputs.count > 2, inputs[2].shape != [w[0]] {
            throw TensorError("conv2d", "bias \(Shapes.text(inputs[2].shape)) should be [\(w[0])]")
        }
        let height = x[2] + 2 * o.padHeight - o.dilationHeight * (w[2] - 1) - 1
        let width = x[3] + 2 * o.padWidth - o.dilationWidth * (w[3] - 1) - 1
        try checkPlanes((x[2] + 2 * o.padHeight + o.dilationHeight * w[2], x[3] + 2 * o.padWidth + o.dilationWidth * w[3]), times: x[0] * max(x[1], w[0]))
        guard height >= 0, width >= 0 else {
            throw TensorError(
                "conv2d",
                "a \(w[2])x\(w[3]) kernel at dilation \(o.dilationHeight), \(o.dilationWidth) does not fit into \(x[2])x\(x[3]) with padding \(o.padHeight), \(o.padWidth)")
        }
        return [x[0], w[0], height / o.strideHeight + 1, width / o.strideWidth + 1]
    }

    private func checkWindow(_ sizes: [Int]) throws {
        if let size = sizes.first(where: { $0 > Int(Int32.max) }) { throw TensorError(name, "a window, stride, dilation or padding of \(size) is too large") }
    }

    /// Kernels copy planes with their padding; what they multiply is not checked there.
    private func checkPlanes(_ plane: (height: Int, width: Int), times count: Int) throws {
        guard Double(plane.height) * Double(plane.width) * Double(max(count, 1)) < 0x1p46 else {
            throw TensorError(name, "the padded planes, \(plane.height)x\(plane.width), take more memory than there is")
        }
    }

    private func poolShape(_ x: [Int], _ o: PoolOptions) throws -> [Int] {
        guard min(o.kernelHeight, o.kernelWidth, o.strideHeight, o.strideWidth) > 0, min(o.padHeight, o.padWidth) >= 0 else {
            throw TensorError(name, "kernel and stride should be 1 or more and padding 0 or more")
        }
        try checkWindow([o.kernelHeight, o.kernelWidth, o.strideHeight, o.strideWidth, o.padHeight, o.padWidth])
        guard x[2] > 0, x[3] > 0 else { throw TensorError(name, "images of \(x[2])x\(x[3]) have no pixels to pool") }
        guard o.padHeight * 2 <= o.kernelHeight, o.padWidth * 2 <= o.kernelWidth else {
            throw TensorError(name, "padding \(o.padHeight), \(o.padWidth) is more than half of the \(o.kernelHeight)x\(o.kernelWidth) window")
        }
        let height = x[2] + 2 * o.padHeight - o.kernelHeight
        let width = x[3] + 2 * o.padWidth - o.kernelWidth
        try checkPlanes((3 * o.kernelHeight + 10, x[3] + 2 * o.padWidth + 2 * o.kernelWidth + o.strideWidth), times: 1)
        guard height >= 0, width >= 0 else {
            throw TensorError(name, "a \(o.kernelHeight)x\(o.kernelWidth) window does not fit into \(x[2])x\(x[3]) with padding \(o.padHeight), \(o.padWidth)")
        }
        return [x[0], x[1], height / o.strideHeight + 1, width / o.strideWidth + 1]
    }
}
