import Tensors

/// Batch normalisation (Ioffe and Szegedy, 2015) of x [N, C, ...] over all but the channels.
///
/// In training it uses the batch's statistics and moves the running ones towards them (the variance made unbiased, as in PyTorch);
/// in evaluation, and where a channel has one value only, it uses the running ones.
public final class BatchNorm: Module {
    public let gamma: Tensor?
    public let beta: Tensor?
    /// Running mean and variance, [2, C], for each branch that the layer has run in; see `branch`.
    private var statistics: [(branch: String, tensor: Tensor)] = []
    /// The one branch that the layer serves, if a network knows that: its statistics go by no name.
    private(set) var soleBranch: String?
    public let epsilon: Float
    public let momentum: Float
    private let channels: Int

    public init(_ channels: Int, affine: Bool = true, epsilon: Float = 1e-5, momentum: Float = 0.1) throws {
        guard channels > 0 else { throw TensorError("batch_norm", "channels should be 1 or more, got \(channels)") }
        try BatchNorm.check(epsilon)
        guard (0...1).contains(momentum) else { throw TensorError("batch_norm", "momentum should be 0 to 1, got \(momentum)") }
        try Tensor.checkSize([2, channels], "batch_norm")
        self.channels = channels
        self.epsilon = epsilon
        self.momentum = momentum
        gamma = affine ? try Tensor.ones([channels]).requireGrad() : nil
        beta = affine ? try Tensor.zeros([channels]).requireGrad() : nil
        super.init()
        _ = try running("")
    }

    /// - Throws: for what, added to a variance, may leave no root or no number.
    public static func check(_ epsilon: Float, _ name: String = "batch_norm") throws {
        guard epsilon >= 0, epsilon.isFinite else { throw TensorError(name, "eps should be 0 or more and finite, got \(epsilon)") }
    }

    /// The branch of the network that is being computed. A layer whose weights serve several branches (the arrows into a node of a trellis)
    /// sees other values in each and keeps running statistics for each.
    public static var branch: String { Surroundings.now.branch.name }

    struct Branch {
        fileprivate(set) var name = ""
        /// The branches that are left again, outermost first, and the recordings that they were entered in.
        fileprivate(set) var outer: [(branch: String, recording: ObjectIdentifier?)] = []
        /// The recording that has noted the branch it depends on.
        fileprivate weak var dependent: Recording?
    }

    public static func inBranch<T>(_ name: String, _ body: () throws -> T) rethrows -> T {
        Surroundings.now.branch.outer.append((branch, Recording.current.map { ObjectIdentifier($0) }))
        Surroundings.now.branch.name = name
        defer { Surroundings.now.branch.name = Surroundings.now.branch.outer.removeLast().branch }
        return try body()
    }

    /// The same for a branch inside of the one that is being computed.
    public static func inInnerBranch<T>(_ name: String, _ body: () throws -> T) rethrows -> T {
        try inBranch(branch.isEmpty ? name : branch + "/" + name, body)
    }

    /// A plan is of the branch in which the recorded function was called; those that the function enters itself are part of it.
    private static func noteBranch() {
        guard let recording = Recording.current, Surroundings.now.branch.dependent !== recording else { return }
        Surroundings.now.branch.dependent = recording
        let around = Surroundings.now.branch.outer.first { $0.recording == ObjectIdentifier(recording) }?.branch ?? branch
        recording.depends(atEachCall: true) { branch == around ? nil : "it is called in another branch" }
    }

    /// Running statistics of a branch, made when it is first met: also by a recording, in whose later runs they are kept.
    private func running(_ name: String) throws -> Tensor {
        let branch = name == soleBranch ? "" : name
        if let known = statistics.first(where: { $0.branch == branch }) { return known.tensor }
        let fresh = try Recording.atOnce {
            let fresh = try Tensor.zeros([2, channels])
            try fresh.withFloats { for i in 0..<channels { $0[channels + i] = 1 } }
            return fresh
        }
        statistics.append((branch, fresh))
        return fresh
    }

