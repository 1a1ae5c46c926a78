import Kernels

/// Images of another height and width.
struct ResizeRule: OperationRule {
    let mode: ResizeMode
    let height, width: Int

    var name: String { "resize" }
    var traits: OperationTraits { OperationTraits(writes: .images, repetition: .cheap) }
    func shape(_ x: [Tensor]) throws -> [Int] { try Images.resized(x, height: height, width: width, name) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || Images.isBatch(layout) }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try Operation.resizeGradient(mode, height: x[0].shape[2], width: x[0].shape[3])(g)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (shape, mode) = (ResizeShape(from: x[0].layout, to: y.layout), mode)
        if mode == .nearest { return { p in Resize.nearest(shape, p.floats(0), p.floats(1)) } }
        return { p in Resize.bilinear(shape, p.floats(0), p.floats(1), alignCorners: mode == .bilinearAlignCorners) }
    }
}

/// The adjoint of `ResizeRule`.
struct ResizeGradientRule: OperationRule {
    let mode: ResizeMode
    let height, width: Int

    var name: String { "resize_gradient" }
    var traits: OperationTraits { OperationTraits(fusions: .accumulate, writes: .images) }
    func shape(_ x: [Tensor]) throws -> [Int] { try Images.resized(x, height: height, width: width, name) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || Images.isBatch(layout) }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try Operation.resize(mode, height: x[0].shape[2], width: x[0].shape[3])(g)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (shape, mode, accumulate) = (ResizeShape(from: y.layout, to: x[0].layout), mode, form.has(.accumulate))
        if mode == .nearest { return { p in Resize.nearestBackward(shape, p.floats(0), p.floats(1), accumulate: accumulate) } }
        return { p in
            Resize.bilinearBackward(shape, p.floats(0), p.floats(1), alignCorners: mode == .bilinearAlignCorners, accumulate: accumulate)
        }
    }
}

extension ResizeShape {
    fileprivate init(from x: TensorLayout, to y: TensorLayout) {
        self.init(
            batch: x.shape[0], channels: x.shape[1], inHeight: x.shape[2], inWidth: x.shape[3], outHeight: y.shape[2], outWidth: y.shape[3],
            inBatchStride: x.batchStride, outBatchStride: y.batchStride)
    }
}
