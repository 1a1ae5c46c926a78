import Base
import CLua
import Segmentation
import Tensors

/// Derivatives, values, files and memory.
enum TensorHistory {
    static let methods: [Binding] = [
        backward, requiresGrad, detach, clone, contiguous, cast, to("float", .float32), to("int", .int32), item, toTable, isContiguous, save,
    ]

    static let functions: [Binding] = [grad, noGrad("tensor"), concat, concat.alias("cat"), stack, einsum, choose, load, saveAll, memory]

    // MARK: Derivatives

    private static let backward = tensorMethod(
        "backward",
        options: [
            Option("gradient", .tensor, "of this tensor's shape, instead of 1 for a tensor of one number"),
            Option("create_graph", .boolean, default: false, "keeps the history of the derivatives, for second derivatives"),
            Option("inputs", .union([.object("parameters"), .list(.tensor)]), "only these leaves get a gradient, and only what leads to them is computed"),
        ], returns: [], "Adds the derivatives of this value to the `grad` of every leaf that requires one.",
        "The tensor has one element unless `gradient` is given. Gradients add up until `zero_grad`.",
        example: "local w = tensor.from({1, 2}, {requires_grad = true})\nw:pow(2):sum():backward()\nprint(w.grad[1], w.grad[2])  --> 2.0\t4.0"
    ) { call in
        let inputs: LuaValue? = try call.option(ifPresent: "inputs")
        let targets = inputs?.object(as: ParameterList.self)?.tensors ?? inputs?.table?.list.compactMap { $0.object(as: Tensor.self) }
        for target in targets ?? [] where !(target.requiresGrad && target.isLeaf) {
            throw call.badOption("inputs", "leaves that require a gradient expected, got one of \(Shape.text(target.shape)) that does not")
        }
        try call.this(as: Tensor.self).backward(gradient: call.option(ifPresent: "gradient"), with: targets, createGraph: call.option("create_graph"))
        return 0
    }

    private static let grad = Binding(
        module: "tensor", name: "grad",
        parameters: [
            Argument("value", .tensor, "one number, or any shape with `gradient`"),
            Argument("inputs", .union([.tensor, .object("parameters"), .list(.tensor)]), "one tensor, a list, or the parameters of a module"),
        ],
        options: [
            Option("gradient", .tensor, "of the value's shape"), Option("create_graph", .boolean, default: false, "keeps the history, for second derivatives"),
        ],
        returns: [Returns(.union([.tensor, .list(.tensor)]), "for a list a list in its order")], summary: "Derivatives of a value with respect to tensors.",
        detail: "No `grad` field is touched. An input that the value does not depend on gets zeros.",
        example: """
            local x = tensor.from(3, {requires_grad = true})
            local dx = tensor.grad(x ^ 3, x, {create_graph = true})
            print(dx:item(), tensor.grad(dx, x):item())  --> 27.0\t18.0
            """
    ) { call in
        let value: Tensor = try call.get(1)
        let single = Tensor.read(call.thread, call.index(2)) != nil
        let inputs = try ParameterList.read(call.thread, call.index(2))?.tensors ?? call.get(2, as: [Tensor].self)
        for input in inputs where !input.requiresGrad { throw call.bad(2, "tensors that require a gradient expected, got one of \(Shape.text(input.shape)) that does not") }
        let seed: Tensor? = try call.option(ifPresent: "gradient")
        if seed == nil, value.count != 1 { throw call.bad(1, "one number expected (or the option gradient), got \(Shape.text(value.shape))") }
        if let seed, seed.shape != value.shape {
            throw call.badOption("gradient", "shape \(Shape.text(value.shape)) expected, got \(Shape.text(seed.shape))")
        }
        let found = try Gradient.compute(of: [value], seeds: seed.map { [$0] }, with: inputs, createGraph: call.option("create_graph"))
        let gradients = try zip(inputs, found).map { try $1 ?? Tensor.zeros($0.shape) }
        return single ? call.push(gradients.first) : call.push(gradients)
    }

