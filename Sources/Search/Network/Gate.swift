import Tensors

/// What stands between an option and the network around it: a weight, and the probability that the option is used.
public struct Gate {
    /// Which part of a network it opens.
    public enum Condition: Hashable {
        /// Option (arrow) i of a decision.
        case option(String, Int)
        /// A state of paths after a layer.
        case reached(String, layer: Int, state: Int)

        public var decision: String {
            switch self {
            case .option(let name, _), .reached(let name, _, _): name
            }
        }
    }

    public let condition: Condition
    let construction: Construction
    /// What multiplies, one number; nil for 1.
    public let weight: Tensor?
    /// Whether the weight can be exactly 0, so that it closes what it multiplies.
    let isGuard: Bool
    /// Whether the weight is 0 or 1: then it opens and closes, and nothing is multiplied.
    let isSwitch: Bool
    private let findProbability: (() throws -> Tensor)?

    /// Of what always is as it is.
    init(_ condition: Condition, _ construction: Construction) {
        (self.condition, self.construction, weight, isGuard, isSwitch, findProbability) = (condition, construction, nil, false, true, nil)
    }

    init(_ condition: Condition, _ construction: Construction, weight: Tensor?, isGuard: Bool, isSwitch: Bool, probability: @escaping () throws -> Tensor) {
        (self.condition, self.construction, self.weight, self.isGuard, self.isSwitch, findProbability) = (condition, construction, weight, isGuard, isSwitch, probability)
    }

    /// The same part of the network with a weight that may be 0 for further reasons.
    func weighed(by weight: Tensor) -> Gate {
        Gate(condition, construction, weight: weight, isGuard: true, isSwitch: isSwitch) { [findProbability] in try findProbability?() ?? Tensor.ones([1]) }
    }

    /// The probability that the option is used, one number; nil for 1.
    public func probability() throws -> Tensor? { try findProbability?() }

    /// weight · body(). Where the weight is exactly 0 at a run, and can be, nothing of `body` is computed, and the result counts as zeros; what is written down
    /// counts for costs with the gate's probability.
    /// - Parameter shape: of what `body` gives, where it is known; see `Tensor.when`.
    public func when(shape: [Int]? = nil, _ body: () throws -> Tensor) throws -> Tensor {
        if let measure = CostMeasure.current { return try measure.region(self, body) }
        guard let weight else { return try body() }
        guard isGuard else { return try body() * weight.reshape([]) }
        return isSwitch ? try Tensor.within(weight, shape: shape, body) : try Tensor.when(weight, shape: shape, body)
    }
}
