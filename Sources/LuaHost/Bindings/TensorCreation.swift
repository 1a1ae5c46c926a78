import Base
import Networks
import Tensors

/// Functions that make tensors.
enum TensorCreation {
    static let functions: [Binding] = [
        filled("zeros", 0), filled("ones", 1), full, from, arange, range, linspace, eye, rand, randn, randint, permutation,
        permutation.alias("randperm"), like("zeros_like", 0), like("ones_like", 1), manualSeed,
    ]

    static let dtype = Option("dtype", .choice(["float32", "int32"]), default: "float32", "type of the elements")
    static let requiresGrad = Option("requires_grad", .boolean, default: false, "whether derivatives with respect to it are wanted")
    private static let sizes = Argument("sizes", Kind.integers, variadic: true, "size of each dimension, one by one or as a list; none makes a tensor of one number")
    private static let seed = Option("seed", .integer, "draws from a stream of its own instead of the global one")

    private static func finish(_ call: Call, _ tensor: Tensor) throws -> Int {
        if try call.option("requires_grad") { try tensor.requireGrad() }
        return call.push(tensor)
    }

    private static func constant(_ shape: [Int], _ value: Double, _ dtype: String, _ call: Call) throws -> Tensor {
        try checkSize(shape, call)
        if dtype == "float32" { return try Tensor.full(shape, Tensor.float(value, for: call.function.binding.name)) }
        guard let whole = Int32(exactly: value) else { throw call.bad(2, "\(value) is no int32 (whole numbers from \(Int32.min) to \(Int32.max))") }
        return try Tensor.full(shape, int: whole)
    }

    /// - Throws: for a tensor that memory cannot hold.
    static func checkSize(_ shape: [Int], _ call: Call) throws { try Tensor.checkSize(shape, call.function.binding.name) }

    private static func filled(_ name: String, _ value: Int) -> Binding {
        Binding(
            module: "tensor", name: name, parameters: [sizes], options: [dtype, requiresGrad], returns: Returns.tensor, summary: "A tensor of \(name).",
            detail: "Sizes are 0 or more, of at most 64 dimensions. int32 is for labels and indices and has no derivatives.",
            example: "local x = tensor.\(name)(2, 3)\nprint(x.shape[2], x:sum():item())  --> 3\t\(value * 6).0"
        ) { call in
            try finish(call, constant(call.sizes(from: 1), Double(value), call.option("dtype"), call))
        }
    }

    private static func like(_ name: String, _ value: Int) -> Binding {
        Binding(
            module: "tensor", name: name, parameters: [Argument("like", .tensor)], options: [requiresGrad], returns: Returns.tensor,
            summary: "A tensor of \(value == 0 ? "zeros" : "ones") with the shape and type of another.",
            example: "print(tensor.\(name)(tensor.randn(2, 2)):sum():item())  --> \(value * 4).0"
        ) { call in
            let x: Tensor = try call.get(1)
            return try finish(call, constant(x.shape, Double(value), x.dtype.rawValue, call))
        }
    }

    private static let full = Binding(
        module: "tensor", name: "full", parameters: [Argument("sizes", Kind.integers, "one size or a list of sizes"), Argument("value", .number)],
        options: [dtype, requiresGrad], returns: Returns.tensor, summary: "A tensor with the same number everywhere.",
        example: "local labels = tensor.full({4, 8, 8}, 1, {dtype = 'int32'})\nprint(labels.dtype, labels:sum():item())  --> int32\t256"
    ) { call in
        let shape: [Int] = try call.get(1)
        if let wrong = shape.first(where: { $0 < 0 }) { throw call.bad(1, "sizes should be 0 or more, got \(wrong)") }
        return try finish(call, constant(shape, call.get(2), call.option("dtype"), call))
    }

    private static let from = Binding(
        module: "tensor", name: "from", parameters: [Argument("values", .union([.table, .number]), "number, list of numbers, list of lists, ...")],
        options: [dtype, requiresGrad], returns: Returns.tensor, summary: "A tensor with the numbers of a nested table.",
        detail: "The nesting is the shape; all rows of a dimension must be equally long. true and false count as 1 and 0. Errors name the row.",
        example: "local x = tensor.from{{1, 2, 3}, {4, 5, 6}}\nprint(x.shape[1], x.shape[2], x[2][3])  --> 2\t3\t6.0"
    ) { call in
        let isInt = try call.option("dtype") == "int32"
        var reader = NestedTable(isInt: isInt)
        try reader.read(call.thread, call.index(1))
        return try finish(call, isInt ? Tensor(ints: reader.ints, shape: reader.shape) : Tensor(reader.floats, shape: reader.shape))
    }

    // MARK: Sequences

