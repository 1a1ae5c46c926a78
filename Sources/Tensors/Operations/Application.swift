import Base

/// How operations are applied: checked by their rule, then run at once, or recorded when a plan is being made.
extension Operation {
    func callAsFunction(_ inputs: Tensor...) throws -> Tensor { try apply(inputs) }

    func apply(_ inputs: [Tensor]) throws -> Tensor {
        let rule = rule
        let (shape, dtype) = try rule.result(of: inputs)
        try Shapes.check(shape, self)
        if let recording = Recording.current {
            if recording.isForReaders, case .other = self, rule.onnx == nil, let simpler = try rule.decomposition(inputs) { return simpler }
            return try recording.record(self, inputs, shape, dtype)
        }
        try checkInterrupt()
        if let promise = inputs.first(where: \.isSymbolic) { _ = try promise.storage(for: name) }
        if let stale = Surroundings.now.stale { try stale.check(inputs) }
        let output = try rule.view(of: inputs, shape) ?? timed(rule, inputs, shape, dtype)
        if let check = NumberCheck.current { try check.look(at: output, of: self, inputs) }
        if GradientMode.isEnabled, dtype == .float32, inputs.contains(where: \.requiresGrad), rule.traits.hasDerivative {
            try rule.refuseWithoutDerivative(inputs)
            Node(self, inputs, scope: PlanProfile.current == nil ? "" : ModulePath.text).computed(output)
        }
        return output
    }

    private func timed(_ rule: any OperationRule, _ inputs: [Tensor], _ shape: [Int], _ dtype: DType) throws -> Tensor {
        guard let profile = PlanProfile.current else { return try compute(rule, inputs, shape, dtype) }
        return try profile.time(rule.name, in: ModulePath.text, multiplyAdds: rule.multiplyAdds(inputs.map(\.shape), shape)) {
            try compute(rule, inputs, shape, dtype)
        }
    }

    private func compute(_ rule: any OperationRule, _ inputs: [Tensor], _ shape: [Int], _ dtype: DType) throws -> Tensor {
        let output = try Tensor(shape: shape, dtype: dtype, for: rule.name)
        if try runDirectly(inputs, output) { return output }
        let inputs = try inputs.enumerated().map { try rule.accepts($1.layout, at: $0) ? $1 : $1.detach().contiguous() }
        let launch = try rule.kernel(inputs.map { Operand($0.layout, $0.dtype) }, Operand(output.layout, dtype), .plain)
        var pointers = try inputs.map { try $0.pointer(for: rule.name) }
        pointers.append(try output.pointer())
        // Contiguous copies have no other owner: without this they may be freed, and their memory reused, before the kernel runs.
        try withExtendedLifetime(inputs) {
            try pointers.withUnsafeMutableBufferPointer { buffer in
                if let base = buffer.baseAddress { try launch(base) }
            }
        }
        try Memory.checkMissing(rule.name)
        return output
    }
}

extension OperationRule {
    func result(of inputs: [Tensor]) throws -> (shape: [Int], dtype: DType) {
        try operands.check(inputs, name)
        return (try shape(inputs), dtype(inputs))
    }

    /// - Throws: where a gradient is wanted for an input that the operation has no derivative for.
    func refuseWithoutDerivative(_ inputs: [Tensor]) throws {
        guard let refused = withoutDerivative, inputs[refused.place].requiresGrad else { return }
        throw TensorError(name, "has no derivative with respect to its \(refused.name), which require a gradient; detach() them")
    }

    /// Operations that only look at the same memory in another way.
    fileprivate func view(of inputs: [Tensor], _ shape: [Int]) throws -> Tensor? {
        guard var x = inputs.first else { return nil }
        if self is ReshapeRule, x.layout.reshaped(to: shape) == nil { x = try x.detach().contiguous() }
        guard let (layout, shift) = viewLayout(x.layout, shape) else { return nil }
        return try x.view(layout, offset: x.offset + shift)
    }
}

// What others ask of an operation; each is its rule's answer.
extension Operation {
    /// Name as the user writes it, for messages and profiles.
    public var name: String { rule.name }
    var traits: OperationTraits { rule.traits }

    /// Multiply-adds of convolutions, their derivatives and matrix products, by the shapes of the inputs and of the result; 0 for all others.
    public func multiplyAdds(_ x: [[Int]], _ y: [Int]) -> Int { rule.multiplyAdds(x, y) }

    /// Whether its result is a value of a network: no view of one, nothing that only brings one from place to place, no statistics beside.
    public var makesValue: Bool { traits.makesValue }

    /// The node of ONNX that means the same, for operations that translators need not know.
    public var onnx: ONNXNode? { rule.onnx }

    func accepts(_ layout: TensorLayout, at index: Int) -> Bool { rule.accepts(layout, at: index) }

    func viewLayout(_ x: TensorLayout, _ shape: [Int]) -> (TensorLayout, Int)? { rule.viewLayout(x, shape) }

    func derivative(_ x: [Tensor], _ y: Tensor, _ g: Tensor) throws -> [Tensor?] { try rule.derivative(x, y, g) }

    func kernel(_ x: [Operand], _ y: Operand, _ form: KernelForm = .plain) throws -> Launch {
        let rule = rule
        // A kernel that left out what it was asked for would compute something else in silence.
        precondition(rule.traits.fusions.isSuperset(of: form.parts), "\(rule.name) has no kernel of the form that the planner asks for")
        return try rule.kernel(x, y, form)
    }

    /// Copies the slice that this view operation selects into fresh memory.
    func copyOut(_ x: Tensor) throws -> Tensor {
        let output = try Tensor(shape: x.shape, dtype: x.dtype, for: name)
        var pointers = [try x.pointer(), try output.pointer()]
        let launch = Loops.copy(x.layout, output.layout)
        try pointers.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { try launch(base) } }
        if GradientMode.isEnabled, x.requiresGrad { Node(self, [x]).computed(output) }
        return output
    }
}
