import Tensors

/// Operations as Python expressions.
extension FunctionWriter {
    private func operations(_ value: Int) -> [Operation] {
        guard case .operation(let operations, _, _) = graph.values[value].source else { return [] }
        return operations
    }

    /// - Returns: nil for an operation without a counterpart.
    mutating func expression(_ value: Int, _ inputs: [Int]) throws -> Code? {
        let all = operations(value)
        guard let operation = all.first else { return nil }
        if let code = elementwise(operation, all, value, inputs) { return code }
        if let code = try reshaping(operation, all, value, inputs) { return code }
        if let call = operation.pyTorchCall { return all.allSatisfy { $0.pyTorchCall == call } ? written(call, inputs) : nil }
        return layer(operation, all, inputs)
    }

    /// A call that the graph holds as it is to be written.
    private mutating func written(_ call: PyTorchCall, _ inputs: [Int]) -> Code {
        return .call(call.function, call.arguments.map { argument -> Code in
            switch argument {
            case .input(let place): read(inputs[place])
            case .positions(let place): .method(read(inputs[place]), "long")
            case .text(let text): .text(text)
            }
        })
    }

    /// Of a value that is to be written more than once.
    private mutating func readNamed(_ value: Int) -> Code {
        settle(value)
        return read(value)
    }

    // MARK: Element-wise

    private mutating func elementwise(_ operation: Operation, _ all: [Operation], _ value: Int, _ inputs: [Int]) -> Code? {
        switch operation {
        case .unary(let function): return unary(function, inputs[0], graph.values[value].dtype)
        case .binary(let function):
            let (a, b) = (read(inputs[0]), read(inputs[1]))
            return binary(function, a, b, graph.values[value].dtype)
        case .scalar(let function, _, let scalarFirst):
            return scalar(function, all, scalarFirst, inputs[0], graph.values[value].dtype)
        case .remainder: return .call("torch.remainder", [read(inputs[0]), read(inputs[1])])
        case .floorDivide: return .call("torch.div", [read(inputs[0]), read(inputs[1]), .text("rounding_mode=\"floor\"")])
        case .select:
            let condition = read(inputs[0])
            return .call("torch.where", [.infix(condition, "!=", .text("0"), .comparison), read(inputs[1]), read(inputs[2])])
        case .cast(let dtype): return .method(read(inputs[0]), dtype == .float32 ? "float" : "int")
        default: return nil
        }
    }

    /// Functions that PyTorch has by a name of its own; others are written by their formula.
    static let functions: [UnaryFunction: String] = [
        .abs: "torch.abs", .sign: "torch.sign", .exp: "torch.exp", .log: "torch.log", .sqrt: "torch.sqrt", .rsqrt: "torch.rsqrt", .reciprocal: "torch.reciprocal",
        .square: "torch.square", .relu: "F.relu", .sigmoid: "torch.sigmoid", .tanh: "torch.tanh", .sin: "torch.sin", .cos: "torch.cos", .floor: "torch.floor",
        .ceil: "torch.ceil", .round: "torch.round", .erf: "torch.erf", .gelu: "F.gelu", .silu: "F.silu", .hardSigmoid: "F.hardsigmoid", .hardSwish: "F.hardswish",
    ]

    /// - Returns: nil for one that has neither a name nor a formula there.
    private mutating func unary(_ function: UnaryFunction, _ input: Int, _ dtype: DType) -> Code? {
        if function == .neg { return Code([.text("-")] + read(input).bound(.atom).pieces, .product) }
        if let name = FunctionWriter.functions[function] { return .call(name, [read(input)]) }
        guard case .formula(let formula) = function.onnx else { return nil }
        return code(formula, readNamed(input), dtype)
    }

    /// - Parameter x: short, for it may stand several times.
    private func code(_ formula: Formula, _ x: Code, _ dtype: DType) -> Code? {
        switch formula {
        case .x: return x
        case .y: return nil
        case .number(let number): return .text(dtype == .int32 ? "\(Int(number))" : Python.number(number), number < 0 ? .product : .atom)
        case .unary(let f, let a):
            guard let a = code(a, x, dtype) else { return nil }
            if f == .neg { return Code([.text("-")] + a.bound(.atom).pieces, .product) }
            if let name = FunctionWriter.functions[f] { return .call(name, [a]) }
            guard case .formula(let inner) = f.onnx else { return nil }
            return code(inner, a.bound(.atom), dtype)
        case .binary(let f, let a, let b):
            guard let a = code(a, x, dtype), let b = code(b, x, dtype) else { return nil }
            return binary(f, a, b, dtype)
        case .select(let condition, let a, let b):
            guard let condition = code(condition, x, dtype), let a = code(a, x, dtype), let b = code(b, x, dtype) else { return nil }
            return .call("torch.where", [.infix(condition, "!=", .text("0"), .comparison), a, b])
        }
    }

