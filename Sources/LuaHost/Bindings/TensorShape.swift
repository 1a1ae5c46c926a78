import Tensors

/// Methods that look at a tensor in another way, cut it or put it together.
enum TensorShape {
    static let methods: [Binding] = [
        size, dim, numel, reshape, view, flatten, squeeze, unsqueeze, transpose, t, permute, expand, narrow, select, slice, split, chunk, flip,
        pad, gather, scatter, scatterAdd, indexSelect, maskedFill, oneHot,
    ]

    private static let views = "A view where the memory allows it (writes are seen by both), else a copy."
    private static func axis(_ doc: String = "from 1, negative from the end") -> Argument { Argument("dimension", .integer, doc) }

    // MARK: Sizes

    private static let size = tensorMethod(
        "size", [Argument("dimension", .integer, optional: true)], returns: [Returns(Kind.integers)], "Size of a dimension, or the list of all sizes.",
        example: "print(tensor.zeros(2, 3):size(-1), #tensor.zeros(2, 3):size())  --> 3\t2"
    ) { call in
        let x: Tensor = try call.this()
        if let axis = try call.dimension(ifPresent: 1, of: x) { return call.push(x.shape[axis]) }
        return call.push(Sizes(x.shape))
    }

    private static let dim = tensorMethod(
        "dim", returns: [Returns(.integer)], "Number of dimensions.", "The field `rank` is the same.", example: "print(tensor.zeros(2, 3):dim())  --> 2"
    ) { call in call.push(try call.this(as: Tensor.self).rank) }

    private static let numel = tensorMethod(
        "numel", returns: [Returns(.integer)], "Number of elements.", "The field `count` is the same.", example: "print(tensor.zeros(2, 3):numel())  --> 6"
    ) { call in call.push(try call.this(as: Tensor.self).count) }

    // MARK: Shapes

    private static let newSizes = Argument("sizes", Kind.integers, variadic: true, "one by one or as a list; one may be -1: what is left")

    /// Sizes for the elements of `x`, with -1 worked out.
    private static func sizes(_ call: Call, _ x: Tensor) throws -> [Int] {
        var sizes: [Int] = try call.rest(from: 1)
        let known = sizes.filter { $0 != -1 }
        let (product, overflow) = known.reduce((1, false)) { total, size in
            let (value, over) = total.0.multipliedReportingOverflow(by: size)
            return (value, total.1 || over)
        }
        guard !overflow else { throw call.bad(1, "sizes with a product below \(Int.max) expected, got \(Shape.text(sizes))") }
        guard known.allSatisfy({ $0 >= 0 }), sizes.count - known.count <= 1 else {
            throw call.bad(1, "sizes of 0 or more expected, one of them may be -1, got \(Shape.text(sizes))")
        }
        if let open = sizes.firstIndex(of: -1) {
            guard product > 0, x.count % product == 0 else {
                throw call.bad(1, "\(x.count) elements of \(Shape.text(x.shape)) do not divide into \(Shape.text(sizes))")
            }
            sizes[open] = x.count / product
        }
        return sizes
    }

    private static let reshape = tensorMethod(
        "reshape", [newSizes], "The same elements in row-major order with other sizes.", views,
        example: "print(tensor.arange(6):reshape(2, -1)[2][1])  --> 3.0"
    ) { call in
        let x: Tensor = try call.this()
        return call.push(try x.reshape(sizes(call, x)))
    }

    private static let view = tensorMethod(
        "view", [newSizes], "As `reshape`, but never a copy.", "An error when the elements do not lie in one piece: use reshape then.",
        example: "local x = tensor.zeros(2, 3)\nx:view(6)[1] = 5\nprint(x[1][1])  --> 5.0"
    ) { call in
        let x: Tensor = try call.this()
        guard x.isContiguousInMemory else { throw HostError("view: the elements of this \(Shape.text(x.shape)) do not lie in one piece; use reshape") }
        return call.push(try x.reshape(sizes(call, x)))
    }

