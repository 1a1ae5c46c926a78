import Base

// Arithmetic with broadcasting, as in NumPy.
extension Tensor {
    public func unary(_ f: UnaryFunction) throws -> Tensor {
        if dtype == .int32, f.integer == nil { return try cast(.float32).unary(f) }
        return try Operation.unary(f)(self)
    }

    public func binary(_ f: BinaryFunction, _ other: Tensor) throws -> Tensor {
        if dtype == other.dtype, dtype == .float32 || !f.isFractional { return try Operation.binary(f)(self, other) }
        return try Operation.binary(f)(cast(.float32), other.cast(.float32))
    }

    /// With a number as the second operand, or as the first.
    public func scalar(_ f: BinaryFunction, _ value: Double, scalarFirst: Bool = false) throws -> Tensor {
        if dtype == .int32, f.isFractional || (Int32(exactly: value) == nil && !f.isComparison) {
            return try cast(.float32).scalar(f, value, scalarFirst: scalarFirst)
        }
        return try Operation.scalar(f, value, scalarFirst: scalarFirst)(self)
    }

    /// 1 where the comparison holds, else 0.
    public func compare(_ f: BinaryFunction, _ value: Double) throws -> Tensor { try scalar(f, value) }

    public static func select(_ condition: Tensor, _ a: Tensor, _ b: Tensor) throws -> Tensor { try Operation.select(condition, a, b) }

    public func cast(_ dtype: DType) throws -> Tensor { dtype == self.dtype ? self : try Operation.cast(dtype)(self) }

    /// float32, also of int32.
    public func pow(_ exponent: Double) throws -> Tensor {
        if dtype == .int32 { return try cast(.float32).pow(exponent) }
        return exponent == 1 ? try clone() : exponent == 2 ? try unary(.square) : try scalar(.pow, exponent)
    }

    public static func + (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(.add, b) }
    public static func - (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(.sub, b) }
    public static func * (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(.mul, b) }
    public static func / (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(.div, b) }
    public static prefix func - (a: Tensor) throws -> Tensor { try a.unary(.neg) }
    public static func + (a: Tensor, b: Float) throws -> Tensor { try a.scalar(.add, Double(b)) }
    public static func - (a: Tensor, b: Float) throws -> Tensor { try a.scalar(.sub, Double(b)) }
    public static func - (a: Float, b: Tensor) throws -> Tensor { try b.scalar(.sub, Double(a), scalarFirst: true) }
    public static func * (a: Tensor, b: Float) throws -> Tensor { try a.scalar(.mul, Double(b)) }
    public static func / (a: Tensor, b: Float) throws -> Tensor { try a.scalar(.div, Double(b)) }
    public static func / (a: Float, b: Tensor) throws -> Tensor { try b.scalar(.div, Double(a), scalarFirst: true) }

    /// Remainder with the sign of `other`, and floor of the quotient: exact for int32, as in NumPy and PyTorch for float32.
    public func remainder(_ other: Tensor) throws -> Tensor { try divided(.remainder, other) }
    public func floorDivided(by other: Tensor) throws -> Tensor { try divided(.floorDivide, other) }

    private func divided(_ operation: Operation, _ other: Tensor) throws -> Tensor {
        dtype == other.dtype ? try operation(self, other) : try operation(cast(.float32), other.cast(.float32))
    }

    /// √x, with the derivative 0 at 0 where that of the root is infinite: for roots of sums of squares (PyTorch's norm and std).
    public func rootOfSquares() throws -> Tensor { try atZero { try $0.unary(.sqrt) } }

    /// x^p of x >= 0, with the derivative 0 at 0.
    public func powerOfSum(_ p: Double) throws -> Tensor { try atZero { try $0.pow(p) } }

    /// f(x), and 0 with a derivative of 0 where x is 0.
    private func atZero(_ f: (Tensor) throws -> Tensor) throws -> Tensor {
        let isZero = try compare(.eq, 0)
        return try Tensor.select(isZero, Tensor.scalar(0), f(Tensor.select(isZero, Tensor.scalar(1), self)))
    }

