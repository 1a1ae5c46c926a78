import Base
import Kernels

/// What a kernel needs to know of an input or output before it sees its address.
struct Operand {
    let layout: TensorLayout
    let dtype: DType
    init(_ layout: TensorLayout, _ dtype: DType) {
        self.layout = layout
        self.dtype = dtype
    }
    var shape: [Int] { layout.shape }
}

/// A kernel with its sizes fixed: called with the addresses of the inputs followed by that of the output. Eager operations make one and
/// call it once; a plan keeps it. It throws only for what can be seen in the numbers alone (labels outside the classes).
typealias Launch = (UnsafeMutablePointer<UnsafeMutableRawPointer>) throws -> Void
/// One that never throws.
typealias PlainLaunch = (UnsafeMutablePointer<UnsafeMutableRawPointer>) -> Void

extension UnsafeMutablePointer where Pointee == UnsafeMutableRawPointer {
    @inline(__always) func floats(_ i: Int) -> UnsafeMutablePointer<Float> { self[i].assumingMemoryBound(to: Float.self) }
    @inline(__always) func ints(_ i: Int) -> UnsafeMutablePointer<Int32> { self[i].assumingMemoryBound(to: Int32.self) }
}

/// The kernel of each operation: the one place where an operation meets module Kernels.
extension Operation {
    /// Whether input `index` may have this layout; others are copied into a contiguous one first.
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool {
        switch self {
        case .unary, .binary, .scalar, .select, .remainder, .floorDivide, .concat, .slice, .permute, .broadcast, .detach, .alias, .copy, .pad, .unslice, .cast:
            return true
        case .overwrite:
            return layout.isContiguous || index == 1
        case .emerge(_, let otherwise):
            return layout.isContiguous || index == 0 || otherwise && index == 1
        case .conv2d:
            return layout.isContiguous || index == 0 && layout.isBatchContiguous
        case .convInputGradient:
            // The third is the mask that a plan may add.
            return layout.isContiguous || index != 1 && layout.isBatchContiguous
        case .maxPoolGradient:
            return layout.isContiguous || layout.isBatchContiguous
        case .stackedMoments, .stackedNorm, .stackedNormSums, .stackedNormInputGradient:
            return layout.isContiguous || index < 2 && layout.isBatchContiguous && layout.shape.count == 4
        case .convWeightGradient, .maxPool, .averagePool, .averagePoolGradient, .resize, .resizeGradient, .moments:
            return layout.isContiguous || layout.isBatchContiguous && layout.shape.count == 4
        case .batchNormSums, .batchNormInputGradient:
            return layout.isContiguous || index < 2 && layout.isBatchContiguous && layout.shape.count == 4
        case .batchNorm:
            return layout.isContiguous || index == 0 && layout.isBatchContiguous && layout.shape.count == 4
        default:
            return layout.isContiguous
        }
    }

    /// For an operation that is in the wrong table: a kernel that does nothing would leave whatever the memory held before.
    func hasNoKernel(among kernels: StaticString) -> Never { fatalError("\(name) has no kernel among the \(kernels)") }

