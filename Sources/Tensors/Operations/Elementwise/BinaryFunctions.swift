import Glibc
import Kernels

/// The element-wise functions of two values. A new one is an entry here and its name in `allCases`.
extension BinaryFunction: CaseIterable {
    public static let allCases: [BinaryFunction] = [add, sub, mul, div, max, min, pow, eq, ne, lt, le, gt, ge, gate]

    public static let add: BinaryFunction = .init(
        "add", .add, method: Method(name: "add", equation: "sum x + other", example: "print(tensor.from{1, 2}:add(1):sum():item())  --> 5.0"), onnx: .node("Add"),
        .whole { $0 + $1 }, derivative: { _, _, _, g in (g, g) }, scalarDerivative: { _, _, _, _, g in g })

    public static let sub: BinaryFunction = .init(
        "sub", .sub, method: Method(name: "sub", equation: "difference x - other", example: "print(tensor.from{1, 2}:sub(1):sum():item())  --> 1.0"),
        onnx: .node("Sub"), .whole { $0 - $1 }, derivative: { _, b, _, g in (g, b.requiresGrad ? try -g : nil) },
        scalarDerivative: { _, _, first, _, g in first ? try -g : g })

    public static let mul: BinaryFunction = .init(
        "mul", .mul, method: Method(name: "mul", equation: "product x · other", example: "print(tensor.from{1, 2}:mul(3):sum():item())  --> 9.0"),
        onnx: .node("Mul"), .whole { $0 * $1 }, derivative: { a, b, _, g in (a.requiresGrad ? try g * b : nil, b.requiresGrad ? try g * a : nil) },
        scalarDerivative: { _, s, _, _, g in try g.scalar(.mul, s) })

    public static let div: BinaryFunction = .init(
        "div", .div, method: Method(name: "div", equation: "quotient x / other", example: "print(tensor.from{1, 2}:div(2):sum():item())  --> 1.5"),
        onnx: .node("Div"), .fractional, derivative: { _, b, y, g in (try g / b, b.requiresGrad ? try -(g * y / b) : nil) },
        scalarDerivative: { x, s, first, y, g in first ? try -(g * y / x) : try g.scalar(.div, s) })

    /// Lua's `pow` takes whole powers apart.
    public static let pow: BinaryFunction = .init(
        "pow", .pow, method: nil, onnx: .node("Pow"), .fractional,
        derivative: { a, b, y, g in
            // Where x^0 stands the slope is 0, and where 0^b does, that along b.
            let da = a.requiresGrad ? try Tensor.select(b.compare(.eq, 0), Tensor.scalar(0), g * b * a.binary(.pow, b - 1)) : nil
            let db = b.requiresGrad ? try Tensor.select(a.compare(.eq, 0) * b.compare(.ge, 0), Tensor.scalar(0), g * y * a.unary(.log)) : nil
            return (da, db)
        },
        scalarDerivative: { x, s, first, y, g in
            guard first else { return s == 0 ? nil : try (g * x.pow(s - 1)).scalar(.mul, s) }
            let slope = try (g * y).scalar(.mul, Glibc.log(s))
            return s == 0 ? try Tensor.select(x.compare(.ge, 0), Tensor.scalar(0), slope) : slope
        })

    public static let max: BinaryFunction = extreme(
        "max", .max, Method(name: "maximum", equation: "larger of x and other", example: "print(tensor.from{1, 5}:maximum(3):sum():item())  --> 8.0"), "Max",
        { Swift.max($0, $1) }, wins: { .gt })

    public static let min: BinaryFunction = extreme(
        "min", .min, Method(name: "minimum", equation: "smaller of x and other", example: "print(tensor.from{1, 5}:minimum(3):sum():item())  --> 4.0"), "Min",
        { Swift.min($0, $1) }, wins: { .lt })

    /// - Parameter wins: the comparison that says which operand the result is. Where both are equal each gets half of the derivative, as in PyTorch.
    private static func extreme(
        _ name: String, _ opcode: ElementwiseProgram.Opcode, _ method: Method, _ node: String, _ whole: @escaping @Sendable (Int, Int) -> Int,
        wins: @escaping @Sendable () -> BinaryFunction
    ) -> BinaryFunction {
        BinaryFunction(
            name, opcode, method: method, onnx: .node(node), .whole(whole),
            derivative: { a, b, _, g in
                let share = try a.binary(wins(), b) + a.binary(.eq, b) * 0.5
                return (try g * share, try g * (1 - share))
            },
            scalarDerivative: { x, s, _, _, g in try g * (x.scalar(wins(), s) + x.scalar(.eq, s) * 0.5) })
    }

    public static let eq: BinaryFunction = .init(
        "eq", .eq, "x == other", example: "print(tensor.from{1, 5}:eq(5):sum():item())  --> 1.0", onnx: .comparison("Equal")) { $0 == $1 }
    public static let ne: BinaryFunction = .init(
        "ne", .ne, "x ~= other", example: "print(tensor.from{1, 5}:ne(5):sum():item())  --> 1.0", onnx: .comparison("Equal", negated: true)) { $0 != $1 }
    public static let lt: BinaryFunction = .init(
        "lt", .lt, "x < other", example: "print(tensor.from{1, 5}:lt(2):sum():item())  --> 1.0", onnx: .comparison("Less")) { $0 < $1 }
    public static let le: BinaryFunction = .init(
        "le", .le, "x <= other", example: "print(tensor.from{1, 5}:le(5):sum():item())  --> 2.0", onnx: .comparison("LessOrEqual")) { $0 <= $1 }
    public static let gt: BinaryFunction = .init(
        "gt", .gt, "x > other", example: "local x = tensor.from{1, 5}; print(x[x:gt(2)]:item())  --> 5.0", onnx: .comparison("Greater")) { $0 > $1 }
    public static let ge: BinaryFunction = .init(
        "ge", .ge, "x >= other", example: "print(tensor.from{1, 5}:ge(1):sum():item())  --> 2.0", onnx: .comparison("GreaterOrEqual")) { $0 >= $1 }

    /// `gate(x, g)` is g where x > 0, else 0: the derivative of ReLU.
    public static let gate: BinaryFunction = .init(
        "gate", .select, method: nil, onnx: .formula(.select(.binary(.gt, .x, 0), .y, 0)), .whole { $0 > 0 ? $1 : 0 },
        derivative: { a, _, _, g in (nil, try a.binary(.gate, g)) }, scalarDerivative: { _, s, first, _, g in first ? (s > 0 ? g : nil) : nil })
}
