import Kernels

/// e^x / Σ e^x along an axis, or its logarithm.
struct SoftmaxRule: OperationRule {
    let axis: Int
    let logarithm: Bool

    var name: String { logarithm ? "log_softmax" : "softmax" }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try x[0].checkAxis(axis, name)
        return x[0].shape
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [try Operation.softmaxGradient(axis: axis, logarithm: logarithm)(y, g)] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (outer, n, inner) = Collapse.around(x[0].shape, axis)
        let logarithm = logarithm
        return { p in Softmax.forward(outer: outer, n: n, inner: inner, p.floats(0), p.floats(1), log: logarithm) }
    }
}

/// (y, gradient): the derivative of `SoftmaxRule` by its result y.
struct SoftmaxGradientRule: OperationRule {
    let axis: Int
    let logarithm: Bool

    var name: String { logarithm ? "log_softmax_gradient" : "softmax_gradient" }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try derivativeOfDecomposition(x, g) }

    func decomposition(_ x: [Tensor]) throws -> Tensor? {
        let (y, g) = (x[0], x[1])
        return logarithm ? try g - y.unary(.exp) * g.sum([axis], keep: true) : try y * (g - (g * y).sum([axis], keep: true))
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (outer, n, inner) = Collapse.around(x[0].shape, axis)
        let logarithm = logarithm
        return { p in Softmax.backward(outer: outer, n: n, inner: inner, y: p.floats(0), g: p.floats(1), dx: p.floats(2), log: logarithm) }
    }
}
