import Kernels

// Kernels of the layers: images [N, C, H, W], channel statistics, class scores.
extension ConvOptions {
    /// Sizes of the convolution x [N, C, H, W] * w -> y; batch strides from the layouts.
    func shape(_ x: TensorLayout, weight w: [Int], _ y: TensorLayout) -> ConvShape {
        ConvShape(
            batch: x.shape[0], inChannels: x.shape[1] * repeats, inHeight: x.shape[2], inWidth: x.shape[3], outChannels: w[0], kernelHeight: w[2],
            kernelWidth: w[3], strideHeight: strideHeight, strideWidth: strideWidth, padHeight: padHeight, padWidth: padWidth,
            dilationHeight: dilationHeight, dilationWidth: dilationWidth, groups: groups, inBatchStride: x.batchStride,
            outBatchStride: y.batchStride)
    }
}

extension PoolOptions {
    func shape(_ x: TensorLayout, _ y: TensorLayout) -> PoolShape {
        PoolShape(
            batch: x.shape[0], channels: x.shape[1], inHeight: x.shape[2], inWidth: x.shape[3], kernelHeight: kernelHeight,
            kernelWidth: kernelWidth, strideHeight: strideHeight, strideWidth: strideWidth, padHeight: padHeight, padWidth: padWidth,
            inBatchStride: x.batchStride, outBatchStride: y.batchStride)
    }
}

extension Operation {
    /// - Parameters:
    ///   - relu: ReLU the image input as it is loaded (`conv2d`, `convWeightGradient`).
    ///   - mask: a further input after the others, shaped as the result: zero where it is not positive (`convInputGradient`).
    ///   - accumulate: add to the output instead of writing it.
    func convKernel(_ x: [Operand], _ y: Operand, relu: Bool = false, mask: Bool = false, accumulate: Bool = false) -> PlainLaunch {
        switch self {
        case .conv2d(let options):
            let sets = ConvolutionSets(options.shape(x[0].layout, weight: x[1].shape, y.layout), repeats: options.repeats)
            let (hasBias, out) = (x.count > 2, x.count)
            return { p in
                sets.forward(
                    input: p.floats(0), weight: p.floats(1), bias: hasBias ? UnsafePointer(p.floats(2)) : nil, output: p.floats(out), relu: relu,
                    accumulate: accumulate)
            }
        case .convInputGradient(let options, _, _):
            let sets = ConvolutionSets(options.shape(y.layout, weight: x[1].shape, x[0].layout), repeats: options.repeats)
            let out = mask ? 3 : 2
            let maskStride = mask ? x[2].layout.batchStride : 0
            return { p in
                sets.inputGradient(
                    gradient: p.floats(0), weight: p.floats(1), output: p.floats(out), mask: mask ? UnsafePointer(p.floats(2)) : nil,
                    maskBatchStride: maskStride, accumulate: accumulate)
            }
        case .convWeightGradient(let options, _, _):
            let sets = ConvolutionSets(options.shape(x[0].layout, weight: y.shape, x[1].layout), repeats: options.repeats)
            return { p in
                sets.weightGradient(input: p.floats(0), gradient: p.floats(1), output: p.floats(2), relu: relu, accumulate: accumulate)
            }
        default:
            hasNoKernel(among: "convolutions")
        }
    }

