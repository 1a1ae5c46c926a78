import Base
import CKernels
import Glibc

/// Raw memory that one owner frees: what the readers hand out and a tensor adopts without a copy.
///
/// Bytes are contiguous, 64-byte aligned (a cache line, and a whole AVX-512 register) and uninitialised at first.
/// The buffer is not counted in `trellis_memory_live`; whoever adopts it counts it.
public final class Buffer: @unchecked Sendable {
    /// First byte; valid for `max(byteCount, 1)` bytes while the buffer lives.
    public let pointer: UnsafeMutableRawPointer
    public let byteCount: Int

    /// Uninitialised memory of `byteCount` bytes.
    /// - Throws: `FileError` when that much memory cannot be had.
    public init(byteCount: Int) throws(FileError) {
        precondition(byteCount >= 0, "a buffer of a negative size")
        // Rounded up to whole cache lines so that a vector loop may read past the last element.
        let rounded = byteCount.addingReportingOverflow(63)
        guard !rounded.overflow, let memory = trellis_memory_take(max(rounded.partialValue & ~63, 64)) else {
            let (problem, remedy) = Memory.shortage(byteCount)
            throw FileError("", problem, remedy: remedy)
        }
        self.pointer = memory
        self.byteCount = byteCount
    }

    deinit { free(pointer) }

    /// The same memory as elements of one trivial type.
    public func elements<Element>(of type: Element.Type) -> UnsafeMutableBufferPointer<Element> {
        let count = byteCount / MemoryLayout<Element>.stride
        return UnsafeMutableBufferPointer(start: pointer.bindMemory(to: type, capacity: count), count: count)
    }
}
