import Tensors

/// softmax(z / τ) over the options; over the arrows that leave a state (Auto-DeepLab, eq. 4 and 7), the options of each state of branches.
///
/// Of a subset: the probability that an option is among the `most` chosen ones is taken to be min(1, most · w).
public final class Softmax: Relaxation {
    public init(temperature: Double = 1) throws { try super.init("softmax", isSparse: false, temperature: temperature) }

    public override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights {
        let w = try Rows(distributionsOf: decision).apply(scaled(logits), fill: Rows.nothing) { try $0.softmax(1) }
        guard case .subset(let subset) = decision.domain else { return Weights(w) }
        return Weights(w, probabilities: try (w * Float(subset.most)).clamped(low: nil, high: 1))
    }

    public override func numbers(_ logits: Tensor, of decision: Decision) throws -> [Double] {
        let p = try Rows(distributionsOf: decision).softmax(logits, temperature: temperature)
        guard case .subset(let subset) = decision.domain else { return p }
        return p.map { min($0 * Double(subset.most), 1) }
    }
}