    func imageKernel(_ x: [Operand], _ y: Operand, accumulate: Bool = false) -> Launch {
        switch self {
        case .maxPool(let options):
            let shape = options.shape(x[0].layout, y.layout)
            return { p in Pooling.maxForward(shape, p.floats(0), p.floats(1)) }
        case .maxPoolGradient(let options):
            let shape = options.shape(x[0].layout, x[1].layout)
            let stride = y.layout.batchStride
            if stride == shape.inBatchStride || shape.batch == 1 {
                return { p in Pooling.maxBackward(shape, p.floats(0), p.floats(1), p.floats(2), accumulate: accumulate) }
            }
            // The kernel knows one distance between images for x and its gradient.
            var image = shape
            image.batch = 1
            return { [image] p in
                for n in 0..<shape.batch {
                    Pooling.maxBackward(
                        image, p.floats(0) + n * shape.inBatchStride, p.floats(1) + n * shape.outBatchStride, p.floats(2) + n * stride,
                        accumulate: accumulate)
                }
            }
        case .maxPoolPick(let options):
            let shape = options.shape(x[0].layout, y.layout)
            return { p in Pooling.maxPick(shape, p.floats(0), p.floats(1), p.floats(2)) }
        case .averagePool(let options, let padding):
            let shape = options.shape(x[0].layout, y.layout)
            return { p in Pooling.averageForward(shape, p.floats(0), p.floats(1), countPadding: padding) }
        case .averagePoolGradient(let options, let padding, _, _):
            let shape = options.shape(y.layout, x[0].layout)
            return { p in Pooling.averageBackward(shape, p.floats(0), p.floats(1), countPadding: padding, accumulate: accumulate) }
        case .resize(let mode, _, _):
            let shape = Self.resizeShape(x[0].layout, y.layout)
            switch mode {
            case .nearest: return { p in Resize.nearest(shape, p.floats(0), p.floats(1)) }
            default: return { p in Resize.bilinear(shape, p.floats(0), p.floats(1), alignCorners: mode == .bilinearAlignCorners) }
            }
        case .resizeGradient(let mode, _, _):
            let shape = Self.resizeShape(y.layout, x[0].layout)
            switch mode {
            case .nearest: return { p in Resize.nearestBackward(shape, p.floats(0), p.floats(1), accumulate: accumulate) }
            default:
                return { p in
                    Resize.bilinearBackward(shape, p.floats(0), p.floats(1), alignCorners: mode == .bilinearAlignCorners, accumulate: accumulate)
                }
            }
        default:
            hasNoKernel(among: "operations on images")
        }
    }

    private static func resizeShape(_ x: TensorLayout, _ y: TensorLayout) -> ResizeShape {
        ResizeShape(
            batch: x.shape[0], channels: x.shape[1], inHeight: x.shape[2], inWidth: x.shape[3], outHeight: y.shape[2], outWidth: y.shape[3],
            inBatchStride: x.batchStride, outBatchStride: y.batchStride)
    }

    func normKernel(_ x: [Operand], _ y: Operand, relu: Bool = false, accumulate: Bool = false) -> Launch {
        let channels = x[0].shape.count > 1 ? x[0].shape[1] : 1
        let shape = PlaneShape(
            batch: x[0].shape[0], channels: channels, size: x[0].shape.dropFirst(2).reduce(1, *), batchStride: x[0].layout.batchStride)
        let out = x.count
        switch self {
        case .moments:
            return { p in Normalisation.moments(shape, p.floats(0), mean: p.floats(1), variance: p.floats(1) + channels) }
        case .batchNorm(let epsilon, _, let gamma, let beta):
            let outStride = y.layout.batchStride
            return { p in
                Normalisation.apply(
                    shape, p.floats(0), mean: p.floats(1), variance: p.floats(1) + channels, gamma: gamma ? UnsafePointer(p.floats(2)) : nil,
                    beta: beta ? UnsafePointer(p.floats(gamma ? 3 : 2)) : nil, epsilon: epsilon, output: p.floats(out),
                    outBatchStride: outStride, relu: relu, accumulate: accumulate)
            }
        case .batchNormSums(let epsilon, _):
            let stride = x[1].layout.batchStride
            return { p in
                Normalisation.gradientSums(
                    shape, p.floats(0), p.floats(1), gBatchStride: stride, mean: p.floats(2), variance: p.floats(2) + channels,
                    epsilon: epsilon, sumG: p.floats(3), sumGX: p.floats(3) + channels)
            }
        case .batchNormInputGradient(let epsilon, let gamma):
            let (stride, outStride) = (x[1].layout.batchStride, y.layout.batchStride)
            return { p in
                Normalisation.inputGradient(
                    shape, p.floats(0), p.floats(1), gBatchStride: stride, mean: p.floats(2), variance: p.floats(2) + channels,
                    gamma: gamma ? UnsafePointer(p.floats(4)) : nil, epsilon: epsilon, sumG: p.floats(3), sumGX: p.floats(3) + channels,
                    output: p.floats(out), outBatchStride: outStride, accumulate: accumulate)
            }
        case .runningStatistics(let momentum, let count):
            let c = y.layout.count / 2
            let unbias = count > 1 ? Float(count) / Float(count - 1) : 1
            return { p in
                for i in 0..<2 * c {
                    let now = i < c ? p.floats(1)[i] : p.floats(1)[i] * unbias
                    p.floats(2)[i] = (1 - momentum) * p.floats(0)[i] + momentum * now
                }
            }
        default:
            hasNoKernel(among: "norms")
        }
    }

