import Tensors

/// σ(z / τ): each option by itself, as independent decisions have it (FairDARTS, Chu et al. 2020; DCNAS, Zhang et al. 2021).
public final class Sigmoid: Relaxation {
    public init(temperature: Double = 1) throws { try super.init("sigmoid", isSparse: false, temperature: temperature) }
    public override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights { Weights(try scaled(logits).unary(.sigmoid)) }
}

/// Independent arrows given that at least one of a layer is on: s / (1 - Π(1 - s)), s = σ(z) (DiNTS, He et al. 2021, eq. 2). Of other decisions: given that one
/// option is.
public final class OneActive: Relaxation {
    public init() throws { try super.init("one_active", isSparse: false) }

    public override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights {
        let w = try Rows(layersOf: decision).apply(logits, fill: Rows.nothing) { table in
            // log(1 - s) = -softplus(z), softplus(z) = max(z, 0) + log(1 + exp(-|z|)).
            let softplus = try table.unary(.relu) + (-table.unary(.abs)).unary(.exp).scalar(.add, 1).unary(.log)
            let any = try 1 - (-softplus.sum([1], keep: true)).unary(.exp)
            return try table.unary(.sigmoid) / any
        }
        return Weights(w)
    }
}
