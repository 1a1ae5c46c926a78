import Tensors

/// Arithmetic, comparisons and element-wise functions: operators, methods, and writes in place.
enum TensorArithmetic {
    // MARK: Operators

    static let metamethods = [
        arithmetic("__add", .add, "Sum, broadcast. int32 with int32 or a whole number stays int32, and a result that is none is an error; else float32."),
        arithmetic("__sub", .sub, "Difference, broadcast."),
        arithmetic("__mul", .mul, "Product of elements, broadcast; `matmul` is the matrix product."),
        arithmetic("__div", .div, "Quotient of elements; int32 tensors give float32."),
        arithmetic("__pow", .pow, "Power of elements; int32 tensors give float32."),
        Binding(name: "__mod", parameters: both, returns: Returns.tensor, summary: "Remainder a - floor(a / b)·b, with the sign of b as in Lua, NumPy and PyTorch. Exact for int32, by fmod for float32.") { call in
            let (a, b) = try operands(call)
            return call.push(try a.remainder(b))
        },
        Binding(name: "__idiv", parameters: both, returns: Returns.tensor, summary: "Floor of the quotient, as NumPy and PyTorch have it: a == a // b * b + a % b. int32 by 0 is an error.") { call in
            let (a, b) = try operands(call)
            return call.push(try a.floorDivided(by: b))
        },
        Binding(name: "__unm", parameters: [Argument("x", .tensor)], returns: Returns.tensor, summary: "The negative.") { call in
            call.push(try call.get(1, as: Tensor.self).unary(.neg))
        },
        order("__lt", "Whether a < b, for tensors of one element; `lt` compares elements.") { $0 < $1 },
        order("__le", "Whether a <= b, for tensors of one element; `le` compares elements.") { $0 <= $1 },
    ]

    private static let both = [Argument("a", .operand), Argument("b", .operand)]

    private static func arithmetic(_ name: String, _ f: BinaryFunction, _ summary: String) -> Binding {
        Binding(name: name, parameters: both, returns: Returns.tensor, summary: summary) { call in
            if let a = Tensor.read(call.thread, 1) { return call.push(try apply(f, a, call, 2)) }
            return call.push(try call.get(2, as: Tensor.self).scalar(f, call.get(1), scalarFirst: true))
        }
    }

    /// `f(a, argument i)` with a tensor or a number.
    static func apply(_ f: BinaryFunction, _ a: Tensor, _ call: Call, _ i: Int) throws -> Tensor {
        if let b = Tensor.read(call.thread, call.index(i)) { return try a.binary(f, b) }
        let value: Double = try call.get(i)
        return f == .pow ? try a.pow(value) : try a.scalar(f, value)
    }

    private static func operands(_ call: Call) throws -> (Tensor, Tensor) {
        let tensors = (Tensor.read(call.thread, 1), Tensor.read(call.thread, 2))
        let isInteger = (tensors.0?.dtype ?? .int32) == .int32 && (tensors.1?.dtype ?? .int32) == .int32
        func number(_ i: Int) throws -> Tensor {
            let value: Double = try call.get(i)
            if isInteger, let whole = Int32(exactly: value) { return try Tensor.full([], int: whole) }
            return try Tensor.number(value, .float32, for: "number")
        }
        return (try tensors.0 ?? number(1), try tensors.1 ?? number(2))
    }

    private static func order(_ name: String, _ summary: String, _ holds: @escaping (Double, Double) -> Bool) -> Binding {
        Binding(name: name, parameters: both, returns: [Returns(.boolean)], summary: summary) { call in
            func value(_ i: Int) throws -> Double {
                guard let tensor = Tensor.read(call.thread, Int32(i)) else { return try call.get(i) }
                guard tensor.count == 1 else {
                    throw HostError(
                        "tensors of more than one element are compared with lt, le, gt and ge; this one has shape \(Shape.text(tensor.shape))")
                }
                return try tensor.item()
            }
            return call.push(holds(try value(1), try value(2)))
        }
    }

    // MARK: Methods

    static let methods: [Binding] = BinaryFunction.allCases.compactMap { f in
        f.method.map { method in
            tensorMethod(
                method.name, [Argument("other", .operand, "tensor whose shape broadcasts with this one, or number")], "Element-wise \(method.equation).",
                f.isComparison
                    ? "1 where it holds, else 0; the result selects elements as a mask, `t[mask]`. No derivative."
                    : "Shapes broadcast as in NumPy: aligned at the last dimension, sizes equal or 1.",
                example: method.example
            ) { call in call.push(try apply(f, call.this(), call, 1)) }
        }
    } + UnaryFunction.allCases.compactMap { f in
        f.example.map { example in
            tensorMethod(f.name, [], "Element-wise \(f.equation).", f.note, example: example) { call in
                call.push(try call.this(as: Tensor.self).unary(f))
            }
        }
    } + [pow, clamp, lerp] + inPlace