    private func binary(_ function: BinaryFunction, _ a: Code, _ b: Code, _ dtype: DType) -> Code {
        let signs: [BinaryFunction: (String, Code.Binding)] = [
            .add: ("+", .sum), .sub: ("-", .sum), .mul: ("*", .product), .div: ("/", .product), .eq: ("==", .comparison), .ne: ("!=", .comparison),
            .lt: ("<", .comparison), .le: ("<=", .comparison), .gt: (">", .comparison), .ge: (">=", .comparison),
        ]
        if let (sign, binding) = signs[function] {
            let code = Code.infix(a, sign, b, binding)
            return function.isComparison ? .method(code, dtype == .float32 ? "float" : "int") : code
        }
        switch function {
        case .max: return .call("torch.maximum", [a, b])
        case .min: return .call("torch.minimum", [a, b])
        case .gate: return .call("torch.where", [.infix(a, ">", .text("0"), .comparison), b, .text("0")])
        default: return .call("torch.pow", [a, b])
        }
    }

    private mutating func scalar(_ function: BinaryFunction, _ all: [Operation], _ scalarFirst: Bool, _ input: Int, _ dtype: DType) -> Code? {
        if isMean(input) { return read(input) }
        let numbers = all.compactMap { if case .scalar(_, let number, _) = $0 { number } else { nil } }
        var number = Code.text(dtype == .float32 ? Python.number(Double(Float(numbers[0]))) : "\(Int(numbers[0]))", numbers[0] < 0 ? .product : .atom)
        if numbers.contains(where: { $0 != numbers[0] }) {
            guard let size = dimension(numbers.map { Int($0) }), numbers.allSatisfy({ $0 == $0.rounded() }) else { return nil }
            number = size
        }
        let x = read(input)
        if function == .max || function == .min {
            return .method(x, "clamp", [Code([.text(function == .max ? "min=" : "max=")] + number.pieces)])
        }
        return scalarFirst ? binary(function, number, x, dtype) : binary(function, x, number, dtype)
    }

    /// Whether a sum is only there to be divided by the number of its terms.
    private func isMean(_ sum: Int) -> Bool {
        guard case .sum(let axes, _)? = operations(sum).first, let x = analysis.inputs(of: sum).first, analysis.readers[sum].count == 1,
            let reader = analysis.readers[sum].first, analysis.owners[reader] === analysis.owners[sum]
        else { return false }
        let counts = graph.values[x].shapes.map { shape in axes.reduce(1) { $0 * shape[$1] } }
        return zip(counts, operations(reader)).allSatisfy { count, operation in operation == .scalar(.div, Double(count), scalarFirst: false) }
    }

    // MARK: Shapes and reductions

