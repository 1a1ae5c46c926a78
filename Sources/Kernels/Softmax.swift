import KernelsV2
import KernelsV3
import KernelsV4

/// Softmax and its logarithm along n of [outer, n, inner]; the largest element is subtracted first.
public enum Softmax {
    /// y = exp(x) / Σ exp(x), or its logarithm. y may be x.
    public static func forward(
        outer: Int, n: Int, inner: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, log: Bool = false
    ) {
        guard n > 0 else { return }
        Lines(outer, n, inner).run { row in
            choose(KernelsV4.softmaxRow, KernelsV3.softmaxRow, KernelsV2.softmaxRow)(x + row * n, y + row * n, n, log)
        } columns: { outer, first, end in
            let at = outer * n * inner
            choose(KernelsV4.softmaxColumns, KernelsV3.softmaxColumns, KernelsV2.softmaxColumns)(
                x + at, y + at, n, inner, first, end, log)
        }
    }

    /// Gradient of x from the result `y` and its gradient `g`: y·(g - Σ g·y), of the logarithm g - exp(y)·Σ g.
    public static func backward(
        outer: Int, n: Int, inner: Int, y: UnsafePointer<Float>, g: UnsafePointer<Float>, dx: UnsafeMutablePointer<Float>,
        log: Bool = false, accumulate: Bool = false
    ) {
        guard n > 0 else { return }
        Lines(outer, n, inner).run { row in
            choose(KernelsV4.softmaxGradientRow, KernelsV3.softmaxGradientRow, KernelsV2.softmaxGradientRow)(
                y + row * n, g + row * n, dx + row * n, n, log, accumulate)
        } columns: { outer, first, end in
            let at = outer * n * inner
            choose(
                KernelsV4.softmaxGradientColumns, KernelsV3.softmaxGradientColumns, KernelsV2.softmaxGradientColumns)(
                    y + at, g + at, dx + at, n, inner, first, end, log, accumulate)
        }
    }
}