    /// Elements limited to low ... high; the derivative at a limit is 1, as in PyTorch.
    public func clamped(low: Double?, high: Double?) throws -> Tensor {
        let isWhole = [low, high].compactMap { $0 }.allSatisfy { Int32(exactly: $0) != nil }
        if dtype == .int32, !isWhole { return try cast(.float32).clamped(low: low, high: high) }
        var x = self
        for (limit, side) in [(low, BinaryFunction.lt), (high, .gt)] {
            guard let limit else { continue }
            x = try Tensor.select(x.compare(side, limit), Tensor.number(limit, dtype, for: "clamp"), x)
        }
        return x
    }
}

// Shape.
extension Tensor {
    public func reshape(_ shape: [Int]) throws -> Tensor { shape == self.shape ? self : try Operation.reshape(shape)(self) }

    public func permute(_ order: [Int]) throws -> Tensor {
        guard order.sorted() == Array(0..<rank) else {
            throw TensorError("permute", "order \(order.map { $0 + 1 }) should name each of the \(rank) dimensions once")
        }
        return order == Array(0..<rank) ? self : try Operation.permute(order)(self)
    }

    public func transpose(_ a: Int, _ b: Int) throws -> Tensor {
        try checkAxis(a, "transpose")
        try checkAxis(b, "transpose")
        var order = Array(0..<rank)
        order.swapAt(a, b)
        return try permute(order)
    }

    public func expand(_ shape: [Int]) throws -> Tensor { shape == self.shape ? self : try Operation.broadcast(shape)(self) }

    /// Elements `starts[d] + i * steps[d]` for i < sizes[d] of each dimension d.
    public func slice(starts: [Int], sizes: [Int], steps: [Int]? = nil) throws -> Tensor {
        let steps = steps ?? [Int](repeating: 1, count: rank)
        for d in 0..<rank where !isInside(start: starts[d], size: sizes[d], step: steps[d], of: shape[d]) {
            throw TensorError(
                "slice", "\(sizes[d]) elements, every \(steps[d]) from \(starts[d] &+ 1) on, of dimension \(d + 1) are outside of \(Shapes.text(shape))")
        }
        return sizes == shape ? self : try Operation.slice(starts: starts, sizes: sizes, steps: steps)(self)
    }

    /// Without sums and products of the sizes, which may be any.
    private func isInside(start: Int, size: Int, step: Int, of dimension: Int) -> Bool {
        guard size >= 0, step >= 1, start >= 0 else { return false }
        return size == 0 || start < dimension && size - 1 <= (dimension - 1 - start) / step
    }

    /// - Throws: for a dimension that this tensor does not have.
    public func checkAxis(_ axis: Int, _ operation: String) throws {
        guard axis >= 0, axis < rank else { throw TensorError(operation, "there is no dimension \(axis + 1) in \(Shapes.text(shape))") }
    }

    /// `size` elements of dimension `axis` from `start` on.
    public func narrow(_ axis: Int, _ start: Int, _ size: Int) throws -> Tensor {
        try checkAxis(axis, "narrow")
        var (starts, sizes) = ([Int](repeating: 0, count: rank), shape)
        starts[axis] = start
        sizes[axis] = size
        return try slice(starts: starts, sizes: sizes)
    }

    /// Element `index` of dimension `axis`, without that dimension.
    public func select(_ axis: Int, _ index: Int) throws -> Tensor {
        try checkAxis(axis, "select")
        var rest = shape
        rest.remove(at: axis)
        return try narrow(axis, index, 1).reshape(rest)
    }

    public func pad(before: [Int], after: [Int], value: Float = 0) throws -> Tensor {
        guard before.count == rank, after.count == rank, (before + after).allSatisfy({ $0 >= 0 }) else {
            throw TensorError("pad", "expects \(rank) sizes of 0 or more before and after, got \(before) and \(after)")
        }
        return try Operation.pad(before: before, after: after, value: value)(self)
    }

    public static func concat(_ tensors: [Tensor], _ axis: Int) throws -> Tensor {
        guard let first = tensors.first else { throw TensorError("concat", "expects at least one tensor") }
        return tensors.count == 1 ? first : try Operation.concat(axis: axis).apply(tensors)
    }

