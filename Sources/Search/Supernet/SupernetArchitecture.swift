import Networks
import Tensors

/// The architecture that a supernet is at, as weights of its operators and arrows in stored memory: one recording serves all architectures.
final class ArchitectureChoice {
    var weights: TrellisWeights {
        var weights = TrellisWeights(operators: operators, arrows: arrows, isSparse: true)
        weights.areSwitches = !hasTwice
        return weights
    }
    /// Whether an operator is chosen twice somewhere, so that weights are multiplied by.
    private(set) var hasTwice = false
    /// Statistics of the images of `recalibrate`.
    let kept = KeptStatistics()
    var isRecalibrated = false
    /// Which statistics the batch norms go by.
    private(set) var statistics = BatchNorm.Use.own(alone: true)
    private let operators, arrows: Tensor

    init(_ space: TrellisSpace) throws {
        (operators, arrows) = (try Tensor.zeros(space.alphaShape), try Tensor.zeros(space.betaShape))
    }

    func set(_ architecture: Architecture, _ space: TrellisSpace) throws {
        var chosen = [Float](repeating: 0, count: operators.count), path = [Float](repeating: 0, count: arrows.count)
        for (b, block) in architecture.cell.blocks.enumerated() {
            for branch in block.branches {
                guard let row = space.cell.index(of: CellEdge(block: b + 1, state: branch.state)), let column = space.cell.operators.firstIndex(of: branch.operation)
                else { continue }
                chosen[row * space.cell.operators.count + column] += 1
            }
        }
        var from = 0
        for (i, to) in architecture.path.compactMap(space.level(ofStride:)).enumerated() {
            guard let move = Move(rawValue: to - from + 1) else { continue }
            path[space.betaIndex(of: TrellisArrow(layer: i + 1, from: from, move: move))] = 1
            from = to
        }
        try GradientMode.disabled {
            try operators.assign(Tensor(chosen, shape: operators.shape))
            try arrows.assign(Tensor(path, shape: arrows.shape))
        }
        hasTwice = chosen.contains { $0 > 1 }
        isRecalibrated = false
    }

    /// What a recording depends on: not the architecture, but whether anything is multiplied, and the statistics.
    var context: Int {
        let use = switch statistics {
        case .own: 0
        case .batch: 1
        case .filling: 2
        case .kept: 3
        }
        return 1 + use + (hasTwice ? 4 : 0)
    }

    func using<T>(_ use: BatchNorm.Use, _ body: () throws -> T) rethrows -> T {
        let before = statistics
        statistics = use
        defer { statistics = before }
        return try body()
    }
}

extension Supernet {
    /// The architecture that it is at; nil: all of them at once.
    public var architectureAt: Architecture? { choice == nil ? nil : chosen }

    /// Makes it the network of one architecture, or with nil of all again: from then on everything that it computes is that of this architecture, and only that
    /// is computed. Weights, running statistics and what optimisers know stay those of the supernet.
    ///
    /// - Plans are made once for all architectures, beside those of the whole.
    /// - Steps: gradients of weights that it does not have are 0, and an optimiser leaves them alone, as in a network that has only what is on.
    /// - Scores: by the batch's statistics, for the running ones of a supernet mean nothing for one architecture, or after `recalibrate` by those.
    /// - Throws: `SpaceError` for an architecture that is none of its space.
    public func at(_ architecture: Architecture?) throws {
        guard let architecture else { return choice = nil }
        try architecture.validate(in: space)
        let next = try spare ?? ArchitectureChoice(space)
        try next.set(architecture, space)
        (spare, choice, chosen) = (next, next, architecture)
    }

    /// Takes the statistics that batches of images have at the present architecture, averaged; its scores go by them until the next `at`.
    /// - Parameter next: the images [N, 3, H, W] of a batch; nil after the last.
    public func recalibrate(_ next: () throws -> Tensor?) throws {
        guard let choice else { throw TensorError("recalibrate", "the supernet is at no architecture: its running statistics are those of all, which training moves") }
        choice.isRecalibrated = false
        try choice.kept.start()
        var batches = 0
        while let images = try next() {
            try fill(images, choice)
            batches += 1
        }
        guard batches > 0 else { throw TensorError("recalibrate", "expects at least one batch of images") }
        try choice.kept.finish()
        choice.isRecalibrated = true
    }
}
