/// Gradients of leaves in a graph in the making: what `backward` brings, what is forgotten, what is read.
final class RecordedGradients {
    private unowned let recording: Recording
    private var values: [ObjectIdentifier: (leaf: Tensor, value: Tensor)] = [:]
    private var order: [ObjectIdentifier] = []
    /// Leaves whose gradient of before the run is forgotten, or taken in.
    private var forgotten: [ObjectIdentifier: Tensor] = [:]
    /// Gradients of before a run that were read: inputs of the graph besides its arguments.
    private(set) var inputs: [(leaf: Tensor, promise: Tensor)] = []

    init(_ recording: Recording) { self.recording = recording }

    /// Adds to a leaf's gradient.
    func accumulate(_ gradient: Tensor, into leaf: Tensor) throws {
        guard !recording.hasEffects else {
            throw Recording.refused("backward", "a compiled function can take no derivatives after an optimiser's step: the step comes last")
        }
        if !leaf.isSymbolic { recording.dependences.note(leaf) }
        let id = ObjectIdentifier(leaf)
        guard let sum = values[id] else { return set(gradient, of: leaf) }
        // In the order in which they are added at once.
        if !isCleared(leaf) { try takeIn(before(leaf), leaf) }
        let before = try recording.value(of: (values[id] ?? sum).value)
        values[id] = (leaf, try recording.differentiating { try before + gradient })
    }

    /// From here on the sum with the gradient of before the run is the graph's.
    private func takeIn(_ before: Tensor?, _ leaf: Tensor) throws {
        guard let before = try before.map(recording.value), let value = try (values[ObjectIdentifier(leaf)]?.value).map(recording.value) else { return }
        forgotten[ObjectIdentifier(leaf)] = leaf
        values[ObjectIdentifier(leaf)] = (leaf, try recording.differentiating { try before + value })
    }

    private func set(_ gradient: Tensor, of leaf: Tensor) {
        let id = ObjectIdentifier(leaf)
        if values[id] == nil { order.append(id) }
        values[id] = (leaf, gradient)
    }

    /// Forgets the gradient of a leaf, also that of before the run.
    func forget(_ leaf: Tensor) {
        // After an optimiser's step it has served its purpose, but the step, which is made at the end of a run, still needs it.
        guard !recording.hasEffects else { return recording.after { leaf.grad = nil } }
        let id = ObjectIdentifier(leaf)
        forgotten[id] = leaf
        if values.removeValue(forKey: id) != nil { order.removeAll { $0 == id } }
    }

    /// Puts a tensor in place of the gradient.
    func replace(_ leaf: Tensor, by gradient: Tensor) throws {
        guard !recording.hasEffects else {
            throw Recording.refused("grad", "a compiled function can set no gradient after an optimiser's step: the step comes last")
        }
        forget(leaf)
        set(try recording.clone(gradient), of: leaf)
    }

    /// A leaf's gradient as it stands now: what the graph has, with that of before the run unless that was forgotten.
    func gradient(of leaf: Tensor) throws -> Tensor? {
        let id = ObjectIdentifier(leaf)
        if !isCleared(leaf), let before = before(leaf) {
            if values[id] == nil { return before }
            try takeIn(before, leaf)
        }
        guard let value = values[id]?.value else { return nil }
        // Two leaves may have the same value; a gradient that can be written in place is one's own.
        let own = try recording.alias(of: recording.value(of: value))
        values[id] = (leaf, own)
        return own
    }

    /// The gradient that a leaf has before a run, a further input; nil if it has none.
    private func before(_ leaf: Tensor) -> Tensor? {
        if let known = inputs.first(where: { $0.leaf === leaf }) { return known.promise }
        let isThere = leaf.grad != nil
        recording.depends(atEachCall: true) { [unowned leaf] in (leaf.grad != nil) == isThere ? nil : "a tensor has a gradient, or has none any more" }
        recording.dependences.note(leaf)
        guard isThere else { return nil }
        let promise = recording.input(leaf.shape, .float32)
        inputs.append((leaf, promise))
        return promise
    }

    var isEmpty: Bool { values.isEmpty && forgotten.isEmpty && inputs.isEmpty }

    /// Leaves whose gradient is forgotten, whether or not a new one comes.
    var cleared: [Tensor] { forgotten.values + order.compactMap { values[$0]?.leaf }.filter { forgotten[ObjectIdentifier($0)] == nil && isCleared($0) } }

    /// Whether a run begins without a gradient of a leaf, as it does of one that is made anew each time.
    private func isCleared(_ leaf: Tensor) -> Bool { forgotten[ObjectIdentifier(leaf)] != nil || recording.isMadeInside(leaf) }

    /// Gradients that the graph computes, in the order in which they came.
    func final() throws -> [(leaf: Tensor, value: Tensor)] {
        try order.compactMap { values[$0] }.map { leaf, value in (leaf, try recording.memory.independent(recording.value(of: value))) }
    }
}

extension Tensor {
    /// The gradient, also inside a function that is being compiled.
    public func currentGradient() throws -> Tensor? { try Recording.current.map { try $0.gradients.gradient(of: self) } ?? grad }

    /// Forgets the gradient, also inside a function that is being compiled.
    public func clearGradient() {
        if let recording = Recording.current { recording.gradients.forget(self) } else { grad = nil }
    }

    /// Sets the gradient, also inside a function that is being compiled.
    public func setGradient(_ gradient: Tensor) throws {
        if let recording = Recording.current { try recording.gradients.replace(self, by: gradient) } else { grad = gradient }
    }
}
