import Base

/// Type of a `NamedArray`'s elements: the two that tensors compute with.
public enum ElementType: String, Sendable, Hashable {
    case float32, int32
    /// Bytes of one element.
    public var size: Int { 4 }
}

/// A named, contiguous, row-major array as array files hold it: what readers return and writers take.
public struct NamedArray: Sendable {
    /// Key in an .npz or .safetensors file; "" in an .npy file, which has none.
    public var name: String
    public var dtype: ElementType
    /// Dimensions, outermost first; `[]` is a scalar, and a dimension may be 0.
    public var shape: [Int]
    /// `count * dtype.size` bytes, little-endian.
    public var buffer: Buffer

    /// Adopts `buffer`.
    /// - Precondition: it has exactly the bytes of `shape`.
    public init(name: String = "", dtype: ElementType, shape: [Int], buffer: Buffer) {
        precondition(buffer.byteCount == shape.reduce(dtype.size, *), "buffer and shape differ")
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.buffer = buffer
    }

    /// Copies float32 values.
    public init(name: String = "", shape: [Int], floats: [Float]) throws(FileError) {
        let buffer = try Buffer(byteCount: floats.count * 4)
        floats.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress { buffer.pointer.copyMemory(from: base, byteCount: bytes.count) }
        }
        self.init(name: name, dtype: .float32, shape: shape, buffer: buffer)
    }

    /// Copies int32 values.
    public init(name: String = "", shape: [Int], ints: [Int32]) throws(FileError) {
        let buffer = try Buffer(byteCount: ints.count * 4)
        ints.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress { buffer.pointer.copyMemory(from: base, byteCount: bytes.count) }
        }
        self.init(name: name, dtype: .int32, shape: shape, buffer: buffer)
    }

    /// Number of elements.
    public var count: Int { buffer.byteCount / dtype.size }
    /// The values of a float32 array, as a copy.
    public var floats: [Float] { dtype == .float32 ? Array(buffer.elements(of: Float.self)) : [] }
    /// The values of an int32 array, as a copy.
    public var ints: [Int32] { dtype == .int32 ? Array(buffer.elements(of: Int32.self)) : [] }
}

/// Sizes that come from a file are not to be trusted: every product is checked for overflow.
enum FileShape {
    /// Elements of `shape`.
    /// - Throws: when the rank is too high or the product overflows, a dimension of 0 elsewhere notwithstanding.
    static func count(_ shape: [Int], itemSize: Int) throws(FileError) -> Int {
        guard shape.count <= Shapes.maximumRank else {
            throw FileError("", "expected at most \(Shapes.maximumRank) dimensions, got \(shape.count)")
        }
        var product = itemSize
        for dimension in shape where dimension != 0 {
            let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
            guard dimension > 0, !overflow else {
                throw FileError("", "shape \(shape) has more elements than memory can hold")
            }
            product = next
        }
        return shape.contains(0) ? 0 : product / itemSize
    }
}
