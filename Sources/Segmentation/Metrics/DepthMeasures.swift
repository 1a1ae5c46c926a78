import Tensors

/// Measures of positive values such as depths, over all places of a batch that count, as a tensor of one number: compositions, so that they are recorded.
///
/// Eigen, Puhrsch and Fergus, "Depth Map Prediction from a Single Image", NeurIPS 2014, section 4.3.
public enum DepthMeasure: String, CaseIterable, Sendable {
    case absoluteRelative, squaredRelative, root, rootOfLogarithms, logarithm

    /// - Parameters:
    ///   - mask: 0 where a place does not count, whatever stands there; broadcasts.
    /// - Throws: `TensorError` when shapes differ.
    public func callAsFunction(_ values: Tensor, _ targets: Tensor, mask: Tensor? = nil) throws -> Tensor {
        let given = try ComparedValues(values, targets, mask: mask)
        let (x, y) = (given.values, given.targets)
        func logarithms() throws -> Tensor { try x.unary(.log) - y.unary(.log) }
        switch self {
        case .absoluteRelative: return try given.mean((x - y).unary(.abs) / y)
        case .squaredRelative: return try given.mean((x - y).unary(.square) / y)
        case .root: return try given.mean((x - y).unary(.square)).rootOfSquares()
        case .rootOfLogarithms: return try given.mean(logarithms().unary(.square)).rootOfSquares()
        case .logarithm: return try given.mean(logarithms().unary(.abs)) / Float(2.302585092994046)
        }
    }

    /// Share of the places with max(x / y, y / x) < `threshold`.
    public static func within(_ threshold: Double, _ values: Tensor, _ targets: Tensor, mask: Tensor? = nil) throws -> Tensor {
        let given = try ComparedValues(values, targets, mask: mask)
        let ratio = try (given.values / given.targets).binary(.max, given.targets / given.values)
        return try given.mean(ratio.compare(.lt, threshold))
    }
}

/// Values beside targets of one shape, and where they count.
struct ComparedValues {
    let values: Tensor
    let targets: Tensor
    private let mask: Tensor?

    init(_ values: Tensor, _ targets: Tensor, mask: Tensor?) throws {
        guard values.shape == targets.shape else { throw TensorError("measure", "expected values of the target's shape \(targets.shape), got \(values.shape)") }
        guard let mask else {
            (self.values, self.targets, self.mask) = (try values.cast(.float32), try targets.cast(.float32), nil)
            return
        }
        let counts = try mask.compare(.ne, 0).cast(.float32).expand(values.shape), one = try Tensor.scalar(1)
        (self.values, self.targets) = (try Tensor.select(counts, values.cast(.float32), one), try Tensor.select(counts, targets.cast(.float32), one))
        self.mask = counts
    }

    func mean(_ x: Tensor) throws -> Tensor {
        guard let mask else { return try x.mean() }
        return try (x * mask).sum() / mask.sum().clamped(low: 1, high: nil)
    }
}
