import Glibc

/// (x, otherwise?, guards...): a value that is computed only in some runs: x where, of one of the lists of guards, none is 0; else zeros, or `otherwise`. What leaves
/// a region of a recording, see `Regions`.
struct EmergeRule: OperationRule {
    let alternatives: [[Int]]
    let otherwise: Bool

    var name: String { "when" }
    var operands: OperandTypes { .guarded(firstGuard) }
    var traits: OperationTraits { OperationTraits(makesValue: false, fusions: otherwise ? [] : [.accumulate, .clears], writes: .any) }
    private var firstGuard: Int { otherwise ? 2 : 1 }
    func shape(_ x: [Tensor]) throws -> [Int] { x[0].shape }
    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { layout.isContiguous || index == 0 || otherwise && index == 1 }

    /// In the runs that compute x, which alone read it, the derivative is g.
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] {
        guard otherwise else { return [g] + x.dropFirst().map { _ in nil } }
        let rest = x[1].requiresGrad ? try Operation.emerge(alternatives, otherwise: true).apply([Tensor.zeros(x[1].shape), g] + x.dropFirst(2)) : nil
        return [g, rest] + x.dropFirst(2).map { _ in nil }
    }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (alternatives, first, n) = (alternatives, firstGuard, x.count)
        if form.has(.accumulate) {
            // In runs that did not compute x there is nothing to add.
            let add = try Operation.binary(.add).kernel([y, x[0]], y)
            return { p in
                guard Self.isOpen(alternatives, p + first) else { return }
                var three = (p[n], p[0], p[n])
                try withUnsafeMutablePointer(to: &three) { try $0.withMemoryRebound(to: UnsafeMutableRawPointer.self, capacity: 3) { try add($0) } }
            }
        }
        if form.has(.clears) {
            let clear = Self.clear(y)
            return { p in if !Self.isOpen(alternatives, p + first) { try clear(p + n) } }
        }
        let take = Loops.copy(x[0].layout, y.layout)
        if otherwise {
            let leave = Loops.copy(x[1].layout, y.layout)
            return { p in
                if Self.isOpen(alternatives, p + first) { try p.with(p[0], p[n], take) } else { try p.with(p[1], p[n], leave) }
            }
        }
        let clear = Self.clear(y)
        return { p in
            if Self.isOpen(alternatives, p + first) { try p.with(p[0], p[n], take) } else { try clear(p + n) }
        }
    }

    /// Whether, of one of the lists, none of the numbers that `p` points at is 0.
    static func isOpen(_ alternatives: [[Int]], _ p: UnsafeMutablePointer<UnsafeMutableRawPointer>) -> Bool {
        alternatives.contains { $0.allSatisfy { p[$0].load(as: Float.self) != 0 } }
    }

    /// Called with the address of y, writes zeros.
    private static func clear(_ y: Operand) -> Launch {
        if y.layout.isContiguous {
            let bytes = y.layout.count * DType.byteCount
            return { p in memset(p[0], 0, bytes) }
        }
        let copy = Loops.copy(TensorLayout(shape: y.shape, strides: y.shape.map { _ in 0 }), y.layout)
        return { p in
            var zero: Float = 0
            try withUnsafeMutableBytes(of: &zero) { bytes in
                guard let source = bytes.baseAddress else { return }
                try p.with(source, p[0], copy)
            }
        }
    }
}
