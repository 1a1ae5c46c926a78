import Tensors

/// What makes weights of a decision's logits: numbers that multiply what its options give, and the probability of each.
///
/// It runs while a computation is written down, so it costs nothing at run time; what changes from step to step is a stored tensor (`temperature`).
open class Relaxation {
    /// Weights of options, and how probable each is. Both have the logits' shape.
    public struct Weights {
        /// What multiplies an option.
        public let weights: Tensor
        /// Of a paths decision with one arrow a layer: that of an arrow among those that leave its source.
        public let probabilities: Tensor

        public init(_ weights: Tensor, probabilities: Tensor? = nil) {
            self.weights = weights
            self.probabilities = probabilities ?? weights
        }
    }

    /// As scripts write it: "softmax".
    public let name: String
    /// Whether weights can be exact zeros, which close what they multiply: recordings carry guards then.
    public let isSparse: Bool
    /// Whether weights are only ever 0 and 1, so that nothing has to be multiplied by them.
    open var areSwitches: Bool { false }
    /// One number that a schedule may write into, [1]; nil for a relaxation without.
    public let temperature: Tensor?

    public init(_ name: String, isSparse: Bool, temperature: Double? = nil) throws {
        if let temperature, !(temperature > 0 && temperature.isFinite) {
            throw SpaceError(.size, at: "\(name).temperature", expected: "a number above 0", got: "\(temperature)", remedy: "1 leaves the logits as they are")
        }
        self.name = name
        self.isSparse = isSparse
        self.temperature = try temperature.map { try Tensor([Float($0)], shape: [1]) }
    }

    /// - Parameter logits: of the decision's shape.
    open func weights(_ logits: Tensor, of decision: Decision) throws -> Weights { fatalError("\(name) gives no weights") }

    /// How probable each option is, to decode by: without noise, row by row.
    open func numbers(_ logits: Tensor, of decision: Decision) throws -> [Double] {
        try GradientMode.disabled { try checked(logits, of: decision).probabilities.floats().map(Double.init) }
    }

    /// The weights, of which the shape has been looked at.
    /// - Throws: for another shape than the logits', and numbers that are not finite where they are known.
    public final func checked(_ logits: Tensor, of decision: Decision) throws -> Weights {
        let result = try weights(logits, of: decision)
        for (what, tensor) in [("weights", result.weights), ("probabilities", result.probabilities)] {
            guard tensor.shape == logits.shape, tensor.dtype == .float32 else {
                throw TensorError(
                    name, "a relaxation returns \(what) of the logits' shape: decision '\(decision.name)' has float32 \(logits.shape), got \(tensor.dtype) \(tensor.shape)")
            }
            // A plan would depend on numbers that it looked at.
            if !tensor.isSymbolic, !Recording.isActive, let numbers = try tensor.nonFinite() {
                throw TensorError(name, "the \(what) of decision '\(decision.name)' hold \(numbers); its logits may be too large, or its temperature too small")
            }
        }
        return result
    }

    /// Logits over the temperature.
    func scaled(_ logits: Tensor) throws -> Tensor { try temperature.map { try logits / $0.expand(logits.shape) } ?? logits }
}