    private static let flatten = tensorMethod(
        "flatten", [
            Argument("first", .integer, default: 1, "first dimension that is merged"), Argument("last", .integer, default: -1, "last one"),
        ], "Merges neighbouring dimensions into one.", views, example: "print(#tensor.zeros(2, 3):flatten())  --> 6"
    ) { call in
        let x: Tensor = try call.this()
        if x.rank == 0 { return call.push(try x.reshape([1])) }
        let first = try call.dimension(1, of: x), last = try call.dimension(2, of: x)
        guard first <= last else { throw call.bad(2, "a dimension from \(first + 1) on expected, got \(last + 1)") }
        return call.push(try x.reshape(x.shape[..<first] + [x.shape[first...last].reduce(1, *)] + x.shape[(last + 1)...]))
    }

    private static let squeeze = tensorMethod(
        "squeeze", [Argument("dimension", .integer, optional: true, "all of size 1 if left out")], "Drops dimensions of size 1.",
        "A named dimension of another size stays.", example: "print(tensor.zeros(1, 3, 1):squeeze():dim())  --> 1"
    ) { call in
        let x: Tensor = try call.this()
        guard let axis = try call.dimension(ifPresent: 1, of: x) else { return call.push(try x.reshape(x.shape.filter { $0 != 1 })) }
        var shape = x.shape
        if shape[axis] == 1 { shape.remove(at: axis) }
        return call.push(try x.reshape(shape))
    }

    private static let unsqueeze = tensorMethod(
        "unsqueeze", [axis("place of the new one: 1 to rank + 1")], "Adds a dimension of size 1.",
        example: "print(tensor.zeros(3):unsqueeze(1):size(2))  --> 3"
    ) { call in
        let x: Tensor = try call.this()
        var shape = x.shape
        shape.insert(1, at: try call.dimension(1, of: x, extra: 1))
        return call.push(try x.reshape(shape))
    }

    private static let transpose = tensorMethod(
        "transpose", [Argument("a", .integer), Argument("b", .integer)], "Exchanges two dimensions.", "A view.",
        example: "print(tensor.zeros(2, 3):transpose(1, 2):size(1))  --> 3"
    ) { call in
        let x: Tensor = try call.this()
        return call.push(try x.transpose(call.dimension(1, of: x), call.dimension(2, of: x)))
    }

    private static let t = tensorMethod(
        "t", [], "The transpose of a matrix.", "A view.", example: "print(tensor.zeros(2, 3):t():size(1))  --> 3"
    ) { call in
        let x: Tensor = try call.this()
        guard x.rank <= 2 else { throw HostError("t: a matrix expected, got \(Shape.text(x.shape)); transpose(a, b) exchanges two dimensions") }
        return call.push(x.rank == 2 ? try x.transpose(0, 1) : x)
    }

    private static let permute = tensorMethod(
        "permute", [Argument("order", Kind.integers, variadic: true, "for each new dimension the old one")], "Dimensions in another order.", "A view.",
        example: "print(table.concat(tensor.zeros(2, 3, 4):permute(3, 1, 2).shape, ' '))  --> 4 2 3"
    ) { call in
        let x: Tensor = try call.this()
        let order: [Int] = try call.rest(from: 1)
        return call.push(try x.permute(order.map { $0 < 0 ? x.rank + $0 : $0 - 1 }))
    }

    private static let expand = tensorMethod(
        "expand", [Argument("sizes", Kind.integers, variadic: true, "-1 keeps a size; more sizes than dimensions add some in front")],
        "Repeats dimensions of size 1 without copying.", "A view with stride 0.", example: "print(tensor.ones(3, 1):expand(-1, 4):sum():item())  --> 12.0"
    ) { call in
        let x: Tensor = try call.this()
        var sizes: [Int] = try call.rest(from: 1)
        let missing = sizes.count - x.rank
        guard missing >= 0 else { throw call.bad(1, "\(x.rank) or more sizes expected, got \(sizes.count)") }
        for i in sizes.indices where sizes[i] == -1 && i >= missing { sizes[i] = x.shape[i - missing] }
        return call.push(try x.expand(sizes))
    }

    // MARK: Cuts

