/// Elements `starts[d] + i · steps[d]` for i < sizes[d] of each dimension d.
struct SliceRule: OperationRule {
    let starts, sizes, steps: [Int]

    var name: String { "slice" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isView: true, makesValue: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { sizes }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try Operation.unslice(shape: x[0].shape, starts: starts, steps: steps)(g)]
    }

    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? {
        let shift = zip(starts, x.strides).reduce(0) { $0 + $1.0 * $1.1 }
        return (TensorLayout(shape: shape, strides: zip(x.strides, steps).map { $0 * $1 }), shift)
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let source = TensorLayout(shape: y.shape, strides: zip(x[0].layout.strides, steps).map { $0 * $1 })
        return shifted(0, by: zip(starts, x[0].layout.strides).reduce(0) { $0 + $1.0 * $1.1 }, Loops.copy(source, y.layout))
    }
}

/// Zeros of a shape with the input written into a slice: the adjoint of `SliceRule`.
struct UnsliceRule: OperationRule {
    let target, starts, steps: [Int]

    var name: String { "unslice" }
    var operands: OperandTypes { .alike }
    func shape(_ x: [Tensor]) throws -> [Int] { target }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try Operation.slice(starts: starts, sizes: x[0].shape, steps: steps)(g)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch { Loops.write(x[0], into: y, starts, steps, fill: 0) }
}

/// One number around all sides.
struct PadRule: OperationRule {
    let before, after: [Int]
    let value: Float

    var name: String { "pad" }
    var operands: OperandTypes { .alike }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }

    func shape(_ x: [Tensor]) throws -> [Int] {
        let x = x[0]
        if x.dtype == .int32, Int32(exactly: value) == nil { throw TensorError("pad", "the value \(value) is no int32, as the tensor's elements are") }
        return try x.shape.indices.map { d in
            let (inner, first) = x.shape[d].addingReportingOverflow(before[d])
            let (size, second) = inner.addingReportingOverflow(after[d])
            guard !first, !second else { throw TensorError("pad", "\(before[d]) and \(after[d]) more elements are more than memory holds") }
            return size
        }
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        [try Operation.slice(starts: before, sizes: x[0].shape, steps: before.map { _ in 1 })(g)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        Loops.write(x[0], into: y, before, before.map { _ in 1 }, fill: value)
    }
}

/// Tensors one behind the other along an axis.
struct ConcatRule: OperationRule {
    let axis: Int

    var name: String { "concat" }
    var operands: OperandTypes { .alike }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }

    func shape(_ x: [Tensor]) throws -> [Int] {
        try x[0].checkAxis(axis, name)
        var shape = x[0].shape
        for (i, other) in x.enumerated().dropFirst() {
            var expected = shape
            guard other.rank == shape.count else {
                throw TensorError("concat", "input \(i + 1) has \(other.rank) dimensions, the first has \(shape.count)")
            }
            expected[axis] = other.shape[axis]
            guard other.shape == expected else {
                throw TensorError(
                    "concat",
                    "input \(i + 1) is \(other.dtype) \(Shapes.text(other.shape)), expected \(x[0].dtype) \(Shapes.text(expected)): all sizes but that of dimension \(axis + 1) must be equal"
                )
            }
            shape[axis] += other.shape[axis]
        }
        return shape
    }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        var start = 0
        return try x.map { part in
            defer { start += part.shape[axis] }
            return try g.narrow(axis, start, part.shape[axis])
        }
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        var shift = 0
        let parts = x.map { part -> (copy: Launch, shift: Int) in
            defer { shift += part.shape[axis] * y.layout.strides[axis] * DType.byteCount }
            return (Loops.copy(part.layout, TensorLayout(shape: part.shape, strides: y.layout.strides)), shift)
        }
        return { p in
            for (i, part) in parts.enumerated() { try p.with(p[i], p[parts.count] + part.shift, part.copy) }
        }
    }
}
