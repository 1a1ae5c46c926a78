import Base
import CKernels
import Glibc

extension Memory {
    /// For memory that is not taken from `Storage`, such as long arrays: asks before it is taken.
    /// - Throws: when `bytes` more cannot be had.
    public static func check(_ bytes: Int, for operation: @autoclosure () -> String) throws {
        if bytes > 1 << 16, !trellis_memory_admits(bytes) { throw error(bytes, operation()) }
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