    private static func sequence(_ call: Call, _ first: Double, _ step: Double, _ count: Int) throws -> Int {
        try checkSize([count], call)
        let isInt = try call.option("dtype") == "int32"
        let tensor = try isInt ? Tensor.full([count], int: 0) : Tensor.zeros([count])
        let storage = try tensor.storage()
        for i in 0..<count {
            if i & 0xffff == 0 { try checkInterrupt() }
            let value = first + Double(i) * step
            if isInt {
                guard let whole = Int32(exactly: value) else { throw HostError("\(value) is no int32") }
                storage.ints[i] = whole
            } else {
                storage.floats[i] = try Tensor.float(value, for: call.function.binding.name)
            }
        }
        return try finish(call, tensor)
    }

    /// Number of terms of a sequence, `inclusive` of its end.
    private static func terms(_ call: Call, _ first: Double, _ last: Double, _ step: Double, inclusive: Bool) throws -> Int {
        guard step != 0, step.isFinite else { throw call.bad(3, "a finite step other than 0 expected, got \(step)") }
        guard first.isFinite else { throw call.bad(1, "a finite number expected, got \(first)") }
        guard last.isFinite else { throw call.bad(call.has(2) ? 2 : 1, "a finite number expected, got \(last)") }
        let exact = (last - first) / step
        let count = inclusive ? (exact + 1e-9).rounded(.down) + 1 : (exact - 1e-9).rounded(.up)
        return count < 1 ? 0 : Int(exactly: Swift.min(count, 1e15)) ?? 0
    }

    private static let arange = Binding(
        module: "tensor", name: "arange",
        parameters: [
            Argument("first", .number, "the end, when it stands alone"), Argument("last", .number, optional: true, "where it stops, itself excluded"),
            Argument("step", .number, default: 1),
        ], options: [dtype, requiresGrad], returns: Returns.tensor, summary: "first, first + step, ... below last, as in PyTorch.",
        detail: "With one argument the numbers 0 to first - 1. `tensor.range` includes its end.",
        example: "print(tensor.arange(4):sum():item(), #tensor.arange(1, 2, 0.25))  --> 6.0\t4"
    ) { call in
        let first: Double = try call.has(2) ? call.get(1) : 0
        let last: Double = try call.has(2) ? call.get(2) : call.get(1)
        let step: Double = try call.get(3)
        return try sequence(call, first, step, terms(call, first, last, step, inclusive: false))
    }

    private static let range = Binding(
        module: "tensor", name: "range", parameters: [Argument("first", .number), Argument("last", .number), Argument("step", .number, default: 1)],
        options: [dtype, requiresGrad], returns: Returns.tensor, summary: "first, first + step, ... up to last, itself included, as Lua's for.",
        example: "print(tensor.range(1, 4):sum():item())  --> 10.0"
    ) { call in
        let first: Double = try call.get(1), step: Double = try call.get(3)
        return try sequence(call, first, step, terms(call, first, call.get(2), step, inclusive: true))
    }

    private static let linspace = Binding(
        module: "tensor", name: "linspace", parameters: [Argument("first", .number), Argument("last", .number), Argument("count", .integer)],
        options: [dtype, requiresGrad], returns: Returns.tensor, summary: "`count` numbers from first to last at equal distances.",
        example: "print(tensor.linspace(0, 1, 5)[2])  --> 0.25"
    ) { call in
        let first: Double = try call.get(1), last: Double = try call.get(2), count: Int = try call.get(3)
        guard count >= 0 else { throw call.bad(3, "a count of 0 or more expected, got \(count)") }
        return try sequence(call, first, count > 1 ? (last - first) / Double(count - 1) : 0, count)
    }

    private static let eye = Binding(
        module: "tensor", name: "eye", parameters: [Argument("rows", .integer), Argument("columns", .integer, optional: true, "as many as rows if left out")],
        options: [requiresGrad], returns: Returns.tensor, summary: "The identity matrix: 1 on the diagonal, else 0.",
        example: "print(tensor.eye(3):sum():item())  --> 3.0"
    ) { call in
        let rows: Int = try call.get(1), columns: Int = try call.get(ifPresent: 2) ?? rows
        guard rows >= 0, columns >= 0 else { throw call.bad(1, "sizes should be 0 or more, got \(rows) and \(columns)") }
        try checkSize([rows, columns], call)
        let x = try Tensor.zeros([rows, columns])
        try x.withFloats { for i in 0..<min(rows, columns) { $0[i * columns + i] = 1 } }
        return try finish(call, x)
    }

    // MARK: Random numbers

    /// From a stream of the given seed, else from the global one (inside a compiled function: anew at each run).
    private static func random(_ call: Call, _ distribution: RandomDistribution, _ shape: [Int]) throws -> Tensor {
        try checkSize(shape, call)
        if let seed: UInt64 = try call.option(ifPresent: "seed") { return try Tensor.random(distribution, shape, from: RandomState(seed: seed)) }
        return try Tensor.random(distribution, shape)
    }