    /// Also a function of module trellis.
    static func noGrad(_ module: String) -> Binding {
        Binding(
            module: module, name: "no_grad", parameters: [Argument("f", .any, "a function, or what can be called as one: a compiled function, a module"), Argument("arguments", .any, variadic: true)],
            returns: [Returns(.any, "what f returns")], summary: "Calls a function without keeping history.",
            detail: "Nothing computed inside can be differentiated, and tensors that require a gradient may be written in place.",
            example: "local w = tensor.ones(2, {requires_grad = true})\n\(module).no_grad(function() w:mul_(3) end)\nprint(w:sum():item())  --> 6.0"
        ) { call in
            try GradientMode.disabled { try call.pass(to: LuaFunction(call.thread, call.index(1)), skipping: 1) }
        }
    }

    private static let requiresGrad = tensorMethod(
        "requires_grad_", [Argument("on", .boolean, default: true)], "Marks a leaf as one that derivatives are wanted for, and returns it.",
        "float32 only; a tensor that was computed from others is no leaf.", example: "print(tensor.zeros(2):requires_grad_().requires_grad)  --> true"
    ) { call in
        let tensor: Tensor = try call.this()
        if let recording = Recording.current, !tensor.isSymbolic, !recording.isMadeInside(tensor) { recording.mustNotRepeat("it sets 'requires_grad' of a tensor of before") }
        try tensor.requireGrad(call.get(1))
        return call.pushThis()
    }

    private static let detach = tensorMethod(
        "detach", [], "The same numbers without their history.", "A view: writes are seen by both.", example: "print(tensor.ones(1, {requires_grad = true}):detach().requires_grad)  --> false"
    ) { call in call.push(try call.this(as: Tensor.self).detach()) }

    private static let clone = tensorMethod(
        "clone", [], "An own copy, with the history.", example: "local a = tensor.zeros(2)\nlocal b = a:clone()\nb[1] = 5\nprint(a[1])  --> 0.0"
    ) { call in call.push(try call.this(as: Tensor.self).clone()) }

    // MARK: Values

    private static let contiguous = tensorMethod(
        "contiguous", [], "The tensor itself if its elements lie in one piece, else a copy that does.", example: "print(tensor.zeros(2, 3):t():contiguous():is_contiguous())  --> true"
    ) { call in call.push(try call.this(as: Tensor.self).contiguous()) }

    private static let isContiguous = tensorMethod(
        "is_contiguous", returns: [Returns(.boolean)], "Whether the elements lie in one piece in row-major order.", example: "print(tensor.zeros(2, 3):t():is_contiguous())  --> false"
    ) { call in call.push(try call.this(as: Tensor.self).isContiguousInMemory) }

    private static let cast = tensorMethod(
        "cast", [Argument("dtype", .choice(["float32", "int32"]))], "The elements as another type.", "To int32 the fraction is cut off; NaN, infinities and numbers that are no int32 are errors.",
        example: "print(tensor.from{1.7}:cast('int32'):item())  --> 1"
    ) { call in call.push(try call.this(as: Tensor.self).cast(call.get(1, as: String.self) == "int32" ? .int32 : .float32)) }

    private static func to(_ name: String, _ dtype: DType) -> Binding {
        tensorMethod(
            name, [], "The elements as \(dtype.rawValue).", dtype == .int32 ? "The fraction is cut off; NaN, infinities and numbers that are no int32 are errors." : "",
            example: "print(tensor.from{1.7}:\(name)().dtype)  --> \(dtype.rawValue)"
        ) { call in call.push(try call.this(as: Tensor.self).cast(dtype)) }
    }

    private static let item = tensorMethod(
        "item", returns: [Returns(.number)], "The number of a tensor with one element.", "An integer for int32.", example: "print(tensor.from{{2.5}}:item())  --> 2.5"
    ) { call in
        let x: Tensor = try call.this()
        let value = try x.item()
        return x.dtype == .int32 ? call.push(Int(value)) : call.push(value)
    }

