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

enum Loops {
    /// Copies elements from one layout to another of the same shape.
    static func copy(_ source: TensorLayout, _ target: TensorLayout) -> Launch {
        let (shape, strides) = Collapse.dimensions(source.shape, [source.strides, target.strides])
        return { p in Layout.copyStrided(shape: shape, src: p.floats(0), srcStrides: strides[0], dst: p.floats(1), dstStrides: strides[1]) }
    }

    /// Copies x into a slice of y, and one number into all the rest of it.
    static func write(_ x: Operand, into y: Operand, _ starts: [Int], _ steps: [Int], fill: Float) -> Launch {
        let target = TensorLayout(shape: x.shape, strides: zip(y.layout.strides, steps).map { $0 * $1 })
        let copy = shifted(1, by: zip(starts, y.layout.strides).reduce(0) { $0 + $1.0 * $1.1 }, copy(x.layout, target))
        let count = y.layout.count
        let bits = y.dtype == .int32 ? Float(bitPattern: UInt32(bitPattern: Int32(fill))) : fill
        return { p in
            p.floats(1).update(repeating: bits, count: count)
            try copy(p)
        }
    }
}
