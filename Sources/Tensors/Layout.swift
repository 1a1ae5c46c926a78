import Base
import Glibc

/// Shape and strides (in elements) of a tensor's elements in its storage.
public struct TensorLayout: Hashable, Sendable {
    public var shape: [Int]
    public var strides: [Int]

    public init(shape: [Int], strides: [Int]) {
        self.shape = shape
        self.strides = strides
    }

    public init(contiguous shape: [Int]) {
        self.init(shape: shape, strides: TensorLayout.contiguousStrides(shape))
    }

    static func contiguousStrides(_ shape: [Int]) -> [Int] {
        var strides = shape
        var step = 1
        for i in stride(from: shape.count - 1, through: 0, by: -1) {
            strides[i] = step
            step *= shape[i]
        }
        return strides
    }

    public var count: Int { shape.reduce(1, *) }

    public var isContiguous: Bool { isContiguous(from: 0) }

    /// All dimensions but the first lie as in a contiguous tensor: a channel slice of a larger batch does.
    var isBatchContiguous: Bool { shape.count > 1 && isContiguous(from: 1) }

    private func isContiguous(from first: Int) -> Bool {
        var step = 1
        for i in stride(from: shape.count - 1, through: first, by: -1) {
            if shape[i] != 1 && strides[i] != step { return false }
            step *= shape[i]
        }
        return true
    }

    /// Elements from one image to the next.
    var batchStride: Int { shape[0] == 1 ? shape.dropFirst().reduce(1, *) : strides[0] }

    /// The layout of the same elements, in the same order, with other sizes, where one set of strides reaches them; nil where they would have to be copied.
    func reshaped(to target: [Int]) -> TensorLayout? {
        if isContiguous || count == 0 { return TensorLayout(contiguous: target) }
        var strides = [Int](repeating: 0, count: target.count)
        var next = target.count - 1
        // Stretches of dimensions that are walked through in one stride, the innermost first.
        var d = shape.count - 1
        while d >= 0 {
            let step = self.strides[d]
            var size = shape[d]
            while d > 0, shape[d - 1] == 1 || self.strides[d - 1] == step * size {
                d -= 1
                size *= shape[d]
            }
            d -= 1
            // Whole dimensions of the target have to fill the stretch.
            var filled = 1
            while next >= 0, filled < size || target[next] == 1 {
                strides[next] = step * filled
                filled *= target[next]
                next -= 1
            }
            if filled != size { return nil }
        }
        return TensorLayout(shape: target, strides: strides)
    }

    /// Strides that repeat this layout over `target` (0 where a dimension is repeated).
    func broadcastStrides(to target: [Int]) -> [Int] {
        let missing = target.count - shape.count
        return target.indices.map { i in
            i < missing || shape[i - missing] == 1 && target[i] != 1 ? 0 : strides[i - missing]
        }
    }
}

enum Shapes {
    static let memory = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))

    /// Dimensions that a tensor has at most, as in NumPy: what walks them may call itself once for each.
    static let maximumRank = 64

    /// - Throws: for a tensor that this machine's memory cannot hold, of more than `maximumRank` dimensions, or with a size below 0.
    static func check(_ shape: [Int], _ operation: String) throws {
        if !fits(shape) { throw tooLarge(shape, operation) }
    }

    /// The same for the result of an operation; its name is put together only when it is needed.
    @inline(__always)
    static func check(_ shape: [Int], _ operation: Operation) throws {
        if !fits(shape) { throw tooLarge(shape, operation.name) }
    }

    @inline(__always)
    private static func fits(_ shape: [Int]) -> Bool {
        // Strides are products of sizes too: a size of 0 does not make the others small.
        var (bytes, span) = (DType.byteCount, DType.byteCount)
        var sizesFit = true
        for size in shape {
            let (product, overflow) = span.multipliedReportingOverflow(by: max(size, 1))
            sizesFit = sizesFit && !overflow && size >= 0
            (bytes, span) = (bytes &* size, product)
        }
        return sizesFit && bytes <= memory && shape.count <= maximumRank
    }

    private static func tooLarge(_ shape: [Int], _ operation: String) -> TensorError {
        if shape.count > maximumRank { return TensorError(operation, "a tensor has at most \(maximumRank) dimensions, got \(shape.count)") }
        if shape.contains(where: { $0 < 0 }) { return TensorError(operation, "shape \(text(shape)) has a size below 0") }
        if shape.contains(0) { return TensorError(operation, "a tensor \(text(shape)): the sizes beside the 0 are more than can be counted") }
        let bytes = shape.reduce(Double(DType.byteCount)) { $0 * Double($1) }
        return TensorError(operation, "a tensor \(text(shape)) would take \(Memory.text(bytes)), this machine has \(Memory.text(Double(memory))) of memory")
    }

    /// Number of elements of a tensor of this shape.
    /// - Throws: when they, or the distances between them, cannot be counted in bytes, for more than `maximumRank` dimensions, or when a size is below 0.
    static func count(_ shape: [Int], _ operation: @autoclosure () -> String = "tensor") throws -> Int {
        if shape.count > maximumRank { throw tooLarge(shape, operation()) }
        var (count, span) = (1, DType.byteCount)
        for size in shape {
            let (next, overflow) = span.multipliedReportingOverflow(by: max(size, 1))
            if overflow || size < 0 { throw tooLarge(shape, operation()) }
            (count, span) = (count * size, next)
        }
        return count
    }

    static func text(_ shape: [Int]) -> String { "[" + shape.map(String.init).joined(separator: ", ") + "]" }

    /// The shape that two shapes broadcast to, as in NumPy; nil when they do not fit.
    static func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
        if a == b { return a }
        let rank = max(a.count, b.count)
        var result = [Int](repeating: 1, count: rank)
        for i in 0..<rank {
            let x = i < rank - a.count ? 1 : a[i - (rank - a.count)]
            let y = i < rank - b.count ? 1 : b[i - (rank - b.count)]
            guard x == y || x == 1 || y == 1 else { return nil }
            result[i] = x == 1 ? y : x
        }
        return result
    }
}
