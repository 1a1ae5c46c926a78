import Base

/// Arithmetic of int32, for labels and indices: exact, and an error where a result is no int32. Comparisons give 1 or 0. Not a fast path.
enum Integers {
    static func unary(_ f: UnaryFunction, _ x: Operand, _ y: Operand) -> Launch {
        guard let integer = f.integer else { preconditionFailure("\(f) of int32 is computed in float32") }
        let walk = StridedWalk(y.shape, [x.layout.broadcastStrides(to: y.shape), y.layout.strides])
        return { p in try walk.each { at in p.ints(1)[at[1]] = try fitting(integer(Int(p.ints(0)[at[0]])), f.name) } }
    }

    static func binary(_ f: BinaryFunction, _ x: [Operand], _ y: Operand) -> Launch {
        let walk = StridedWalk(y.shape, x.map { $0.layout.broadcastStrides(to: y.shape) } + [y.layout.strides])
        let integer = f.ofIntegers
        return { p in try walk.each { at in p.ints(2)[at[2]] = try fitting(integer(Int(p.ints(0)[at[0]]), Int(p.ints(1)[at[1]])), f.name) } }
    }

    static func scalar(_ f: BinaryFunction, _ number: Double, scalarFirst: Bool, _ x: Operand, _ y: Operand) -> Launch {
        let walk = StridedWalk(y.shape, [x.layout.broadcastStrides(to: y.shape), y.layout.strides])
        if case .comparison(let holds) = f.kind {
            return { p in
                walk.each { at in
                    let value = Double(p.ints(0)[at[0]])
                    p.ints(1)[at[1]] = (scalarFirst ? holds(number, value) : holds(value, number)) ? 1 : 0
                }
            }
        }
        let (integer, number) = (f.ofIntegers, Int(number))
        return { p in
            try walk.each { at in
                let value = Int(p.ints(0)[at[0]])
                p.ints(1)[at[1]] = try fitting(scalarFirst ? integer(number, value) : integer(value, number), f.name)
            }
        }
    }

    static func select(_ x: [Operand], _ y: Operand) -> Launch {
        let walk = StridedWalk(y.shape, x.map { $0.layout.broadcastStrides(to: y.shape) } + [y.layout.strides])
        return { p in walk.each { at in p.ints(3)[at[3]] = p.ints(0)[at[0]] != 0 ? p.ints(1)[at[1]] : p.ints(2)[at[2]] } }
    }

    /// In 64 bits.
    static func sum(_ outer: Int, _ n: Int, _ inner: Int) -> Launch {
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
    static func product(batch: Int, m: Int, n: Int, k: Int, transposed: (a: Bool, b: Bool)) -> Launch {
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

    /// Remainder or floor of the quotient.
    static func division(_ walk: StridedWalk, givesRemainder: Bool, _ name: String) -> Launch {
        { p in
            try walk.each { at in
                let (a, b) = (Int(p.ints(0)[at[0]]), Int(p.ints(1)[at[1]]))
                guard b != 0 else { throw TensorError(name, "int32 \(a) \(name) 0: integers cannot be divided by zero; float() gives infinities and NaN") }
                let rest = a % b
                let turns = rest != 0 && (rest < 0) != (b < 0)
                p.ints(2)[at[2]] = try fitting(givesRemainder ? (turns ? rest + b : rest) : (turns ? a / b - 1 : a / b), name)
            }
        }
    }

    private static func fitting(_ value: Int, _ operation: String) throws -> Int32 {
        guard let result = Int32(exactly: value) else {
            throw TensorError(operation, "the result \(value) is no int32 (\(Int32.min) to \(Int32.max)); compute with float()")
        }
        return result
    }
}

extension BinaryFunction {
    /// Of two int32, in 64 bits.
    fileprivate var ofIntegers: @Sendable (Int, Int) -> Int {
        switch kind {
        case .whole(let function): function
        case .comparison(let holds): { holds(Double($0), Double($1)) ? 1 : 0 }
        case .fractional: preconditionFailure("\(name) of int32 is computed in float32")
        }
    }
}
