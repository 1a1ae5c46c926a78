/// Single numbers, for hosts that index.
extension Tensor {
    /// The number at an index (one position for each dimension, from 0).
    public func number(at index: [Int]) throws -> Double {
        try look(for: "index")
        let base = try storage(for: "index")
        let at = try position(index)
        return dtype == .float32 ? Double(base.floats[at]) : Double(base.ints[at])
    }

    /// Writes the number at an index, converted to this tensor's type.
    /// - Throws: for a tensor that requires a gradient while history is kept, as `assign`.
    public func setNumber(at index: [Int], _ value: Double) throws {
        guard !requiresGrad || !GradientMode.isEnabled, Recording.current == nil else {
            try slice(starts: index, sizes: index.map { _ in 1 }).assign(Tensor.number(value, dtype, for: "assign"))
            return
        }
        try ReadOnly.allow("assign")
        let base = try storage(for: "assign")
        let at = try position(index)
        switch dtype {
        case .float32: base.floats[at] = try Tensor.float(value, for: "assign")
        case .int32: base.ints[at] = try Tensor.number(value, .int32, for: "assign").readInts()[0]
        }
        base.version += 1
    }

    private func position(_ index: [Int]) throws -> Int {
        guard index.count == rank, zip(index, shape).allSatisfy({ $0 >= 0 && $0 < $1 }) else {
            throw TensorError("index", "position \(index.map { $0 + 1 }) is outside of \(shape)")
        }
        return zip(index, layout.strides).reduce(offset) { $0 + $1.0 * $1.1 }
    }
}

extension Tensor {
    /// - Throws: when this machine's memory cannot hold a tensor of this shape, or a size is below 0.
    public static func checkSize(_ shape: [Int], _ operation: String) throws { try Shapes.check(shape, operation) }

    /// The number of elements of a shape that `checkSize` allows.
    public static func checkedCount(_ shape: [Int], _ operation: String) throws -> Int {
        try Shapes.check(shape, operation)
        return shape.reduce(1, *)
    }
}
