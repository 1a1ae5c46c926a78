import Tensors

/// Operations that move elements without computing, and reductions.
extension Translator {
    /// - Returns: nil for an operation of another kind.
    func reshaping(_ step: Step) throws -> String? {
        switch step.operations[0] {
        case .detach, .alias, .copy:
            return try name(step.inputs[0])
        case .broadcast:
            return try broadcast(step)
        case .reshape:
            return try node("Reshape", step, more: [reshapeTarget(step)])
        case .permute(let order):
            return try node("Transpose", step, [.ints("perm", order)])
        case .slice:
            return try slice(step)
        case .pad:
            return try pad(step)
        case .concat(let axis):
            return try node("Concat", step, [.int("axis", axis)])
        case .gather(let axis):
            return try node("GatherElements", step, [.int("axis", axis)])
        case .scatterAdd(let axis, _):
            let zeros = try builder.add("Expand", [builder.number(0, step.dtype), sizes(step.shape, name: "\(step.name)/shape")], name: "\(step.name)/zeros")
            return builder.add(
                "ScatterElements", [zeros] + (try step.inputs.map(name)), name: step.name, [.int("axis", axis), .string("reduction", "add")])
        default:
            return nil
        }
    }

    /// -1 stands for the only size that depends on the images.
    private func reshapeTarget(_ step: Step) throws -> String {
        let open = step.shape.filter { $0.fixed == nil }.count
        return try open == 1 ? builder.integers(step.shape.map { $0.fixed ?? -1 }) : sizes(step.shape, name: "\(step.name)/shape")
    }

    private func broadcast(_ step: Step) throws -> String {
        if isImplied(step) { return try name(step.inputs[0]) }
        let before = shape(step.inputs[0])
        let missing = step.shape.count - before.count
        // 1 keeps what is there.
        let target = step.shape.indices.map { d in d >= missing && before[d - missing] == step.shape[d] ? Size(1) : step.shape[d] }
        return try node("Expand", step, more: [sizes(target, name: "\(step.name)/shape")])
    }

    /// Whether everything that reads the expanded value broadcasts by itself: an element-wise operation with another operand of the full shape.
    private func isImplied(_ step: Step) -> Bool {
        let readers = graph.readers[step.index]
        return step.index != graph.output && !readers.isEmpty && readers.allSatisfy { reader in
            guard let (operations, inputs) = source(reader), case .binary = operations[0] else { return false }
            return inputs.contains { other in
                guard other != step.index, shape(other) == shape(reader) else { return false }
                if let (made, _) = source(other), case .broadcast = made[0] { return false }
                return true
            }
        }
    }

    private func slice(_ step: Step) throws -> String {
        let all = step.operations.compactMap { operation -> [Int]? in if case .slice(let starts, _, _) = operation { starts } else { nil } }
        let steps = step.operations.compactMap { operation -> [Int]? in if case .slice(_, _, let steps) = operation { steps } else { nil } }
        guard let stride = steps.first, steps.allSatisfy({ $0 == stride }) else {
            throw TensorError("slice", "its steps depend on the number or size of the images, which a file cannot say")
        }
        let before = shape(step.inputs[0])
        let starts = sizes(of: all)
        let axes = step.shape.indices.filter { starts[$0] != Size(0) || step.shape[$0] != before[$0] || stride[$0] != 1 }
        if axes.isEmpty { return try name(step.inputs[0]) }
        let ends = axes.map { starts[$0] + (step.shape[$0] + -1) * stride[$0] + 1 }
        return try node("Slice", step, more: [
            sizes(axes.map { starts[$0] }, name: "\(step.name)/starts"), sizes(ends, name: "\(step.name)/ends"), builder.integers(axes),
            builder.integers(axes.map { stride[$0] }),
        ])
    }

    private func pad(_ step: Step) throws -> String {
        guard case .pad(_, _, let value) = step.operations[0] else { return try name(step.inputs[0]) }
        let all = step.operations.compactMap { operation -> [Int]? in if case .pad(let before, let after, _) = operation { before + after } else { nil } }
        return try node(
            "Pad", step, [.string("mode", "constant")], more: [sizes(sizes(of: all), name: "\(step.name)/pads"), builder.number(value, step.dtype)])
    }

    /// Numbers of an operation in each recording as sizes.
    private func sizes(of numbers: [[Int]]) -> [Size] { numbers[0].indices.map { i in Size(numbers.map { $0[i] }) } }

    /// - Returns: nil for an operation of another kind.
    func reduction(_ step: Step) throws -> String? {
        switch step.operations[0] {
        case .sum(let axes, let keep):
            return try node("ReduceSum", step, [.int("keepdims", keep ? 1 : 0)], more: [builder.integers(axes)])
        case .extreme(let largest):
            return try node(largest ? "ReduceMax" : "ReduceMin", step, [.int("keepdims", 0)])
        case .integerMoment(correction: nil):
            let x = builder.add("Cast", [try name(step.inputs[0])], name: "\(step.name)/float", [.to(.float)])
            return builder.add("ReduceMean", [x], name: step.name, [.ints("axes", [1]), .int("keepdims", 0)])
        case .argmax(let axis, let largest):
            let x = try name(step.inputs[0])
            let index = builder.add(largest ? "ArgMax" : "ArgMin", [x], name: "\(step.name)/index", [.int("axis", axis), .int("keepdims", 1)])
            return builder.add("Cast", [index], name: step.name, [.to(.int32)])
        case .argsort(let axis, let descending):
            let x = try name(step.inputs[0])
            let count = try sizes([step.shape[axis]], name: "\(step.name)/count")
            let sorted = builder.add(
                "TopK", [x, count], name: "\(step.name)/sorted", [.int("axis", axis), .int("largest", descending ? 1 : 0), .int("sorted", 1)], outputs: 2)
            return builder.add("Cast", [sorted[1]], name: step.name, [.to(.int32)])
        case .matmul(let transposeA, let transposeB):
            return try matmul(step, transposeA, transposeB)
        default:
            return nil
        }
    }

    /// Gemm for matrices, which can read a weight transposed, so that it stays in the file as it is in the network.
    private func matmul(_ step: Step, _ transposeA: Bool, _ transposeB: Bool) throws -> String {
        guard step.shape.count == 2 else {
            func operand(_ index: Int, _ transposed: Bool, _ which: String) throws -> String {
                guard transposed else { return try name(index) }
                let rank = shape(index).count
                let order = Array(0..<rank - 2) + [rank - 1, rank - 2]
                return builder.add("Transpose", [try name(index)], name: "\(step.name)/\(which)", [.ints("perm", order)])
            }
            return builder.add("MatMul", [try operand(step.inputs[0], transposeA, "a"), try operand(step.inputs[1], transposeB, "b")], name: step.name)
        }
        func operand(_ index: Int, _ transposed: Bool) -> (Int, Bool) {
            guard let (operations, inputs) = source(index), operations[0] == .permute([1, 0]) else { return (index, transposed) }
            return (inputs[0], !transposed)
        }
        let (a, turnsA) = operand(step.inputs[0], transposeA)
        let (b, turnsB) = operand(step.inputs[1], transposeB)
        return builder.add(
            "Gemm", [try name(a), try name(b)], name: step.name, [.int("transA", turnsA ? 1 : 0), .int("transB", turnsB ? 1 : 0)])
    }
}