    /// A number that describes a distribution.
    /// - Throws: unless it is finite as a float32.
    private static func bound(_ call: Call, _ name: String) throws -> Float {
        let value: Double = try call.option(name)
        guard Float(value).isFinite else { throw call.badOption(name, "a finite float32 expected, got \(value)") }
        return Float(value)
    }

    private static let streams = "The numbers are the same on every machine and for any number of threads (Philox 4x32-10). Without `seed` they come from "
        + "the global stream that `manual_seed` sets."

    private static let rand = Binding(
        module: "tensor", name: "rand", parameters: [sizes],
        options: [
            seed, Option("low", .number, default: 0, "smallest"), Option("high", .number, default: 1, "above the largest"), requiresGrad,
        ],
        returns: Returns.tensor, summary: "Uniform random numbers in [low, high).", detail: streams,
        example: "local x = tensor.rand(1000, {seed = 1})\nprint(x:min():item() >= 0, x:max():item() < 1)  --> true\ttrue"
    ) { call in
        let low = try bound(call, "low"), high = try bound(call, "high")
        guard low <= high, (high - low).isFinite else {
            throw call.badOption("high", "\(low) or more expected, and less than \(Float.greatestFiniteMagnitude) above it, got \(high)")
        }
        return try finish(call, random(call, .uniform(low: low, high: high), call.sizes(from: 1)))
    }

    private static let randn = Binding(
        module: "tensor", name: "randn", parameters: [sizes],
        options: [
            seed, Option("mean", .number, default: 0, "mean of the distribution"), Option("std", .number, default: 1, "standard deviation, 0 or more"),
            requiresGrad,
        ],
        returns: Returns.tensor, summary: "Normally distributed random numbers.", detail: streams,
        example: "local x, y = tensor.randn(2, 3, {seed = 1}), tensor.randn({2, 3}, {seed = 1})\nprint(x:equal(y))  --> true"
    ) { call in
        let deviation = try bound(call, "std")
        guard deviation >= 0 else { throw call.badOption("std", "0 or more expected, got \(deviation)") }
        return try finish(call, random(call, .normal(mean: bound(call, "mean"), deviation: deviation), call.sizes(from: 1)))
    }

    private static let randint = Binding(
        module: "tensor", name: "randint",
        parameters: [Argument("low", .integer), Argument("high", .integer), sizes], options: [seed], returns: Returns.tensor,
        summary: "Random integers from low to high, both included as in math.random.", detail: "int32. " + streams,
        example: "local x = tensor.randint(1, 6, {100}, {seed = 1})\nprint(x.dtype, x:min():item(), x:max():item())  --> int32\t1\t6"
    ) { call in
        let low: Int = try call.get(1), high: Int = try call.get(2)
        guard low <= high, Int32(exactly: low) != nil, Int32(exactly: high) != nil, high - low < 1 << 24 else {
            throw call.bad(2, "a range of 1 to 16777216 int32 values expected, got \(low) to \(high)")
        }
        let uniform = try random(call, .uniform(low: 0, high: 1), call.sizes(from: 3))
        let count = Double(high - low + 1)
        let offsets = try uniform.scalar(.mul, count).unary(.floor).scalar(.min, count - 1).cast(.int32)
        return call.push(try offsets + Tensor.full([], int: Int32(low)))
    }

    private static let permutation = Binding(
        module: "tensor", name: "permutation", parameters: [Argument("n", .integer)], options: [seed], returns: Returns.tensor,
        summary: "The positions 1 to n in random order.", detail: "int32 [n]. " + streams,
        example: "print(tensor.permutation(10, {seed = 1}):sum():item())  --> 55"
    ) { call in
        let n: Int = try call.get(1)
        guard n >= 0, n <= Int(Int32.max) else { throw call.bad(1, "a count of 0 or more expected, got \(n)") }
        try checkSize([n], call)
        let seed: UInt64? = try call.option(ifPresent: "seed")
        let zeroBased = try seed.map { try Tensor.permutation(n, from: RandomState(seed: $0)) } ?? Tensor.permutation(n)
        return call.push(try zeroBased + Tensor.full([], int: 1))
    }

    private static let manualSeed = Binding(
        module: "tensor", name: "manual_seed", parameters: [Argument("seed", .integer)], summary: "Starts the streams of random numbers anew.",
        detail: "Initial weights, dropout and random tensors without a seed of their own draw from the library's stream. Lua's math.random begins anew as well, as after "
            + "`math.randomseed(seed)`, so that a script's own augmentation repeats; checkpoints keep where both stand.",
        example: "tensor.manual_seed(7)\nlocal a, x = tensor.rand(3), math.random()\ntensor.manual_seed(7)\nprint(a:equal(tensor.rand(3)), x == math.random())  --> true\ttrue"
    ) { call in
        // Draws of the function before and after it would be of one stream.
        if Recording.isActive { throw HostError("manual_seed cannot be called in a compiled function, whose random numbers are drawn when it runs; call it before") }
        RandomStreams.start(seed: try call.get(1))
        return 0
    }
}
