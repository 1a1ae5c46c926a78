import Kernels

/// Over axes, in ascending order; with `keep` they stay with size 1.
struct SumRule: OperationRule {
    let axes: [Int]
    let keep: Bool

    var name: String { "sum" }
    var operands: OperandTypes { .alike }

    func shape(_ x: [Tensor]) throws -> [Int] {
        var shape = x[0].shape
        for axis in axes {
            try x[0].checkAxis(axis, name)
            shape[axis] = 1
        }
        return keep ? shape : shape.indices.filter { !axes.contains($0) }.map { shape[$0] }
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let shape = x[0].shape.indices.map { axes.contains($0) ? 1 : x[0].shape[$0] }
        return [try (keep ? g : g.reshape(shape)).expand(x[0].shape)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { Self.kernel(x[0], axes) }

    private static func kernel(_ x: Operand, _ axes: [Int]) -> Launch {
        let shape = x.shape
        if let (outer, n, inner) = Collapse.reduction(shape, axes) {
            if x.dtype == .int32 { return Integers.sum(outer, n, inner) }
            return { p in Reduction.sum(outer: outer, n: n, inner: inner, p.floats(0), p.floats(1)) }
        }
        // Axes that are not neighbours: first the last group, then the rest.
        let last = axes[axes.count - 1]
        var first = last
        while axes.contains(first - 1) { first -= 1 }
        let group = Array(first...last)
        var reduced = shape
        for axis in group { reduced[axis] = 1 }
        let rest = axes.filter { !group.contains($0) }
        let middle = Operand(TensorLayout(contiguous: reduced), x.dtype)
        let (stepOne, stepTwo) = (kernel(x, group), kernel(middle, rest))
        let count = middle.layout.count
        return { p in
            let scratch = try Storage(count: count, for: "sum")
            try withExtendedLifetime(scratch) {
                try p.with(p[0], scratch.pointer, stepOne)
                try p.with(scratch.pointer, p[1], stepTwo)
            }
        }
    }
}
