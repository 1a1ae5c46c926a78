import CKernels
import Glibc

/// Scratch memory. Kernels and the pieces of a parallel run do not throw: one that gets none returns with its work undone and leaves word
/// (`trellis_memory_missing`), and who launched it throws.
public enum Workspace {
    /// Room for `count` floats of the calling thread, 64-byte aligned, contents undefined: valid until this thread asks for the same `slot`
    /// (0 ... 3; 4 ... 7 are the convolutions') again, so a kernel that calls another one must use another slot. nil when it cannot be had.
    @inline(__always)
    public static func floats(_ count: Int, slot: Int = 0) -> UnsafeMutablePointer<Float>? {
        trellis_workspace(Int32(slot), count * 4)?.assumingMemoryBound(to: Float.self)
    }

    /// The largest size in bytes that Swift puts onto the stack.
    private static let onStack = 1024

    /// Calls `body` with uninitialised memory for `count` values that is given back afterwards; does nothing when it cannot be had.
    /// - Returns: whether it was.
    @inline(__always) @discardableResult
    static func withTemporary<T: BitwiseCopyable>(_ type: T.Type, _ count: Int, _ body: (UnsafeMutablePointer<T>) -> Void) -> Bool {
        let bytes = max(count, 1) * MemoryLayout<T>.stride
        if bytes <= onStack {
            withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 64) { body($0.baseAddress.unsafelyUnwrapped.bindMemory(to: T.self, capacity: max(count, 1))) }
            return true
        }
        guard let block = trellis_memory_take(bytes) else {
            trellis_memory_miss(bytes)
            return false
        }
        defer { free(block) }
        body(block.bindMemory(to: T.self, capacity: max(count, 1)))
        return true
    }
}
