// The operations of the element-wise interpreter. They are types and not closures: a closure is compiled as a function of
// its own and called for each vector, in pieces of 128 bits, because the calling convention knows no wider registers.

protocol UnaryOperation {
    static func of(_ x: V) -> V
}

protocol BinaryOperation {
    static func of(_ x: V, _ y: V) -> V
}

protocol TernaryOperation {
    static func of(_ x: V, _ y: V, _ z: V) -> V
}

/// 1 where the comparison holds, else 0.
@inline(always) private func one(_ mask: SIMDMask<VI>) -> V { V.zero.replacing(with: splat(1), where: mask) }

enum Add: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { x + y } }
enum Subtract: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { x - y } }
enum Multiply: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { x * y } }
enum Divide: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { x / y } }
enum Larger: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { larger(x, y) } }
enum Smaller: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { smaller(x, y) } }
enum Equal: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { one(x .== y) } }
enum NotEqual: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { one(x .!= y) } }
enum Less: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { one(x .< y) } }
enum LessOrEqual: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { one(x .<= y) } }
enum Greater: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { one(x .> y) } }
enum GreaterOrEqual: BinaryOperation { @inline(always) static func of(_ x: V, _ y: V) -> V { one(x .>= y) } }

/// By the sign's bit: 0 - x would make 0 of 0.
enum Negative: UnaryOperation { @inline(always) static func of(_ x: V) -> V { fromBits(bits(x) ^ VI(repeating: Int32.min)) } }
enum Magnitude: UnaryOperation { @inline(always) static func of(_ x: V) -> V { magnitude(x) } }
enum Sign: UnaryOperation {
    @inline(always) static func of(_ x: V) -> V { (one(x .> V.zero) - one(x .< V.zero)).replacing(with: x, where: x .!= x) }
}
enum Exponential: UnaryOperation { @inline(always) static func of(_ x: V) -> V { exponential(x) } }
enum Logarithm: UnaryOperation { @inline(always) static func of(_ x: V) -> V { logarithm(x) } }
enum SquareRoot: UnaryOperation { @inline(always) static func of(_ x: V) -> V { squareRoot(x) } }
enum InverseRoot: UnaryOperation { @inline(always) static func of(_ x: V) -> V { splat(1) / squareRoot(x) } }
enum Reciprocal: UnaryOperation { @inline(always) static func of(_ x: V) -> V { splat(1) / x } }
enum Square: UnaryOperation { @inline(always) static func of(_ x: V) -> V { x * x } }
enum Rectifier: UnaryOperation { @inline(always) static func of(_ x: V) -> V { positive(x) } }
enum Logistic: UnaryOperation { @inline(always) static func of(_ x: V) -> V { logistic(x) } }
enum HyperbolicTangent: UnaryOperation { @inline(always) static func of(_ x: V) -> V { hyperbolicTangent(x) } }
enum ErrorFunction: UnaryOperation { @inline(always) static func of(_ x: V) -> V { errorFunction(x) } }
enum Step: UnaryOperation { @inline(always) static func of(_ x: V) -> V { one(x .> V.zero) } }
enum Floor: UnaryOperation { @inline(always) static func of(_ x: V) -> V { floor(x) } }
enum Ceiling: UnaryOperation { @inline(always) static func of(_ x: V) -> V { ceil(x) } }
enum Round: UnaryOperation { @inline(always) static func of(_ x: V) -> V { roundEven(x) } }
enum Copy: UnaryOperation { @inline(always) static func of(_ x: V) -> V { x } }
enum One: UnaryOperation { @inline(always) static func of(_ x: V) -> V { splat(1) } }
enum Cube: UnaryOperation { @inline(always) static func of(_ x: V) -> V { x * x * x } }
enum InverseSquare: UnaryOperation { @inline(always) static func of(_ x: V) -> V { splat(1) / (x * x) } }

enum Select: TernaryOperation { @inline(always) static func of(_ x: V, _ y: V, _ z: V) -> V { z.replacing(with: y, where: x .!= V.zero) } }
enum MultiplyAdd: TernaryOperation { @inline(always) static func of(_ x: V, _ y: V, _ z: V) -> V { fma(z, x, y) } }
