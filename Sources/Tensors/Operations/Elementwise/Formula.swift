/// A function of one or two values, made of element-wise functions: what a composed function's kernel runs and what a file says of it.
public indirect enum Formula: Sendable, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
    /// The operands.
    case x, y
    case number(Double)
    case unary(UnaryFunction, Formula)
    case binary(BinaryFunction, Formula, Formula)
    /// (condition, a, b): a where the condition is not 0, else b.
    case select(Formula, Formula, Formula)

    public init(floatLiteral value: Double) { self = .number(value) }
    public init(integerLiteral value: Int) { self = .number(Double(value)) }

    static func + (a: Formula, b: Formula) -> Formula { .binary(.add, a, b) }
    static func - (a: Formula, b: Formula) -> Formula { .binary(.sub, a, b) }
    static func * (a: Formula, b: Formula) -> Formula { .binary(.mul, a, b) }
    static func / (a: Formula, b: Formula) -> Formula { .binary(.div, a, b) }
}

/// What a file of ONNX says of an element-wise function.
public enum ONNXFunction: Sendable {
    /// One node.
    case node(String)
    /// A node that gives truth values, or their opposites; Trellis has 1 and 0.
    case comparison(String, negated: Bool)
    /// The nodes of a formula.
    case formula(Formula)
    /// As `node` for float32; integers stay what they are.
    case rounding(String)

    static func comparison(_ type: String) -> ONNXFunction { .comparison(type, negated: false) }
}