    /// Branches that are known from the start; others may lie inside of these only.
    private var prepared: [String]?

    /// Makes the statistics of branches that stored values have and that this layer has not met yet.
    /// - Returns: the names of those that were made.
    func meet(_ branches: [String]) throws -> [String] {
        let fresh = branches.filter { name in
            name != soleBranch && !statistics.contains { $0.branch == name } && prepared?.contains { name.hasPrefix($0 + "/") } != false
        }
        for branch in fresh { _ = try running(branch) }
        return fresh
    }

    func forget(_ branches: [String]) { statistics.removeAll { branches.contains($0.branch) } }

    /// Makes the statistics of branches before they are met, so that a network's state is complete from the start.
    public func prepare(branches: [String]) throws {
        prepared = branches
        statistics.removeAll { $0.branch.isEmpty && !branches.isEmpty && !branches.contains("") }
        for branch in branches { _ = try running(branch) }
    }

    /// Says that the layer serves one branch: in that branch and in none it has the same statistics. One that has met branches, in a network beside this one, keeps theirs.
    public func serve(only branch: String) {
        if statistics.allSatisfy(\.branch.isEmpty) { soleBranch = branch }
    }

    public override var kind: String { "batch_norm" }
    public override var details: String { "\(channels)" + (gamma == nil ? ", not affine" : "") }
    public override var ownParameters: [Named] {
        guard let gamma, let beta else { return [] }
        return [("weight", gamma), ("bias", beta)]
    }
    public override var ownBuffers: [Named] {
        statistics.flatMap { branch, tensor -> [Named] in
            guard let mean = try? tensor.select(0, 0), let variance = try? tensor.select(0, 1) else { return [] }
            let suffix = branch.isEmpty ? "" : "." + branch
            return [("running_mean" + suffix, mean), ("running_var" + suffix, variance)]
        }
    }

    public override func forward(_ x: Tensor) throws -> Tensor {
        guard x.rank >= 2, x.shape[1] == channels else {
            throw TensorError("batch_norm", "expects [N, \(channels), ...], got \(x.shape)")
        }
        let values = x.count / channels
        BatchNorm.noteBranch()
        let statistics = try running(BatchNorm.branch)
        switch Surroundings.now.statistics {
        case .own(let isAlone):
            guard isTraining, values > 1 else { break }
            // The same in one pass, for plans of many norms.
            if isAlone { return try x.stackedNorm(groups: 1, updating: statistics, momentum: momentum, gamma: gamma, beta: beta, epsilon: epsilon) }
            return try x.batchNorm(updating: statistics, momentum: momentum, gamma: gamma, beta: beta, epsilon: epsilon)
        case .batch where values > 1:
            return try x.stackedNorm(groups: 1, gamma: gamma, beta: beta, epsilon: epsilon)
        case .filling(let kept) where values > 1:
            let target = try kept.statistics(of: self, BatchNorm.branch, statistics)
            return try x.stackedNorm(groups: 1, updating: target, momentum: 1, gamma: gamma, beta: beta, epsilon: epsilon)
        case .filling(let kept), .kept(let kept):
            return try x.batchNorm(statistics: kept.statistics(of: self, BatchNorm.branch, statistics), gamma: gamma, beta: beta, epsilon: epsilon)
        case .batch: break
        }
        return try x.batchNorm(statistics: statistics, gamma: gamma, beta: beta, epsilon: epsilon)
    }

    /// Which statistics layers go by.
    public enum Use {
        /// In training the batch's, and the layer's own running ones move; else those.
        /// - Parameter alone: as a stack of one, which a plan computes in one pass.
        case own(alone: Bool)
        /// The batch's; the running ones stay.
        case batch
        /// The batch's, which are put down there.
        case filling(KeptStatistics)
        /// Those that stand there.
        case kept(KeptStatistics)
    }

    public static func using<T>(_ use: Use, _ body: () throws -> T) rethrows -> T { try Surroundings.with(\.statistics, use, body) }
}