    private static let pow = tensorMethod(
        "pow", [Argument("exponent", .operand, "number, or tensor whose shape broadcasts with this one")], "Element-wise power x ^ exponent.",
        "A negative x with a fractional exponent gives NaN. int32 tensors give float32.",
        example: "print(tensor.from{1, 2, 3}:pow(2):sum():item())  --> 14.0"
    ) { call in call.push(try apply(.pow, call.this(), call, 1)) }

    private static let clamp = tensorMethod(
        "clamp", [
            Argument("low", .number, optional: true, "nothing stays below it"), Argument("high", .number, optional: true, "nothing stays above it"),
        ], "Elements limited to low ... high.", "Either limit may be nil. The derivative is 1 inside and at a limit, 0 outside, as in PyTorch.",
        example: "print(tensor.from{-2, 0.5, 7}:clamp(0, 1):sum():item())  --> 1.5"
    ) { call in
        let x: Tensor = try call.this()
        guard call.has(1) || call.has(2) else { throw call.bad(1, "at least one limit expected") }
        let limits: [Double?] = [try call.get(ifPresent: 1), try call.get(ifPresent: 2)]
        for (i, limit) in limits.enumerated() where limit?.isNaN ?? false { throw call.bad(i + 1, "a number expected, got NaN") }
        return call.push(try x.clamped(low: limits[0], high: limits[1]))
    }

    private static let lerp = tensorMethod(
        "lerp", [Argument("other", .tensor), Argument("weight", .operand, "0 gives this tensor, 1 the other")],
        "Linear interpolation x + weight · (other - x).", example: "print(tensor.from{1}:lerp(tensor.from{3}, 0.5):item())  --> 2.0"
    ) { call in
        let x: Tensor = try call.this()
        let step = try apply(.mul, call.get(1, as: Tensor.self) - x, call, 2)
        return call.push(try x + step)
    }

    // MARK: In place

    private static let note = "Writes into this tensor's memory, which its views share, and returns the tensor. A tensor that requires a gradient "
        + "can be written only inside `tensor.no_grad`."

    private static let inPlace: [Binding] = [
        write("add_", .add, "x + other", "print(tensor.ones(2):add_(1):sum():item())  --> 4.0"),
        write("sub_", .sub, "x - other", "print(tensor.ones(2):sub_(1):sum():item())  --> 0.0"),
        write("mul_", .mul, "x · other", "print(tensor.ones(2):mul_(3):sum():item())  --> 6.0"),
        write("div_", .div, "x / other", "print(tensor.ones(2):div_(2):sum():item())  --> 1.0"),
        fill, fill.alias("fill"), zero, zero.alias("zero"), copy, copy.alias("copy"),
    ]

    private static func write(_ name: String, _ f: BinaryFunction, _ equation: String, _ example: String) -> Binding {
        tensorMethod(name, [Argument("other", .operand)], "Replaces x by \(equation).", note, example: example) { call in
            let x: Tensor = try call.this()
            try x.refuseLostHistory(of: Tensor.read(call.thread, call.index(1)))
            let result = try GradientMode.disabled { try apply(f, x, call, 1) }
            guard result.dtype == x.dtype else {
                throw HostError("\(name): the result is \(result.dtype), which an int32 tensor cannot hold; use x = x:\(name.dropLast())(...)")
            }
            try x.assign(result)
            return call.pushThis()
        }
    }

    private static let fill = tensorMethod(
        "fill_", [Argument("value", .number)], "Sets every element to a number.", note, example: "print(tensor.zeros(2):fill_(3):sum():item())  --> 6.0"
    ) { call in
        let x: Tensor = try call.this()
        try x.assign(Tensor.number(call.get(1), x.dtype, for: "fill"))
        return call.pushThis()
    }

    private static let zero = tensorMethod(
        "zero_", [], "Sets every element to 0.", note, example: "print(tensor.ones(2):zero_():sum():item())  --> 0.0"
    ) { call in
        try call.this(as: Tensor.self).assign(Tensor.scalar(0))
        return call.pushThis()
    }

    private static let copy = tensorMethod(
        "copy_", [Argument("source", .tensor, "its shape broadcasts to this one's")], "Copies another tensor's elements into this one.",
        note + " The type of the elements stays this tensor's: from float32 to int32 the fraction is cut off, and what is no int32 is an error.", example: "print(tensor.zeros(2):copy_(tensor.from{1, 2}):sum():item())  --> 3.0"
    ) { call in
        try call.this(as: Tensor.self).assign(call.get(1))
        return call.pushThis()
    }
}
