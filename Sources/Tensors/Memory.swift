import CKernels
import Glibc

/// The memory of this process: what tensors hold, and what can still be had.
public enum Memory {
    /// Bytes held by live tensors, and the most that ever were.
    public static var live: Int { Int(trellis_memory_live()) }
    public static var peak: Int { Int(trellis_memory_peak()) }
    public static func resetPeak() { trellis_memory_reset_peak() }

    /// For memory that is not taken from `Storage`, such as long arrays: asks before it is taken.
    /// - Throws: when `bytes` more cannot be had.
    public static func check(_ bytes: Int, for operation: @autoclosure () -> String) throws {
        if bytes > 1 << 16, !trellis_memory_admits(bytes) { throw error(bytes, operation()) }
    }

    /// As `check`, for readers of files and makers of data.
    /// - Parameter what: what is to be held, for the message.
    /// - Throws: `FileError` without a path.
    public static func check(_ bytes: Int, toHold what: @autoclosure () -> String) throws(FileError) {
        if bytes <= 1 << 16 || trellis_memory_admits(bytes) { return }
        let (problem, remedy) = shortage(bytes)
        throw FileError("", "\(what()) \(problem)", remedy: remedy)
    }

    /// What code that could not throw had no memory for (kernels, pieces of a parallel run) is thrown here.
    @inline(__always)
    public static func checkMissing(_ operation: @autoclosure () -> String) throws {
        if trellis_memory_missing() != 0 { throw error(Int(trellis_memory_take_missing()), operation()) }
    }

    /// The error for `bytes` that cannot be had.
    static func error(_ bytes: Int, _ operation: String) -> TensorError {
        let (problem, remedy) = shortage(bytes)
        return TensorError(operation, problem + "; " + remedy)
    }

    static func shortage(_ bytes: Int) -> (problem: String, remedy: String) {
        let now = trellis_memory_room()
        let (limit, remedy) =
            switch Int(now.limit) {
            case TRELLIS_LIMIT_ADDRESS_SPACE: ("by the limit of address space, ulimit -v", ", or raise the limit")
            case TRELLIS_LIMIT_DATA: ("by the limit of data, ulimit -d", ", or raise the limit")
            case TRELLIS_LIMIT_GROUP: ("by the limit of the control group", ", or raise the limit")
            default: ("of this machine's memory", "")
            }
        return ("needs \(text(Double(bytes))), \(text(Double(now.bytes))) can be had (\(limit))", "use a smaller batch, image or network\(remedy)")
    }

    /// "2.1 GB", "340 MB".
    static func text(_ bytes: Double) -> String {
        let (size, unit) = bytes >= 1e9 ? (bytes / 1e9, "GB") : (bytes / 1e6, "MB")
        if size >= 1e6 { return "\(Float(size)) \(unit)" }
        return size >= 100 ? "\(Int(size.rounded(.up))) \(unit)" : "\((size * 10).rounded(.up) / 10) \(unit)"
    }
}

/// Uninitialised memory for values that a plan keeps.
final class Block<Element: BitwiseCopyable> {
    let start: UnsafeMutablePointer<Element>

    /// - Throws: when it cannot be had.
    init(_ count: Int, for operation: @autoclosure () -> String) throws {
        let bytes = max(count, 1) * MemoryLayout<Element>.stride
        guard let memory = trellis_memory_take(bytes) else { throw Memory.error(bytes, operation()) }
        start = memory.bindMemory(to: Element.self, capacity: max(count, 1))
    }

    deinit { free(start) }
}
