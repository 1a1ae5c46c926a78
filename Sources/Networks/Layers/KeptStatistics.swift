import Tensors

/// Statistics of batch norms beside their own running ones: averages over the batches of one architecture, which mean nothing for another.
public final class KeptStatistics {
    private struct Key: Hashable {
        let layer: ObjectIdentifier
        let branch: String
    }

    private struct Entry {
        /// What a layer reads, and where it puts down those of a batch: [2, C].
        let tensor: Tensor
        let own: Tensor
        var mean: [Float] = []
        /// Batches in `mean`.
        var batches = 0
        var version = 0
    }

    private var entries: [Key: Entry] = [:]

    public init() {}

    /// - Parameter own: the layer's running ones: what it reads where no batch has come by.
    func statistics(of layer: BatchNorm, _ branch: String, _ own: Tensor) throws -> Tensor {
        let key = Key(layer: ObjectIdentifier(layer), branch: branch)
        if let known = entries[key] { return known.tensor }
        let tensor = try Recording.kept(copyOf: own)
        entries[key] = Entry(tensor: tensor, own: own, version: tensor.version)
        return tensor
    }

    /// Forgets what came by.
    public func start() throws {
        for (key, entry) in entries {
            try GradientMode.disabled { try entry.tensor.assign(entry.own) }
            entries[key]?.batches = 0
            entries[key]?.version = entry.tensor.version
        }
    }

    /// A batch has put down its statistics: they go into the averages of the layers that it came by.
    public func take() throws {
        for (key, entry) in entries where entry.tensor.version != entry.version {
            let batch = try entry.tensor.floats()
            let share = 1 / Float(entry.batches + 1)
            let mean = entry.batches == 0 ? batch : zip(entry.mean, batch).map { $0 + ($1 - $0) * share }
            entries[key]?.mean = mean
            entries[key]?.batches += 1
            entries[key]?.version = entry.tensor.version
        }
    }

    /// From now on the layers read the averages.
    public func finish() throws {
        for entry in entries.values where entry.batches > 1 {
            try entry.tensor.withFloats { numbers in for (i, number) in entry.mean.enumerated() { numbers[i] = number } }
        }
    }
}
