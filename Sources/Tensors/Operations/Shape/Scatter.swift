/// (x, indices, source): x with the elements of `source` written at their indices along an axis. Of several at one place the last stays.
struct ScatterRule: OperationRule {
    let axis: Int

    var name: String { "scatter" }
    var operands: OperandTypes { .indexed }
    var onnx: ONNXNode? { ONNXNode("ScatterElements", [("axis", .int(axis))]) }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try x[0].checkScatter(axis, x[1], x[2], name)
        return x[0].shape
    }

    /// What was written over has no influence, be it of x or of the source.
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let (indices, source) = (x[1], x[2])
        let dx = x[0].requiresGrad ? try Operation(self)(g, indices, Tensor.zeros(source.shape)) : nil
        guard source.requiresGrad else { return [dx, nil, nil] }
        let numbers = try Tensor.counting(source.shape)
        let isLast = try Operation(self)(Tensor.full(x[0].shape, int: -1), indices, numbers).gather(axis, indices).binary(.eq, numbers)
        return [dx, nil, try g.gather(axis, indices) * isLast.cast(.float32)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (outer, picks, inner) = Collapse.around(x[1].shape, axis)
        let (size, count, axis, name) = (y.shape[axis], y.layout.count, axis, name)
        return { p in
            p.floats(3).update(from: p.floats(0), count: count)
            for o in 0..<outer {
                for j in 0..<picks * inner {
                    let index = Int(p.ints(1)[o * picks * inner + j])
                    guard index >= 0, index < size else {
                        throw TensorError(name, "index \(index + 1) is outside of dimension \(axis + 1) of size \(size)")
                    }
                    p.floats(3)[(o * size + index) * inner + j % inner] = p.floats(2)[o * picks * inner + j]
                }
            }
        }
    }
}

extension Tensor {
    /// This tensor with elements of `source` at `indices` (int32, from 0) along an axis; of several at one place the last stays.
    /// - Parameters: indices and source of one shape: this tensor's but for the axis.
    public func scatter(_ axis: Int, _ indices: Tensor, _ source: Tensor) throws -> Tensor {
        let source = try source.cast(dtype)
        return try Tensor.whole("scatter", [self, indices, source], PyTorchCall("torch.scatter", [.input(0), .text("\(axis)"), .positions(1), .input(2)])) {
            try Operation(ScatterRule(axis: axis))(self, indices, source)
        }
    }

    /// This tensor with the elements of `source` added at `indices` (int32, from 0) along an axis.
    public func scatterAdd(_ axis: Int, _ indices: Tensor, _ source: Tensor) throws -> Tensor {
        try checkScatter(axis, indices, source, "scatter_add")
        let call = PyTorchCall("torch.scatter_add", [.input(0), .text("\(axis)"), .positions(1), .input(2)])
        return try Tensor.whole("scatter_add", [self, indices, source], call) {
            try self + Operation.scatterAdd(axis: axis, size: shape[axis])(indices, source)
        }
    }

    fileprivate func checkScatter(_ axis: Int, _ indices: Tensor, _ source: Tensor, _ name: String) throws {
        try checkAxis(axis, name)
        var expected = shape
        if indices.rank == rank { expected[axis] = indices.shape[axis] }
        guard indices.shape == expected, source.shape == expected else {
            throw TensorError(
                name,
                "indices \(Shapes.text(indices.shape)) and source \(Shapes.text(source.shape)) should be of one shape, that of the tensor \(Shapes.text(shape)) but for dimension \(axis + 1)")
        }
    }

    /// int32 0, 1, 2 ... in row-major order.
    fileprivate static func counting(_ shape: [Int]) throws -> Tensor {
        let count = try Shapes.count(shape, "scatter")
        guard count <= Int(Int32.max) else { throw TensorError("scatter", "the source has more elements than int32 counts") }
        return try Tensor(ints: (0..<count).map { Int32($0) }, shape: shape)
    }
}