    public static func stack(_ tensors: [Tensor], _ axis: Int) throws -> Tensor {
        try concat(tensors.map { tensor in
            guard axis >= 0, axis <= tensor.rank else { throw TensorError("stack", "there is no place for a dimension \(axis + 1) in \(Shapes.text(tensor.shape))") }
            var shape = tensor.shape
            shape.insert(1, at: axis)
            return try tensor.reshape(shape)
        }, axis)
    }

    public func gather(_ axis: Int, _ indices: Tensor) throws -> Tensor { try Operation.gather(axis: axis)(self, indices) }

    /// Whether the elements lie in one piece in row-major order; of a promise, as they would if its function ran at once.
    public var isContiguousInMemory: Bool {
        guard let recording, let place = try? recording.memory.place(of: self) else { return isContiguous }
        return place.layout.isContiguous
    }

    /// A contiguous tensor with these numbers; itself when it is one.
    public func contiguous() throws -> Tensor {
        if isContiguousInMemory { return self }
        if let recording = Recording.current { return try recording.clone(self) }
        return try Operation.slice(starts: shape.map { _ in 0 }, sizes: shape, steps: shape.map { _ in 1 }).copyOut(self)
    }

    /// int32 labels (from 0) as 1 and 0 along a new dimension `axis`; `ignore` gives zeros.
    public func oneHot(classes: Int, axis: Int, ignore: Int32) throws -> Tensor {
        guard classes <= Int(Int32.max) else { throw TensorError("one_hot", "int32 labels tell at most \(Int32.max) classes apart, got \(classes)") }
        var shape = self.shape
        shape.insert(1, at: axis)
        try Shapes.check(self.shape + [classes], "one_hot")
        let numbers = try Tensor(shape: [classes], dtype: .int32, for: "one_hot")
        let values = try numbers.storage().ints
        for i in 0..<classes {
            if i & 0xffff == 0 { try checkInterrupt() }
            values[i] = Int32(truncatingIfNeeded: i)
        }
        let column = try numbers.reshape([classes] + [Int](repeating: 1, count: self.shape.count - axis))
        return try (reshape(shape).binary(.eq, column) * reshape(shape).scalar(.ne, Double(ignore))).cast(.float32)
    }
}

// Reductions and products.
extension Tensor {
    /// Sum over `axes` (all when nil).
    public func sum(_ axes: [Int]? = nil, keep: Bool = false) throws -> Tensor {
        let axes = (axes ?? Array(0..<rank)).sorted()
        return axes.isEmpty ? try clone() : try Operation.sum(axes: axes, keep: keep)(self)
    }

    public func mean(_ axes: [Int]? = nil, keep: Bool = false) throws -> Tensor {
        if dtype == .int32 { return try integerMoment(axes, keep: keep, correction: nil) }
        return try sum(axes, keep: keep) / Float(elements(axes, "mean"))
    }

    /// Biased (`correction` 0) or unbiased (1) variance; NaN where there are no more values than the correction takes off.
    public func variance(_ axes: [Int]? = nil, keep: Bool = false, correction: Int = 0) throws -> Tensor {
        if dtype == .int32 { return try integerMoment(axes, keep: keep, correction: correction) }
        let freedom = try Double(elements(axes, "var")) - Double(correction)
        let dimensions = axes.map { "dim=\(PyTorchCall.tuple($0))" } ?? ""
        func value() throws -> Tensor {
            let centred = try self - mean(axes, keep: true).expand(shape)
            return try centred.unary(.square).sum(axes, keep: keep).scalar(.div, freedom > 0 ? freedom : .nan)
        }
        // No dimensions are all dimensions to PyTorch.
        if axes?.isEmpty == true { return try value() }
        return try Tensor.whole("var", [self], PyTorchCall("torch.var", inputs: 1, dimensions, "correction=\(correction)", keep ? "keepdim=True" : ""), value)
    }

    /// Number of elements that a sum over `axes` has terms.
    private func elements(_ axes: [Int]?, _ operation: String) throws -> Int {
        try (axes ?? Array(0..<rank)).reduce(1) {
            try checkAxis($1, operation)
            return $0 * shape[$1]
        }
    }

