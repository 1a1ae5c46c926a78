import Base

/// Mean and variance of int32. Through float32 the elements would be rounded before they are added, which close ones do not survive.
extension Tensor {
    /// - Parameter correction: nil for the mean, else for Σ (x - mean)² / (n - correction), NaN where n is not above it.
    /// - Returns: float32; the reduced dimensions have size 1 with `keep`.
    func integerMoment(_ axes: [Int]?, keep: Bool, correction: Int?) throws -> Tensor {
        let axes = axes ?? Array(0..<rank)
        for axis in axes { try checkAxis(axis, correction == nil ? "mean" : "var") }
        let kept = (0..<rank).filter { !axes.contains($0) }
        let rows = try permute(kept + axes.sorted()).reshape([Shapes.count(kept.map { shape[$0] }), Shapes.count(axes.map { shape[$0] })])
        let moments = try Operation.integerMoment(correction: correction)(rows)
        return try moments.reshape(keep ? shape.indices.map { axes.contains($0) ? 1 : shape[$0] } : kept.map { shape[$0] })
    }
}

/// Of each row of int32 [rows, n]: the mean (`correction` nil), or the variance with this correction; float32 [rows].
struct IntegerMomentRule: OperationRule {
    let correction: Int?

    var name: String { correction == nil ? "mean" : "var" }
    var operands: OperandTypes { .alike }
    var traits: OperationTraits { OperationTraits(hasDerivative: false) }
    func shape(_ x: [Tensor]) throws -> [Int] { [x[0].shape[0]] }
    func dtype(_ x: [Tensor]) -> DType { .float32 }
    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { [nil] }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm) throws -> Launch {
        let (rows, n) = (x[0].shape[0], x[0].shape[1])
        let correction = correction
        return { p in
            for row in 0..<rows {
                try checkInterrupt()
                let values = UnsafeBufferPointer(start: UnsafePointer(p.ints(0)) + row * n, count: n)
                let mean = Self.sum(values) / Double(n)
                p.floats(1)[row] = Float(correction.map { Self.variance(values, mean, $0) } ?? mean)
            }
        }
    }

    /// Stretches are added in 64 bits, which they cannot overflow.
    private static func sum(_ values: UnsafeBufferPointer<Int32>) -> Double {
        let stretch = 1 << 24
        return stride(from: 0, to: values.count, by: stretch).reduce(0.0) { total, first in
            var part = 0
            for i in first..<min(first + stretch, values.count) { part &+= Int(values[i]) }
            return total + Double(part)
        }
    }

    private static func variance(_ values: UnsafeBufferPointer<Int32>, _ mean: Double, _ correction: Int) -> Double {
        let freedom = Double(values.count) - Double(correction)
        guard freedom > 0 else { return .nan }
        var squares = 0.0
        for value in values {
            let distance = Double(value) - mean
            squares += distance * distance
        }
        return squares / freedom
    }
}