    private static let toTable = tensorMethod(
        "to_table", returns: [Returns(.union([.table, .number]))], "The numbers as nested tables; one number for a tensor without dimensions.",
        example: "print(tensor.from{{1, 2}, {3, 4}}:to_table()[2][1])  --> 3.0"
    ) { call in try NestedValues.push(call, call.this()) }

    // MARK: Several

    private static let dimensionOne = Argument("dimension", .integer, default: 1, "from 1, negative from the end")

    private static func checkedDimension(_ call: Call, _ rank: Int) throws -> Int {
        let d: Int = try call.get(2)
        let axis = d < 0 ? rank + d : d - 1
        guard d != 0, axis >= 0, axis < rank else { throw call.bad(2, "dimension \(d) is outside of 1 to \(rank)") }
        return axis
    }

    private static let concat = Binding(
        module: "tensor", name: "concat", parameters: [Argument("tensors", .list(.tensor)), dimensionOne], returns: Returns.tensor,
        summary: "Tensors behind one another along a dimension.", detail: "All other sizes must be equal. `cat` is the same.",
        example: "print(tensor.concat({tensor.zeros(2, 3), tensor.ones(1, 3)}):size(1))  --> 3"
    ) { call in
        let parts = try call.tensors(1)
        guard let first = parts.first else { throw call.bad(1, "one tensor or more expected") }
        return call.push(try Tensor.concat(parts, checkedDimension(call, first.rank)))
    }

    private static let stack = Binding(
        module: "tensor", name: "stack", parameters: [Argument("tensors", .list(.tensor)), dimensionOne], returns: Returns.tensor,
        summary: "Tensors of one shape along a new dimension.", example: "print(table.concat(tensor.stack({tensor.zeros(3), tensor.ones(3)}).shape, ' '))  --> 2 3"
    ) { call in
        let parts = try call.tensors(1)
        guard let first = parts.first else { throw call.bad(1, "one tensor or more expected") }
        if let other = parts.firstIndex(where: { $0.shape != first.shape }) {
            throw call.bad(1, "tensors of one shape expected, number \(other + 1) has \(Shape.text(parts[other].shape)), the first \(Shape.text(first.shape))")
        }
        return call.push(try Tensor.stack(parts, checkedDimension(call, first.rank + 1)))
    }

    private static let einsum = Binding(
        module: "tensor", name: "einsum",
        parameters: [Argument("equation", .string, "the letters of each tensor's dimensions and of the result's: \"ij,jk->ik\""), Argument("tensors", .tensor, variadic: true, "float32")],
        returns: Returns.tensor, summary: "Sums of products over the letters that the result does not have.",
        detail: "A letter that stands twice in a tensor means its diagonal. Without `->` the result has the letters that stand once, in alphabetical order. Tensors are multiplied "
            + "from the left to the right, by batched matrix products.",
        example: "local a, b = tensor.ones(2, 3), tensor.ones(3, 4)\nprint(tensor.einsum('ij,jk->ik', a, b):equal(a:matmul(b)))  --> true"
    ) { call in
        let tensors = try (1..<max(call.count, 1)).map { try call.get($0 + 1, as: Tensor.self).cast(.float32) }
        return call.push(try Tensor.einsum(call.get(1), tensors))
    }

    private static let choose = Binding(
        module: "tensor", name: "where", parameters: [Argument("condition", .tensor), Argument("a", .operand), Argument("b", .operand)], returns: Returns.tensor,
        summary: "Elements of a where the condition is not 0, else of b.", detail: "All three broadcast. float32 unless a and b are both int32.",
        example: "local x = tensor.from{-1, 2}\nprint(tensor.where(x:gt(0), x, 10):sum():item())  --> 12.0"
    ) { call in
        let condition: Tensor = try call.get(1)
        let (a, b) = (Tensor.read(call.thread, call.index(2)), Tensor.read(call.thread, call.index(3)))
        func number(_ i: Int, like other: Tensor?) throws -> Tensor {
            let value: Double = try call.get(i)
            return try Tensor.number(value, other?.dtype == .int32 && Int32(exactly: value) != nil ? .int32 : .float32, for: "where")
        }
        return call.push(try TensorShape.choose(condition, a ?? number(2, like: b), b ?? number(3, like: a)))
    }

