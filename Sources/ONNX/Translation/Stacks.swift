import Tensors

/// Stacks of batches, which a supernet computes its arrows in: ONNX knows none, so they become sums and products of plain shapes.
extension Translator {
    /// - Returns: nil for an operation of another kind.
    func stack(_ step: Step) throws -> String? {
        switch step.operations[0] {
        case .stackedNorm(let options):
            return try stackedNorm(step, options)
        case .spreadGroups(let groups, let weighted):
            let x = try name(step.inputs[0])
            let copies = try (0..<groups).map { i in
                weighted ? builder.add("Mul", [x, try element(step.inputs[1], i, step)], name: "\(step.name)/\(i + 1)") : x
            }
            return builder.add("Concat", copies, name: step.name, [.int("axis", 0)])
        case .weightGroups(let groups, let weighted):
            let rest = Array(step.shape.dropFirst())
            var x = try stacked(try name(step.inputs[0]), groups, rest, step)
            if weighted {
                let column = builder.integers([groups, 1] + rest.map { _ in 1 })
                let weights = builder.add("Reshape", [try name(step.inputs[1]), column], name: "\(step.name)/weights")
                x = builder.add("Mul", [x, weights], name: "\(step.name)/product")
            }
            return builder.add("ReduceSum", [x, builder.integers([0])], name: step.name, [.int("keepdims", 0)])
        default:
            return nil
        }
    }

    /// `x` as so many copies of itself along the channels.
    func copies(_ x: String, _ count: Int, _ step: Step) -> String {
        count == 1 ? x : builder.add("Concat", [String](repeating: x, count: count), name: "\(step.name)/copies", [.int("axis", 1)])
    }

    /// Number `i` of a vector.
    private func element(_ index: Int, _ i: Int, _ step: Step) throws -> String {
        if let vector = constantValue(index) { return builder.number(try vector.floats()[i], .float32) }
        return builder.add("Gather", [try name(index), builder.number(Float(i), .int32)], name: "\(step.name)/weight", [.int("axis", 0)])
    }

    /// `x` as so many batches of samples of the shape `rest`.
    private func stacked(_ x: String, _ groups: Int, _ rest: [Size], _ step: Step) throws -> String {
        builder.add("Reshape", [x, try sizes([Size(groups), Size(-1)] + rest, name: "\(step.name)/shape")], name: "\(step.name)/stack")
    }

    /// One batch: a batch normalisation. Several: a factor and a shift for each of them and each channel.
    private func stackedNorm(_ step: Step, _ o: StackedNorm) throws -> String {
        let rest = Array(step.shape.dropFirst())
        guard let moments = constantValue(step.inputs[1]), let wide = rest.first?.fixed else {
            throw TensorError(step.operations[0].name, "its statistics are computed from the images, which a file cannot say for a stack of batches")
        }
        func parameter(_ position: Int, _ given: Bool, _ other: Float) throws -> [Float] {
            guard given else { return [Float](repeating: other, count: wide) }
            guard let values = constantValue(step.inputs[position]) else {
                throw TensorError(step.operations[0].name, "its weights are computed from the images, which a file cannot say for a stack of batches")
            }
            return try values.floats()
        }
        let (gamma, beta) = (try parameter(2, o.gamma, 1), try parameter(o.gamma ? 3 : 2, o.beta, 0))
        let values = try moments.floats()
        let (batches, given) = (moments.shape[0], moments.shape[2])
        // Statistics are for every channel, for those of the input, or one for all; for every batch, or one for all.
        func statistic(_ kind: Int, _ batch: Int, _ channel: Int) -> Float {
            values[((batches == 1 ? 0 : batch) * 2 + kind) * given + (given == wide ? channel : channel % given)]
        }
        let x = copies(try name(step.inputs[0]), o.repeats, step)
        func constant(_ values: [Float], _ shape: [Int], _ part: String) throws -> String {
            try builder.constant(Tensor(values, shape: shape), name: "\(step.name)/\(part)")
        }
        if o.groups == 1 {
            let rows = [(gamma, "weight"), (beta, "bias"), ((0..<wide).map { statistic(0, 0, $0) }, "mean"), ((0..<wide).map { statistic(1, 0, $0) }, "variance")]
            let names = try rows.map { try constant($0, [wide], $1) }
            return builder.add("BatchNormalization", [x] + names, name: step.name, [.float("epsilon", o.epsilon)])
        }
        let places = (0..<o.groups).flatMap { batch in (0..<wide).map { (batch, $0) } }
        let factors = places.map { batch, channel in gamma[channel] / (statistic(1, batch, channel) + o.epsilon).squareRoot() }
        let shifts = zip(places, factors).map { place, factor in beta[place.1] - statistic(0, place.0, place.1) * factor }
        let column = [o.groups, 1, wide] + rest.dropFirst().map { _ in 1 }
        let scaled = builder.add("Mul", [try stacked(x, o.groups, rest, step), try constant(factors, column, "factor")], name: "\(step.name)/product")
        let shifted = builder.add("Add", [scaled, try constant(shifts, column, "shift")], name: "\(step.name)/sum")
        return builder.add("Reshape", [shifted, try sizes([Size(-1)] + rest, name: "\(step.name)/shape")], name: step.name)
    }
}
