/// Element type of a tensor: float32 for numbers, int32 for labels and indices.
public enum DType: String, Hashable, Sendable, CaseIterable {
    case float32, int32
    /// Both element types take four bytes.
    public static let byteCount = 4
}

/// What an operation reports when its arguments do not fit: which operation, what it expected, what it got.
public struct TensorError: Error, CustomStringConvertible, Sendable {
    public let operation: String
    public let problem: String
    /// Path of the module in which it happened, innermost last, e.g. `nodes.3.16.block.2.1`.
    public var path: String

    public init(_ operation: String, _ problem: String, path: String = "") {
        self.operation = operation
        self.problem = problem
        self.path = path
    }

    public var description: String { (path.isEmpty ? "" : "in \(path): ") + "\(operation): \(problem)" }
}
