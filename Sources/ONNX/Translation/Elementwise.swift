import Tensors

/// Element-wise operations; ONNX broadcasts as Trellis does.
extension Translator {
    /// - Returns: nil for an operation of another kind.
    func elementwise(_ step: Step) throws -> String? {
        switch step.operations[0] {
        case .unary(let function):
            return try unary(function, name(step.inputs[0]), step)
        case .binary(let function):
            return try binary(function, name(step.inputs[0]), name(step.inputs[1]), step)
        case .scalar(let function, _, let scalarFirst):
            if let mean = try meanNode(step) { return mean }
            let (x, number) = (try name(step.inputs[0]), try scalarOperand(step))
            return try binary(function, scalarFirst ? number : x, scalarFirst ? x : number, step)
        case .select:
            let condition = builder.add("Cast", [try name(step.inputs[0])], name: "\(step.name)/condition", [.to(.bool)])
            return builder.add("Where", [condition, try name(step.inputs[1]), try name(step.inputs[2])], name: step.name)
        case .remainder:
            return try remainder(step, name: step.name)
        case .floorDivide:
            let (a, b) = (try name(step.inputs[0]), try name(step.inputs[1]))
            let whole = builder.add("Sub", [a, try remainder(step, name: "\(step.name)/remainder")], name: "\(step.name)/multiple")
            let quotient = builder.add("Div", [whole, b], name: "\(step.name)/quotient")
            return step.dtype == .int32 ? quotient : builder.add("Round", [quotient], name: step.name)
        case .cast(let dtype):
            return try node("Cast", step, [.to(dtype.onnx)])
        default:
            return nil
        }
    }

    /// With the sign of the divisor: ONNX has that for integers only.
    private func remainder(_ step: Step, name: String) throws -> String {
        let (a, b) = (try self.name(step.inputs[0]), try self.name(step.inputs[1]))
        if step.dtype == .int32 { return builder.add("Mod", [a, b], name: name) }
        let zero = builder.number(0, .float32)
        let rest = builder.add("Mod", [a, b], name: "\(name)/fmod", [.int("fmod", 1)])
        let signs = [rest, b].map { builder.add("Less", [$0, zero], name: "\(name)/negative") }
        let differs = builder.add("Xor", signs, name: "\(name)/differs")
        let isNone = builder.add("Equal", [rest, zero], name: "\(name)/none")
        let turns = builder.add("And", [differs, builder.add("Not", [isNone], name: "\(name)/some")], name: "\(name)/turns")
        return builder.add("Where", [turns, builder.add("Add", [rest, b], name: "\(name)/turned"), rest], name: name)
    }

    private func unary(_ function: UnaryFunction, _ x: String, _ step: Step) throws -> String {
        let isInteger = step.dtype == .int32
        switch function {
        case .neg: return try node("Neg", step)
        case .abs: return try node("Abs", step)
        case .sign: return try node("Sign", step)
        case .exp: return try node("Exp", step)
        case .log: return try node("Log", step)
        case .sqrt: return try node("Sqrt", step)
        case .reciprocal: return try node("Reciprocal", step)
        case .relu: return try node("Relu", step)
        case .sigmoid: return try node("Sigmoid", step)
        case .tanh: return try node("Tanh", step)
        case .sin: return try node("Sin", step)
        case .cos: return try node("Cos", step)
        // Integers stay what they are.
        case .floor: return isInteger ? x : try node("Floor", step)
        case .ceil: return isInteger ? x : try node("Ceil", step)
        case .round: return isInteger ? x : try node("Round", step)
        case .square: return builder.add("Mul", [x, x], name: step.name)
        case .rsqrt: return builder.add("Reciprocal", [builder.add("Sqrt", [x], name: "\(step.name)/sqrt")], name: step.name)
        case .step: return compare("Greater", x, builder.number(0, step.dtype), step)
        }
    }

    private func binary(_ function: BinaryFunction, _ a: String, _ b: String, _ step: Step) throws -> String {
        func plain(_ type: String) -> String { builder.add(type, [a, b], name: step.name) }
        switch function {
        case .add: return plain("Add")
        case .sub: return plain("Sub")
        case .mul: return plain("Mul")
        case .div: return plain("Div")
        case .pow: return plain("Pow")
        case .max: return plain("Max")
        case .min: return plain("Min")
        case .eq: return compare("Equal", a, b, step)
        case .lt: return compare("Less", a, b, step)
        case .le: return compare("LessOrEqual", a, b, step)
        case .gt: return compare("Greater", a, b, step)
        case .ge: return compare("GreaterOrEqual", a, b, step)
        case .ne:
            let equal = builder.add("Equal", [a, b], name: "\(step.name)/equal")
            return builder.add("Cast", [builder.add("Not", [equal], name: "\(step.name)/not")], name: step.name, [.to(step.dtype.onnx)])
        case .gate:
            let positive = builder.add("Greater", [a, builder.number(0, step.dtype)], name: "\(step.name)/positive")
            return builder.add("Where", [positive, b, builder.number(0, step.dtype)], name: step.name)
        }
    }

    /// ONNX compares to truth values, Trellis to 1 and 0.
    private func compare(_ type: String, _ a: String, _ b: String, _ step: Step) -> String {
        builder.add("Cast", [builder.add(type, [a, b], name: "\(step.name)/holds")], name: step.name, [.to(step.dtype.onnx)])
    }

    /// The number of a `scalar` operation, which may be a size of the batch: a mean over it divides by one.
    private func scalarOperand(_ step: Step) throws -> String {
        let values = step.scalars
        guard let first = values.first, values.contains(where: { $0 != first }) else { return builder.number(values.first ?? 0, step.dtype) }
        guard let size = Size(values.compactMap { Int(exactly: $0) }, batches: BatchedGraph.batches) else {
            throw TensorError(step.operations[0].name, "the number \(first) depends on the number of images in a way that cannot be written")
        }
        return scalar(size, step.dtype)
    }

    /// A sum divided by how many were summed is a mean; nil when the step is none.
    private func meanNode(_ step: Step) throws -> String? {
        guard case .scalar(.div, _, scalarFirst: false) = step.operations[0], let (operations, inputs) = source(step.inputs[0]),
            case .sum(let axes, let keep) = operations[0], operations.allSatisfy({ $0 == operations[0] }), step.dtype == .float32
        else { return nil }
        let shape = shape(inputs[0])
        let counts = BatchedGraph.batches.map { batch in axes.reduce(1) { $0 * shape[$1].value(batch: batch) } }
        guard zip(counts, step.scalars).allSatisfy({ Float($0) == $1 }) else { return nil }
        let x = try name(inputs[0])
        let name = step.scope.isEmpty ? "mean" : "\(step.scope)/mean"
        if shape.count == 4, axes == [2, 3], keep { return builder.add("GlobalAveragePool", [x], name: name) }
        return builder.add("ReduceMean", [x], name: name, [.ints("axes", axes), .int("keepdims", keep ? 1 : 0)])
    }
}

extension Translator.Step {
    /// The number of a `scalar` operation for each batch.
    fileprivate var scalars: [Float] {
        operations.compactMap { if case .scalar(_, let value, _) = $0 { Float(value) } else { nil } }
    }
}

extension Onnx_AttributeProto {
    static func to(_ type: Onnx_TensorProto.DataType) -> Self { .int("to", type.rawValue) }
}
