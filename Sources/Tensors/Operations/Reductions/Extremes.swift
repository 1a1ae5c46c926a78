import Base
import Kernels

/// Position of the largest or smallest value along an axis, which stays with size 1.
struct ArgMaxRule: OperationRule {
    let axis: Int
    let largest: Bool

    var name: String { largest ? "argmax" : "argmin" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(hasDerivative: false) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try x[0].checkPositions(axis, name)
        var shape = x[0].shape
        guard shape[axis] > 0 else { throw TensorError(name, "dimension \(axis + 1) of \(Shapes.text(shape)) is empty") }
        shape[axis] = 1
        return shape
    }

    func dtype(_ x: [Tensor]) -> DType { .int32 }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (outer, n, inner) = Collapse.around(x[0].shape, axis)
        if x[0].dtype == .int32 || !largest { return Self.rareKernel(x[0], outer, n, inner, largest) }
        return { p in Reduction.argmax(outer: outer, n: n, inner: inner, p.floats(0), p.ints(1)) }
    }

    /// Of int32, and of the smallest value. NaN counts as found, as in PyTorch.
    private static func rareKernel(_ x: Operand, _ outer: Int, _ n: Int, _ inner: Int, _ largest: Bool) -> Launch {
        let isInt = x.dtype == .int32
        return { p in
            for o in 0..<outer {
                for i in 0..<inner {
                    var best = 0
                    var bestValue = 0.0
                    for j in 0..<n {
                        let at = (o * n + j) * inner + i
                        let value = isInt ? Double(p.ints(0)[at]) : Double(p.floats(0)[at])
                        if j == 0 || (largest ? value > bestValue : value < bestValue) || (value.isNaN && !bestValue.isNaN) { (best, bestValue) = (j, value) }
                    }
                    p.ints(1)[o * inner + i] = Int32(best)
                }
            }
        }
    }
}

/// The largest or smallest of all elements.
struct ExtremeRule: OperationRule {
    let largest: Bool

    var name: String { largest ? "max" : "min" }
    var operands: OperandTypes { .alike }

    func shape(_ x: [Tensor]) throws -> [Int] {
        guard x[0].count > 0 else { throw TensorError(name, "the tensor \(Shapes.text(x[0].shape)) is empty") }
        return []
    }

    /// Shared by equal ones, as in PyTorch.
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let isExtreme = try x[0].binary(.eq, y)
        return [try isExtreme * (g / isExtreme.sum())]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let flat = Operand(TensorLayout(contiguous: [x[0].layout.count]), x[0].dtype)
        let find = try ArgMaxRule(axis: 0, largest: largest).kernel([flat], Operand(TensorLayout(contiguous: [1]), .int32), .plain)
        return { p in
            try find(p)
            p.ints(1)[0] = p.ints(0)[Int(p.ints(1)[0])]
        }
    }
}

/// Positions in the order of the values along an axis. Stable; NaN counts as the largest, as in NumPy.
struct ArgSortRule: OperationRule {
    let axis: Int
    let descending: Bool

    var name: String { "sort" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(hasDerivative: false) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try x[0].checkPositions(axis, name)
        return x[0].shape
    }

    func dtype(_ x: [Tensor]) -> DType { .int32 }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (outer, n, inner) = Collapse.around(x[0].shape, axis)
        let (isInt, descending) = (x[0].dtype == .int32, descending)
        return { p in
            // Sorting takes as much again.
            try Memory.check(2 * n * DType.byteCount, for: "sort")
            var order = [Int32](repeating: 0, count: n)
            for o in 0..<outer {
                for i in 0..<inner {
                    func value(_ j: Int32) -> Double {
                        let at = (o * n + Int(j)) * inner + i
                        return isInt ? Double(p.ints(0)[at]) : Double(p.floats(0)[at])
                    }
                    for j in 0..<n { order[j] = Int32(j) }
                    order.sort { a, b in
                        let (u, v) = (value(a), value(b))
                        if u.isNaN || v.isNaN {
                            if u.isNaN && v.isNaN { return a < b }
                            return descending ? u.isNaN : v.isNaN
                        }
                        return u == v ? a < b : descending ? u > v : u < v
                    }
                    for j in 0..<n { p.ints(1)[(o * n + j) * inner + i] = order[j] }
                }
            }
        }
    }
}

extension Tensor {
    /// Positions along a dimension are int32.
    fileprivate func checkPositions(_ axis: Int, _ name: String) throws {
        try checkAxis(axis, name)
        guard shape[axis] <= Int(Int32.max) else { throw TensorError(name, "dimension \(axis + 1) of \(Shapes.text(shape)) has more positions than int32 tells apart") }
    }
}
