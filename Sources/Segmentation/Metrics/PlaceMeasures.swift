import Tensors

/// The IoU of the boundaries of classes, as a tensor of one number.
public enum BoundaryIoU {
    /// Mean over the classes that occur in labels or predictions of |P_d ∩ G_d| / |P_d ∪ G_d|: pixels of the predicted and the true mask that are at most
    /// `distance` pixels from the mask's own edge, the edge of the image included.
    ///
    /// Cheng et al., "Boundary IoU", CVPR 2021. The distance is that of squares, as the authors' erosion has it; pixels whose label is `ignore` count nowhere.
    /// - Parameters:
    ///   - predictions: int32 [N, H, W].
    ///   - labels: int32 [N, H, W].
    public static func mean(_ predictions: Tensor, _ labels: Tensor, classes: Int, distance: Int, ignore: Int32 = 255) throws -> Tensor {
        guard labels.rank == 3, predictions.shape == labels.shape, labels.dtype == .int32, predictions.dtype == .int32 else {
            throw TensorError("boundary_iou", "expected int32 [N, H, W] twice, got \(predictions.dtype) \(predictions.shape) and \(labels.dtype) \(labels.shape)")
        }
        let truth = try labels.oneHot(classes: classes, axis: 1, ignore: ignore)
        let counts = try labels.compare(.ne, Double(ignore)).cast(.float32).reshape([labels.shape[0], 1] + labels.shape.dropFirst())
        let found = try predictions.oneHot(classes: classes, axis: 1, ignore: -1) * counts
        let (a, b) = (try edge(found, distance), try edge(truth, distance))
        let both = try (a * b).sum([0, 2, 3]), all = try a.sum([0, 2, 3]) + b.sum([0, 2, 3]) - both
        let present = try all.compare(.gt, 0)
        return try ((both / all.clamped(low: 1, high: nil)) * present).sum() / present.sum().clamped(low: 1, high: nil)
    }

    /// What `distance` erosions by 3x3 take away from masks [N, C, H, W].
    private static func edge(_ mask: Tensor, _ distance: Int) throws -> Tensor {
        var outside = try 1 - mask
        for _ in 0..<distance {
            outside = try outside.pad(before: [0, 0, 1, 1], after: [0, 0, 1, 1], value: 1).maxPool2d(PoolOptions(kernel: (3, 3), stride: (1, 1)))
        }
        return try mask * outside
    }
}

/// How many key points are where they should be.
public enum KeypointMeasure {
    /// The share of points that lie within a distance of their targets: the percentage of correct keypoints.
    ///
    /// Yang and Ramanan, "Articulated Human Detection with Flexible Mixtures of Parts", PAMI 2013.
    /// - Parameters:
    ///   - points: [..., 2 or more], x and y in front.
    ///   - distance: a tensor that broadcasts to [...]: the same for all, or one for each sample.
    ///   - mask: 0 where a point does not count; broadcasts to [...].
    public static func correct(_ points: Tensor, _ targets: Tensor, within distance: Tensor, mask: Tensor? = nil) throws -> Tensor {
        guard points.rank >= 1, let width = points.shape.last, width >= 2, targets.shape.last ?? 0 >= 2, points.shape.dropLast() == targets.shape.dropLast() else {
            throw TensorError("pck", "expected points [..., 2 or more] twice, got \(points.shape) and \(targets.shape)")
        }
        let last = points.rank - 1
        let difference = try points.narrow(last, 0, 2) - targets.narrow(last, 0, 2)
        let near = try difference.unary(.square).sum([last]).binary(.le, distance.unary(.square)).cast(.float32)
        guard let mask else { return try near.mean() }
        let counts = try mask.compare(.ne, 0).cast(.float32).expand(near.shape)
        return try Tensor.select(counts, near, Tensor.scalar(0)).sum() / counts.sum().clamped(low: 1, high: nil)
    }
}
