import Base

/// Arithmetic of int32, for labels and indices: exact, and an error where a result is no int32. Comparisons give 1 or 0. Not a fast path.
extension Operation {
    func integerKernel(_ x: [Operand], _ y: Operand) -> Launch {
        let walk = StridedWalk(y.shape, x.map { $0.layout.broadcastStrides(to: y.shape) } + [y.layout.strides])
        let name = name
        switch self {
        case .unary(let f):
            return { p in try walk.each { at in p.ints(1)[at[1]] = try fitting(f.integer(Int(p.ints(0)[at[0]])), name) } }
        case .binary(let f):
            return { p in
                try walk.each { at in p.ints(2)[at[2]] = try fitting(f.integer(Int(p.ints(0)[at[0]]), Int(p.ints(1)[at[1]])), name) }
            }
        case .scalar(let f, let s, let first):
            if f.isComparison {
                return { p in
                    walk.each { at in
                        let value = Double(p.ints(0)[at[0]])
                        p.ints(1)[at[1]] = (first ? f.holds(s, value) : f.holds(value, s)) ? 1 : 0
                    }
                }
            }
            let s = Int(s)
            return { p in
                try walk.each { at in
                    let value = Int(p.ints(0)[at[0]])
                    p.ints(1)[at[1]] = try fitting(first ? f.integer(s, value) : f.integer(value, s), name)
                }
            }
        case .select:
            return { p in walk.each { at in p.ints(3)[at[3]] = p.ints(0)[at[0]] != 0 ? p.ints(1)[at[1]] : p.ints(2)[at[2]] } }
        default:
            hasNoKernel(among: "kernels of int32")
        }
    }

    /// In 64 bits.
    func integerSum(_ outer: Int, _ n: Int, _ inner: Int) -> Launch {
        { p in
            for o in 0..<outer {
                for i in 0..<inner {
                    var total = 0
                    for j in 0..<n { total += Int(p.ints(0)[(o * n + j) * inner + i]) }
                    p.ints(1)[o * inner + i] = try fitting(total, "sum")
                }
            }
        }
    }

    /// A product of matrices, in 64 bits.
    func integerProduct(batch: Int, m: Int, n: Int, k: Int, transposed: (a: Bool, b: Bool)) -> Launch {
        let (rowA, stepA) = transposed.a ? (1, m) : (k, 1)
        let (stepB, columnB) = transposed.b ? (1, k) : (n, 1)
        return { p in
            for at in 0..<batch * m {
                try checkInterrupt()
                let (b, i) = at.quotientAndRemainder(dividingBy: m)
                let (row, columns) = (p.ints(0) + b * m * k + i * rowA, p.ints(1) + b * k * n)
                for j in 0..<n {
                    var total = 0, overflows = false
                    for l in 0..<k {
                        let (sum, overflow) = total.addingReportingOverflow(Int(row[l * stepA]) * Int(columns[l * stepB + j * columnB]))
                        (total, overflows) = (sum, overflows || overflow)
                    }
                    guard !overflows else { throw TensorError("matmul", "the sum of products is more than 64 bits hold; compute with float()") }
                    p.ints(2)[(b * m + i) * n + j] = try fitting(total, "matmul")
                }
            }
        }
    }

    /// Remainder and floor of the quotient.
    func divisionKernel(_ x: [Operand], _ y: Operand) -> Launch {
        let walk = StridedWalk(y.shape, x.map { $0.layout.broadcastStrides(to: y.shape) } + [y.layout.strides])
        let isRemainder = self == .remainder
        guard y.dtype == .int32 else {
            return { p in
                walk.each { at in
                    let (quotient, rest) = p.floats(0)[at[0]].dividedDown(by: p.floats(1)[at[1]])
                    p.floats(2)[at[2]] = isRemainder ? rest : quotient
                }
            }
        }
        let name = name
        return { p in
            try walk.each { at in
                let (a, b) = (Int(p.ints(0)[at[0]]), Int(p.ints(1)[at[1]]))
                guard b != 0 else { throw TensorError(name, "int32 \(a) \(name) 0: integers cannot be divided by zero; float() gives infinities and NaN") }
                let rest = a % b
                let turns = rest != 0 && (rest < 0) != (b < 0)
                p.ints(2)[at[2]] = try fitting(isRemainder ? (turns ? rest + b : rest) : (turns ? a / b - 1 : a / b), name)
            }
        }
    }
}

private func fitting(_ value: Int, _ operation: String) throws -> Int32 {
    guard let result = Int32(exactly: value) else {
        throw TensorError(operation, "the result \(value) is no int32 (\(Int32.min) to \(Int32.max)); compute with float()")
    }
    return result
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

extension UnaryFunction {
    /// Of an int32, in 64 bits.
    fileprivate func integer(_ x: Int) -> Int {
        switch self {
        case .neg: -x
        case .abs: Swift.abs(x)
        case .sign: x.signum()
        case .square: x * x
        case .relu: Swift.max(x, 0)
        case .step: x > 0 ? 1 : 0
        case .floor, .ceil, .round: x
        case .exp, .log, .sqrt, .rsqrt, .reciprocal, .sigmoid, .tanh, .sin, .cos: preconditionFailure("\(self) of int32 is computed in float32")
        }
    }
}

extension BinaryFunction {
    /// Of two int32, in 64 bits.
    fileprivate func integer(_ a: Int, _ b: Int) -> Int {
        switch self {
        case .add: a + b
        case .sub: a - b
        case .mul: a * b
        case .max: Swift.max(a, b)
        case .min: Swift.min(a, b)
        case .gate: a > 0 ? b : 0
        case .eq, .ne, .lt, .le, .gt, .ge: holds(Double(a), Double(b)) ? 1 : 0
        case .div, .pow: preconditionFailure("\(self) of int32 is computed in float32")
        }
    }

    /// A comparison.
    fileprivate func holds(_ a: Double, _ b: Double) -> Bool {
        switch self {
        case .eq: a == b
        case .ne: a != b
        case .lt: a < b
        case .le: a <= b
        case .gt: a > b
        case .ge: a >= b
        case .add, .sub, .mul, .div, .pow, .max, .min, .gate: preconditionFailure("\(self) is no comparison")
        }
    }
}
