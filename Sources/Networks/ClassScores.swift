import Tensors

/// Classes picked by their scores: at each place the class with the highest one. NaN is neither above nor below a number: where it is among the
/// scores no class can be picked.
public enum ClassScores {
    /// The class at each place, int32 without dimension `axis`, from 0; and the sum of `checked` (else of the scores), by which `classes` finds NaN.
    /// - Parameter checked: what the scores were made of, where that is smaller.
    public static func pick(_ scores: Tensor, axis: Int = 1, checked: Tensor? = nil) throws -> [Tensor] {
        var shape = scores.shape
        shape.remove(at: axis)
        return [try scores.argmax(axis).reshape(shape), try (checked ?? scores).sum()]
    }

    /// The classes of `pick`, when their numbers are there.
    /// - Throws: `TensorError` where the scores hold NaN.
    public static func classes(_ picked: [Tensor]) throws -> Tensor {
        guard try !picked[1].item().isNaN else {
            throw TensorError("classes", "the scores hold NaN, which is of no class; look for NaN in the network's weights and in the images")
        }
        return picked[0]
    }

    /// The class at each place of float32 scores, without a history.
    public static func classes(of scores: Tensor, axis: Int = 1) throws -> Tensor {
        try GradientMode.disabled { try classes(pick(scores.detach(), axis: axis)) }
    }
}