    private static let narrow = tensorMethod(
        "narrow", [axis(), Argument("first", .integer), Argument("size", .integer)], "`size` elements of a dimension from `first` on.", "A view. No element may begin behind the last one.",
        example: "print(tensor.from{1, 2, 3}:narrow(1, 2, 2):sum():item())  --> 5.0"
    ) { call in
        let x: Tensor = try call.this(), axis = try call.dimension(1, of: x), size: Int = try call.get(3)
        // Nothing may begin behind the last: what is left of channels that are all taken.
        if size == 0, try call.get(2) == x.shape[axis] + 1 { return call.push(try x.narrow(axis, x.shape[axis], 0)) }
        let first = try call.position(call.get(2), size: x.shape[axis], dimension: axis)
        guard size >= 0, size <= x.shape[axis] - first else {
            throw call.bad(3, "\(x.shape[axis] - first) or fewer elements from \(first + 1) on expected, got \(size)")
        }
        return call.push(try x.narrow(axis, first, size))
    }

    private static let select = tensorMethod(
        "select", [axis(), Argument("index", .integer)], "One position of a dimension, which goes.",
        "A view, also of a single number: `t:select(1, i)` keeps the history that `t[i]` of a vector, being a number, has not.",
        example: "print(tensor.from{{1, 2}, {3, 4}}:select(2, 1):sum():item())  --> 4.0"
    ) { call in
        let x: Tensor = try call.this(), axis = try call.dimension(1, of: x)
        return call.push(try x.select(axis, call.position(call.get(2), size: x.shape[axis], dimension: axis)))
    }

    private static let slice = tensorMethod(
        "slice", [axis(), Argument("first", .integer, default: 1), Argument("last", .integer, default: -1), Argument("step", .integer, default: 1)],
        "Every step-th position of a dimension from first to last, both included.", "A view.",
        example: "print(tensor.from{1, 2, 3, 4, 5}:slice(1, 1, -1, 2):sum():item())  --> 9.0"
    ) { call in
        let x: Tensor = try call.this(), axis = try call.dimension(1, of: x), step: Int = try call.get(4)
        guard step > 0 else { throw call.bad(4, "a step of 1 or more expected, got \(step)") }
        if x.shape[axis] == 0 { return call.push(x) }
        let first = try call.position(call.get(2), size: x.shape[axis], dimension: axis)
        let last = try call.position(call.get(3), size: x.shape[axis], dimension: axis)
        var (starts, sizes, steps) = (x.shape.map { _ in 0 }, x.shape, x.shape.map { _ in 1 })
        (starts[axis], sizes[axis], steps[axis]) = (first, last < first ? 0 : (last - first) / step + 1, step)
        return call.push(try x.slice(starts: starts, sizes: sizes, steps: steps))
    }

    private static func parts(_ call: Call, _ x: Tensor, _ axis: Int, _ sizes: [Int]) throws -> Int {
        var start = 0
        return call.push(try sizes.map { size -> Tensor in
            defer { start += size }
            return try x.narrow(axis, start, size)
        })
    }

    /// `total` in pieces of `size`, the last one with what is left.
    private static func pieces(_ total: Int, _ size: Int) -> [Int] {
        // One that is larger than the whole is the whole, lest a position behind it overflows.
        stride(from: 0, to: max(total, 1), by: min(size, max(total, 1))).map { min(size, total - $0) }
    }

    private static let split = tensorMethod(
        "split", [Argument("size", Kind.integers, "of each part, or a list of the sizes of all"), Argument("dimension", .integer, default: 1)],
        returns: [Returns(.list(.tensor))], "Cuts a dimension into parts of a size; the last may be smaller.", "Views.",
        example: "print(#tensor.zeros(5, 2):split(2), #tensor.zeros(5, 2):split({1, 4}))  --> 3\t2"
    ) { call in
        let x: Tensor = try call.this(), sizes: [Int] = try call.get(1), axis = try call.dimension(2, of: x)
        let isList = call.isTable(1)
        guard sizes.allSatisfy({ $0 > 0 || isList && $0 == 0 }) else { throw call.bad(1, "sizes above 0 expected, got \(Shape.text(sizes))") }
        if !isList { return try parts(call, x, axis, pieces(x.shape[axis], sizes[0])) }
        guard sizes.reduce(0, &+) == x.shape[axis] else {
            throw call.bad(1, "sizes that add up to \(x.shape[axis]) expected, got \(Shape.text(sizes))")
        }
        return try parts(call, x, axis, sizes)
    }

