import Kernels

extension PoolOptions {
    func shape(_ x: TensorLayout, _ y: TensorLayout) -> PoolShape {
        PoolShape(
            batch: x.shape[0], channels: x.shape[1], inHeight: x.shape[2], inWidth: x.shape[3], kernelHeight: kernelHeight,
            kernelWidth: kernelWidth, strideHeight: strideHeight, strideWidth: strideWidth, padHeight: padHeight, padWidth: padWidth,
            inBatchStride: x.batchStride, outBatchStride: y.batchStride)
    }

    /// [N, C, H', W'] for images [N, C, H, W].
    fileprivate func shape(_ x: [Tensor], _ name: String) throws -> [Int] {
        try Images.check(x, name)
        let x = x[0].shape
        guard min(kernelHeight, kernelWidth, strideHeight, strideWidth) > 0, min(padHeight, padWidth) >= 0 else {
            throw TensorError(name, "kernel and stride should be 1 or more and padding 0 or more")
        }
        try Images.checkWindow([kernelHeight, kernelWidth, strideHeight, strideWidth, padHeight, padWidth], name)
        guard x[2] > 0, x[3] > 0 else { throw TensorError(name, "images of \(x[2])x\(x[3]) have no pixels to pool") }
        guard padHeight * 2 <= kernelHeight, padWidth * 2 <= kernelWidth else {
            throw TensorError(name, "padding \(padHeight), \(padWidth) is more than half of the \(kernelHeight)x\(kernelWidth) window")
        }
        let height = x[2] + 2 * padHeight - kernelHeight
        let width = x[3] + 2 * padWidth - kernelWidth
        try Images.checkPlanes((3 * kernelHeight + 10, x[3] + 2 * padWidth + 2 * kernelWidth + strideWidth), times: 1, name)
        guard height >= 0, width >= 0 else {
            throw TensorError(name, "a \(kernelHeight)x\(kernelWidth) window does not fit into \(x[2])x\(x[3]) with padding \(padHeight), \(padWidth)")
        }
        return [x[0], x[1], height / strideHeight + 1, width / strideWidth + 1]
    }
}

/// The largest of each window.
struct MaxPoolRule: OperationRule {
    let options: PoolOptions

    var name: String { "max_pool2d" }
    var traits: OperationTraits { OperationTraits(writes: .images, repetition: .cheap) }
    func shape(_ x: [Tensor]) throws -> [Int] { try options.shape(x, name) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || Images.isBatch(layout) }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [try Operation.maxPoolGradient(options)(x[0], g)] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let shape = options.shape(x[0].layout, y.layout)
        return { p in Pooling.maxForward(shape, p.floats(0), p.floats(1)) }
    }
}

/// (x, gradient): the gradient at the place of each window's maximum.
struct MaxPoolGradientRule: OperationRule {
    let options: PoolOptions

    var name: String { "max_pool2d_gradient" }
    var traits: OperationTraits { OperationTraits(fusions: .accumulate, writes: .images) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || layout.isBatchContiguous }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil, try Operation.maxPoolPick(options)(x[0], g)] }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try Images.check(x, name)
        return x[0].shape
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let shape = options.shape(x[0].layout, x[1].layout)
        let (stride, accumulate) = (y.layout.batchStride, form.has(.accumulate))
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
    }
}

/// (x, v): v at the place of each window's maximum of x; the adjoint of `MaxPoolGradientRule` in its second input.
struct MaxPoolPickRule: OperationRule {
    let options: PoolOptions

    var name: String { "max_pool2d_pick" }
    func shape(_ x: [Tensor]) throws -> [Int] { try options.shape(x, name) }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil, try Operation.maxPoolGradient(options)(x[0], g)] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let shape = options.shape(x[0].layout, y.layout)
        return { p in Pooling.maxPick(shape, p.floats(0), p.floats(1), p.floats(2)) }
    }
}

/// The mean of each window.
struct AveragePoolRule: OperationRule {
    let options: PoolOptions
    let countPadding: Bool

    var name: String { "avg_pool2d" }
    var traits: OperationTraits { OperationTraits(writes: .images, repetition: .cheap) }
    func shape(_ x: [Tensor]) throws -> [Int] { try options.shape(x, name) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || Images.isBatch(layout) }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try Operation.averagePoolGradient(options, countPadding: countPadding, height: x[0].shape[2], width: x[0].shape[3])(g)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (shape, padding) = (options.shape(x[0].layout, y.layout), countPadding)
        return { p in Pooling.averageForward(shape, p.floats(0), p.floats(1), countPadding: padding) }
    }
}

/// The adjoint of `AveragePoolRule`, for images of a height and width.
struct AveragePoolGradientRule: OperationRule {
    let options: PoolOptions
    let countPadding: Bool
    let height, width: Int

    var name: String { "avg_pool2d_gradient" }
    var traits: OperationTraits { OperationTraits(fusions: .accumulate, writes: .images) }
    func shape(_ x: [Tensor]) throws -> [Int] { try Images.resized(x, height: height, width: width, name) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || Images.isBatch(layout) }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [try Operation.averagePool(options, countPadding: countPadding)(g)] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (shape, padding, accumulate) = (options.shape(y.layout, x[0].layout), countPadding, form.has(.accumulate))
        return { p in Pooling.averageBackward(shape, p.floats(0), p.floats(1), countPadding: padding, accumulate: accumulate) }
    }
}