    // MARK: Files

    private static let save = tensorMethod(
        "save", [Argument("path", .string, "ends in .npy, .npz, .safetensors, .png or .jpg")],
        options: [Option("bits", .integer, default: 8, "of a PNG's samples: 8 or 16"), Option("quality", .integer, default: 95, "of a JPEG, 1 to 100")], returns: [],
        "Writes the tensor to a file.",
        """
        The ending chooses the format. The file is written beside its place and then moved there: it is whole or not at all. In .npz and .safetensors the tensor is named `tensor`. \
        Images are [H, W] or [1, H, W] as grey, [3, H, W] as red, green, blue; float32 of 0 to 1, what lies outside is cut off; int32 as they are, an error beyond what the bits hold.
        """,
        example: "tensor.from{1, 2}:save('x.npy')\nprint(tensor.load('x.npy'):sum():item())  --> 3.0"
    ) { call in
        let path: String = try call.get(1)
        if ImageFile.isNamedAsImage(path) {
            try ImageFile.write(call.this(), to: path, bits: call.option("bits"), quality: call.option("quality"))
        } else {
            for name in ["bits", "quality"] where call.hasOption(name) { throw call.badOption(name, "this is for images, .png and .jpg") }
            try call.this(as: Tensor.self).save(path)
        }
        return 0
    }

    private static let saveAll = Binding(
        module: "tensor", name: "save", parameters: [Argument("path", .string, "ends in .npz or .safetensors"), Argument("tensors", .table, "tensors by name")],
        options: [Option("metadata", .table, "strings by name; .safetensors only")], summary: "Writes several tensors to one file.",
        example: "tensor.save('both.npz', {a = tensor.zeros(2), b = tensor.ones(3)})\nprint(tensor.load('both.npz').b:sum():item())  --> 3.0"
    ) { call in
        guard let table = try call.value(2).table else { throw call.bad(2, "table expected") }
        let named = try NamedTensors.read(table) { call.bad(2, $0) }
        var metadata: [String: String] = [:]
        for (name, value) in try call.option(ifPresent: "metadata", as: LuaValue.self)?.table?.fields ?? [:] {
            guard let text = value.string else { throw call.badOption("metadata", "strings by name expected, '\(name)' is a \(value.typeName)") }
            metadata[name] = text
        }
        try Tensor.save(named, metadata: metadata, to: call.get(1))
        return 0
    }

