/// The rule of types: what each operation takes. Kernels read memory as the type that the rule promises.
extension Operation {
    private enum Types {
        /// Any, all the same.
        case alike
        case float32
        /// float32, except for labels or indices at that place, which have a rule of their own.
        case labelled(Int)
        /// (any, int32).
        case indexed
        /// (any, two of one type).
        case choice
        /// (any, perhaps another of its type, float32 numbers).
        case guarded(Int)
    }

    private var types: Types {
        switch self {
        case .unary, .binary, .scalar, .remainder, .floorDivide, .cast, .broadcast, .reshape, .permute, .slice, .unslice, .pad, .concat, .detach, .alias, .copy,
            .asStrided, .overwrite, .sum, .integerMoment, .extreme, .argmax, .argsort, .matmul, .random, .lost, .permutation:
            .alike
        case .select: .choice
        case .emerge(_, let otherwise): .guarded(otherwise ? 2 : 1)
        case .gather: .indexed
        case .scatterAdd: .labelled(0)
        case .crossEntropy, .crossEntropyGradient: .labelled(1)
        case .conv2d, .convInputGradient, .convWeightGradient, .maxPool, .maxPoolGradient, .maxPoolPick, .averagePool, .averagePoolGradient, .resize,
            .resizeGradient, .moments, .batchNorm, .batchNormSums, .batchNormInputGradient, .runningStatistics, .stackedMoments, .stackedNorm, .stackedNormSums,
            .stackedNormInputGradient, .stackedRunning, .spreadGroups, .weightGroups, .groupProducts, .softmax, .softmaxGradient:
            .float32
        }
    }

    /// - Throws: for an input of a type that the operation has no kernel for.
    func checkTypes(_ inputs: [Tensor]) throws {
        switch types {
        case .alike: try expect(inputs, from: 1, inputs.first?.dtype)
        case .float32: try expect(inputs, from: 0, .float32)
        case .labelled(let place):
            for (i, input) in inputs.enumerated() where i != place && input.dtype != .float32 { throw wrongType(inputs, i, .float32) }
        case .indexed: try expect(inputs, from: 1, .int32)
        case .choice: try expect(inputs, from: 2, inputs[1].dtype)
        case .guarded(let first):
            try expect(Array(inputs.prefix(first)), from: 1, inputs[0].dtype)
            try expect(inputs, from: first, .float32)
        }
    }

    private func expect(_ inputs: [Tensor], from first: Int, _ dtype: DType?) throws {
        for i in inputs.indices.dropFirst(first) where inputs[i].dtype != dtype { throw wrongType(inputs, i, dtype ?? .float32) }
    }

    private func wrongType(_ inputs: [Tensor], _ place: Int, _ expected: DType) -> TensorError {
        let which = inputs.count == 1 ? "the input" : "input \(place + 1)"
        return TensorError(name, "\(which) is \(inputs[place].dtype), expected \(expected); \(expected == .float32 ? "float()" : "int()") makes one of it")
    }
}
