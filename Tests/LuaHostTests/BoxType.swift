import Base
import CKernels
import LuaHost
import Tensors

/// A stand-in for tensors: a shape, numbers, and storage that counts towards the host's memory.
final class Box: LuaObject {
    nonisolated(unsafe) static var alive = 0
    var shape: [Int]
    var value: Double
    let bytes: Int64

    init(shape: [Int], value: Double = 0) {
        self.shape = shape
        self.value = value
        bytes = Int64(shape.reduce(4, *))
        _ = trellis_memory_add(bytes)
        Box.alive += 1
    }

    deinit {
        Box.alive -= 1
        _ = trellis_memory_add(-bytes)
    }

    private static let operand: Kind = .union([.object("box"), .number])

    static let objectType = ObjectType(
        "box", of: Box.self, summary: "A shape and a number.",
        methods: [
            Binding(
                module: "box", name: "add", parameters: [Argument("other", .object("box"))], returns: [Returns(.object("box"))],
                summary: "Sum of two boxes.",
                body: { call in
                    let a: Box = try call.this(), b: Box = try call.get(1)
                    return call.push(Box(shape: a.shape, value: a.value + b.value))
                }),
            Binding(module: "box", name: "fail", summary: "Throws.", body: { _ in throw HostError("shape mismatch 3 vs 1") }),
        ],
        fields: [
            Field("shape", .list(.integer), "Sizes.", of: { (box: Box) in box.shape }),
            Field("value", .number, "The number.", of: { (box: Box) in box.value }, set: { (box: Box, x: Double) in box.value = x }),
        ],
        metamethods: [
            Binding(
                name: "__add", parameters: [Argument("a", operand), Argument("b", operand)], summary: "Sum.",
                body: { call in
                    func number(_ i: Int) throws -> Double {
                        let box: Box? = Box.read(call.thread, Int32(i))
                        return try box?.value ?? call.get(i)
                    }
                    return call.push(Box(shape: [], value: try number(1) + number(2)))
                }),
            Binding(
                name: "__call", parameters: [Argument("x", .number)], summary: "",
                body: { call in call.push(try call.this(as: Box.self).value * call.get(1, as: Double.self)) }),
        ],
        index: { call in
            guard let position: Int = try? call.get(1) else { return call.pushNil() }
            let shape = try call.this(as: Box.self).shape
            return shape.indices.contains(position - 1) ? call.push(shape[position - 1]) : call.pushNil()
        },
        freeable: true,
        describe: { "box(\($0.shape.map(String.init).joined(separator: "x")))" })
}

enum BoxModule {
    static let module = LuaModule("boxes", summary: "Test boxes.", types: [Box.objectType], bindings: bindings, constants: [
        Constant("unit", .object("box"), "A box of one.", make: { $0.push(Box(shape: [1], value: 1)) }),
        Constant("gallery.small", .integer, "A number.", make: { $0.push(7) }),
    ])

    static let bindings = [
        Binding(
            module: "boxes", name: "new", parameters: [Argument("sizes", Kind.integers, variadic: true, "size of each dimension")],
            options: [
                Option("value", .number, default: 0, "the number in it"),
                Option("dtype", .choice(["float32", "int32"]), default: "float32"),
                Option("seed", .integer), Option("kernel", .union([.integer, .list(.integer)]), default: 3),
            ],
            returns: [Returns(.object("box"), "the box")], summary: "Makes a box of some shape.",
            detail: "Nothing is stored but the shape.", example: "b = boxes.new(2, 3, {value = 1})",
            body: { call in
                call.push(Box(shape: try call.rest(from: 1, as: Int.self), value: try call.option("value")))
            }),
        Binding(
            module: "boxes", name: "conv", parameters: [
                Argument("input", .object("box")), Argument("weight", .object("box")), Argument("bias", .object("box"), optional: true),
            ],
            options: [
                Option("kernel", .integer, default: 3), Option("padding", .integer, default: 0), Option("groups", .integer, default: 1),
            ],
            summary: "Checks its arguments.",
            body: { call in
                let kernel: Int = try call.option("kernel")
                return call.push(kernel) + call.push(try call.get(ifPresent: 3, as: Box.self) != nil)
            }),
        Binding(
            module: "boxes", name: "map", parameters: [Argument("f", .function), Argument("x", .any, optional: true)],
            summary: "Calls f(x).",
            body: { call in
                let held = Box(shape: [1])
                let results = try call.get(1, as: LuaFunction.self).call(try call.value(2))
                return withExtendedLifetime(held) { call.push(all: results) }
            }),
        Binding(
            module: "boxes", name: "echo", parameters: [Argument("x", .any)], summary: "Returns plain data.",
            body: { call in call.push(try call.value(1)) }),
        Binding(
            module: "boxes", name: "spin", summary: "Runs until interrupted.",
            body: { _ in
                while !trellis_interrupt_pending() {}
                throw Interrupted()
            }),
    ]
}
