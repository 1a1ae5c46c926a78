import Base

/// The gradients that a plan leaves at leaves: tensors over memory of the plan's own, or of the arena that all plans share. The next run overwrites that
/// memory; what somebody still holds of it moves out first.
final class GradientBuffers {
    enum Memory {
        /// Of the plan's own.
        case own(Tensor)
        /// So many bytes into the arena, until the next run of any plan.
        case arena(Int)
    }

    struct Buffer {
        let leaf: Tensor
        let memory: Memory
        /// Whether a run forgets the gradient that the leaf has.
        let isCleared: Bool
    }

    private let buffers: [Buffer]
    /// Leaves whose gradient a run forgets without making one.
    private let forgotten: [Tensor]
    /// What the last run left, for where the arena was then.
    private var tensors: [Tensor] = []
    private var arena: UnsafeMutableRawPointer?
    /// Whether an optimiser has made its step by the gradients of the last run.
    private var areSpent = false

    /// - Parameter cleared: leaves whose gradient is forgotten.
    init(_ buffers: [(leaf: Tensor, memory: Memory)], cleared: [Tensor]) {
        let ids = Set(cleared.map(ObjectIdentifier.init))
        self.buffers = buffers.map { Buffer(leaf: $0.leaf, memory: $0.memory, isCleared: ids.contains(ObjectIdentifier($0.leaf))) }
        let made = Set(buffers.map { ObjectIdentifier($0.leaf) })
        forgotten = cleared.filter { !made.contains(ObjectIdentifier($0)) }
    }

    var isEmpty: Bool { buffers.isEmpty }

    func spend() { areSpent = true }

    /// Before a run of another plan, or when the plan goes: what lies in the arena moves out, or is forgotten if it is spent.
    func leaveArena() throws {
        for i in tensors.indices {
            guard case .arena = buffers[i].memory else { continue }
            try leave(i, forgets: areSpent)
        }
    }

    /// Before a run of the plan itself.
    /// - Parameter block: where the arena is.
    /// - Returns: gradients that those of the run are added to, nil for none.
    func begin(_ block: UnsafeMutableRawPointer) throws -> [Tensor?] {
        for i in tensors.indices { try leave(i, forgets: areSpent || buffers[i].isCleared) }
        if arena != block || tensors.isEmpty {
            tensors = try buffers.map { try tensor($0, block) }
            arena = block
        }
        for leaf in forgotten { leaf.grad = nil }
        return buffers.map { buffer in
            if buffer.isCleared { buffer.leaf.grad = nil }
            return buffer.leaf.isGradientOff ? nil : buffer.leaf.grad
        }
    }

    /// After a run: the gradients are the leaves'.
    /// - Parameter isMade: whether the run made the gradient of a leaf; that of others is 0.
    func hand(over kept: [Tensor?], _ isMade: (Int) -> Bool) throws {
        for (i, buffer) in buffers.enumerated() {
            if isMade(i) {
                buffer.leaf.grad = try kept[i].map { try $0 + tensors[i] } ?? tensors[i]
            } else if let kept = kept[i] {
                buffer.leaf.grad = kept
            } else {
                buffer.leaf.turnGradientOff()
            }
        }
        areSpent = false
    }

    private func leave(_ i: Int, forgets: Bool) throws {
        if forgets, buffers[i].leaf.heldGradient === tensors[i] { buffers[i].leaf.grad = nil }
        if isKnownUniquelyReferenced(&tensors[i]), tensors[i].ownsMemoryAlone() { return }
        try tensors[i].moveOut()
        if let arena { tensors[i] = try tensor(buffers[i], arena) }
    }

    private func tensor(_ buffer: Buffer, _ arena: UnsafeMutableRawPointer) throws -> Tensor {
        let layout = TensorLayout(contiguous: buffer.leaf.shape)
        switch buffer.memory {
        case .own(let memory): return Tensor(storage: Storage(lending: try memory.pointer(), layout.count, of: try memory.storage()), layout: layout, dtype: .float32)
        case .arena(let bytes): return Tensor(storage: Storage(lending: arena + bytes, layout.count, of: nil), layout: layout, dtype: .float32)
        }
    }
}