    private mutating func reshaping(_ operation: Operation, _ all: [Operation], _ value: Int, _ inputs: [Int]) throws -> Code? {
        let shapes = graph.values[value].shapes
        switch operation {
        case .alias, .copy: return read(inputs[0])
        case .detach: return .method(read(inputs[0]), "detach")
        case .broadcast: return isImplied(value) ? read(inputs[0]) : try expand(shapes, inputs[0])
        case .reshape: return .method(read(inputs[0]), "reshape", shapes[0].isEmpty ? [.text("()")] : try dimensions(shapes))
        case .permute(let order): return .method(read(inputs[0]), "permute", order.map { .text("\($0)") })
        case .slice: return try slice(all, value, inputs[0])
        case .pad: return pad(all, value, inputs[0])
        case .concat(let axis): return .call("torch.cat", [Code([.text("[")] + Code.joined(inputs.map { read($0) }, ", ") + [.text("]")]), .text("\(axis)")])
        case .gather(let axis):
            let (x, index) = (read(inputs[0]), read(inputs[1]))
            return .method(x, "gather", [.text("\(axis)"), .method(index, "long")])
        case .sum(let axes, let keep):
            let isWhole = graph.values[value].dtype == .int32
            return .method(
                read(inputs[0]), isMean(value) ? "mean" : "sum",
                axes.isEmpty ? [] : [.text(tuple(axes))] + (keep ? [.text("keepdim=True")] : []) + (isWhole ? [.text("dtype=torch.int32")] : []))
        case .integerMoment(let correction):
            let x = Code.method(read(inputs[0]), "double")
            let moment = correction.map { Code.method(x, "var", [.text("1"), .text("correction=\($0)")]) } ?? .method(x, "mean", [.text("1")])
            return .method(moment, "float")
        case .extreme(let largest): return .method(read(inputs[0]), largest ? "max" : "min")
        case .argmax(let axis, let largest):
            let keeps = graph.values[value].rank == graph.values[inputs[0]].rank
            return .method(.method(read(inputs[0]), largest ? "argmax" : "argmin", [.text("\(axis)")] + (keeps ? [.text("keepdim=True")] : [])), "int")
        case .argsort(let axis, let descending):
            return .method(.call("torch.argsort", [read(inputs[0]), .text("dim=\(axis)"), .text("descending=\(descending ? "True" : "False")"), .text("stable=True")]), "int")
        case .matmul(let transposeA, let transposeB):
            func operand(_ code: Code, _ turns: Bool) -> Code { turns ? .method(code, "transpose", [.text("-2"), .text("-1")]) : code }
            let (a, b) = (read(inputs[0]), read(inputs[1]))
            return .infix(operand(a, transposeA), "@", operand(b, transposeB), .product)
        default: return nil
        }
    }

    /// -1 stands for what stays as it is.
    private mutating func expand(_ shapes: [[Int]], _ input: Int) throws -> Code {
        let before = graph.values[input].shapes, missing = shapes[0].count - before[0].count
        let sizes = try shapes[0].indices.map { d -> Code in
            let size = shapes.map { $0[d] }
            if d >= missing, size == before.map({ $0[d - missing] }) { return .text("-1") }
            guard let code = dimension(size) else { throw TensorError("expand", "its sizes depend on those of the images in a way that code cannot say") }
            return code
        }
        return .method(read(input), "expand", sizes)
    }

    private mutating func pad(_ all: [Operation], _ value: Int, _ input: Int) -> Code? {
        let parts = all.compactMap { operation -> (widths: [Int], value: Float)? in
            guard case .pad(let before, let after, let value) = operation else { return nil }
            return (zip(before, after).reversed().flatMap { [$0, $1] }, value)
        }
        guard let first = parts.first, parts.allSatisfy({ $0.value == first.value }) else { return nil }
        let widths = first.widths.indices.map { i in dimension(parts.map { $0.widths[i] }) }
        guard widths.allSatisfy({ $0 != nil }) else { return nil }
        let number = graph.values[value].dtype == .int32 ? "\(Int(first.value))" : Python.number(Double(first.value))
        return .call("F.pad", [read(input), Code([.text("(")] + Code.joined(widths.compactMap { $0 }, ", ") + [.text(")")]), .text("value=\(number)")])
    }

    private func tuple(_ numbers: [Int]) -> String { numbers.count == 1 ? "\(numbers[0])" : "(" + numbers.map(String.init).joined(separator: ", ") + ")" }

    /// The sizes of a shape, one argument each; -1 stands for one that nothing at hand has.
    private mutating func dimensions(_ shapes: [[Int]]) throws -> [Code] {
        let found = shapes[0].indices.map { d in dimension(shapes.map { $0[d] }) }
        guard found.filter({ $0 == nil }).count <= 1 else {
            throw TensorError("reshape", "its sizes depend on those of the images in a way that code cannot say")
        }
        return found.map { $0 ?? .text("-1") }
    }

    /// Whether all that reads an expanded value broadcasts by itself.
    private func isImplied(_ value: Int) -> Bool {
        let readers = analysis.readers[value]
        return value != graph.output && !readers.isEmpty && readers.allSatisfy { reader in
            guard case .binary? = operations(reader).first, analysis.owners[reader] === analysis.owners[value] else { return false }
            return analysis.inputs(of: reader).contains { other in
                guard other != value, graph.values[other].shapes == graph.values[reader].shapes else { return false }
                if case .broadcast? = operations(other).first { return false }
                return true
            }
        }
    }

