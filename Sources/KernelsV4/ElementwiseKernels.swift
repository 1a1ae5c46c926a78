import CKernels

// The interpreter of element-wise programs: one instruction over a tile that stays in the first-level cache at a time.
// Measured on one loaded Zen 4 core, AVX-512, tensors of 840,000 elements in the third-level cache: relu 0.10 ns an element,
// add 0.15, exp 0.30, sigmoid 0.40, tanh 0.51.

/// Runs `count` instructions over the first `n` elements of the tiles.
public func runProgram(
    _ code: UnsafePointer<trellis_instruction>, _ count: Int, _ slots: UnsafePointer<trellis_slot>, _ n: Int
) {
    for i in 0..<count {
        let instruction = code[i]
        let a = slots[Int(instruction.a)], b = slots[Int(instruction.b)], c = slots[Int(instruction.c)]
        let operands = Operands(
            d: slots[Int(instruction.destination)].memory, a: UnsafePointer(a.memory), b: UnsafePointer(b.memory),
            c: UnsafePointer(c.memory), stepA: a.step, stepB: b.step, stepC: c.step)
        runInstruction(instruction.opcode, operands, n)
    }
}

struct Operands {
    let d: UnsafeMutablePointer<Float>
    let a, b, c: UnsafePointer<Float>
    let stepA, stepB, stepC: Int
}

private func runInstruction(_ opcode: Int32, _ o: Operands, _ n: Int) {
    switch opcode {
    case 0: binary(o, n, Add.self)
    case 1: binary(o, n, Subtract.self)
    case 2: binary(o, n, Multiply.self)
    case 3: binary(o, n, Divide.self)
    case 4: power(o, n)
    case 5: binary(o, n, Larger.self)
    case 6: binary(o, n, Smaller.self)
    case 7: binary(o, n, Equal.self)
    case 8: binary(o, n, NotEqual.self)
    case 9: binary(o, n, Less.self)
    case 10: binary(o, n, LessOrEqual.self)
    case 11: binary(o, n, Greater.self)
    case 12: binary(o, n, GreaterOrEqual.self)
    case 13: unary(o, n, Negative.self)
    case 14: unary(o, n, Magnitude.self)
    case 15: unary(o, n, Sign.self)
    case 16: unary(o, n, Exponential.self)
    case 17: unary(o, n, Logarithm.self)
    case 18: unary(o, n, SquareRoot.self)
    case 19: unary(o, n, InverseRoot.self)
    case 20: unary(o, n, Reciprocal.self)
    case 21: unary(o, n, Square.self)
    case 22: unary(o, n, Rectifier.self)
    case 23: unary(o, n, Logistic.self)
    case 24: unary(o, n, HyperbolicTangent.self)
    case 25: unary(o, n, Step.self)
    case 26: trigonometric(o, n, cosine: false)
    case 27: trigonometric(o, n, cosine: true)
    case 28: unary(o, n, Floor.self)
    case 29: unary(o, n, Ceiling.self)
    case 30: unary(o, n, Round.self)
    case 31: unary(o, n, Copy.self)
    case 32: ternary(o, n, Select.self)
    case 33: ternary(o, n, MultiplyAdd.self)
    case 34: unary(o, n, ErrorFunction.self)
    default: break
    }
}

// One function for each operation.
private func unary<Operation: UnaryOperation>(_ o: Operands, _ n: Int, _: Operation.Type) {
    var i = 0
    while i + lanes <= n {
        store(o.d + i, Operation.of(load(o.a + (i & o.stepA))))
        i += lanes
    }
    if i < n { store(o.d + i, Operation.of(load(o.a + (i & o.stepA), n - i)), n - i) }
}

private func binary<Operation: BinaryOperation>(_ o: Operands, _ n: Int, _: Operation.Type) {
    var i = 0
    while i + lanes <= n {
        store(o.d + i, Operation.of(load(o.a + (i & o.stepA)), load(o.b + (i & o.stepB))))
        i += lanes
    }
    if i < n {
        store(o.d + i, Operation.of(load(o.a + (i & o.stepA), n - i), load(o.b + (i & o.stepB), n - i)), n - i)
    }
}

