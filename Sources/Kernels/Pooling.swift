import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// A pooling operation on [batch, channels, inHeight, inWidth]; the output's sides are (in + 2·pad - kernel) / stride + 1,
/// rounded down. The padding must not exceed half the kernel, so that no window lies outside.
public struct PoolShape: Hashable, Sendable {
    public var batch, channels, inHeight, inWidth: Int
    public var kernelHeight, kernelWidth, strideHeight, strideWidth, padHeight, padWidth: Int
    /// Elements from one image to the next.
    public var inBatchStride, outBatchStride: Int

    public init(
        batch: Int, channels: Int, inHeight: Int, inWidth: Int, kernelHeight: Int, kernelWidth: Int, strideHeight: Int = 1,
        strideWidth: Int = 1, padHeight: Int = 0, padWidth: Int = 0, inBatchStride: Int? = nil, outBatchStride: Int? = nil
    ) {
        precondition(kernelHeight > 0 && kernelWidth > 0 && strideHeight > 0 && strideWidth > 0, "pooling without a window")
        precondition(2 * padHeight <= kernelHeight && 2 * padWidth <= kernelWidth, "pooling pads more than half a window")
        self.batch = batch
        self.channels = channels
        self.inHeight = inHeight
        self.inWidth = inWidth
        self.kernelHeight = kernelHeight
        self.kernelWidth = kernelWidth
        self.strideHeight = strideHeight
        self.strideWidth = strideWidth
        self.padHeight = padHeight
        self.padWidth = padWidth
        self.inBatchStride = inBatchStride ?? channels * inHeight * inWidth
        self.outBatchStride = 0
        self.outBatchStride = outBatchStride ?? channels * outHeight * outWidth
    }

    public var outHeight: Int { PoolShape.windows(inHeight, kernelHeight, strideHeight, padHeight) }
    public var outWidth: Int { PoolShape.windows(inWidth, kernelWidth, strideWidth, padWidth) }

    private static func windows(_ size: Int, _ kernel: Int, _ stride: Int, _ pad: Int) -> Int {
        let room = size + 2 * pad - kernel
        return room < 0 ? 0 : room / stride + 1
    }

    var window: trellis_pool {
        trellis_pool(
            inHeight: inHeight, inWidth: inWidth, outHeight: outHeight, outWidth: outWidth, kernelHeight: kernelHeight,
            kernelWidth: kernelWidth, strideHeight: strideHeight, strideWidth: strideWidth, padHeight: padHeight,
            padWidth: padWidth)
    }
}

/// Max and average pooling and their adjoints.
public enum Pooling {
    /// y = the largest element of each window; NaN where one is.
    public static func maxForward(_ s: PoolShape, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        planes(s) { window, work, input, output in
            choose(KernelsV4.maxPoolPlane, KernelsV3.maxPoolPlane, KernelsV2.maxPoolPlane)(
                window, x + input, y + output, work)
        }
    }

    /// dx from the gradient g of y: each window's goes to its first maximum in scan order (the last NaN, if it has one), as
    /// in PyTorch. The place is found again from x.
    public static func maxBackward(
        _ s: PoolShape, _ x: UnsafePointer<Float>, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
        accumulate: Bool = false
    ) {
        let prepare = choose(KernelsV4.maxPoolGradientPrepare, KernelsV3.maxPoolGradientPrepare, KernelsV2.maxPoolGradientPrepare)
        planes(s, prepare) { window, work, input, output in
            choose(KernelsV4.maxPoolGradientPlane, KernelsV3.maxPoolGradientPlane, KernelsV2.maxPoolGradientPlane)(
                window, x + input, g + output, dx + input, work, accumulate)
        }
    }

    /// y = the element of v (laid out as x) where x has the window's maximum: the adjoint of `maxBackward` in g.
    public static func maxPick(
        _ s: PoolShape, _ x: UnsafePointer<Float>, _ v: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
    ) {
        planes(s) { window, work, input, output in
            choose(KernelsV4.maxPoolPickPlane, KernelsV3.maxPoolPickPlane, KernelsV2.maxPoolPickPlane)(
                window, x + input, v + input, y + output, work)
        }
    }

    /// y = the mean of each window; `countPadding` says whether the padding counts as zeros or not at all.
    public static func averageForward(
        _ s: PoolShape, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, countPadding: Bool
    ) {
        planes(s) { window, work, input, output in
            choose(KernelsV4.averagePoolPlane, KernelsV3.averagePoolPlane, KernelsV2.averagePoolPlane)(
                window, x + input, y + output, work, countPadding)
        }
    }

    /// The adjoint of `averageForward`.
    public static func averageBackward(
        _ s: PoolShape, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, countPadding: Bool,
        accumulate: Bool = false
    ) {
        planes(s) { window, work, input, output in
            choose(
                KernelsV4.averagePoolGradientPlane, KernelsV3.averagePoolGradientPlane, KernelsV2.averagePoolGradientPlane)(
                    window, g + output, dx + input, work, countPadding, accumulate)
        }
    }

    /// Calls `body` for each plane with its window, scratch memory, and where it begins in input and output; `prepare` once for a run of
    /// planes that share the scratch memory.
    private static func planes(
        _ s: PoolShape, _ prepare: ((UnsafePointer<trellis_pool>, UnsafeMutablePointer<Float>) -> Void)? = nil,
        _ body: (UnsafePointer<trellis_pool>, UnsafeMutablePointer<Float>, Int, Int) -> Void
    ) {
        let inSize = s.inHeight * s.inWidth, outSize = s.outHeight * s.outWidth
        guard inSize > 0, s.outHeight > 0, s.outWidth > 0 else { return }
        var window = s.window
        let work = choose(KernelsV4.poolWork, KernelsV3.poolWork, KernelsV2.poolWork)
        withUnsafePointer(to: &window) { window in
            let floats = work(window)
            PlaneGroups(planes: s.batch * s.channels, size: max(inSize, outSize)).runs { planes in
                guard let work = Workspace.floats(floats) else { return }
                prepare?(window, work)
                for plane in planes {
                    let image = plane / s.channels, channel = plane % s.channels
                    body(window, work, image * s.inBatchStride + channel * inSize, image * s.outBatchStride + channel * outSize)
                }
            }
        }
    }
}

/// Runs of planes that are worth handing to a thread, by shape alone.
struct PlaneGroups {
    let planes, perPiece: Int

    init(planes: Int, size: Int) {
        self.planes = planes
        perPiece = max(1, 4096 / max(1, size))
    }

    func run(_ body: (Int) -> Void) {
        runs { for plane in $0 { body(plane) } }
    }

    /// The planes of one piece at a time.
    func runs(_ body: (Range<Int>) -> Void) {
        ThreadPool.run((planes + perPiece - 1) / perPiece) { piece in
            body(piece * perPiece..<min((piece + 1) * perPiece, planes))
        }
    }
}
