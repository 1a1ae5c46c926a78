import Kernels

/// Merging and splitting of dimensions so that kernels see as few and as long ones as possible.
enum Collapse {
    /// Drops sizes of 1 and merges neighbours that every operand walks through in one stride.
    static func dimensions(_ shape: [Int], _ strides: [[Int]]) -> (shape: [Int], strides: [[Int]]) {
        var sizes: [Int] = []
        var steps = strides.map { _ in [Int]() }
        for d in shape.indices where shape[d] != 1 {
            if let last = sizes.last, steps.indices.allSatisfy({ (steps[$0].last ?? 0) == strides[$0][d] * shape[d] }) {
                sizes[sizes.count - 1] = last * shape[d]
                for i in steps.indices { steps[i][sizes.count - 1] = strides[i][d] }
            } else {
                sizes.append(shape[d])
                for i in steps.indices { steps[i].append(strides[i][d]) }
            }
        }
        return (sizes, steps)
    }

    /// [outer, n, inner] around one axis.
    static func around(_ shape: [Int], _ axis: Int) -> (Int, Int, Int) {
        (shape[..<axis].reduce(1, *), shape[axis], shape[(axis + 1)...].reduce(1, *))
    }

    /// [outer, n, inner] around neighbouring axes (sizes of 1 between them do not matter); nil when other sizes stand between them.
    static func reduction(_ shape: [Int], _ axes: [Int]) -> (Int, Int, Int)? {
        let real = axes.filter { shape[$0] != 1 }
        guard let first = real.first, let last = real.last else { return (shape.reduce(1, *), 1, 1) }
        for d in first...last where shape[d] != 1 && !real.contains(d) { return nil }
        return (shape[..<first].reduce(1, *), shape[first...last].reduce(1, *), shape[(last + 1)...].reduce(1, *))
    }
}

/// Visits the elements of several operands in step, for the few loops that are not worth a kernel.
struct StridedWalk: Sendable {
    private let shape: [Int]
    private let strides: [[Int]]

    init(_ shape: [Int], _ strides: [[Int]]) { (self.shape, self.strides) = Collapse.dimensions(shape, strides) }

    func each(_ body: ([Int]) throws -> Void) rethrows {
        if shape.contains(0) { return }
        var position = shape.map { _ in 0 }
        var at = strides.map { _ in 0 }
        while true {
            try body(at)
            var d = shape.count - 1
            while d >= 0 {
                position[d] += 1
                for i in at.indices { at[i] += strides[i][d] }
                if position[d] < shape[d] { break }
                for i in at.indices { at[i] -= strides[i][d] * shape[d] }
                position[d] = 0
                d -= 1
            }
            if d < 0 { return }
        }
    }
}

extension Operation {
    /// int32 arithmetic wraps around; comparisons give 1 or 0. Labels and indices only: not a fast path.
    func integerKernel(_ x: [Operand], _ y: Operand) -> Launch {
        let walk = StridedWalk(y.shape, x.map { $0.layout.broadcastStrides(to: y.shape) } + [y.layout.strides])
        switch self {
        case .unary(let f): return { p in walk.each { at in p.ints(1)[at[1]] = f.integer(p.ints(0)[at[0]]) } }
        case .binary(let f): return { p in walk.each { at in p.ints(2)[at[2]] = f.integer(p.ints(0)[at[0]], p.ints(1)[at[1]]) } }
        case .scalar(let f, let s, let first):
            let s = Int32(s)
            return { p in
                walk.each { at in
                    let value = p.ints(0)[at[0]]
                    p.ints(1)[at[1]] = first ? f.integer(s, value) : f.integer(value, s)
                }
            }
        case .select:
            return { p in walk.each { at in p.ints(3)[at[3]] = p.ints(0)[at[0]] != 0 ? p.ints(1)[at[1]] : p.ints(2)[at[2]] } }
        default: hasNoKernel(among: "integer loops")
        }
    }

    func integerSum(_ outer: Int, _ n: Int, _ inner: Int) -> Launch {
        { p in
            for o in 0..<outer {
                for i in 0..<inner {
                    var total: Int32 = 0
                    for j in 0..<n { total &+= p.ints(0)[(o * n + j) * inner + i] }
                    p.ints(1)[o * inner + i] = total
                }
            }
        }
    }
}

extension UnaryFunction {
    fileprivate func integer(_ x: Int32) -> Int32 {
        switch self {
        case .neg: 0 &- x
        case .abs: x < 0 ? 0 &- x : x
        case .sign: x.signum()
        case .square: x &* x
        case .relu: Swift.max(x, 0)
        case .step: x > 0 ? 1 : 0
        default: x
        }
    }
}

extension BinaryFunction {
    fileprivate func integer(_ a: Int32, _ b: Int32) -> Int32 {
        switch self {
        case .add: a &+ b
        case .sub: a &- b
        case .mul: a &* b
        case .div, .pow: 0  // promoted to float32 before they get here
        case .max: Swift.max(a, b)
        case .min: Swift.min(a, b)
        case .eq: a == b ? 1 : 0
        case .ne: a != b ? 1 : 0
        case .lt: a < b ? 1 : 0
        case .le: a <= b ? 1 : 0
        case .gt: a > b ? 1 : 0
        case .ge: a >= b ? 1 : 0
        case .gate: a > 0 ? b : 0
        }
    }
}