    /// The sum over what broadcasting repeated.
    func sum(to target: [Int]) throws -> Tensor {
        if target == shape { return self }
        let missing = rank - target.count
        let axes = shape.indices.filter { $0 < missing || (target[$0 - missing] == 1 && shape[$0] != 1) }
        return try sum(axes, keep: true).reshape(target)
    }

    public func argmax(_ axis: Int, largest: Bool = true) throws -> Tensor { try Operation.argmax(axis: axis, largest: largest)(self) }

    /// The largest (or smallest) of all elements. NaN if there is one. The derivative is shared by equal ones.
    public func extreme(largest: Bool = true) throws -> Tensor { try Operation.extreme(largest: largest)(self) }

    /// Largest (or smallest) values along `axis` and where they are.
    public func extremum(_ axis: Int, largest: Bool = true) throws -> (values: Tensor, indices: Tensor) {
        let indices = try argmax(axis, largest: largest)
        return (try gather(axis, indices), indices)
    }

    public func sort(_ axis: Int, descending: Bool = false) throws -> (values: Tensor, indices: Tensor) {
        let indices = try Operation.argsort(axis: axis, descending: descending)(self)
        return (try gather(axis, indices), indices)
    }

    /// Matrix product over the last two dimensions, as in NumPy: leading ones broadcast, vectors count as a row or a column.
    public func matmul(_ other: Tensor) throws -> Tensor {
        guard dtype == other.dtype else { return try cast(.float32).matmul(other.cast(.float32)) }
        guard rank > 0, other.rank > 0 else { throw TensorError("matmul", "expects vectors or matrices, got \(Shapes.text(shape)) and \(Shapes.text(other.shape))") }
        if rank == 1 {
            let product = try reshape([1, shape[0]]).matmul(other)
            return other.rank == 1 ? try product.reshape([]) : try product.reshape(Array(product.shape.dropLast(2) + product.shape.suffix(1)))
        }
        if other.rank == 1 {
            let product = try matmul(other.reshape([other.shape[0], 1]))
            return try product.reshape(Array(product.shape.dropLast()))
        }
        if other.rank == 2, rank > 2 {
            // Leading dimensions of the first operand are rows.
            let rows = shape.dropLast().reduce(1, *)
            let flat = try reshape([rows, shape[rank - 1]])
            return try Operation.matmul(transposeA: false, transposeB: false)(flat, other).reshape(shape.dropLast() + [other.shape[1]])
        }
        let lead = (Array(shape.dropLast(2)), Array(other.shape.dropLast(2)))
        guard let batch = Shapes.broadcast(lead.0, lead.1) else {
            throw TensorError("matmul", "leading sizes of \(Shapes.text(shape)) and \(Shapes.text(other.shape)) do not broadcast")
        }
        return try Operation.matmul(transposeA: false, transposeB: false)(
            expand(batch + shape.suffix(2)), other.expand(batch + other.shape.suffix(2)))
    }

    public func softmax(_ axis: Int, logarithm: Bool = false) throws -> Tensor { try Operation.softmax(axis: axis, logarithm: logarithm)(self) }
}

// Layers on images [N, C, H, W].
extension Tensor {
    public func conv2d(_ weight: Tensor, bias: Tensor? = nil, _ options: ConvOptions = ConvOptions()) throws -> Tensor {
        try Operation.conv2d(options).apply([self, weight] + (bias.map { [$0] } ?? []))
    }
    public func maxPool2d(_ options: PoolOptions) throws -> Tensor { try Operation.maxPool(options)(self) }
    public func averagePool2d(_ options: PoolOptions, countPadding: Bool = true) throws -> Tensor {
        try Operation.averagePool(options, countPadding: countPadding)(self)
    }
    public func resize(_ mode: ResizeMode, height: Int, width: Int) throws -> Tensor {
        rank == 4 && shape[2] == height && shape[3] == width ? self : try Operation.resize(mode, height: height, width: width)(self)
    }

    /// Mean over the pixels of -log softmax(logits)[label] · weight[label], divided by the sum of the weights; labels equal to `ignore` do not count.
    public func crossEntropy(_ labels: Tensor, ignore: Int32 = 255, weights: Tensor? = nil) throws -> Tensor {
        try Operation.crossEntropy(ignore: ignore, weights: weights != nil).apply([self, labels] + (weights.map { [$0] } ?? []))
    }
}