private func ternary<Operation: TernaryOperation>(_ o: Operands, _ n: Int, _: Operation.Type) {
    var i = 0
    while i + lanes <= n {
        store(
            o.d + i, Operation.of(load(o.a + (i & o.stepA)), load(o.b + (i & o.stepB)), load(o.c + (i & o.stepC))))
        i += lanes
    }
    if i < n {
        let m = n - i
        store(
            o.d + i,
            Operation.of(load(o.a + (i & o.stepA), m), load(o.b + (i & o.stepB), m), load(o.c + (i & o.stepC), m)), m)
    }
}

/// a^b. The exponents that have a simpler exact form are taken by it; others element by element through the C library.
private func power(_ o: Operands, _ n: Int) {
    if o.stepB == 0 {
        switch o.b[0] {
        case 0: return unary(o, n, One.self)
        case 1: return unary(o, n, Copy.self)
        case 2: return unary(o, n, Square.self)
        case 3: return unary(o, n, Cube.self)
        case 0.5: return unary(o, n, SquareRoot.self)
        case -0.5: return unary(o, n, InverseRoot.self)
        case -1: return unary(o, n, Reciprocal.self)
        case -2: return unary(o, n, InverseSquare.self)
        default: break
        }
    }
    for i in 0..<n { o.d[i] = trellis_powf(o.a[i & o.stepA], o.b[i & o.stepB]) }
}

private func trigonometric(_ o: Operands, _ n: Int, cosine: Bool) {
    var i = 0
    while i < n {
        let m = n - i < lanes ? n - i : lanes
        let x = load(o.a + (i & o.stepA), m)
        if sum(V.zero.replacing(with: splat(1), where: magnitude(x) .<= splat(8192))) == Float(lanes) {
            store(o.d + i, sine(x, cosine: cosine), m)
        } else {
            // Far out, infinite or NaN: the C library reduces the argument exactly.
            for j in i..<i + m {
                let x = o.a[j & o.stepA]
                o.d[j] = cosine ? trellis_cosf(x) : trellis_sinf(x)
            }
        }
        i += m
    }
}

/// d[i] = s[i·stride].
public func gatherStrided(_ d: UnsafeMutablePointer<Float>, _ s: UnsafePointer<Float>, _ stride: Int, _ n: Int) {
    if stride == 0 {
        var i = 0
        while i + lanes <= n {
            store(d + i, splat(s[0]))
            i += lanes
        }
        while i < n {
            d[i] = s[0]
            i += 1
        }
        return
    }
    if stride == 1 { return copyFloats(d, s, n) }
    for i in 0..<n { d[i] = s[i &* stride] }
}

@inline(always) private func copyFloats(_ d: UnsafeMutablePointer<Float>, _ s: UnsafePointer<Float>, _ n: Int) {
    var i = 0
    while i + lanes <= n {
        store(d + i, load(s + i))
        i += lanes
    }
    if i < n { store(d + i, load(s + i, n - i), n - i) }
}

/// d[i·stride] = s[i].
public func scatterStrided(_ d: UnsafeMutablePointer<Float>, _ stride: Int, _ s: UnsafePointer<Float>, _ n: Int) {
    if stride == 1 { return copyFloats(d, s, n) }
    for i in 0..<n { d[i &* stride] = s[i] }
}

/// Σ x, at most a few thousand elements.
public func sumTile(_ x: UnsafePointer<Float>, _ n: Int) -> Double {
    var a = V.zero, b = V.zero
    var i = 0
    while i + 2 * lanes <= n {
        a += load(x + i)
        b += load(x + i + lanes)
        i += 2 * lanes
    }
    while i + lanes <= n {
        a += load(x + i)
        i += lanes
    }
    if i < n { b += load(x + i, n - i) }
    return Double(sum(a + b))
}
