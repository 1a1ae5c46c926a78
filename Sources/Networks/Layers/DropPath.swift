import Tensors

/// A network whose drop path a trainer can set.
public protocol DropPathScheduling: AnyObject {
    /// Probability, in [0, 1), with which the last cell drops a path at the end of training; 0 for none.
    var dropPath: Double { get set }
}

/// Drops its whole input at random, sample by sample, in training: kept samples are divided by the keep probability (Larsson et al., 2017).
///
/// Scheduled as in NASNet: `advance(to: share)` lets the probability grow from 0 to `probability` linearly. One that is never advanced drops
/// with `probability`. A compiled function follows the schedule without being recorded anew: the keep probability is a stored tensor.
public final class DropPath: Module {
    /// Of dropping a sample at the end of training, in [0, 1).
    public var probability: Double {
        didSet {
            // Plans recorded without it look again whether they still hold.
            if (oldValue > 0) != (probability > 0) { StateClock.tick() }
            write()
        }
    }
    private var share = 1.0
    private let keep: Tensor

    /// - Throws: for a probability outside of [0, 1).
    public init(_ probability: Double) throws {
        guard probability >= 0, probability < 1 else { throw TensorError("drop_path", "probability should be in [0, 1), got \(probability)") }
        self.probability = probability
        keep = try Tensor.scalar(1)
        super.init()
        write()
    }

    /// Probability of keeping a sample at this point of the schedule.
    public var keepProbability: Double { 1 - share * probability }

    public override var kind: String { "drop_path" }
    public override var details: String { "\(Float(probability))" }
    public override var hasMode: Bool { true }

    public override func advance(to share: Double) throws {
        self.share = min(max(share, 0), 1)
        write()
    }

    private func write() {
        try? keep.withFloats { $0[0] = Float(keepProbability) }
        keep.touch()
    }

    /// Whether it can drop anything; a compiled function that read this is recorded anew when it has changed.
    private var isActive: Bool {
        let now = probability > 0
        Recording.current?.depends { [weak self] in self.map { $0.probability > 0 } == now ? nil : "drop path was turned on or off" }
        return now
    }

    /// x [N, ...] to the same shape.
    public override func forward(_ x: Tensor) throws -> Tensor {
        guard isActive else { return x }
        guard isTraining else { return try Recording.passing(x) }
        let samples = [x.shape.first ?? 1] + [Int](repeating: 1, count: max(x.rank - 1, 0))
        let kept = try Tensor.random(.uniform(low: 0, high: 1), samples).binary(.lt, keep)
        return try x * (kept / keep)
    }
}
