import Tensors

/// Sums, extremes, orders and products of tensors.
enum TensorReductions {
    static let methods: [Binding] = [
        sum, mean, variance, deviation, prod, norm, extreme("max", largest: true), extreme("min", largest: false),
        position("argmax", largest: true), position("argmin", largest: false), all, any, cumsum, softmax(logarithm: false),
        softmax(logarithm: true), logSumExp, topk, sort, matmul, allclose, equal,
    ]

    private static let axes = Argument("dimensions", Kind.integers, optional: true, "one or several, from 1, negative from the end; all if left out")
    private static let keep = Option("keep", .boolean, default: false, "keeps the reduced dimensions with size 1")
    private static let pair = [Returns(.tensor, "values"), Returns(.tensor, "int32 positions, from 1", optional: true)]

    // MARK: Sums

    private static let sum = tensorMethod(
        "sum", [axes], options: [keep], "Sum of the elements.",
        "Over all dimensions a tensor without dimensions. int32 is added in 64 bits; a sum that is no int32 is an error. The order of additions depends on the shape alone, so the result is the same for any number of threads.",
        example: "local x = tensor.from{{1, 2}, {3, 4}}\nprint(x:sum():item(), x:sum(1)[2], x:sum(-1)[2])  --> 10.0\t6.0\t7.0"
    ) { call in
        let x: Tensor = try call.this()
        return call.push(try x.sum(call.dimensions(ifPresent: 1, of: x), keep: call.option("keep")))
    }

    private static let mean = tensorMethod(
        "mean", [axes], options: [keep], "Mean of the elements.", "float32, also of int32 elements, which are added exactly. NaN when there are none.",
        example: "print(tensor.from{{1, 2}, {3, 4}}:mean():item())  --> 2.5"
    ) { call in
        let x: Tensor = try call.this()
        return call.push(try x.mean(call.dimensions(ifPresent: 1, of: x), keep: call.option("keep")))
    }

    private static let correction = Option("correction", .integer, default: 1, "1 divides by n - 1 as PyTorch does, 0 by n")

    private static func spread(_ call: Call) throws -> Tensor {
        let x: Tensor = try call.this()
        return try x.variance(call.dimensions(ifPresent: 1, of: x), keep: call.option("keep"), correction: call.option("correction"))
    }

    private static let variance = tensorMethod(
        "var", [axes], options: [keep, correction], "Variance of the elements: Σ (x - mean)² / (n - correction).", "NaN where n is not above the correction.",
        example: "print(tensor.from{1, 2, 3}:var():item())  --> 1.0"
    ) { call in call.push(try spread(call)) }

    private static let deviation = tensorMethod(
        "std", [axes], options: [keep, correction], "Standard deviation: the root of the variance.", "The derivative at equal values is 0, as in PyTorch.",
        example: "print(tensor.from{1, 2, 3}:std():item())  --> 1.0"
    ) { call in call.push(try spread(call).rootOfSquares()) }

    private static let prod = tensorMethod(
        "prod", [Argument("dimension", .integer, optional: true, "all if left out")], options: [keep], "Product of the elements.",
        example: "print(tensor.from{2, 3, 4}:prod():item())  --> 24.0"
    ) { call in
        let x: Tensor = try call.this()
        guard let axis = try call.dimension(ifPresent: 1, of: x) else { return call.push(try product(x.reshape([x.count]), 0).reshape([])) }
        let result = try product(x, axis)
        return call.push(try call.option("keep") ? result : result.reshape(dropping(axis, result.shape)))
    }

    /// Halves are multiplied until one is left: every step has a derivative, zeros included.
    private static func product(_ x: Tensor, _ axis: Int) throws -> Tensor {
        var x = x
        var shape = x.shape
        shape[axis] = 1
        if x.shape[axis] == 0 { return try x.dtype == .int32 ? Tensor.full(shape, int: 1) : Tensor.ones(shape) }
        while x.shape[axis] > 1 {
            let (n, half) = (x.shape[axis], x.shape[axis] / 2)
            let both = try named("prod") { try x.narrow(axis, 0, half) * x.narrow(axis, half, half) }
            x = n % 2 == 0 ? both : try Tensor.concat([both, x.narrow(axis, n - 1, 1)], axis)
        }
        return x
    }

    private static func dropping(_ axis: Int, _ shape: [Int]) -> [Int] {
        var shape = shape
        shape.remove(at: axis)
        return shape
    }

