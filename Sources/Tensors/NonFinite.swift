import Kernels

/// How many of some numbers are none: NaN or infinite.
public struct NonFinite: Hashable, Sendable, CustomStringConvertible {
    public private(set) var nan = 0
    public private(set) var infinite = 0
    public private(set) var count = 0

    /// "3 NaN and 1 infinity among 72 numbers".
    public var description: String {
        let parts = [nan > 0 ? "\(nan) NaN" : "", infinite > 0 ? "\(infinite) \(infinite == 1 ? "infinity" : "infinities")" : ""]
        return parts.filter { !$0.isEmpty }.joined(separator: " and ") + " among \(count) number\(count == 1 ? "" : "s")"
    }

    /// - Returns: nil when all are finite.
    init?(_ values: UnsafePointer<Float>, _ layout: TensorLayout) {
        // One kernel tells that all is well: squares of float32 do not overflow its sum.
        if layout.isContiguous, Reduction.sumOfSquares(values, count: layout.count).isFinite { return nil }
        var index = [Int](repeating: 0, count: layout.shape.count)
        var offset = 0
        for _ in 0..<layout.count {
            let value = values[offset]
            if value.isNaN { nan += 1 } else if value.isInfinite { infinite += 1 }
            for axis in index.indices.reversed() {
                index[axis] += 1
                offset += layout.strides[axis]
                if index[axis] < layout.shape[axis] { break }
                offset -= layout.strides[axis] * layout.shape[axis]
                index[axis] = 0
            }
        }
        count = layout.count
        if nan == 0, infinite == 0 { return nil }
    }
}

extension Tensor {
    /// The numbers of this tensor that are NaN or infinite; nil when there are none.
    public func nonFinite() throws -> NonFinite? {
        guard dtype == .float32, count > 0 else { return nil }
        return NonFinite(UnsafePointer(try pointer(for: "nonFinite").assumingMemoryBound(to: Float.self)), layout)
    }
}