    func classKernel(_ x: [Operand], _ y: Operand) throws -> Launch {
        switch self {
        case .softmax(let axis, let logarithm):
            let (outer, n, inner) = Collapse.around(x[0].shape, axis)
            return { p in Softmax.forward(outer: outer, n: n, inner: inner, p.floats(0), p.floats(1), log: logarithm) }
        case .softmaxGradient(let axis, let logarithm):
            let (outer, n, inner) = Collapse.around(x[0].shape, axis)
            return { p in Softmax.backward(outer: outer, n: n, inner: inner, y: p.floats(0), g: p.floats(1), dx: p.floats(2), log: logarithm) }
        case .crossEntropy(let ignore, let weights):
            let (batch, classes, pixels) = (x[0].shape[0], x[0].shape[1], x[0].shape.dropFirst(2).reduce(1, *))
            return { p in
                let classWeights = weights ? UnsafePointer(p.floats(2)) : nil
                try Self.checkLabels(p.ints(1), batch, pixels, classes, ignore)
                if let classWeights { try Self.checkWeights(classWeights, classes) }
                let (loss, weight) = CrossEntropy.forward(
                    batch: batch, classes: classes, pixels: pixels, logits: p.floats(0), labels: p.ints(1), weights: classWeights, ignore: ignore)
                // A batch without a pixel that counts has nothing to teach; NaN, PyTorch's answer, would destroy the weights.
                p.floats(weights ? 3 : 2)[0] = weight > 0 ? Float(loss / weight) : 0
            }
        case .crossEntropyGradient(let ignore, let weights):
            let (batch, classes, pixels) = (x[0].shape[0], x[0].shape[1], x[0].shape.dropFirst(2).reduce(1, *))
            return { p in
                let classWeights = weights ? UnsafePointer(p.floats(3)) : nil
                let total = Self.weightSum(p.ints(1), batch * pixels, ignore, classWeights)
                CrossEntropy.backward(
                    batch: batch, classes: classes, pixels: pixels, logits: p.floats(0), labels: p.ints(1), weights: classWeights,
                    ignore: ignore, scale: total > 0 ? Float(Double(p.floats(2)[0]) / total) : 0, output: p.floats(weights ? 4 : 3))
            }
        default:
            hasNoKernel(among: "operations on class scores")
        }
    }

    private static func weightSum(
        _ labels: UnsafePointer<Int32>, _ count: Int, _ ignore: Int32, _ weights: UnsafePointer<Float>?
    ) -> Double {
        var total = 0.0
        for i in 0..<count where labels[i] != ignore { total += weights.map { Double($0[Int(labels[i])]) } ?? 1 }
        return total
    }

    private static func checkWeights(_ weights: UnsafePointer<Float>, _ classes: Int) throws {
        guard let wrong = (0..<classes).first(where: { !(weights[$0] >= 0 && weights[$0].isFinite) }) else { return }
        throw TensorError("cross_entropy", "the weight of class \(wrong) is \(weights[wrong]); weights are finite and 0 or more")
    }

    private static func checkLabels(_ labels: UnsafePointer<Int32>, _ batch: Int, _ size: Int, _ classes: Int, _ ignore: Int32) throws {
        if let at = CrossEntropy.firstBadLabel(labels, count: batch * size, classes: classes, ignore: ignore) {
            throw TensorError(
                "cross_entropy",
                "label \(labels[at]) in image \(at / max(size, 1) + 1), pixel \(at % max(size, 1) + 1) is none of the classes 0 to \(classes - 1) nor the ignored \(ignore)")
        }
    }
}
