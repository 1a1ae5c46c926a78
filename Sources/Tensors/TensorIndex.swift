/// Values by the memory that tensors lie in: tells what a tensor of a recording is to a network, whatever object it is looked at through.
public struct TensorIndex<Value> {
    private struct Key: Hashable {
        let address: UInt
        let shape: [Int]
    }
    private var values: [Key: Value] = [:]

    /// - Parameter entries: the first of those that lie in one place counts.
    public init(_ entries: [(value: Value, tensor: Tensor)]) throws {
        for (value, tensor) in entries where tensor.isContiguous {
            let key = try Self.key(tensor)
            if values[key] == nil { values[key] = value }
        }
    }

    private static func key(_ tensor: Tensor) throws -> Key {
        Key(address: try tensor.withBytes { UInt(bitPattern: $0.baseAddress) }, shape: tensor.shape)
    }

    public subscript(tensor: Tensor) -> Value? {
        guard tensor.isContiguous, let key = try? Self.key(tensor) else { return nil }
        return values[key]
    }
}