    private static let norm = tensorMethod(
        "norm", [Argument("p", .number, default: 2, "1, 2, math.huge or another exponent above 0"), axes], options: [keep], "Norm (Σ |x|^p)^(1/p).",
        "p = math.huge is the largest absolute value, of all elements only. The derivative at 0 is 0, as in PyTorch.",
        example: "print(tensor.from{3, 4}:norm():item(), tensor.from{3, -4}:norm(1):item())  --> 5.0\t7.0"
    ) { call in
        let x: Tensor = try call.this(as: Tensor.self).cast(.float32), p: Double = try call.get(1)
        let axes = try call.dimensions(ifPresent: 2, of: x)
        let keep: Bool = try call.option("keep")
        guard p > 0 else { throw call.bad(1, "an exponent above 0 expected, got \(p)") }
        if p.isInfinite {
            guard axes == nil else { throw call.bad(2, "the largest absolute value is of all elements; use abs():max(dimension)") }
            return call.push(try x.unary(.abs).extreme())
        }
        if p == 2 { return call.push(try x.unary(.square).sum(axes, keep: keep).rootOfSquares()) }
        let sum = try (p == 1 ? x.unary(.abs) : x.unary(.abs).powerOfSum(p)).sum(axes, keep: keep)
        return call.push(try p == 1 ? sum : sum.powerOfSum(1 / p))
    }

    /// Runs `body`; what its steps refuse is said of the whole.
    private static func named<T>(_ operation: String, _ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as TensorError { throw TensorError(operation, error.problem, path: error.path) }
    }

    private static let cumsum = tensorMethod(
        "cumsum", [Argument("dimension", .integer, default: 1)], "Running sums along a dimension: y[i] = x[1] + ... + x[i].",
        example: "print(tensor.from{1, 2, 3}:cumsum()[3])  --> 6.0"
    ) { call in
        let x: Tensor = try call.this()
        return call.push(try x.cumulativeSum(call.dimension(1, of: x)))
    }

    // MARK: Extremes and orders

    private static func extreme(_ name: String, largest: Bool) -> Binding {
        let word = largest ? "Largest" : "Smallest"
        return tensorMethod(
            name, [Argument("dimension", .integer, optional: true, "all if left out")], options: [keep], returns: pair, "\(word) element.",
            "Along a dimension also where it is: the first position of several equal ones, to which the derivative goes; over all elements equal ones share it, as in PyTorch. "
                + "`\(name)imum` compares two tensors.",
            example: "local x = tensor.from{{1, 5}, {7, 3}}\nprint(x:\(name)():item())  --> \(largest ? 7 : 1).0\nlocal v, i = x:\(name)(2)\nprint(v[1], i[1])  --> \(largest ? "5.0\t2" : "1.0\t1")"
        ) { call in
            let x: Tensor = try call.this()
            guard let axis = try call.dimension(ifPresent: 1, of: x) else {
                return call.push(try x.extreme(largest: largest))
            }
            let (values, indices) = try x.extremum(axis, largest: largest)
            let kept: Bool = try call.option("keep")
            let shape = kept ? values.shape : dropping(axis, values.shape)
            return call.push(try values.reshape(shape)) + call.push(try fromOne(indices.reshape(shape)))
        }
    }

    /// Positions as Lua counts them.
    private static func fromOne(_ indices: Tensor) throws -> Tensor { try indices.scalar(.add, 1) }

    private static func position(_ name: String, largest: Bool) -> Binding {
        tensorMethod(
            name, [Argument("dimension", .integer, optional: true, "all if left out: the position in row-major order")], options: [keep],
            "Position of the \(largest ? "largest" : "smallest") element.",
            "int32, counted from 1; the first of several equal ones. Class ids are data and start at 0: `nn.functional.classes(logits)`, or subtract 1.",
            example: "print(tensor.from{3, 9, 1}:\(name)():item())  --> \(largest ? 2 : 3)"
        ) { call in
            let x: Tensor = try call.this()
            guard let axis = try call.dimension(ifPresent: 1, of: x) else {
                return call.push(try fromOne(x.reshape([x.count]).argmax(0, largest: largest).reshape([])))
            }
            let indices = try fromOne(x.argmax(axis, largest: largest))
            return call.push(try call.option("keep") ? indices : indices.reshape(dropping(axis, indices.shape)))
        }
    }

    private static let descending = Option("descending", .boolean, default: false, "largest first")

    private static let sort = tensorMethod(
        "sort", [Argument("dimension", .integer, default: -1)], options: [descending], returns: pair, "Elements in order along a dimension, and where they were.",
        "Equal elements keep their order; NaN counts as the largest.",
        example: "local v, i = tensor.from{3, 1, 2}:sort()\nprint(v[1], i[1])  --> 1.0\t2"
    ) { call in
        let x: Tensor = try call.this()
        let (values, indices) = try x.sort(call.dimension(1, of: x), descending: call.option("descending"))
        return call.push(values) + call.push(try fromOne(indices))
    }

