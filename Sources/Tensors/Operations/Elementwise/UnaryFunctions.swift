/// The element-wise functions of one value. A new one is an entry here and its name in `allCases`.
extension UnaryFunction: CaseIterable {
    public static let allCases: [UnaryFunction] = [
        neg, abs, sign, exp, log, sqrt, rsqrt, reciprocal, square, relu, sigmoid, tanh, step, sin, cos, floor, ceil, round, erf, gelu, silu, hardSigmoid, hardSwish,
    ]

    public static let neg: UnaryFunction = .init(
        "neg", "negative -x", example: "print(tensor.from{1, 2}:neg():sum():item())  --> -3.0", .neg, onnx: .node("Neg"), integer: { -$0 },
        derivative: { _, _, g in try -g })

    public static let abs: UnaryFunction = .init(
        "abs", "absolute value |x|", note: "The derivative at 0 is 0.", example: "print(tensor.from{-1, 2}:abs():sum():item())  --> 3.0", .abs, onnx: .node("Abs"),
        integer: { Swift.abs($0) }, derivative: { x, _, g in try g * x.unary(.sign) })

    public static let sign: UnaryFunction = .init(
        "sign", "sign of x: -1, 0 or 1", note: "The derivative at 0 is 0.", example: "print(tensor.from{-3, 2, 4}:sign():sum():item())  --> 1.0", .sign,
        onnx: .node("Sign"), integer: { $0.signum() }, derivative: nil)

    public static let exp: UnaryFunction = .init(
        "exp", "exponential e^x", example: "print(tensor.from{0}:exp():item())  --> 1.0", .exp, onnx: .node("Exp"), derivative: { _, y, g in try g * y })

    public static let log: UnaryFunction = .init(
        "log", "natural logarithm ln x", note: "Minus infinity at 0, NaN below.", example: "print(tensor.from{1}:log():item())  --> 0.0", .log, onnx: .node("Log"),
        derivative: { x, _, g in try g / x })

    public static let sqrt: UnaryFunction = .init(
        "sqrt", "square root", note: "NaN below 0.", example: "print(tensor.from{9}:sqrt():item())  --> 3.0", .sqrt, onnx: .node("Sqrt"),
        derivative: { _, y, g in try g * 0.5 / y })

    public static let rsqrt: UnaryFunction = .init(
        "rsqrt", "1 / sqrt(x)", note: "NaN below 0.", example: "print(tensor.from{4}:rsqrt():item())  --> 0.5", .rsqrt, onnx: .formula(reciprocal(sqrt(.x))),
        derivative: { _, y, g in try g * (y * y * y) * -0.5 })

    public static let reciprocal: UnaryFunction = .init(
        "reciprocal", "1 / x", example: "print(tensor.from{4}:reciprocal():item())  --> 0.25", .reciprocal, onnx: .node("Reciprocal"),
        derivative: { _, y, g in try -(g * (y * y)) })

    public static let square: UnaryFunction = .init(
        "square", "x²", example: "print(tensor.from{3}:square():item())  --> 9.0", .square, onnx: .formula(.x * .x), integer: { $0 * $0 },
        derivative: { x, _, g in try g * x * 2 })

    public static let relu: UnaryFunction = .init(
        "relu", "max(x, 0)", note: "The derivative at 0 is 0.", example: "print(tensor.from{-1, 2}:relu():sum():item())  --> 2.0", .relu, onnx: .node("Relu"),
        integer: { Swift.max($0, 0) }, derivative: { x, _, g in try x.binary(.gate, g) })

    public static let sigmoid: UnaryFunction = .init(
        "sigmoid", "1 / (1 + e^-x)", example: "print(tensor.from{0}:sigmoid():item())  --> 0.5", .sigmoid, onnx: .node("Sigmoid"),
        derivative: { _, y, g in try g * (y * (1 - y)) })

    public static let tanh: UnaryFunction = .init(
        "tanh", "hyperbolic tangent", example: "print(tensor.from{0}:tanh():item())  --> 0.0", .tanh, onnx: .node("Tanh"),
        derivative: { _, y, g in try g * (1 - y * y) })

