import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

extension Convolution {
    /// What surrounds a convolution that nothing differentiates.
    public struct Surroundings {
        /// max(input, 0) first.
        public var relu = false
        /// Each output channel times this and plus that; nil: 1 and 0.
        public var scale: UnsafePointer<Float>?
        public var shift: UnsafePointer<Float>?
        /// Then added to the output.
        public var accumulate = false
        /// Then max(·, 0).
        public var rectify = false

        public init() {}

        var c: trellis_finish { trellis_finish(scale: scale, shift: shift, relu: relu, accumulate: accumulate, rectify: rectify) }

        /// For the channels of a group.
        func from(_ channel: Int) -> Surroundings {
            var s = self
            s.scale = scale.map { $0 + channel }
            s.shift = shift.map { $0 + channel }
            return s
        }
    }

    /// output = scale · conv(input, weight) + shift with the rest of its surroundings, by whichever form is fastest: `forward`'s, panels for many
    /// channels (`ConvWide`), or Winograd's minimal filtering for kernels of 3x3 and 5x5 at stride 1, whose results differ from the others' by
    /// up to some 2e-5 of the largest.
    ///
    /// Measured on one core of a Zen 3 (103 GFLOP/s), in GFLOP/s of the direct count: 3x3 with 256 channels 175 by Winograd (direct 70), 5x5 at rate
    /// 2 with 80 channels 160 (95), 1x1 from 1280 to 256 channels 65 by panels (23 by `forward`).
    public static func infer(
        _ s: ConvShape, input: UnsafePointer<Float>, weight: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, _ around: Surroundings
    ) {
        guard !s.isEmpty else { return }
        guard s.inImage > 0 else { return plain(s, input, weight, output, around) { _, _, _, shift, y, _, accumulate, _ in biasAlone(s, shift, y, accumulate) } }
        if s.isDepthwise {
            let kernel = choose(KernelsV4.depthwiseForward, KernelsV3.depthwiseForward, KernelsV2.depthwiseForward)
            return plain(s, input, weight, output, around) { kernel($0, $1, $2, $3, $4, $5, $6, 1, $7) }
        }
        let t = s.oneGroup
        let form = inferenceForm(s, input, output)
        for i in 0..<s.groups {
            let (x, w, y, own) = (input + i * t.inImage, weight + i * t.weights, output + i * t.outImage, around.from(i * t.outChannels))
            switch form {
            case .winograd:
                choose(KernelsV4.winogradForward, KernelsV3.winogradForward, KernelsV2.winogradForward)(t.c, x, w, y, own.c, ThreadPool.run)
            case .panels: choose(KernelsV4.wideForward, KernelsV3.wideForward, KernelsV2.wideForward)(t.c, x, w, y, own.c, ThreadPool.run)
            case .direct:
                let kernel = choose(KernelsV4.denseForward, KernelsV3.denseForward, KernelsV2.denseForward)
                plain(t, x, w, y, own, kernel)
            }
        }
    }

    enum Form: Int { case direct, panels, winograd }

    /// The form of one group's convolution.
    static func inferenceForm(_ s: ConvShape, _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<Float>) -> Form {
        Form(rawValue: choose(KernelsV4.inferenceForm, KernelsV3.inferenceForm, KernelsV2.inferenceForm)(s.oneGroup.c, input, output)) ?? .direct
    }

    private typealias Kernel = (
        trellis_conv, UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>?, UnsafeMutablePointer<Float>, Bool, Bool, Parallel
    ) -> Void
    private typealias Parallel = (Int, (Int) -> Void) -> Void

    /// By a kernel that knows a bias and no scale: the weights are scaled first, and the result is rectified where it lies.
    private static func plain(
        _ s: ConvShape, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>,
        _ around: Surroundings, _ kernel: Kernel
    ) {
        var weight = w
        if let scale = around.scale {
            guard let scaled = Workspace.floats(s.weights) else { return }
            let each = s.weights / s.outChannels
            for c in 0..<s.outChannels {
                for i in c * each..<(c + 1) * each { scaled[i] = w[i] * scale[c] }
            }
            weight = UnsafePointer(scaled)
        }
        kernel(s.c, x, weight, around.shift, y, around.relu, around.accumulate, ThreadPool.run)
        guard around.rectify else { return }
        for n in 0..<s.batch {
            let image = y + n * s.outBatchStride
            Elementwise.single(.relu, .elements(image), into: image, count: s.outImage)
        }
    }
}