    private static let chunk = tensorMethod(
        "chunk", [Argument("parts", .integer), Argument("dimension", .integer, default: 1)], returns: [Returns(.list(.tensor))],
        "Cuts a dimension into so many parts; the last may be smaller or missing.", "Views.", example: "print(#tensor.zeros(6, 2):chunk(3))  --> 3"
    ) { call in
        let x: Tensor = try call.this(), count: Int = try call.get(1), axis = try call.dimension(2, of: x)
        guard count > 0 else { throw call.bad(1, "1 part or more expected, got \(count)") }
        return try parts(call, x, axis, pieces(x.shape[axis], (max(x.shape[axis], 1) - 1) / count + 1))
    }

    // MARK: Picks

    /// Elements at `indices` (from 0) of a dimension.
    private static func pick(_ x: Tensor, _ axis: Int, _ indices: [Int32]) throws -> Tensor {
        var (column, full) = ([Int](repeating: 1, count: x.rank), x.shape)
        (column[axis], full[axis]) = (indices.count, indices.count)
        return try x.gather(axis, Tensor(ints: indices, shape: column).expand(full))
    }

    private static let flip = tensorMethod(
        "flip", [Argument("dimensions", Kind.integers, "one or several")], "The elements in reverse order along dimensions.", "A copy.",
        example: "print(tensor.from{1, 2, 3}:flip(1)[1])  --> 3.0"
    ) { call in
        var x: Tensor = try call.this()
        for axis in try call.dimensions(ifPresent: 1, of: x) ?? [] { x = try pick(x, axis, (0..<Int32(x.shape[axis])).reversed()) }
        return call.push(x)
    }

    private static let indexSelect = tensorMethod(
        "index_select", [axis(), Argument("positions", .union([.tensor, .integer, .list(.integer)]), "from 1, in any order and number")],
        "The given positions of a dimension.", "A copy; the derivative adds up where a position is named more than once.",
        example: "print(tensor.from{10, 20, 30}:index_select(1, {3, 1, 1}):sum():item())  --> 50.0"
    ) { call in
        let x: Tensor = try call.this(), axis = try call.dimension(1, of: x)
        let positions = try Tensor.read(call.thread, call.index(2)).map { try $0.ints().map(Int.init) } ?? call.get(2, as: [Int].self)
        return call.push(try pick(x, axis, positions.map { Int32(try call.position($0, size: x.shape[axis], dimension: axis)) }))
    }

    private static let gather = tensorMethod(
        "gather", [axis(), Argument("indices", .tensor, "int32, positions from 1; shaped like this tensor but along the dimension")],
        "y[i][j] = x[indices[i][j]][j] for dimension 1, and so on.", "What `sort`, `topk` and `max` return as positions fits.",
        example: "local x = tensor.from{{1, 2}, {3, 4}}\nlocal v, i = x:max(2, {keep = true})\nprint(x:gather(2, i):equal(v))  --> true"
    ) { call in
        let x: Tensor = try call.this(), axis = try call.dimension(1, of: x)
        return call.push(try x.gather(axis, positions(call)))
    }

    private static let places = [
        axis(), Argument("indices", .tensor, "int32, positions from 1"), Argument("source", .tensor, "of the indices' shape: this tensor's but along the dimension"),
    ]

    private static let scatter = tensorMethod(
        "scatter", places, "The tensor with elements of another written at positions: y[indices[i][j]][j] = source[i][j] for dimension 1, and so on.",
        "A copy. Of several elements at one place the last stays, and it alone has a derivative.",
        example: "local i = tensor.from({3, 1}, {dtype = 'int32'})\nprint(tensor.zeros(3):scatter(1, i, tensor.from{5, 7})[3])  --> 5.0"
    ) { call in
        let x: Tensor = try call.this(), axis = try call.dimension(1, of: x)
        return call.push(try x.scatter(axis, positions(call), call.get(3)))
    }

