import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// `groups` batches of `samples` images of `channels` planes of `size` elements; image n begins at n·`batchStride`. Where the result has the input's
/// channels several times, `repeats` says how often; `statistics` is the number of channels that moments are given for.
public struct StackShape: Hashable, Sendable {
    public var groups, samples, channels, size, repeats, statistics, batchStride: Int

    public init(groups: Int, samples: Int, channels: Int, size: Int, repeats: Int, statistics: Int, batchStride: Int) {
        self.groups = groups
        self.samples = samples
        self.channels = channels
        self.size = size
        self.repeats = repeats
        self.statistics = statistics
        self.batchStride = batchStride
    }

    var wide: Int { channels * repeats }

    func c(gStride: Int = 0, yStride: Int = 0, epsilon: Float = 0, accumulate: Bool = false) -> trellis_stack {
        trellis_stack(
            samples: samples, size: size, channels: channels, repeats: repeats, statistics: statistics, xStride: batchStride, gStride: gStride,
            yStride: yStride, epsilon: epsilon, accumulate: accumulate)
    }
}

/// Batch normalisation of stacks: as `Normalisation`, with statistics [groups, 2, channels] for each batch of the stack.
///
/// A piece of work is a run of channels of one batch.
public enum StackedNormalisation {
    public typealias Input = UnsafePointer<Float>
    public typealias Output = UnsafeMutablePointer<Float>

    private static let grain = 8192

    /// Every channel of every batch, in pieces of enough elements.
    @inline(__always)
    private static func each(_ s: StackShape, _ body: (_ group: Int, _ first: Int, _ last: Int) -> Void) {
        let perPiece = max(1, grain / max(1, s.samples * s.size * s.repeats))
        let pieces = (s.channels + perPiece - 1) / perPiece
        ThreadPool.run(s.groups * pieces) { piece in
            let first = piece % pieces * perPiece
            body(piece / pieces, first, min(first + perPiece, s.channels))
        }
    }

    public static func moments(_ s: StackShape, _ x: Input, _ moments: Output) {
        var c = s.c()
        c.statistics = s.channels
        let kernel = choose(KernelsV4.stackMoments, KernelsV3.stackMoments, KernelsV2.stackMoments)
        withUnsafePointer(to: c) { c in
            each(s) { group, first, last in kernel(c, x + group * s.samples * s.batchStride, moments + group * 2 * s.channels, first, last) }
        }
    }

    /// - Parameter fresh: the statistics are computed from x first, and left in `statistics`.
    public static func apply(
        _ s: StackShape, _ x: Input, statistics: Output, gamma: Input?, beta: Input?, epsilon: Float, output: Output, outBatchStride: Int,
        accumulate: Bool, fresh: Bool
    ) {
        let kernel = choose(KernelsV4.stackForward, KernelsV3.stackForward, KernelsV2.stackForward)
        withUnsafePointer(to: s.c(yStride: outBatchStride, epsilon: epsilon, accumulate: accumulate)) { c in
            each(s) { group, first, last in
                let sample = group * s.samples
                kernel(
                    c, x + sample * s.batchStride, statistics + group * 2 * s.statistics, gamma, beta, output + sample * outBatchStride, fresh, first, last)
            }
        }
    }

    /// sums [groups, 2, wide]: Σ g and Σ g·x̂.
    public static func gradientSums(
        _ s: StackShape, _ x: Input, _ g: Input, gBatchStride: Int, statistics: Input, epsilon: Float, sums: Output
    ) {
        let kernel = choose(KernelsV4.stackSums, KernelsV3.stackSums, KernelsV2.stackSums)
        withUnsafePointer(to: s.c(gStride: gBatchStride, epsilon: epsilon)) { c in
            each(s) { group, first, last in
                let sample = group * s.samples
                kernel(
                    c, x + sample * s.batchStride, g + sample * gBatchStride, statistics + group * 2 * s.statistics, sums + group * 2 * s.wide, first, last)
            }
        }
    }

