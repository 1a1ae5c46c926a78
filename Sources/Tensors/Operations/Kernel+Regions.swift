import Glibc

// What leaves a region of a recording (`Operation.emerge`).
extension Operation {
    /// Whether, of one of the lists, none of the numbers that `p` points at is 0.
    static func isOpen(_ alternatives: [[Int]], _ p: UnsafeMutablePointer<UnsafeMutableRawPointer>) -> Bool {
        alternatives.contains { $0.allSatisfy { p[$0].load(as: Float.self) != 0 } }
    }

    func emergeKernel(_ x: [Operand], _ y: Operand, _ alternatives: [[Int]], _ otherwise: Bool) -> Launch {
        let first = otherwise ? 2 : 1, n = x.count
        let take = copyKernel(x[0].layout, y.layout)
        if otherwise {
            let leave = copyKernel(x[1].layout, y.layout)
            return { p in
                var pair = (Operation.isOpen(alternatives, p + first) ? p[0] : p[1], p[n])
                let copy = Operation.isOpen(alternatives, p + first) ? take : leave
                try withUnsafeMutablePointer(to: &pair) { try $0.withMemoryRebound(to: UnsafeMutableRawPointer.self, capacity: 2) { try copy($0) } }
            }
        }
        let clear = clearKernel(y)
        return { p in
            guard Operation.isOpen(alternatives, p + first) else { return try clear(p + n) }
            var pair = (p[0], p[n])
            try withUnsafeMutablePointer(to: &pair) { try $0.withMemoryRebound(to: UnsafeMutableRawPointer.self, capacity: 2) { try take($0) } }
        }
    }

    /// For a value that is computed where it is to stand: zeros in runs that did not.
    func clearingKernel(_ x: [Operand], _ y: Operand) -> Launch {
        guard case .emerge(let alternatives, otherwise: false) = self else { hasNoKernel(among: "regions") }
        let clear = clearKernel(y), n = x.count
        return { p in if !Operation.isOpen(alternatives, p + 1) { try clear(p + n) } }
    }

    /// Adds x to y in runs that computed x.
    func emergeOntoKernel(_ x: [Operand], _ y: Operand) throws -> Launch {
        guard case .emerge(let alternatives, otherwise: false) = self else { hasNoKernel(among: "regions") }
        let add = try Operation.binary(.add).kernel([y, x[0]], y), n = x.count
        return { p in
            guard Operation.isOpen(alternatives, p + 1) else { return }
            var three = (p[n], p[0], p[n])
            try withUnsafeMutablePointer(to: &three) { try $0.withMemoryRebound(to: UnsafeMutableRawPointer.self, capacity: 3) { try add($0) } }
        }
    }

    /// Called with the address of y, writes zeros.
    private func clearKernel(_ y: Operand) -> Launch {
        if y.layout.isContiguous {
            let bytes = y.layout.count * DType.byteCount
            return { p in memset(p[0], 0, bytes) }
        }
        let copy = copyKernel(TensorLayout(shape: y.shape, strides: y.shape.map { _ in 0 }), y.layout)
        return { p in
            var zero: Float = 0
            try withUnsafeMutableBytes(of: &zero) { bytes in
                guard let source = bytes.baseAddress else { return }
                var pair = (source, p[0])
                try withUnsafeMutablePointer(to: &pair) { try $0.withMemoryRebound(to: UnsafeMutableRawPointer.self, capacity: 2) { try copy($0) } }
            }
        }
    }
}