    func kernel(_ x: [Operand], _ y: Operand) throws -> Launch {
        let n = x.count
        switch self {
        case .remainder, .floorDivide:
            return divisionKernel(x, y)
        case .unary, .binary, .scalar, .select:
            if y.dtype == .int32 { return integerKernel(x, y) }
            return ElementwiseChain(self, inputs: x.count).kernel(x, y)
        case .cast(let dtype):
            return castKernel(x[0], y, to: dtype)
        case .broadcast, .reshape, .permute, .detach, .alias, .copy:
            return copyKernel(viewLayout(x[0].layout, y.shape)?.0 ?? x[0].layout, y.layout)
        case .slice(let starts, _, let steps):
            let source = TensorLayout(shape: y.shape, strides: zip(x[0].layout.strides, steps).map { $0 * $1 })
            return shifted(0, by: zip(starts, x[0].layout.strides).reduce(0) { $0 + $1.0 * $1.1 }, copyKernel(source, y.layout))
        case .asStrided(let layout, let offset):
            return shifted(0, by: offset, copyKernel(layout, y.layout))
        case .overwrite(let layout, let offset):
            let (whole, part) = (copyKernel(x[0].layout, y.layout), copyKernel(x[1].layout, layout))
            let write = shifted(1, by: offset, part)
            return { p in
                var pair = (p[0], p[2])
                try withUnsafeMutablePointer(to: &pair) { try $0.withMemoryRebound(to: UnsafeMutableRawPointer.self, capacity: 2) { try whole($0) } }
                try write(p + 1)
            }
        case .emerge(let alternatives, let otherwise):
            return emergeKernel(x, y, alternatives, otherwise)
        case .unslice(_, let starts, let steps):
            return writeInto(y, x[0], starts, steps, fill: 0)
        case .pad(let before, _, let value):
            return writeInto(y, x[0], before, before.map { _ in 1 }, fill: value)
        case .concat(let axis):
            return concatKernel(x, y, axis)
        case .extreme(let largest):
            return extremeKernel(x[0], largest)
        case .gather, .scatterAdd, .argmax, .argsort:
            return indexKernel(x, y)
        case .sum(let axes, _):
            return sumKernel(x[0], axes)
        case .integerMoment(let correction):
            return Self.integerMomentKernel(x[0], correction: correction)
        case .matmul(let tA, let tB):
            return matmulKernel(x, y, tA, tB)
        case .conv2d, .convInputGradient, .convWeightGradient:
            return convKernel(x, y)
        case .maxPool, .maxPoolGradient, .maxPoolPick, .averagePool, .averagePoolGradient, .resize, .resizeGradient:
            return imageKernel(x, y)
        case .moments, .batchNorm, .batchNormSums, .batchNormInputGradient, .runningStatistics:
            return normKernel(x, y)
        case .stackedMoments, .stackedNorm, .stackedNormSums, .stackedNormInputGradient, .stackedRunning, .spreadGroups, .weightGroups, .groupProducts:
            return stackedKernel(x, y)
        case .softmax, .softmaxGradient, .crossEntropy, .crossEntropyGradient:
            return try classKernel(x, y)
        case .random(let distribution, _, let draw):
            let count = y.layout.count
            return { p in RandomState.global.fill(p.floats(n), count, distribution, drawOfRun: draw) }
        case .lost(let reason):
            throw TensorError("backward", reason)
        case .permutation(let count, let draw):
            return { p in
                for (i, place) in RandomState.global.permutation(count, drawOfRun: draw).enumerated() { p.ints(n)[i] = place }
            }
        }
    }

    /// The kernel with the address at one place moved by so many elements.
    private func shifted(_ place: Int, by elements: Int, _ kernel: @escaping Launch) -> Launch {
        { p in
            let whole = p[place]
            p[place] = whole + elements * DType.byteCount
            defer { p[place] = whole }
            try kernel(p)
        }
    }
}

// Copies.
extension Operation {
    func copyKernel(_ source: TensorLayout, _ target: TensorLayout) -> Launch {
        let (shape, strides) = Collapse.dimensions(source.shape, [source.strides, target.strides])
        return { p in Layout.copyStrided(shape: shape, src: p.floats(0), srcStrides: strides[0], dst: p.floats(1), dstStrides: strides[1]) }
    }

