import Tensors

/// A step of stochastic gradient descent that is written down and not done: where parameters would stand after it, by the optimiser's present rate, momentum and
/// weight decay. Its clipping is left out: the step is to be a smooth function of the gradient.
///
/// All that changes between runs of a plan is an argument of it (`arguments`): settings of the groups, [groups, 3], and the velocities of those with a momentum.
public struct VirtualStep {
    /// The caller keeps it.
    public unowned let optimiser: Optimiser
    /// In place of the optimiser's rates.
    private let rate: Double?

    /// - Throws: `TensorError` for a rule that has moments of the gradient's squares.
    public init(of optimiser: Optimiser, rate: Double? = nil) throws {
        guard optimiser.rule == .sgd else {
            throw TensorError("virtual step", "expects an optimiser made by optim.sgd, got \(optimiser.rule): its step is no smooth function of the gradient alone")
        }
        if let rate, !(rate >= 0 && rate.isFinite) { throw TensorError("virtual step", "the rate should be 0 or more, got \(rate)") }
        (self.optimiser, self.rate) = (optimiser, rate)
    }

    public var parameters: [Tensor] { optimiser.parameters.map(\.tensor) }

    /// Columns of the settings: w' = w - slope·g - decay·w - velocity·v.
    private enum Column: Int, CaseIterable { case slope, decay, velocity }

    /// What a plan of it is given at each run.
    public func arguments() throws -> [Tensor] {
        let settings = optimiser.groups.flatMap { group -> [Double] in
            let (rate, momentum) = (rate ?? group.rate, group.momentum)
            // Nesterov's w' = w - rate·(d + momentum·(momentum·v + d)), d = g + decay·w.
            let (ofGradient, ofVelocity) = group.nesterov ? (1 + momentum, momentum * momentum) : (1, momentum)
            return [rate * ofGradient, rate * ofGradient * group.weightDecay, rate * ofVelocity]
        }
        let velocities = try moving.map { try optimiser.velocity(of: $0.tensor) ?? Tensor.zeros($0.tensor.shape) }
        return [try Tensor(settings.map(Float.init), shape: [optimiser.groups.count, Column.allCases.count])] + velocities
    }

    /// What the arguments are called, for messages.
    public var argumentNames: [String] { ["the learning rate"] + moving.map { "the momentum of \($0.name)" } }

    /// Parameters of groups with a momentum.
    private var moving: [Module.Named] { optimiser.groups.filter { $0.momentum != 0 }.flatMap(\.parameters) }

    /// Where a parameter would stand.
    public struct Place {
        public let parameter: Tensor
        public let value: Tensor
        /// How far it moves against its gradient: d value / d gradient = -slope. One number.
        public let slope: Tensor
    }

    /// - Parameters:
    ///   - gradients: by parameter; a parameter without one stays, and so it does in an optimiser's step.
    ///   - arguments: what `arguments` gave, or promises of that.
    /// - Returns: those that move.
    public func places(_ gradients: [Tensor?], _ arguments: [Tensor]) throws -> [Place] {
        let velocities = Dictionary(uniqueKeysWithValues: zip(moving.map { ObjectIdentifier($0.tensor) }, arguments.dropFirst()))
        var next = 0
        return try optimiser.groups.enumerated().flatMap { row, group in
            func setting(_ column: Column) throws -> Tensor { try arguments[0].slice(starts: [row, column.rawValue], sizes: [1, 1]).reshape([]) }
            return try group.parameters.compactMap { _, parameter -> Place? in
                defer { next += 1 }
                guard let gradient = gradients[next] else { return nil }
                var value = try parameter - gradient * setting(.slope) - parameter * setting(.decay)
                if let velocity = velocities[ObjectIdentifier(parameter)] { value = try value - velocity * setting(.velocity) }
                return Place(parameter: parameter, value: value, slope: try setting(.slope))
            }
        }
    }
}
