/// An element-wise function of one value.
struct UnaryRule: OperationRule {
    let function: UnaryFunction

    var name: String { function.name }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isElementwise: true, writes: .any, repetition: .shortChain) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [try function.derivative?(x[0], y, g)] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        y.dtype == .int32 ? Integers.unary(function, x[0], y) : ElementwiseChain(.unary(function), inputs: 1).kernel(x, y)
    }
}

/// An element-wise function of two values that broadcast.
struct BinaryRule: OperationRule {
    let function: BinaryFunction

    var name: String { function.name }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isElementwise: true, hasDerivative: !function.isComparison, writes: .any, repetition: .pair) }
    func shape(_ x: [Tensor]) throws -> [Int] { try Shapes.broadcast(x, name) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let (da, db) = try function.derivative(x[0], x[1], y, g)
        return [try da?.sum(to: x[0].shape), try db?.sum(to: x[1].shape)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        y.dtype == .int32 ? Integers.binary(function, x, y) : ElementwiseChain(.binary(function), inputs: 2).kernel(x, y)
    }
}

/// The same with a number as one operand, the first one if `scalarFirst`.
struct ScalarRule: OperationRule {
    let function: BinaryFunction
    let number: Double
    let scalarFirst: Bool

    var name: String { function.name }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(isElementwise: true, hasDerivative: !function.isComparison, writes: .any, repetition: .shortChain) }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [try function.scalarDerivative(x[0], number, scalarFirst, y, g)] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        if y.dtype == .int32 { return Integers.scalar(function, number, scalarFirst: scalarFirst, x[0], y) }
        return ElementwiseChain(.scalar(function, number, scalarFirst: scalarFirst), inputs: 1).kernel(x, y)
    }
}

/// (condition, a, b): a where the condition is not 0, else b.
struct SelectRule: OperationRule {
    var name: String { "where" }
    var operands: OperandTypes { .choice }
    var traits: OperationTraits { OperationTraits(isElementwise: true, writes: .any) }
    func shape(_ x: [Tensor]) throws -> [Int] { try Shapes.broadcast(x, name) }
    func dtype(_ x: [Tensor]) -> DType { x[1].dtype }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        let (condition, zero) = (x[0], try Tensor.scalar(0))
        return [nil, try Tensor.select(condition, g, zero).sum(to: x[1].shape), try Tensor.select(condition, zero, g).sum(to: x[2].shape)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        y.dtype == .int32 ? Integers.select(x, y) : ElementwiseChain(.select, inputs: 3).kernel(x, y)
    }
}

/// (a, b): a - ⌊a / b⌋·b, with the sign of b, or ⌊a / b⌋, as NumPy and PyTorch have both.
struct DivisionRule: OperationRule {
    let givesRemainder: Bool

    var name: String { givesRemainder ? "%" : "//" }
    var operands: OperandTypes { .alike }
    func shape(_ x: [Tensor]) throws -> [Int] { try Shapes.broadcast(x, name) }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        guard givesRemainder else { return [nil, nil] }
        let db = x[1].requiresGrad ? try -(g * Operation.floorDivide(x[0], x[1])) : nil
        return [try g.sum(to: x[0].shape), try db?.sum(to: x[1].shape)]
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let walk = StridedWalk(y.shape, x.map { $0.layout.broadcastStrides(to: y.shape) } + [y.layout.strides])
        if y.dtype == .int32 { return Integers.division(walk, givesRemainder: givesRemainder, name) }
        let givesRemainder = givesRemainder
        return { p in
            walk.each { at in
                let (quotient, rest) = p.floats(0)[at[0]].dividedDown(by: p.floats(1)[at[1]])
                p.floats(2)[at[2]] = givesRemainder ? rest : quotient
            }
        }
    }
}

extension Float {
    /// Quotient rounded down and the remainder that belongs to it, by fmod, which is exact (NumPy's and PyTorch's way).
    fileprivate func dividedDown(by b: Float) -> (quotient: Float, rest: Float) {
        var rest = truncatingRemainder(dividingBy: b)
        if b == 0 { return (self / b, rest) }
        var quotient = (self - rest) / b
        if rest != 0 {
            if (rest < 0) != (b < 0) {
                rest += b
                quotient -= 1
            }
        } else {
            rest = Float(signOf: b, magnitudeOf: 0)
        }
        guard quotient != 0 else { return (Float(signOf: self / b, magnitudeOf: 0), rest) }
        let down = quotient.rounded(.down)
        return (quotient - down > 0.5 ? down + 1 : down, rest)
    }
}

/// Elements of another type.
struct CastRule: OperationRule {
    let target: DType

    var name: String { "cast" }
    var operands: OperandTypes { .alike }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func dtype(_ x: [Tensor]) -> DType { target }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { true }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [x[0].dtype == .float32 ? try g.cast(.float32) : nil] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        if x[0].dtype == target { return Loops.copy(x[0].layout, y.layout) }
        let walk = StridedWalk(y.shape, [x[0].layout.strides, y.layout.strides])
        if target == .float32 { return { p in walk.each { p.floats(1)[$0[1]] = Float(p.ints(0)[$0[0]]) } } }
        return { p in
            try walk.each { at in
                let value = p.floats(0)[at[0]]
                guard let whole = Int32(exactly: value.rounded(.towardZero)) else {
                    throw TensorError("cast", "\(value) is no int32 (\(Int32.min) to \(Int32.max))")
                }
                p.ints(1)[at[1]] = whole
            }
        }
    }
}
