import Tensors

/// Element-wise operations; ONNX broadcasts as Trellis does.
extension Translator {
    /// - Returns: nil for an operation of another kind.
    func elementwise(_ step: Step) throws -> String? {
        switch step.operations[0] {
        case .unary(let function):
            return try self.function(function.onnx, name(step.inputs[0]), of: step.dtype, name: step.name)
        case .binary(let function):
            return try self.function(function.onnx, name(step.inputs[0]), name(step.inputs[1]), of: step.dtype, name: step.name)
        case .scalar(let function, _, let scalarFirst):
            if let mean = try meanNode(step) { return mean }
            let (x, number) = (try name(step.inputs[0]), try scalarOperand(step))
            return self.function(function.onnx, scalarFirst ? number : x, scalarFirst ? x : number, of: step.dtype, name: step.name)
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

    /// - Parameter y: the second operand, "" for a function of one.
    private func function(_ function: ONNXFunction, _ x: String, _ y: String = "", of dtype: DType, name: String) -> String {
        let operands = y.isEmpty ? [x] : [x, y]
        switch function {
        case .node(let type):
            return builder.add(type, operands, name: name)
        case .rounding(let type):
            return dtype == .int32 ? x : builder.add(type, operands, name: name)
        case .comparison(let type, let negated):
            let holds = builder.add(type, operands, name: "\(name)/holds")
            return builder.add("Cast", [negated ? builder.add("Not", [holds], name: "\(name)/not") : holds], name: name, [.to(dtype.onnx)])
        case .formula(let formula):
            return write(formula, x, y, dtype, name: name)
        }
    }

    private func write(_ formula: Formula, _ x: String, _ y: String, _ dtype: DType, name: String) -> String {
        func part(_ formula: Formula) -> String {
            switch formula {
            case .x: x
            case .y: y
            case .number(let number): builder.number(Float(number), dtype)
            case .unary(let f, _): write(formula, x, y, dtype, name: "\(name)/\(f.name)")
            case .binary(let f, _, _): write(formula, x, y, dtype, name: "\(name)/\(f.name)")
            case .select: write(formula, x, y, dtype, name: "\(name)/where")
            }
        }
        switch formula {
        case .x, .y, .number: return part(formula)
        case .unary(let f, let a): return function(f.onnx, part(a), of: dtype, name: name)
        case .binary(let f, let a, let b): return function(f.onnx, part(a), part(b), of: dtype, name: name)
        case .select(let condition, let a, let b):
            let holds = builder.add("Cast", [part(condition)], name: "\(name)/condition", [.to(.bool)])
            return builder.add("Where", [holds, part(a), part(b)], name: name)
        }
    }

    /// The number of a `scalar` operation, which may be a size of the images: a mean over it divides by one.
    private func scalarOperand(_ step: Step) throws -> String {
        let values = step.scalars
        guard let first = values.first, values.contains(where: { $0 != first }) else { return builder.number(values.first ?? 0, step.dtype) }
        let whole = values.compactMap { Int(exactly: $0) }
        guard whole.count == values.count else {
            throw TensorError(step.operations[0].name, "the number \(first) depends on the number or size of the images in a way that cannot be written")
        }
        return try scalar(Size(whole), step.dtype)
    }

    /// A sum divided by how many were summed is a mean; nil when the step is none.
    private func meanNode(_ step: Step) throws -> String? {
        guard case .scalar(.div, _, scalarFirst: false) = step.operations[0], let (operations, inputs) = source(step.inputs[0]),
            case .sum(let axes, let keep) = operations[0], operations.allSatisfy({ $0 == operations[0] }), step.dtype == .float32
        else { return nil }
        let shape = shape(inputs[0])
        let counts = (0..<graph.probes).map { probe in axes.reduce(1) { $0 * shape[$1][probe] } }
        guard zip(counts, step.scalars).allSatisfy({ Float($0) == $1 }) else { return nil }
        let x = try name(inputs[0])
        let name = step.scope.isEmpty ? "mean" : "\(step.scope)/mean"
        if shape.count == 4, axes == [2, 3], keep { return builder.add("GlobalAveragePool", [x], name: name) }
        return builder.add("ReduceMean", [x], name: name, [.ints("axes", axes), .int("keepdims", keep ? 1 : 0)])
    }
}

extension Translator.Step {
    /// The number of a `scalar` operation in each recording.
    fileprivate var scalars: [Float] {
        operations.compactMap { if case .scalar(_, let value, _) = $0 { Float(value) } else { nil } }
    }
}

extension Onnx_AttributeProto {
    static func to(_ type: Onnx_TensorProto.DataType) -> Self { .int("to", type.rawValue) }
}
