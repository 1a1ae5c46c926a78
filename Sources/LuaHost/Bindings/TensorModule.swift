import CLua
import Tensors

extension Tensor: LuaObject {
    public static let objectType = ObjectType(
        "tensor", of: Tensor.self, summary: "Numbers in a rectangular array.",
        detail: """
            Positions and dimensions count from 1, negative ones from the end. `t[i]` is the i-th part along the first dimension, a number for a vector; \
            `t[{i, {first, last}, {}, {j}}]` takes one position, a range, all, and one position whose dimension stays; `t[mask]` the elements where the mask \
            is not 0. Parts are views: writing to them writes to the tensor. The same keys are assigned to with numbers, tensors and nested tables. `ipairs(t)` \
            walks the first dimension and `#t` is its size. Shapes broadcast in arithmetic as in NumPy. `==` asks for the same object.
            """,
        methods: TensorArithmetic.methods + TensorReductions.methods + TensorShape.methods + TensorHistory.methods,
        fields: [
            Field("shape", .list(.integer), "Sizes, outermost first: shape[1] is the first, shape[-1] the last.", of: { (t: Tensor) in Sizes(t.shape) }),
            Field("dtype", .string, "\"float32\" or \"int32\".", of: { (t: Tensor) in t.dtype.rawValue }),
            Field("rank", .integer, "Number of dimensions.", of: { (t: Tensor) in t.rank }),
            Field("count", .integer, "Number of elements.", of: { (t: Tensor) in t.count }),
            Field(
                "requires_grad", .boolean, "Whether derivatives with respect to it, or through it, are wanted.", of: { (t: Tensor) in t.isMarked },
                set: { (t: Tensor, on: Bool) in try t.requireGrad(on) }),
            Field("is_leaf", .boolean, "Whether it was made, not computed from tensors that require a gradient.", of: { (t: Tensor) in t.isLeaf }),
            Field(
                "grad", .tensor, "Sum of the derivatives that `backward` brought here; nil before. Assign nil to forget it.", optional: true,
                get: { call in call.push(try call.this(as: Tensor.self).currentGradient()) }, set: setGradient),
        ],
        metamethods: TensorArithmetic.metamethods + [length, pairs], index: TensorIndexing.read, newindex: TensorIndexing.write, freeable: true,
        describe: { $0.description })

    private static func setGradient(_ call: Call) throws -> Int {
        let tensor: Tensor = try call.this()
        let gradient: Tensor? = try call.get(ifPresent: 1)
        if let gradient, gradient.shape != tensor.shape || gradient.dtype != .float32 {
            throw HostError("grad: a float32 tensor \(Shape.text(tensor.shape)) or nil expected, got \(gradient.dtype) \(Shape.text(gradient.shape))")
        }
        if let gradient { try tensor.setGradient(gradient) } else { tensor.clearGradient() }
        return 0
    }

    private static let length = Binding(
        name: "__len", parameters: [Argument("t", .any)], returns: [Returns(.integer)], summary: "Size of the first dimension."
    ) { call in
        guard let size = try call.get(1, as: Tensor.self).shape.first else { throw HostError("a tensor without dimensions has no length") }
        return call.push(size)
    }

    private static let pairs = Binding(
        name: "__pairs", parameters: [Argument("t", .tensor)], returns: [Returns(.function)], summary: "Walks the first dimension, as ipairs."
    ) { call in
        let tensor: Tensor = try call.get(1)
        let size = tensor.shape.first ?? 0
        var next = 0
        return call.push(function: "next") { call in
            guard next < size else { return call.pushNil() }
            next += 1
            guard tensor.rank > 1 else {
                let value = try tensor.number(at: [next - 1])
                return call.push(next) + (tensor.dtype == .int32 ? call.push(Int(value)) : call.push(value))
            }
            return call.push(next) + call.push(try tensor.select(0, next - 1))
        }
    }
}

enum TensorModule {
    static let module = LuaModule(
        "tensor", summary: "Arrays of numbers with derivatives: how they are made, joined, read and written.",
        detail: "float32 and int32, any number of dimensions, contiguous or views. What a tensor can do is under the type `tensor`.",
        types: [Tensor.objectType], bindings: TensorCreation.functions + TensorHistory.functions)
}
