import Tensors

/// Given numbers instead of what is learned; written into, they change from run to run.
public final class Fixed: Relaxation {
    private let values: Tensor

    /// - Parameter values: of the decision's shape; where some are 0 now, what they multiply is closed in runs where they are.
    public init(_ values: Tensor) throws {
        self.values = values
        try super.init("fixed", isSparse: values.floats().contains(0))
    }

    public override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights { Weights(values) }
}
