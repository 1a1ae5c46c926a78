import Glibc

extension Tensor: CustomStringConvertible {
    /// Type and shape first, then the numbers; large tensors show their corners. A tensor of no dimensions prints as `tensor(0.25)`.
    public var description: String { text() }

    /// - Parameters:
    ///   - limit: most elements that are shown whole.
    ///   - edge: how many stand at each end of a dimension that is cut.
    public func text(limit: Int = 1000, edge: Int = 3) -> String {
        let head = "tensor \(dtype) \(Shapes.text(shape))"
        if freed { return "tensor (freed)" }
        guard !isSymbolic else { return head + " (computed by \(node?.operation.name ?? "an input of") a compiled function)" }
        guard count > 0 else { return head + " (empty)" }
        if let recording = Recording.current, (try? recording.knows(self)) != true { return head + " (written by a compiled function)" }
        let source = detach()
        if rank == 0 { return "tensor(" + NumberFormat([source]).one(source, []) + ")" }
        let cut = count > limit
        let format = NumberFormat(cut ? source.corners(edge) : [source])
        return head + (requiresGrad ? ", requires grad" : "") + "\n" + source.block([], format, cut ? edge : Int.max)
    }

    /// The parts of a large tensor that are shown.
    private func corners(_ edge: Int) -> [Tensor] {
        var parts = [self]
        for d in 0..<rank where shape[d] > 2 * edge {
            parts = parts.flatMap { part in
                [try? part.narrow(d, 0, edge), try? part.narrow(d, shape[d] - edge, edge)].compactMap { $0 }
            }
        }
        return parts
    }

    private func block(_ prefix: [Int], _ format: NumberFormat, _ edge: Int) -> String {
        let depth = rank - prefix.count
        if depth == 1 {
            return format.folded(Tensor.indices(shape[rank - 1], edge).map { $0.map { format.one(self, prefix + [$0]) } ?? "..." })
        }
        let parts = Tensor.indices(shape[prefix.count], edge).map { index -> String in
            guard let index else { return depth == 2 ? " ..." : "..." }
            let inner = block(prefix + [index], format, edge)
            return depth == 3 ? heading(prefix + [index]) + "\n" + inner : inner
        }
        return parts.joined(separator: "\n")
    }

    /// `(1, 2, ., .)`: which matrix of a tensor of more than two dimensions follows.
    private func heading(_ prefix: [Int]) -> String {
        "(" + (prefix.map { String($0 + 1) } + [".", "."]).joined(separator: ", ") + ")"
    }

    /// Indices along a dimension, nil for the gap in the middle.
    private static func indices(_ size: Int, _ edge: Int) -> [Int?] {
        edge == Int.max || size <= 2 * edge ? (0..<size).map { $0 } : (0..<edge).map { $0 } + [nil] + (size - edge..<size).map { $0 }
    }
}

/// How the numbers of one tensor are written: all alike, wide enough for each.
private struct NumberFormat {
    private var isInteger = true
    private var scientific = false
    private var width = 1
    private var digits = 4

    init(_ parts: [Tensor]) {
        var (largest, smallest) = (0.0, Double.infinity)
        var special = 0
        for part in parts {
            if part.dtype == .float32 { isInteger = isInteger && part.rank > 0 }
            for value in (try? part.floats()) ?? [] {
                guard value.isFinite else {
                    special = 4
                    continue
                }
                if value != value.rounded() { isInteger = false }
                largest = max(largest, Double(abs(value)))
                if value != 0 { smallest = min(smallest, Double(abs(value))) }
            }
        }
        scientific = largest >= 1e6 || (!isInteger && smallest < 1e-4 && largest < 1e-2) || (!isInteger && largest > 0 && largest / smallest > 1e7 && largest < 1e-1)
        if isInteger { scientific = largest >= 1e9 }
        if parts.first?.rank == 0 { digits = 6 }
        let whole = largest < 1 ? 1 : Int(log10(largest)) + 1
        width = max(special, scientific ? digits + 7 : isInteger ? whole + 1 : whole + digits + 2)
        if parts.first?.rank == 0 { width = 0 }
    }

    /// A row of numbers in lines of at most 80 characters, all but the first indented by two more.
    func folded(_ numbers: [String]) -> String {
        let perLine = max(1, (80 - 3) / (width + 1))
        let lines = stride(from: 0, to: max(numbers.count, 1), by: perLine).map { first in
            numbers[first..<min(first + perLine, numbers.count)].joined(separator: " ")
        }
        return " " + lines.joined(separator: "\n   ")
    }

    func one(_ tensor: Tensor, _ index: [Int]) -> String {
        guard let base = try? tensor.storage() else { return "?" }
        let at = tensor.offset + zip(index, tensor.layout.strides).reduce(0) { $0 + $1.0 * $1.1 }
        let text: String
        if tensor.dtype == .int32 {
            text = String(base.ints[at])
        } else {
            let value = Double(base.floats[at])
            if value.isNaN {
                text = "nan"
            } else if value.isInfinite {
                text = value < 0 ? "-inf" : "inf"
            } else {
                text = NumberFormat.c(scientific ? "%.*e" : "%.*f", isInteger && !scientific ? 0 : digits, value)
            }
        }
        return String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private static func c(_ format: String, _ digits: Int, _ value: Double) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            _ = withVaList([Int32(digits), value]) { vsnprintf(start, 64, format, $0) }
            return String(cString: start)
        }
    }
}
