import Glibc

/// A learning rate as a function of the step, counted from 0 (or 1: the formulas only see step / steps).
public indirect enum Schedule: Hashable, Sendable {
    case constant(Double)
    /// to + (from - to)·(1 + cos(π·step/steps))/2 (Loshchilov and Hutter, 2017, without restarts).
    case cosine(from: Double, to: Double, steps: Int)
    /// to + (from - to)·(1 - step/steps)^power: DeepLab's `poly`.
    case poly(from: Double, to: Double, steps: Int, power: Double)
    /// from·factor^(step / every).
    case step(from: Double, every: Int, factor: Double)
    /// Rises linearly to what `then` has at `steps`, and goes on with it.
    case warmUp(steps: Int, then: Schedule)

    public func callAsFunction(_ step: Double) -> Double {
        switch self {
        case .constant(let rate):
            return rate
        case .cosine(let from, let to, let steps):
            return to + (from - to) * 0.5 * (1 + cos(Double.pi * Schedule.share(step, steps)))
        case .poly(let from, let to, let steps, let power):
            return to + (from - to) * pow(1 - Schedule.share(step, steps), power)
        case .step(let from, let every, let factor):
            return from * pow(factor, (max(step, 0) / Double(max(every, 1))).rounded(.down))
        case .warmUp(let steps, let then):
            return step >= Double(steps) ? then(step) : then(Double(steps)) * max(step, 0) / Double(max(steps, 1))
        }
    }

    /// The same for a run of `steps` steps: what falls to an end falls over all of them.
    public func ending(at steps: Int) -> Schedule {
        switch self {
        case .constant, .step: self
        case .cosine(let from, let to, _): .cosine(from: from, to: to, steps: steps)
        case .poly(let from, let to, _, let power): .poly(from: from, to: to, steps: steps, power: power)
        case .warmUp(let rise, let then): .warmUp(steps: rise, then: then.ending(at: steps))
        }
    }

    private static func share(_ step: Double, _ steps: Int) -> Double { min(max(step / Double(max(steps, 1)), 0), 1) }
}
