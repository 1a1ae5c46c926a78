import Networks
import Tensors

extension Supernet {
    /// How the loss of a batch bends along logits: ends of the spectrum of its Hessian.
    public struct Curvature {
        /// Of the larger absolute value.
        public let dominant: Double
        public let largest, smallest: Double
    }

    /// The Hessian of the loss of a batch with respect to the logits of decisions, all of them together: by exact products with vectors, each a run of one plan (see
    /// `Lanczos`). RobustDARTS (Zela et al. 2020) watches the largest eigenvalue on validation batches. Nothing changes by it; what is drawn at random is one draw for all
    /// products.
    /// - Parameter pattern: the name of a decision, or a pattern of some, in which `*` stands for any characters.
    /// - Throws: for a pattern that fits none, and a Hessian that is not finite.
    public func curvature(_ pattern: String, _ inputs: [Tensor], _ loss: Loss = .crossEntropy) throws -> Curvature {
        let chosen = decisions.decisions.filter { $0.name == pattern || Relaxations.fits(Array(pattern), Array($0.name)) }
        guard !chosen.isEmpty else { throw SpaceError.unknown("decision, or a pattern of some", pattern, known: decisions.decisions.map(\.name), at: "curvature") }
        let products = curvatures.products(pattern, loss.id) { [unowned self, loss = own(loss)] arguments in
            try Module.inMode(training: true) {
                try Recording.supposing {
                    try self.products(loss.value(Array(arguments.dropLast(chosen.count)), self), chosen, Array(arguments.suffix(chosen.count)))
                }
            }
        }
        products.recomputation = recompute
        let drawn = RandomState.global.draws
        let ends = try Lanczos.ends(rows: chosen.reduce(0) { $0 + $1.optionCount }) { vector in
            RandomState.global.draws = drawn
            let product = try products(inputs + Self.split(vector, chosen), context: context).flatMap { try $0.floats().map(Double.init) }
            guard product.allSatisfy(\.isFinite) else {
                throw TensorError("curvature", "the Hessian of the loss by the logits of '\(pattern)' is not finite; look for where with trellis.check_numbers")
            }
            return product
        }
        return Curvature(dominant: ends.dominant, largest: ends.largest, smallest: ends.smallest)
    }

    /// Hessian · vector: the derivative of gradient · vector. Logits of decisions are parts of what an optimiser moves, R θ: R H Rᵀ v with H by θ.
    /// - Parameter vector: by decision, of its logits' shape; so is the result.
    private func products(_ value: Tensor, _ chosen: [Decision], _ vector: [Tensor]) throws -> [Tensor] {
        let leaves = architecture().map(\.tensor)
        let slopes = try Gradient.compute(of: [value], with: leaves, createGraph: true)
        let seeds = try Gradient.compute(of: chosen.map { try logits($0.name) }, seeds: vector, with: leaves)
        let used = zip(slopes, seeds).compactMap { slope, seed -> (slope: Tensor, seed: Tensor)? in slope.flatMap { slope in seed.map { (slope, $0) } } }
        let products = try zip(leaves, Gradient.compute(of: used.map(\.slope), seeds: used.map(\.seed), with: leaves)).map { try $1 ?? Tensor.zeros($0.shape) }
        // A clone is the value that is supposed; a leaf itself would be given back as what is stored.
        return try Recording.supposing(zip(leaves, products).map { ($0, $1) }) { try GradientMode.disabled { try chosen.map { try logits($0.name).clone() } } }
    }

    private static func split(_ vector: [Double], _ decisions: [Decision]) throws -> [Tensor] {
        var start = 0
        return try decisions.map { decision in
            defer { start += decision.optionCount }
            return try Tensor(vector[start..<start + decision.optionCount].map(Float.init), shape: decision.shape)
        }
    }
}

/// Products with Hessians, written down once for each set of logits and loss.
struct CurvaturePlans {
    private struct Key: Hashable {
        let pattern: String
        let loss: AnyHashable
    }
    private var plans: [Key: Compiled] = [:]

    var recordingCount: Int { plans.values.reduce(0) { $0 + $1.recordingCount } }

    mutating func products(_ pattern: String, _ loss: AnyHashable, _ body: @escaping ([Tensor]) throws -> [Tensor]) -> Compiled {
        let key = Key(pattern: pattern, loss: loss)
        let compiled = plans[key] ?? Compiled(body)
        plans[key] = compiled
        return compiled
    }
}
