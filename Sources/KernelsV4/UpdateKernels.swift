// Optimiser steps over one stretch of a parameter.

/// Stochastic gradient descent (Sutskever et al. 2013 as PyTorch writes it): g = gradientScale·gradient + decay·p; with a
/// momentum buffer b: b = g at the first step, else momentum·b + (1 - dampening)·g, and g = b, or g + momentum·b with
/// nesterov; p -= rate·g.
public func stepSGD(
    _ p: UnsafeMutablePointer<Float>, _ gradient: UnsafePointer<Float>, _ buffer: UnsafeMutablePointer<Float>?, _ count: Int,
    rate: Float, momentum: Float, dampening: Float, nesterov: Bool, decay: Float, gradientScale: Float, firstStep: Bool
) {
    let scale = splat(gradientScale), fall = splat(decay), keep = splat(momentum), take = splat(1 - dampening)
    let step = splat(-rate)
    var i = 0
    while i < count {
        let m = count - i < lanes ? count - i : lanes
        let old = load(p + i, m)
        var g = fma(load(gradient + i, m) * scale, fall, old)
        if let buffer {
            let b = firstStep ? g : fma(load(buffer + i, m) * keep, take, g)
            store(buffer + i, b, m)
            g = nesterov ? fma(g, keep, b) : b
        }
        store(p + i, fma(old, step, g), m)
        i += m
    }
}

/// Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019). `shrink` multiplies p first (1 - rate·decay where
/// decoupled), `decay`·p is added to the gradient where not; m and v are the running moments; p -= stepSize·m / (sqrt(v)·root
/// + epsilon), root = 1 / sqrt(1 - beta2^step).
public func stepAdam(
    _ p: UnsafeMutablePointer<Float>, _ gradient: UnsafePointer<Float>, _ m: UnsafeMutablePointer<Float>,
    _ v: UnsafeMutablePointer<Float>, _ count: Int, shrink: Float, decay: Float, gradientScale: Float, oneMinusBeta1: Float,
    beta2: Float, oneMinusBeta2: Float, stepSize: Float, root: Float, epsilon: Float
) {
    let scale = splat(gradientScale), fall = splat(decay), less = splat(shrink)
    let b1 = splat(oneMinusBeta1), b2 = splat(beta2), c2 = splat(oneMinusBeta2)
    let step = splat(-stepSize), r = splat(root), e = splat(epsilon)
    var i = 0
    while i < count {
        let n = count - i < lanes ? count - i : lanes
        let old = load(p + i, n) * less
        let g = fma(load(gradient + i, n) * scale, fall, old)
        let before = load(m + i, n)
        let first = fma(before, b1, g - before)
        let second = fma(load(v + i, n) * b2, c2 * g, g)
        store(m + i, first, n)
        store(v + i, second, n)
        let denominator = fma(e, squareRoot(second), r)
        store(p + i, fma(old, step, first / denominator), n)
        i += n
    }
}