    private static let topk = tensorMethod(
        "topk", [Argument("k", .integer), Argument("dimension", .integer, default: -1)],
        options: [Option("largest", .boolean, default: true, "the largest elements, else the smallest")], returns: pair,
        "The k largest elements along a dimension in order, and where they were.",
        example: "local v, i = tensor.from{3, 1, 2}:topk(2)\nprint(v[2], i[2])  --> 2.0\t3"
    ) { call in
        let x: Tensor = try call.this(), k: Int = try call.get(1)
        let axis = try call.dimension(2, of: x)
        guard k >= 0, k <= x.shape[axis] else { throw call.bad(1, "0 to \(x.shape[axis]) elements of dimension \(axis + 1) expected, got \(k)") }
        let (values, indices) = try x.sort(axis, descending: call.option("largest"))
        return call.push(try values.narrow(axis, 0, k)) + call.push(try fromOne(indices.narrow(axis, 0, k)))
    }

    // MARK: Truths

    private static let all = tensorMethod(
        "all", returns: [Returns(.boolean)], "Whether no element is 0.", example: "print(tensor.from{1, 0}:all())  --> false"
    ) { call in call.push(try !call.this(as: Tensor.self).floats().contains(0)) }

    private static let any = tensorMethod(
        "any", returns: [Returns(.boolean)], "Whether some element is not 0.", example: "print(tensor.from{1, 0}:any())  --> true"
    ) { call in call.push(try call.this(as: Tensor.self).floats().contains { $0 != 0 }) }

    private static let equal = tensorMethod(
        "equal", [Argument("other", .tensor)], returns: [Returns(.boolean)], "Whether another tensor has the same shape and the same numbers.",
        "`==` asks whether both are the same object; `eq` compares element by element.",
        example: "print(tensor.ones(2):equal(tensor.ones(2)))  --> true"
    ) { call in
        let a: Tensor = try call.this(), b: Tensor = try call.get(1)
        return call.push(try a.shape == b.shape && (a.dtype == .int32 && b.dtype == .int32 ? a.ints() == b.ints() : a.numbers() == b.numbers()))
    }

    private static let allclose = tensorMethod(
        "allclose", [Argument("other", .tensor)],
        options: [Option("rtol", .number, default: 1e-5, "relative tolerance"), Option("atol", .number, default: 1e-8, "absolute tolerance")],
        returns: [Returns(.boolean)], "Whether |x - other| <= atol + rtol·|other| everywhere.", "The shapes must be equal. An infinity is close to itself only, NaN to nothing.",
        example: "print(tensor.ones(2):allclose(tensor.ones(2) + 1e-7))  --> true"
    ) { call in
        let a: Tensor = try call.this(), b: Tensor = try call.get(1)
        let rtol: Double = try call.option("rtol"), atol: Double = try call.option("atol")
        guard a.shape == b.shape else { throw call.bad(1, "shape \(Shape.text(a.shape)) expected, got \(Shape.text(b.shape))") }
        return call.push(try zip(a.floats(), b.floats()).allSatisfy { x, y in
            x == y || x.isFinite && y.isFinite && abs(Double(x) - Double(y)) <= atol + rtol * abs(Double(y))
        })
    }

    // MARK: Products

    private static let matmul = tensorMethod(
        "matmul", [Argument("other", .tensor)], "Matrix product over the last two dimensions, as in NumPy.",
        "[..., m, k] · [..., k, n] = [..., m, n]; leading dimensions broadcast; a vector counts as a row on the left and as a column on the right.",
        example: "local x = tensor.randn(2, 3, 4)\nprint(table.concat(x:matmul(tensor.zeros(4, 5)).shape, ' '))  --> 2 3 5"
    ) { call in call.push(try call.this(as: Tensor.self).matmul(call.get(1))) }

    private static let logSumExp = tensorMethod(
        "logsumexp", [axes], options: [keep], "log Σ e^x over dimensions.", "Computed without overflow: the largest element is taken off first. float32.",
        example: "print(tensor.from{0, 0}:logsumexp():exp():item())  --> 2.0"
    ) { call in
        let x: Tensor = try call.this()
        return call.push(try x.cast(.float32).logSumExp(call.dimensions(ifPresent: 1, of: x), keep: call.option("keep")))
    }

    private static func softmax(logarithm: Bool) -> Binding {
        tensorMethod(
            logarithm ? "log_softmax" : "softmax", [Argument("dimension", .integer)],
            logarithm ? "x - log Σ e^x along a dimension." : "e^x / Σ e^x along a dimension.", "Computed without overflow: the largest element is taken off first.",
            example: logarithm ? "print(tensor.from{0, 0}:log_softmax(1):exp():sum():item())  --> 1.0" : "print(tensor.from{0, 0}:softmax(1)[1])  --> 0.5"
        ) { call in
            let x: Tensor = try call.this()
            return call.push(try x.cast(.float32).softmax(call.dimension(1, of: x), logarithm: logarithm))
        }
    }
}
