/// (x, indices of the same rank): picks along an axis.
struct GatherRule: OperationRule {
    let axis: Int

    var name: String { "gather" }
    var operands: OperandTypes { .indexed }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try x[0].checkAxis(axis, name)
        var expected = x[1].shape
        guard expected.count == x[0].rank else {
            throw TensorError("gather", "indices have \(expected.count) dimensions, the tensor has \(x[0].rank)")
        }
        expected[axis] = x[0].shape[axis]
        guard expected == x[0].shape else {
            throw TensorError("gather", "indices \(x[1].dtype) \(Shapes.text(x[1].shape)) do not fit \(Shapes.text(x[0].shape)) along dimension \(axis + 1)")
        }
        return x[1].shape
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try Operation.scatterAdd(axis: axis, size: x[0].shape[axis])(x[1], g), nil]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (outer, n, inner) = Collapse.around(x[0].shape, axis)
        let (picks, axis, name) = (y.shape[axis], axis, name)
        return { p in
            for o in 0..<outer {
                for j in 0..<picks * inner {
                    let index = Int(p.ints(1)[o * picks * inner + j])
                    guard index >= 0, index < n else {
                        throw TensorError(name, "index \(index + 1) is outside of dimension \(axis + 1) of size \(n)")
                    }
                    p.floats(2)[o * picks * inner + j] = p.floats(0)[(o * n + index) * inner + j % inner]
                }
            }
        }
    }
}

/// (indices, x): zeros of `size` along an axis with each x added at its index: the adjoint of `GatherRule`.
struct ScatterAddRule: OperationRule {
    let axis, size: Int

    var name: String { "scatter_add" }
    var operands: OperandTypes { .labelled(0) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        var shape = x[0].shape
        shape[axis] = size
        return shape
    }

    func dtype(_ x: [Tensor]) -> DType { x[1].dtype }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil, try Operation.gather(axis: axis)(g, x[0])] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (outer, picks, inner) = Collapse.around(x[1].shape, axis)
        let (axis, size, name) = (axis, size, name)
        return { p in
            p.floats(2).update(repeating: 0, count: outer * size * inner)
            for o in 0..<outer {
                for j in 0..<picks * inner {
                    let index = Int(p.ints(0)[o * picks * inner + j])
                    guard index >= 0, index < size else {
                        throw TensorError(name, "index \(index + 1) is outside of dimension \(axis + 1) of size \(size)")
                    }
                    p.floats(2)[(o * size + index) * inner + j % inner] += p.floats(1)[o * picks * inner + j]
                }
            }
        }
    }
}
