/// Tensors in files: .npy, .npz and .safetensors, chosen by the name.
extension Tensor {
    /// Adopts an array that a file reader made.
    public convenience init(_ array: NamedArray) {
        self.init(adopting: array.buffer.pointer, shape: array.shape, dtype: array.dtype == .float32 ? .float32 : .int32, owner: array.buffer)
    }

    /// A copy as a writer of files takes it.
    public func namedArray(_ name: String) throws -> NamedArray {
        let buffer = try Buffer(byteCount: count * DType.byteCount)
        try withBytes { bytes in
            if let start = bytes.baseAddress { buffer.pointer.copyMemory(from: start, byteCount: bytes.count) }
        }
        return NamedArray(name: name, dtype: dtype == .float32 ? .float32 : .int32, shape: shape, buffer: buffer)
    }

    /// Writes this tensor alone (named `tensor` where the format has names).
    public func save(_ path: String) throws {
        try ArrayFile.write([namedArray("tensor")], to: path)
    }

    /// - Parameter checksums: of a .safetensors file, see `SafeTensors.write`; an .npz file has its own.
    public static func save(
        _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], checksums: Bool = false, to path: String
    ) throws {
        try ArrayFile.write(tensors.map { try $0.tensor.namedArray($0.name) }, metadata: metadata, checksums: checksums, to: path)
    }

    /// - Parameter expectsChecksums: say a word when a .safetensors file has none.
    public static func load(
        _ path: String, expectsChecksums: Bool = false
    ) throws -> (tensors: [(name: String, tensor: Tensor)], metadata: [String: String]) {
        let (arrays, metadata) = try ArrayFile.read(path, expectsChecksums: expectsChecksums)
        return (arrays.map { ($0.name, Tensor($0)) }, metadata)
    }
}
