import Networks
import Tensors

extension DecisionNetwork {
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
        let logits = architecture().filter { $0.name == pattern || Relaxations.fits(Array(pattern), Array($0.name)) }
        guard !logits.isEmpty else { throw SpaceError.unknown("decision, or a pattern of some", pattern, known: architecture().map(\.name), at: "curvature") }
        let products = curvatures.products(pattern, loss.id) { [unowned self, loss = own(loss)] arguments in
            try Module.inMode(training: true) {
                try Recording.supposing {
                    let value = try loss.value(Array(arguments.dropLast(logits.count)), self)
                    return try Self.products(value, logits.map(\.tensor), Array(arguments.suffix(logits.count)))
                }
            }
        }
        products.recomputation = recompute
        let drawn = RandomState.global.draws
        let ends = try Lanczos.ends(rows: logits.reduce(0) { $0 + $1.tensor.count }) { vector in
            RandomState.global.draws = drawn
            let product = try products(inputs + Self.split(vector, like: logits.map(\.tensor)), context: context).flatMap { try $0.floats().map(Double.init) }
            guard product.allSatisfy(\.isFinite) else {
                throw TensorError("curvature", "the Hessian of the loss by the logits of '\(pattern)' is not finite; look for where with trellis.check_numbers")
            }
            return product
        }
        return Curvature(dominant: ends.dominant, largest: ends.largest, smallest: ends.smallest)
    }

    /// Hessian · vector: the derivative of gradient · vector.
    private static func products(_ value: Tensor, _ logits: [Tensor], _ vector: [Tensor]) throws -> [Tensor] {
        let slopes = try Gradient.compute(of: [value], with: logits, createGraph: true)
        let used = zip(slopes, vector).compactMap { slope, v in slope.map { ($0, v) } }
        return try zip(logits, Gradient.compute(of: used.map(\.0), seeds: used.map(\.1), with: logits)).map { try $1 ?? Tensor.zeros($0.shape) }
    }

    private static func split(_ vector: [Double], like tensors: [Tensor]) throws -> [Tensor] {
        var start = 0
        return try tensors.map { tensor in
            defer { start += tensor.count }
            return try Tensor(vector[start..<start + tensor.count].map(Float.init), shape: tensor.shape)
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
