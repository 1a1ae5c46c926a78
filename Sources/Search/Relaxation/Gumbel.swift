import Tensors

/// Gumbel-softmax (Jang et al., Maddison et al., 2017): softmax((z + g) / τ), g drawn anew at each run from the standard Gumbel distribution.
///
/// Hard: 1 for the largest and 0 for the others, with the derivative of the soft weights (straight-through; GDAS, Dong and Yang 2019).
public final class Gumbel: Relaxation {
    public enum Estimator: String, CaseIterable, Sendable {
        /// Of hard weights only what was drawn is computed, so only its weight has a derivative.
        case selected
        /// Everything is computed, and every option's weight has a derivative.
        case all
    }
    private let isHard: Bool

    public init(temperature: Double = 1, isHard: Bool = false, estimator: Estimator = .selected) throws {
        self.isHard = isHard
        try super.init("gumbel", isSparse: isHard && estimator == .selected, temperature: temperature)
    }

    public override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights {
        let rows = Rows(distributionsOf: decision)
        // Uniform numbers of (0, 1): their logarithms are finite.
        let uniform = try Tensor.random(.uniform(low: 1e-7, high: 1 - 1e-7), logits.shape)
        let noise = try -(-uniform.unary(.log)).unary(.log)
        let w = try rows.apply(scaled(logits + noise), fill: Rows.nothing) { table in
            let soft = try table.softmax(1)
            guard isHard else { return soft }
            let fixed = soft.detach()
            let largest = try fixed.argmax(1).reshape([table.shape[0], 1])
            let positions = try Tensor(ints: (0..<table.shape[1]).map(Int32.init), shape: [1, table.shape[1]])
            let drawn = try positions.binary(.eq, largest).cast(.float32)
            // The difference is exactly 0, so what was not drawn is.
            return try drawn + (soft - fixed)
        }
        return Weights(w, probabilities: try rows.apply(logits, fill: Rows.nothing) { try $0.softmax(1) })
    }

    public override func numbers(_ logits: Tensor, of decision: Decision) throws -> [Double] {
        try Rows(distributionsOf: decision).softmax(logits, temperature: nil)
    }
}
