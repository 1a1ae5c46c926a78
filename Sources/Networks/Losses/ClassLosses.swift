import Tensors

// Losses of class scores [N, C, ...] and int32 labels [N, ...] from 0. Labels that are `ignore`, or no class, count nowhere.
extension Tensor {
    /// Labels as [N, C, ...] of 0 and 1, zeros where one counts nowhere.
    private func hotLabels(_ labels: Tensor, ignore: Int32, _ loss: String) throws -> Tensor {
        guard rank >= 2, labels.dtype == .int32, labels.shape == [shape[0]] + shape.dropFirst(2) else {
            throw TensorError(loss, "expected logits [N, C, ...] and int32 labels [N, ...], got \(shape) and \(labels.dtype) \(labels.shape)")
        }
        return try labels.oneHot(classes: shape[1], axis: 1, ignore: ignore)
    }

    /// Σ values / Σ counts, 0 where nothing counts.
    private static func share(_ values: Tensor, of counts: Tensor) throws -> Tensor { try values.sum() / counts.sum().clamped(low: 1e-12, high: nil) }

    /// The focal loss: the mean of -w[label]·(1 - p)^γ·log p with p = softmax(self)[label], over the places that count.
    ///
    /// Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, eq. 5, for several classes.
    /// - Parameters:
    ///   - gamma: 0 or more; 0 gives the cross entropy.
    ///   - weights: [C]; the mean is over places, not over weights.
    public func focalLoss(_ labels: Tensor, gamma: Double, weights: Tensor? = nil, ignore: Int32 = 255) throws -> Tensor {
        let hot = try hotLabels(labels, ignore: ignore, "focal_loss")
        let counts = try hot.sum([1])
        let logarithm = try (softmax(1, logarithm: true) * hot).sum([1])
        var value = try -logarithm
        if gamma != 0 {
            // Below 1 the power has no derivative at 0.
            let missing = try (1 - logarithm.unary(.exp)).clamped(low: gamma < 1 ? 1e-7 : 0, high: nil)
            value = try value * missing.pow(gamma)
        }
        if let weights {
            guard weights.shape == [shape[1]] else { throw TensorError("focal_loss", "expected \(shape[1]) weights, one for each class, got \(weights.shape)") }
            value = try value * (hot * weights.reshape([1, shape[1]] + [Int](repeating: 1, count: rank - 2))).sum([1])
        }
        return try Tensor.share(value * counts, of: counts)
    }

    /// The soft Dice loss: 1 - the mean over the classes of (2·Σ p·g + s) / (Σ p + Σ g + s), sums over all places of the batch that count,
    /// p = softmax(self) and g the labels as 0 and 1.
    ///
    /// Milletari, Navab and Ahmadi, "V-Net", 3DV 2016, with sums in the denominator as Sudre et al. (2017) have them.
    /// - Parameters:
    ///   - smooth: s, 0 or more.
    ///   - presentOnly: the mean is over the classes that the labels have.
    public func diceLoss(_ labels: Tensor, smooth: Double, presentOnly: Bool, ignore: Int32 = 255) throws -> Tensor {
        let hot = try hotLabels(labels, ignore: ignore, "dice_loss")
        let probability = try softmax(1) * hot.sum([1], keep: true)
        let axes = (0..<rank).filter { $0 != 1 }
        let (both, truth) = (try (probability * hot).sum(axes), try hot.sum(axes))
        let sizes = try (probability.sum(axes) + truth + Float(smooth)).clamped(low: 1e-7, high: nil)
        let loss = try 1 - (both * 2 + Float(smooth)) / sizes
        guard presentOnly else { return try loss.mean() }
        let present = try truth.compare(.gt, 0)
        return try Tensor.share(loss * present, of: present)
    }

    /// The cross entropy of the hardest places: of those whose class has a probability of at most `threshold`, and of a share of all in any case.
    ///
    /// Shrivastava, Gupta and Girshick, "Training Region-based Object Detectors with Online Hard Example Mining", CVPR 2016, for pixels.
    /// - Parameters:
    ///   - share: of the places of the batch, those of the lowest probability: kept whatever it is. Above 0, at most 1.
    public func hardestLoss(_ labels: Tensor, threshold: Double, share: Double, ignore: Int32 = 255) throws -> Tensor {
        let hot = try hotLabels(labels, ignore: ignore, "ohem_loss")
        let counts = try hot.sum([1])
        let logarithm = try (softmax(1, logarithm: true) * hot).sum([1])
        // What counts nowhere comes last.
        let probability = try (logarithm.unary(.exp) + (1 - counts)).detach().reshape([counts.count])
        let kept = max(1, min(counts.count, Int((Double(counts.count) * share).rounded(.up))))
        let least = try probability.sort(0).values.narrow(0, kept - 1, 1)
        let limit = try least.clamped(low: threshold, high: nil)
        let hard = try probability.binary(.le, limit).reshape(counts.shape) * counts
        return try Tensor.share(-(logarithm * hard), of: hard)
    }

    /// The Lovász-Softmax loss: the convex extension of 1 - IoU of each class, mean over the classes that the labels have, over the whole batch.
    ///
    /// Berman, Triki and Blaschko, "The Lovász-Softmax loss", CVPR 2018, algorithm 1.
    /// - Parameter presentOnly: else the mean is over all classes.
    public func lovaszLoss(_ labels: Tensor, presentOnly: Bool, ignore: Int32 = 255) throws -> Tensor {
        let hot = try hotLabels(labels, ignore: ignore, "lovasz_loss")
        let (classes, places) = (shape[1], hot.count / max(1, shape[1]))
        let counts = try hot.sum([1], keep: true)
        func rows(_ x: Tensor) throws -> Tensor { try x.transpose(0, 1).contiguous().reshape([classes, places]) }
        // Where nothing counts the error is 0: such places come last and add nothing.
        let errors = try rows((hot - softmax(1)).unary(.abs) * counts), truth = try rows(hot)
        let (sorted, order) = try errors.sort(1, descending: true)
        let hits = try truth.gather(1, order).cumulativeSum(1), total = try truth.sum([1], keep: true)
        let seen = try (rows(counts.expand(shape)).gather(1, order)).cumulativeSum(1)
        let index = try 1 - (total - hits) / (total + seen - hits).clamped(low: 1e-12, high: nil)
        let steps = places > 1 ? try Tensor.concat([index.narrow(1, 0, 1), index.narrow(1, 1, places - 1) - index.narrow(1, 0, places - 1)], 1) : index
        let loss = try (sorted * steps.detach()).sum([1])
        guard presentOnly else { return try loss.mean() }
        let present = try total.compare(.gt, 0).reshape([classes])
        return try Tensor.share(loss * present, of: present)
    }
}