    /// The gradient of x, summed over the repeats; through the batch's statistics where `sums` are given.
    /// - Parameter fresh: the sums are computed first, and left in `sums`.
    public static func inputGradient(
        _ s: StackShape, _ x: Input, _ g: Input, gBatchStride: Int, statistics: Input, sums: Output?, gamma: Input?, epsilon: Float,
        output: Output, outBatchStride: Int, accumulate: Bool, fresh: Bool
    ) {
        let kernel = choose(KernelsV4.stackInputGradient, KernelsV3.stackInputGradient, KernelsV2.stackInputGradient)
        withUnsafePointer(to: s.c(gStride: gBatchStride, yStride: outBatchStride, epsilon: epsilon, accumulate: accumulate)) { c in
            each(s) { group, first, last in
                let sample = group * s.samples
                kernel(
                    c, x + sample * s.batchStride, g + sample * gBatchStride, statistics + group * 2 * s.statistics,
                    sums.map { $0 + group * 2 * s.wide }, gamma, output + sample * outBatchStride, fresh, first, last)
            }
        }
    }

    /// rows of `wide` running values move towards rows of `narrow` of the batch; odd rows are variances, made unbiased for `count` values.
    /// - Parameters:
    ///   - step: from one row of running values to the next; nil: they follow one another.
    ///   - batchStep: the same of the batch's.
    public static func running(
        _ rows: Int, _ wide: Int, _ narrow: Int, _ momentum: Float, _ count: Int, _ before: Input, _ batch: Input, _ after: Output, step: Int? = nil,
        batchStep: Int? = nil
    ) {
        let (step, batchStep) = (step ?? wide, batchStep ?? narrow)
        let unbias = count > 1 ? Float(count) / Float(count - 1) : 1
        for row in 0..<rows {
            let factor = row & 1 == 0 ? momentum : momentum * unbias
            var first = 0
            while first < wide {
                for i in 0..<narrow { after[row * step + first + i] = (1 - momentum) * before[row * step + first + i] + factor * batch[row * batchStep + i] }
                first += narrow
            }
        }
    }
}

// Stacks as a whole.
extension StackedNormalisation {
    private static let stretch = 8192

    private static func stretches(_ count: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
        ThreadPool.run((count + stretch - 1) / stretch) { body($0 * stretch, min(stretch, count - $0 * stretch)) }
    }

    /// output[a] = weights[a]·x (x itself without weights), added where asked.
    public static func spread(_ groups: Int, _ count: Int, _ x: Input, weights: Input?, _ output: Output, accumulate: Bool) {
        let scale = choose(KernelsV4.normalise, KernelsV3.normalise, KernelsV2.normalise)
        stretches(count) { first, n in
            for a in 0..<groups { scale(x + first, output + a * count + first, n, 0, weights?[a] ?? 1, 0, false, accumulate) }
        }
    }

    /// output = Σ_a weights[a]·x[a].
    public static func weigh(_ groups: Int, _ count: Int, _ x: Input, weights: Input?, _ output: Output) {
        let scale = choose(KernelsV4.normalise, KernelsV3.normalise, KernelsV2.normalise)
        stretches(count) { first, n in
            for a in 0..<groups { scale(x + a * count + first, output + first, n, 0, weights?[a] ?? 1, 0, false, a > 0) }
        }
    }

    /// output[a] = Σ x[a]·y; stretches are added in order in Double.
    public static func products(_ groups: Int, _ count: Int, _ x: Input, _ y: Input, _ output: Output) {
        let add = choose(KernelsV4.addGradientSums, KernelsV3.addGradientSums, KernelsV2.addGradientSums)
        let pieces = max(1, (count + stretch - 1) / stretch)
        Workspace.withTemporary(Double.self, 2 * groups * pieces) { partial in
            partial.initialize(repeating: 0, count: 2 * groups * pieces)
            stretches(count) { first, n in
                for a in 0..<groups { add(x + a * count + first, y + first, n, 0, partial + 2 * (a * pieces + first / stretch)) }
            }
            for a in 0..<groups {
                var total = 0.0
                for i in 0..<pieces { total += partial[2 * (a * pieces + i) + 1] }
                output[a] = Float(total)
            }
        }
    }
}