    private static let load = Binding(
        module: "tensor", name: "load", parameters: [Argument("path", .string, "ends in .npy, .npz, .safetensors, .png or .jpg")],
        options: [Option("stored", .boolean, default: false, "of images: the numbers as the file has them, int32")],
        returns: [Returns(.union([.tensor, .table]), "the tensor, or tensors by name"), Returns(.table, "metadata of a .safetensors file", optional: true)],
        summary: "Reads tensors from a file.",
        detail: "An .npy file and what `t:save` wrote give the tensor itself; other files a table by name. Numbers of other types are converted where float32 or int32 hold them. "
            + "Files are read strictly: a damaged one is an error that says what is wrong. Images are float32 of 0 to 1, grey [1, H, W], colours [3, H, W] without alpha; with `stored` grey and "
            + "palette indices are [H, W].",
        example: "tensor.eye(2):save('eye.safetensors')\nprint(tensor.load('eye.safetensors'):sum():item())  --> 2.0"
    ) { call in
        let path: String = try call.get(1)
        if ImageFile.isNamedAsImage(path) { return call.push(try ImageFile.tensor(path, stored: call.option("stored"))) }
        if call.hasOption("stored") { throw call.badOption("stored", "this is for images, .png and .jpg") }
        let (tensors, metadata) = try Tensor.load(path)
        if tensors.count == 1, let only = tensors.first, only.name.isEmpty || only.name == "tensor" {
            return call.push(only.tensor) + (metadata.isEmpty ? 0 : call.push(metadata))
        }
        let named = Dictionary(tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
        return call.push(named) + (metadata.isEmpty ? 0 : call.push(metadata))
    }

    private static let memory = Binding(
        module: "tensor", name: "memory", options: [Option("reset_peak", .boolean, default: false, "the peak counts from now on")],
        returns: [Returns(.table, "live, peak, threshold")], summary: "Bytes that tensors hold.",
        detail: "`live` now and `peak` at most; when `live` passes `threshold`, garbage is collected. `t:free()` and `local t <close>` give memory back earlier.",
        example: "local before = tensor.memory().live\nlocal x = tensor.zeros(1000)\nprint(tensor.memory().live - before)  --> 4000"
    ) { call in
        if try call.option("reset_peak") { Memory.resetPeak() }
        return call.push(["live": Memory.live, "peak": Memory.peak, "threshold": Int(clua_host_of(call.thread).pointee.limit)])
    }
}

extension Call {
    /// Calls a function with the arguments after the first few and leaves all its results: values pass through untouched.
    func pass(to function: LuaFunction, _ leading: (any LuaPushable)? = nil, skipping: Int = 0) throws -> Int {
        let top = lua_gettop(thread)
        guard clua_room(thread, top + Stack.slack) else { return 0 }
        function.push(thread)
        leading?.push(thread)
        for i in stride(from: index(1 + skipping), through: top, by: 1) { clua_push_copy(thread, i) }
        guard try LuaTrace.watching(thread, { clua_pcall(thread, lua_gettop(thread) - top - 1, LUA_MULTRET) }) == LUA_OK else {
            throw LuaError.take(thread)
        }
        return Int(lua_gettop(thread) - top)
    }
}

/// Tensors by name out of a Lua table, in the order of their names; list elements first.
enum NamedTensors {
    static func read(_ table: LuaTable, _ failure: (String) -> any Error) throws -> [(name: String, tensor: Tensor)] {
        let listed = table.list.enumerated().map { (String($0 + 1), $1) }
        let named = table.fields.sorted { natural($0.key, $1.key) }.map { ($0.key, $0.value) }
        return try (listed + named).map { name, value in
            guard let tensor: Tensor = value.object() else { throw failure("tensors by name expected, '\(name)' is a \(value.typeName)") }
            return (name, tensor)
        }
    }

    /// "2.weight" before "10.bias", "into.2/8" before "into.10/4": numbers in names count as numbers.
    static func natural(_ a: String, _ b: String) -> Bool {
        let (x, y) = (a.split(separator: "."), b.split(separator: "."))
        for (u, v) in zip(x, y) where u != v {
            if let m = Int(u), let n = Int(v), m != n { return m < n }
            return precedes(u.utf8[...], v.utf8[...]) ?? (u < v)
        }
        return x.count < y.count
    }

    /// The order of two names at the first place where they differ, digits that stand together being one number; nil where that says nothing ("07", "7").
    private static func precedes(_ a: Substring.UTF8View.SubSequence, _ b: Substring.UTF8View.SubSequence) -> Bool? {
        var (a, b) = (a, b)
        func number(_ text: inout Substring.UTF8View.SubSequence) -> Substring.UTF8View.SubSequence {
            let digits = text.prefix { (48...57).contains($0) }
            text = text.dropFirst(digits.count)
            return digits.drop { $0 == 48 }
        }
        while let u = a.first, let v = b.first {
            if (48...57).contains(u), (48...57).contains(v) {
                let (m, n) = (number(&a), number(&b))
                if m.count != n.count { return m.count < n.count }
                if !m.elementsEqual(n) { return m.lexicographicallyPrecedes(n) }
            } else {
                if u != v { return u < v }
                a = a.dropFirst()
                b = b.dropFirst()
            }
        }
        return a.isEmpty == b.isEmpty ? nil : a.isEmpty
    }
}
