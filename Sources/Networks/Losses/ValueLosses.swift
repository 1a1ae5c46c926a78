import Tensors

// Losses of float32 values and targets of one shape. A mask of 0 and 1 that broadcasts to it leaves places out, whatever stands there, NaN included.
extension Tensor {
    /// What a loss goes by: values and targets, and where they count.
    private struct Compared {
        let values: Tensor
        let targets: Tensor
        let mask: Tensor?

        /// - Parameter neutral: stands for values and targets that do not count.
        init(_ values: Tensor, _ targets: Tensor, mask: Tensor?, neutral: Float, _ loss: String) throws {
            guard values.shape == targets.shape else { throw TensorError(loss, "expected a target of shape \(values.shape), got \(targets.shape)") }
            let targets = try targets.cast(.float32)
            guard let mask else {
                (self.values, self.targets, self.mask) = (values, targets, nil)
                return
            }
            let counts = try mask.compare(.ne, 0).cast(.float32).expand(values.shape)
            let rest = try Tensor.scalar(neutral)
            (self.values, self.targets, self.mask) = (try Tensor.select(counts, values, rest), try Tensor.select(counts, targets, rest), counts)
        }

        func mean(_ x: Tensor) throws -> Tensor {
            guard let mask else { return try x.mean() }
            return try (x * mask).sum() / mask.sum().clamped(low: 1, high: nil)
        }
    }

    /// Mean of -(p·y·log σ(x) + (1 - y)·log σ(-x)): the binary cross entropy of logits.
    /// - Parameter positive: p, the weight of what is 1; a tensor that broadcasts.
    public func binaryCrossEntropy(_ targets: Tensor, positive: Tensor? = nil, mask: Tensor? = nil) throws -> Tensor {
        let given = try Compared(self, targets, mask: mask, neutral: 0, "bce_with_logits")
        let (yes, no) = try given.values.sigmoidLogarithms()
        let hit = try given.targets * yes
        return try given.mean(-((positive.map { try hit * $0 } ?? hit) + (1 - given.targets) * no))
    }

    /// log σ(x) and log σ(-x), with derivatives everywhere.
    private func sigmoidLogarithms() throws -> (yes: Tensor, no: Tensor) {
        let both = try Tensor.stack([self, self * 0], 0).softmax(0, logarithm: true)
        return (try both.select(0, 0), try both.select(0, 1))
    }

    /// The focal loss of logits with one yes or no each: mean of -a·(1 - p)^γ·log p, p the probability of what is so and a its weight, α of what is 1
    /// and 1 - α of what is 0.
    ///
    /// Lin et al., ICCV 2017, eq. 5.
    /// - Parameter alpha: nil weighs both alike.
    public func binaryFocalLoss(_ targets: Tensor, gamma: Double, alpha: Double? = nil, mask: Tensor? = nil) throws -> Tensor {
        let given = try Compared(self, targets, mask: mask, neutral: 0, "focal_loss")
        let (yes, no) = try given.values.sigmoidLogarithms()
        let missed = try 1 - given.targets
        var value = try -(given.targets * yes + missed * no)
        if gamma != 0 {
            let right = try given.targets * yes.unary(.exp) + missed * no.unary(.exp)
            value = try value * (1 - right).clamped(low: gamma < 1 ? 1e-7 : 0, high: nil).pow(gamma)
        }
        if let alpha { value = try value * (given.targets * Float(alpha) + missed * Float(1 - alpha)) }
        return try given.mean(value)
    }

    /// Mean of the absolute differences.
    public func absoluteLoss(_ targets: Tensor, mask: Tensor? = nil) throws -> Tensor {
        let given = try Compared(self, targets, mask: mask, neutral: 0, "l1_loss")
        return try given.mean((given.values - given.targets).unary(.abs))
    }

    /// Mean of the squared differences.
    public func squaredLoss(_ targets: Tensor, mask: Tensor? = nil) throws -> Tensor {
        let given = try Compared(self, targets, mask: mask, neutral: 0, "mse_loss")
        return try given.mean((given.values - given.targets).unary(.square))
    }

    /// Mean of d²/2β where |d| < β, else |d| - β/2: Girshick, "Fast R-CNN", ICCV 2015, eq. 3, with PyTorch's β.
    public func smoothAbsoluteLoss(_ targets: Tensor, beta: Double, mask: Tensor? = nil) throws -> Tensor {
        guard beta > 0 else { return try absoluteLoss(targets, mask: mask) }
        let given = try Compared(self, targets, mask: mask, neutral: 0, "smooth_l1_loss")
        let distance = try (given.values - given.targets).unary(.abs), low = try distance.clamped(low: nil, high: beta)
        return try given.mean(low * (distance - low * 0.5) / Float(beta))
    }

    /// The reverse Huber loss: mean of |d| up to c, of (d² + c²) / 2c beyond, c a share of the largest |d| of the batch.
    ///
    /// Laina et al., "Deeper Depth Prediction with Fully Convolutional Residual Networks", 3DV 2016, eq. 2; c has no derivative.
    /// - Parameter share: above 0.
    public func reverseHuberLoss(_ targets: Tensor, share: Double, mask: Tensor? = nil) throws -> Tensor {
        let given = try Compared(self, targets, mask: mask, neutral: 0, "berhu_loss")
        let distance = try (given.values - given.targets).unary(.abs)
        let limit = try (distance.detach().extreme() * Float(share)).clamped(low: 1e-12, high: nil)
        return try given.mean(Tensor.select(distance.binary(.le, limit), distance, (distance.unary(.square) + limit.unary(.square)) / (limit * 2)))
    }

    /// The scale-invariant error of logarithms: mean(d²) - λ·mean(d)², d = log x - log y, over all that counts in the batch.
    ///
    /// Eigen, Puhrsch and Fergus, "Depth Map Prediction from a Single Image", NeurIPS 2014, eq. 4.
    /// - Parameter takesRoot: its square root, as Lee et al. (2019) minimise it.
    public func scaleInvariantLoss(_ targets: Tensor, lambda: Double, takesRoot: Bool, mask: Tensor? = nil) throws -> Tensor {
        let given = try Compared(self, targets, mask: mask, neutral: 1, "silog_loss")
        let d = try given.values.unary(.log) - given.targets.unary(.log)
        let value = try given.mean(d.unary(.square)) - given.mean(d).unary(.square) * Float(lambda)
        return takesRoot ? try value.clamped(low: 0, high: nil).rootOfSquares() : value
    }
}
