import Tensors

/// Weights drawn from a Dirichlet distribution with concentration 1 + elu(z) (DrNAS, Chen et al. 2021, section 3.1), differentiated through the draw.
///
/// A gamma variable of shape a is drawn as one of shape a + 8 by Marsaglia and Tsang's transformation of a normal one, times powers of uniform ones: at such a shape
/// the transformation is accepted all but always, so that nothing is rejected (Naesseth et al. 2017, section 5).
public final class Dirichlet: Relaxation {
    private static let boost = 8

    public init() throws { try super.init("dirichlet", isSparse: false) }

    public override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights {
        let rows = Rows(distributionsOf: decision)
        let a = try concentration(logits)
        let logGamma = try Dirichlet.logGamma(a)
        let mean = try rows.apply(a, fill: 0) { try $0 / $0.sum([1], keep: true) }
        return Weights(try rows.apply(logGamma, fill: Rows.nothing) { try $0.softmax(1) }, probabilities: mean)
    }

    /// 1 + elu(z): z + 1 above 0, exp(z) below.
    private func concentration(_ z: Tensor) throws -> Tensor {
        let low = try z.clamped(low: nil, high: 0).unary(.exp)
        return try Tensor.select(z.compare(.gt, 0), z + 1, low).clamped(low: 1e-3, high: nil)
    }

    private static func logGamma(_ a: Tensor) throws -> Tensor {
        let shape = try a + Float(boost)
        let d = try shape - 1 / 3
        let normal = try Tensor.random(.normal(mean: 0, deviation: 1), a.shape)
        let v = try (normal / (d * 9).unary(.sqrt) + 1).clamped(low: 1e-3, high: nil)
        var result = try d.unary(.log) + v.unary(.log) * 3
        for i in 0..<boost {
            let u = try Tensor.random(.uniform(low: 1e-7, high: 1), a.shape)
            result = try result + u.unary(.log) / (a + Float(i))
        }
        return result
    }
}