    private mutating func slice(_ all: [Operation], _ value: Int, _ input: Int) throws -> Code? {
        let parts = all.compactMap { if case .slice(let starts, let sizes, let steps) = $0 { (starts: starts, sizes: sizes, steps: steps) } else { nil } }
        guard let first = parts.first, parts.allSatisfy({ $0.steps == first.steps }), first.steps.allSatisfy({ $0 > 0 }) else { return nil }
        let before = graph.values[input].shapes
        let x = read(input)
        var pieces = x.bound(.atom).pieces + [.text("[")]
        for d in first.starts.indices {
            let (starts, ends) = (parts.map { $0.starts[d] }, parts.map { $0.starts[d] + ($0.sizes[d] - 1) * $0.steps[d] + 1 })
            if d > 0 { pieces.append(.text(", ")) }
            let isWhole = starts.allSatisfy { $0 == 0 } && zip(ends, before).allSatisfy { $0 == $1[d] }
            if !isWhole {
                guard let start = dimension(starts), let end = dimension(ends) else {
                    throw TensorError("slice", "where it begins and ends depends on the images' size in a way that code cannot say")
                }
                if starts.contains(where: { $0 != 0 }) { pieces += start.pieces }
                pieces.append(.text(":"))
                if zip(ends, before).contains(where: { $0 != $1[d] }) { pieces += end.pieces }
            } else {
                pieces.append(.text(":"))
            }
            if first.steps[d] != 1 { pieces.append(.text(":\(first.steps[d])")) }
        }
        return Code(pieces + [.text("]")])
    }

    // MARK: Layers

    private mutating func layer(_ operation: Operation, _ all: [Operation], _ inputs: [Int]) -> Code? {
        switch operation {
        case .conv2d(let o) where o.repeats == 1:
            var arguments = inputs.map { read($0) }
            func option(_ name: String, _ height: Int, _ width: Int, _ usual: Int) {
                if (height, width) != (usual, usual) { arguments.append(.text("\(name)=\(Part.pair(height, width))")) }
            }
            option("stride", o.strideHeight, o.strideWidth, 1)
            option("padding", o.padHeight, o.padWidth, 0)
            option("dilation", o.dilationHeight, o.dilationWidth, 1)
            if o.groups != 1 { arguments.append(.text("groups=\(o.groups)")) }
            return .call("F.conv2d", arguments)
        case .maxPool(let o): return .call("F.max_pool2d", [read(inputs[0])] + pooling(o))
        case .averagePool(let o, let countPadding):
            return .call("F.avg_pool2d", [read(inputs[0])] + pooling(o) + (countPadding ? [] : [.text("count_include_pad=False")]))
        case .resize(let mode, _, _):
            let sizes = all.compactMap { if case .resize(_, let height, let width) = $0 { [height, width] } else { nil } }
            // First what the size is taken from, which may be the input itself and then needs a name.
            let target = size(sizes)
            let x = read(inputs[0])
            let rule = switch mode {
            case .bilinearAlignCorners: "mode=\"bilinear\", align_corners=True"
            case .bilinearHalfPixel: "mode=\"bilinear\", align_corners=False"
            case .nearest: "mode=\"nearest\""
            }
            return .call("F.interpolate", [x, target, .text(rule)])
        case .crossEntropy(let ignore, let weights):
            let (logits, labels) = (read(inputs[0]), Code.method(read(inputs[1]), "long"))
            return .call("F.cross_entropy", [logits, labels] + (weights ? [Code([.text("weight=")] + read(inputs[2]).pieces)] : []) + [.text("ignore_index=\(ignore)")])
        case .softmax(let axis, let logarithm): return .call(logarithm ? "F.log_softmax" : "F.softmax", [read(inputs[0]), .text("dim=\(axis)")])
        default: return nil
        }
    }

    private func pooling(_ o: PoolOptions) -> [Code] {
        var arguments: [Code] = [.text(Part.pair(o.kernelHeight, o.kernelWidth)), .text("stride=\(Part.pair(o.strideHeight, o.strideWidth))")]
        if o.padHeight + o.padWidth > 0 { arguments.append(.text("padding=\(Part.pair(o.padHeight, o.padWidth))")) }
        return arguments
    }
}

extension Part {
    /// One number where both are the same.
    static func pair(_ height: Int, _ width: Int) -> String { height == width ? "\(height)" : "(\(height), \(width))" }
}