    /// Scripts write `x:gt(0)`.
    public static let step: UnaryFunction = .init(
        "step", "1 where x > 0, else 0", example: nil, .step, onnx: .formula(.binary(.gt, .x, 0)), integer: { $0 > 0 ? 1 : 0 }, derivative: nil)

    public static let sin: UnaryFunction = .init(
        "sin", "sine, x in radians", example: "print(tensor.from{0}:sin():item())  --> 0.0", .sin, onnx: .node("Sin"), derivative: { x, _, g in try g * x.unary(.cos) })

    public static let cos: UnaryFunction = .init(
        "cos", "cosine, x in radians", example: "print(tensor.from{0}:cos():item())  --> 1.0", .cos, onnx: .node("Cos"),
        derivative: { x, _, g in try -(g * x.unary(.sin)) })

    public static let floor: UnaryFunction = .init(
        "floor", "largest integer not above x", note: "The derivative is 0.", example: "print(tensor.from{1.7}:floor():item())  --> 1.0", .floor,
        onnx: .rounding("Floor"), integer: { $0 }, derivative: nil)

    public static let ceil: UnaryFunction = .init(
        "ceil", "smallest integer not below x", note: "The derivative is 0.", example: "print(tensor.from{1.2}:ceil():item())  --> 2.0", .ceil,
        onnx: .rounding("Ceil"), integer: { $0 }, derivative: nil)

    public static let round: UnaryFunction = .init(
        "round", "nearest integer, halves to even", note: "The derivative is 0.", example: "print(tensor.from{2.5}:round():item())  --> 2.0", .round,
        onnx: .rounding("Round"), integer: { $0 }, derivative: nil)

    public static let erf: UnaryFunction = .init(
        "erf", "error function 2/√π · ∫ e^-t² dt from 0 to x", example: "print(tensor.from{0}:erf():item())  --> 0.0", .erf, onnx: .node("Erf"),
        derivative: { x, _, g in try g * (-x.unary(.square)).unary(.exp) * Float(2 / Double.pi.squareRoot()) })

    public static let gelu: UnaryFunction = .init(
        "gelu", "Gaussian error linear unit x · Φ(x)", note: "Φ is the normal distribution's, by erf: exact, not by tanh.",
        example: "print(tensor.from{0}:gelu():item())  --> 0.0", .x * 0.5 * (1 + erf(.x * .number(0.5.squareRoot()))),
        derivative: { x, _, g in
            let below = try ((x * Float(0.5.squareRoot())).unary(.erf) + 1) * 0.5
            let density = try (x.unary(.square) * -0.5).unary(.exp) * Float(1 / (2 * Double.pi).squareRoot())
            return try g * (below + x * density)
        })

    public static let silu: UnaryFunction = .init(
        "silu", "sigmoid linear unit x / (1 + e^-x)", example: "print(tensor.from{0}:silu():item())  --> 0.0", .x * sigmoid(.x),
        derivative: { x, _, g in
            let s = try x.unary(.sigmoid)
            return try g * (s * (x * (1 - s) + 1))
        })

    public static let hardSigmoid: UnaryFunction = .init(
        "hard_sigmoid", "min(max(x + 3, 0), 6) / 6", note: "The derivative at -3 and 3 is 0.", example: "print(tensor.from{3}:hard_sigmoid():item())  --> 1.0",
        hardStep / 6, derivative: { x, _, g in try g * (x.compare(.gt, -3) * x.compare(.lt, 3) * Float(1.0 / 6)) })

    public static let hardSwish: UnaryFunction = .init(
        "hard_swish", "x · min(max(x + 3, 0), 6) / 6", note: "The derivative is -0.5 at -3 and 1.5 at 3.",
        example: "print(tensor.from{3}:hard_swish():item())  --> 3.0", .x * hardStep / 6,
        derivative: { x, _, g in
            let zero = try Tensor.scalar(0)
            return try Tensor.select(x.compare(.lt, -3), zero, Tensor.select(x.compare(.le, 3), g * (x * Float(1.0 / 3) + 0.5), g))
        })

    /// min(max(x + 3, 0), 6).
    private static let hardStep = Formula.binary(.min, .binary(.max, .x + 3, 0), 6)
}