    private static let scatterAdd = tensorMethod(
        "scatter_add", places, "The tensor with elements of another added at positions: y[indices[i][j]][j] = x[indices[i][j]][j] + source[i][j] for dimension 1.",
        "A copy. Several elements at one place add up. float32.",
        example: "local i = tensor.from({3, 3}, {dtype = 'int32'})\nprint(tensor.zeros(3):scatter_add(1, i, tensor.from{5, 7})[3])  --> 12.0"
    ) { call in
        let x: Tensor = try call.this(), axis = try call.dimension(1, of: x)
        return call.push(try x.cast(.float32).scatterAdd(axis, positions(call), call.get(3, as: Tensor.self).cast(.float32)))
    }

    /// Positions in argument 2, from 0.
    private static func positions(_ call: Call) throws -> Tensor {
        let indices: Tensor = try call.get(2)
        guard indices.dtype == .int32 else { throw call.bad(2, "int32 positions expected, got \(indices.dtype)") }
        return try indices.scalar(.sub, 1)
    }

    private static let maskedFill = tensorMethod(
        "masked_fill", [Argument("mask", .tensor, "its shape broadcasts with this one"), Argument("value", .number)],
        "The tensor with a number where the mask is not 0.", example: "local x = tensor.from{1, -2}\nprint(x:masked_fill(x:lt(0), 0):sum():item())  --> 1.0"
    ) { call in
        let x: Tensor = try call.this()
        return call.push(try choose(call.get(1), Tensor.number(call.get(2), x.dtype, for: "masked_fill"), x))
    }

    /// `a` where the condition is not 0, else `b`; float32 unless both are int32.
    static func choose(_ condition: Tensor, _ a: Tensor, _ b: Tensor) throws -> Tensor {
        let dtype: DType = a.dtype == .int32 && b.dtype == .int32 ? .int32 : .float32
        // Another type than the values': compared first, so that a small number is not lost.
        let truth = condition.dtype == dtype ? condition : try condition.compare(.ne, 0).cast(dtype)
        return try Tensor.select(truth, a.cast(dtype), b.cast(dtype))
    }

    private static let oneHot = tensorMethod(
        "one_hot", [Argument("classes", .integer)],
        options: [
            Option("dimension", .integer, default: -1, "place of the new dimension"),
            Option("ignore", .integer, default: 255, "this label and all that are outside of the classes give zeros; to be said with more than 255 classes"),
        ], "Labels as rows of one 1 and zeros else.", "int32 labels, class ids from 0 as in label images. float32 result with one more dimension of size `classes`.",
        example: "local y = tensor.from({0, 2}, {dtype = 'int32'}):one_hot(3)\nprint(y[1][1], y[2][3])  --> 1.0\t1.0"
    ) { call in
        let x: Tensor = try call.this(), classes: Int = try call.get(1)
        guard x.dtype == .int32 else { throw HostError("one_hot: int32 labels expected, got \(x.dtype); use int()") }
        guard classes > 0 else { throw call.bad(1, "1 class or more expected, got \(classes)") }
        let place: Int = try call.option("dimension")
        let axis = place < 0 ? x.rank + 1 + place : place - 1
        guard place != 0, axis >= 0, axis <= x.rank else { throw call.badOption("dimension", "1 to \(x.rank + 1) expected, got \(place)") }
        return call.push(try x.oneHot(classes: classes, axis: axis, ignore: call.ignoredLabel(of: classes)))
    }

    private static let pad = tensorMethod(
        "pad", [Argument("before", Kind.integers, "elements added in front"), Argument("after", Kind.integers, "elements added behind")],
        options: [Option("value", .number, default: 0, "what is added")], "Adds a border.",
        "A number for the last dimension, or a list for the last dimensions: {1, 1} pads height and width of [N, C, H, W].",
        example: "print(table.concat(tensor.ones(2, 3):pad({1, 0}, {1, 2}).shape, ' '))  --> 4 5"
    ) { call in
        let x: Tensor = try call.this()
        func border(_ i: Int) throws -> [Int] {
            let sizes: [Int] = try call.get(i)
            guard sizes.count <= x.rank, sizes.allSatisfy({ (0...1 << 40).contains($0) }) else {
                throw call.bad(i, "at most \(x.rank) sizes of 0 to \(1 << 40) expected, got \(Shape.text(sizes))")
            }
            return [Int](repeating: 0, count: x.rank - sizes.count) + sizes
        }
        return call.push(try x.pad(before: border(1), after: border(2), value: call.option("value")))
    }
}
