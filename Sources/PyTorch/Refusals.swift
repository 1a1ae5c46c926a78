import Tensors

/// Operations that code cannot say, and why.
enum Refusal {
    /// - Parameter operation: one that `FunctionWriter` has no code for.
    static func error(_ operation: Operation) -> TensorError { TensorError(operation.name, reason(operation)) }

    /// Every operation stands here, so that a new one asks what becomes of it.
    static func reason(_ operation: Operation) -> String {
        switch operation {
        case .unary, .binary, .scalar, .remainder, .floorDivide, .select, .cast, .broadcast, .reshape, .permute, .slice, .pad, .concat, .gather, .detach, .alias, .copy,
            .sum, .extreme, .integerMoment, .argmax, .argsort, .matmul, .maxPool, .averagePool, .resize, .softmax, .crossEntropy:
            sizes
        case .asStrided, .overwrite:
            "is of writes in place; make the tensor with tensor.concat, pad or tensor.where instead"
        case .conv2d, .spreadGroups, .weightGroups, .groupProducts, .stackedNorm, .stackedMoments, .stackedRunning, .emerge:
            "is of the branches of a supernet, computed at once or only where their weight is not 0; export the network of an architecture"
        case .batchNorm:
            "goes by statistics of several branches; give each branch a norm of its own"
        case .moments, .runningStatistics:
            "moves running statistics; a network is written as it is in evaluation, and its nn.batch_norm move theirs"
        case .random, .permutation:
            "draws new numbers at each call; what draws in training only is a layer: nn.dropout, nn.drop_path"
        case .unslice, .scatterAdd, .convInputGradient, .convWeightGradient, .maxPoolGradient, .maxPoolPick, .averagePoolGradient, .resizeGradient, .batchNormSums,
            .batchNormInputGradient, .stackedNormSums, .stackedNormInputGradient, .softmaxGradient, .crossEntropyGradient:
            "computes a derivative, which is PyTorch's business in code"
        case .lost(let reason):
            reason
        case .other:
            operation.pyTorchCall == nil ? "has no counterpart in PyTorch that Trellis knows; write this part of the network with other operations" : sizes
        }
    }

    private static let sizes = "has numbers that depend on the number or size of the images in a way that code cannot say"
}
