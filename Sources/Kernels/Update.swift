import Glibc
import KernelsV2
import KernelsV3
import KernelsV4

/// Optimiser steps in place, with PyTorch's arithmetic. The gradient is multiplied by `gradientScale` first (clipping).
public enum Update {
    private static let grain = 8192

    private static func pieces(_ count: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
        ThreadPool.run((count + grain - 1) / grain) { body($0 * grain, min(grain, count - $0 * grain)) }
    }

    /// Stochastic gradient descent. `momentumBuffer` nil: without momentum; it is set, not read, at the first step.
    public static func sgd(
        parameter: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>, momentumBuffer: UnsafeMutablePointer<Float>?,
        count: Int, rate: Float, momentum: Float = 0, dampening: Float = 0, nesterov: Bool = false, decay: Float = 0,
        gradientScale: Float = 1, firstStep: Bool
    ) {
        pieces(count) { first, count in
            choose(KernelsV4.stepSGD, KernelsV3.stepSGD, KernelsV2.stepSGD)(
                parameter + first, gradient + first, momentumBuffer.map { $0 + first }, count, rate, momentum, dampening,
                nesterov, decay, gradientScale, firstStep)
        }
    }

    /// Adam; AdamW with `decoupled` decay. `step` counts from 1; m and v are the running moments, zero before the first.
    public static func adam(
        parameter: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>, m: UnsafeMutablePointer<Float>,
        v: UnsafeMutablePointer<Float>, count: Int, rate: Double, beta1: Double = 0.9, beta2: Double = 0.999,
        epsilon: Double = 1e-8, decay: Double = 0, decoupled: Bool = false, step: Int, gradientScale: Float = 1
    ) {
        let correction1 = 1 - pow(beta1, Double(step)), correction2 = 1 - pow(beta2, Double(step))
        pieces(count) { first, count in
            choose(KernelsV4.stepAdam, KernelsV3.stepAdam, KernelsV2.stepAdam)(
                parameter + first, gradient + first, m + first, v + first, count,
                Float(decoupled ? 1 - rate * decay : 1), Float(decoupled ? 0 : decay), gradientScale, Float(1 - beta1),
                Float(beta2), Float(1 - beta2), Float(rate / correction1), Float(1 / correction2.squareRoot()),
                Float(epsilon))
        }
    }
}