    /// Copies the slice that this view operation selects into fresh memory.
    func copyOut(_ x: Tensor) throws -> Tensor {
        let output = try Tensor(shape: x.shape, dtype: x.dtype, for: name)
        var pointers = [try x.pointer(), try output.pointer()]
        let launch = copyKernel(x.layout, output.layout)
        try pointers.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { try launch(base) } }
        if GradientMode.isEnabled, x.requiresGrad { Node(self, [x]).computed(output) }
        return output
    }

    private func writeInto(_ y: Operand, _ x: Operand, _ starts: [Int], _ steps: [Int], fill: Float) -> Launch {
        let target = TensorLayout(shape: x.shape, strides: zip(y.layout.strides, steps).map { $0 * $1 })
        let copy = shifted(1, by: zip(starts, y.layout.strides).reduce(0) { $0 + $1.0 * $1.1 }, copyKernel(x.layout, target))
        let count = y.layout.count
        let bits = y.dtype == .int32 ? Float(bitPattern: UInt32(bitPattern: Int32(fill))) : fill
        return { p in
            p.floats(1).update(repeating: bits, count: count)
            try copy(p)
        }
    }

    private func concatKernel(_ x: [Operand], _ y: Operand, _ axis: Int) -> Launch {
        var shift = 0
        let parts = x.map { part -> (copy: Launch, shift: Int) in
            defer { shift += part.shape[axis] * y.layout.strides[axis] * DType.byteCount }
            return (copyKernel(part.layout, TensorLayout(shape: part.shape, strides: y.layout.strides)), shift)
        }
        return { p in
            for (i, part) in parts.enumerated() {
                try withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer.self, capacity: 2) { pair in
                    pair[0] = p[i]
                    pair[1] = p[parts.count] + part.shift
                    if let base = pair.baseAddress { try part.copy(base) }
                }
            }
        }
    }

    private func castKernel(_ x: Operand, _ y: Operand, to dtype: DType) -> Launch {
        if x.dtype == dtype { return copyKernel(x.layout, y.layout) }
        let walk = StridedWalk(y.shape, [x.layout.strides, y.layout.strides])
        if dtype == .float32 { return { p in walk.each { p.floats(1)[$0[1]] = Float(p.ints(0)[$0[0]]) } } }
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

// Sums, products and indices.
extension Operation {
    private func sumKernel(_ x: Operand, _ axes: [Int]) -> Launch {
        let shape = x.shape
        if let (outer, n, inner) = Collapse.reduction(shape, axes) {
            if x.dtype == .int32 { return integerSum(outer, n, inner) }
            return { p in Reduction.sum(outer: outer, n: n, inner: inner, p.floats(0), p.floats(1)) }
        }
        // Axes that are not neighbours: first the last group, then the rest.
        let last = axes[axes.count - 1]
        var first = last
        while axes.contains(first - 1) { first -= 1 }
        let group = Array(first...last)
        var reduced = shape
        for axis in group { reduced[axis] = 1 }
        let rest = axes.filter { !group.contains($0) }
        let middle = Operand(TensorLayout(contiguous: reduced), x.dtype)
        let (stepOne, stepTwo) = (sumKernel(x, group), sumKernel(middle, rest))
        let count = middle.layout.count
        return { p in
            let scratch = try Storage(count: count, for: "sum")
            var pair = [p[0], scratch.pointer, p[1]]
            try withExtendedLifetime(scratch) {
                try pair.withUnsafeMutableBufferPointer { q in
                    guard let base = q.baseAddress else { return }
                    try stepOne(base)
                    try stepTwo(base + 1)
                }
            }
        }
    }

    private func matmulKernel(_ x: [Operand], _ y: Operand, _ tA: Bool, _ tB: Bool) -> Launch {
        let (a, b, c) = (x[0].shape, x[1].shape, y.shape)
        let (m, n) = (c[c.count - 2], c[c.count - 1])
        let k = tA ? a[a.count - 2] : a[a.count - 1]
        let (lda, ldb) = (a[a.count - 1], b[b.count - 1])
        let batch = c.dropLast(2).reduce(1, *)
        if y.dtype == .int32 { return integerProduct(batch: batch, m: m, n: n, k: k, transposed: (tA, tB)) }
        if batch == 1 {
            return { p in
                Matrix.multiply(
                    transposeA: tA, transposeB: tB, m: m, n: n, k: k, alpha: 1, a: p.floats(0), lda: lda, b: p.floats(1), ldb: ldb, beta: 0,
                    c: p.floats(2), ldc: n)
            }
        }
        return { p in
            Matrix.multiplyBatched(
                batch: batch, strideA: m * k, strideB: k * n, strideC: m * n, transposeA: tA, transposeB: tB, m: m, n: n, k: k, alpha: 1,
                a: p.floats(0), lda: lda, b: p.floats(1), ldb: ldb, beta: 0, c: p.floats(2), ldc: n)
        }
    }

    private func indexKernel(_ x: [Operand], _ y: Operand) -> Launch {
        switch self {
        case .argmax(let axis, let largest):
            let (outer, n, inner) = Collapse.around(x[0].shape, axis)
            if x[0].dtype == .int32 || !largest { return smallestKernel(x[0], outer, n, inner, largest) }
            return { p in Reduction.argmax(outer: outer, n: n, inner: inner, p.floats(0), p.ints(1)) }
        case .argsort(let axis, let descending):
            return argsortKernel(x[0], axis, descending)
        case .gather(let axis):
            let (outer, n, inner) = Collapse.around(x[0].shape, axis)
            let picks = y.shape[axis]
            let name = name
            return { p in
                for o in 0..<outer {
                    for j in 0..<picks * inner {
                        let index = Int(p.ints(1)[o * picks * inner + j])
                        guard index >= 0, index < n else {
                            throw TensorError(name, "index \(index + 1) is outside of dimension \(axis + 1) of size \(n)")
                        }
                        p.floats(2)[o * picks * inner + j] = p.floats(0)[(o * n + index) * inner + j % inner]
                    }
                }
            }
        case .scatterAdd(let axis, let size):
            let (outer, picks, inner) = Collapse.around(x[1].shape, axis)
            return { p in
                p.floats(2).update(repeating: 0, count: outer * size * inner)
                for o in 0..<outer {
                    for j in 0..<picks * inner {
                        let index = Int(p.ints(0)[o * picks * inner + j])
                        p.floats(2)[(o * size + index) * inner + j % inner] += p.floats(1)[o * picks * inner + j]
                    }
                }
            }
        default:
            hasNoKernel(among: "operations by index")
        }
    }

    private func extremeKernel(_ x: Operand, _ largest: Bool) -> Launch {
        let count = x.layout.count
        let find = Operation.argmax(axis: 0, largest: largest).indexKernel(
            [Operand(TensorLayout(contiguous: [count]), x.dtype)], Operand(TensorLayout(contiguous: [1]), .int32))
        return { p in
            try find(p)
            p.ints(1)[0] = p.ints(0)[Int(p.ints(1)[0])]
        }
    }

    /// The rarer forms of argmax: of int32, and of the smallest value. NaN counts as found, as in PyTorch.
    private func smallestKernel(_ x: Operand, _ outer: Int, _ n: Int, _ inner: Int, _ largest: Bool) -> Launch {
        let isInt = x.dtype == .int32
        return { p in
            for o in 0..<outer {
                for i in 0..<inner {
                    var best = 0
                    var bestValue = 0.0
                    for j in 0..<n {
                        let at = (o * n + j) * inner + i
                        let value = isInt ? Double(p.ints(0)[at]) : Double(p.floats(0)[at])
                        if j == 0 || (largest ? value > bestValue : value < bestValue) || (value.isNaN && !bestValue.isNaN) { (best, bestValue) = (j, value) }
                    }
                    p.ints(1)[o * inner + i] = Int32(best)
                }
            }
        }
    }

    private func argsortKernel(_ x: Operand, _ axis: Int, _ descending: Bool) -> Launch {
        let (outer, n, inner) = Collapse.around(x.shape, axis)
        let isInt = x.dtype == .int32
        return { p in
            // Sorting takes as much again.
            try Memory.check(2 * n * DType.byteCount, for: "sort")
            var order = [Int32](repeating: 0, count: n)
            for o in 0..<outer {
                for i in 0..<inner {
                    func value(_ j: Int32) -> Double {
                        let at = (o * n + Int(j)) * inner + i
                        return isInt ? Double(p.ints(0)[at]) : Double(p.floats(0)[at])
                    }
                    for j in 0..<n { order[j] = Int32(j) }
                    // Stable; NaN counts as the largest, as in NumPy.
                    order.sort { a, b in
                        let (u, v) = (value(a), value(b))
                        if u.isNaN || v.isNaN {
                            if u.isNaN && v.isNaN { return a < b }
                            return descending ? u.isNaN : v.isNaN
                        }
                        return u == v ? a < b : descending ? u > v : u < v
                    }
                    for j in 0..<n { p.ints(1)[(o * n + j) * inner + i] = order[j] }
                }
            }
        }
    }
}
