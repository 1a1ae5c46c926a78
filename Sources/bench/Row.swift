import Kernels

/// One line of the table: a kernel at a size, batch 2, forward or backward. Backward of a convolution is both gradients.
struct Row {
    static let kinds = [
        "dw3d1", "dw3d2", "dw5d1", "dw5d2", "pointwise", "conv3d1", "conv3d2", "conv5d1", "conv5d2", "batchnorm", "maxpool", "avgpool",
        "up", "down",
    ]

    let kind: String
    let channels, side: Int
    let pass: String

    private func buffer(_ count: Int) -> UnsafeMutablePointer<Float> {
        let p = UnsafeMutablePointer<Float>.allocate(capacity: count + 16)
        var state: UInt32 = 12345
        for i in 0..<count {
            state = state &* 1_664_525 &+ 1_013_904_223
            p[i] = Float(Int32(bitPattern: state)) / 2_147_483_648
        }
        return p
    }

    /// The call to time; nil for a class that is not built in. Its buffers are never freed: the process is short.
    func work() -> (() -> Void)? {
        switch kind {
        case "dw3d1": convolution(3, 1, true)
        case "dw3d2": convolution(3, 2, true)
        case "dw5d1": convolution(5, 1, true)
        case "dw5d2": convolution(5, 2, true)
        case "pointwise": convolution(1, 1, false)
        case "conv3d1": convolution(3, 1, false)
        case "conv3d2": convolution(3, 2, false)
        case "conv5d1": convolution(5, 1, false)
        case "conv5d2": convolution(5, 2, false)
        case "stem": convolution(3, 1, false, from: 3, stride: 2)
        case "stride2": convolution(3, 1, false, from: channels / 2, stride: 2)
        case "aspp": convolution(3, 12, false, from: 4 * channels)
        case "project": convolution(1, 1, false, from: 5 * channels)
        case "batchnorm": normalisation()
        case "maxpool", "avgpool": pooling()
        case "up": resizing(2 * side - 1)
        case "down": resizing((side + 1) / 2)
        default: nil
        }
    }

    private func convolution(_ k: Int, _ dilation: Int, _ depthwise: Bool, from: Int? = nil, stride: Int = 1) -> () -> Void {
        let pad = dilation * (k / 2), inChannels = from ?? channels
        let s = ConvShape(
            batch: 2, inChannels: inChannels, inHeight: side, inWidth: side, outChannels: channels, kernelHeight: k, kernelWidth: k,
            strideHeight: stride, strideWidth: stride, padHeight: pad, padWidth: pad, dilationHeight: dilation, dilationWidth: dilation,
            groups: depthwise ? channels : 1)
        let count = 2 * max(channels, inChannels) * side * side, weights = channels * (depthwise ? 1 : inChannels) * k * k
        let x = buffer(count), y = buffer(count), w = buffer(weights), v = buffer(weights)
        switch pass {
        case "forward": return { Convolution.forward(s, input: x, weight: w, output: y) }
        case "input": return { Convolution.inputGradient(s, gradient: x, weight: w, output: y) }
        case "weight": return { Convolution.weightGradient(s, input: x, gradient: y, output: v) }
        default:
            let g = buffer(count)
            return {
                Convolution.inputGradient(s, gradient: g, weight: w, output: y)
                Convolution.weightGradient(s, input: x, gradient: g, output: v)
            }
        }
    }

    private func normalisation() -> () -> Void {
        let s = PlaneShape(batch: 2, channels: channels, size: side * side), stride = channels * side * side
        let x = buffer(2 * stride), y = buffer(2 * stride), g = buffer(2 * stride)
        let mean = buffer(channels), variance = buffer(channels), gamma = buffer(channels), beta = buffer(channels)
        let a = buffer(channels), b = buffer(channels)
        if pass == "forward" {
            return {
                Normalisation.forward(
                    s, x, mean: mean, variance: variance, gamma: gamma, beta: beta, epsilon: 1e-5, output: y, outBatchStride: stride)
            }
        }
        Normalisation.moments(s, x, mean: mean, variance: variance)
        return {
            Normalisation.backward(
                s, x, g, gBatchStride: stride, mean: mean, variance: variance, gamma: gamma, epsilon: 1e-5, sumG: a, sumGX: b,
                output: y, outBatchStride: stride)
        }
    }

    private func pooling() -> () -> Void {
        let s = PoolShape(
            batch: 2, channels: channels, inHeight: side, inWidth: side, kernelHeight: 3, kernelWidth: 3, strideHeight: 1, strideWidth: 1,
            padHeight: 1, padWidth: 1)
        let count = 2 * channels * side * side, x = buffer(count), y = buffer(count), g = buffer(count)
        switch (kind, pass) {
        case ("maxpool", "forward"): return { Pooling.maxForward(s, x, y) }
        case ("maxpool", _): return { Pooling.maxBackward(s, x, g, y) }
        case (_, "forward"): return { Pooling.averageForward(s, x, y, countPadding: false) }
        default: return { Pooling.averageBackward(s, g, y, countPadding: false) }
        }
    }

    private func resizing(_ to: Int) -> () -> Void {
        let s = ResizeShape(batch: 2, channels: channels, inHeight: side, inWidth: side, outHeight: to, outWidth: to)
        let x = buffer(2 * channels * side * side), y = buffer(2 * channels * to * to)
        if pass == "forward" { return { Resize.bilinear(s, x, y, alignCorners: true) } }
        return { Resize.bilinearBackward(s, y, x, alignCorners: true) }
    }
}
