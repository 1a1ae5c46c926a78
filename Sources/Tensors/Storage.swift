import CKernels
import Glibc

/// A block of 64-byte aligned memory shared by the tensors that view it. Live bytes are counted so that the host can ask Lua's
/// collector to run: tensors are far bigger than the userdata it sees.
public final class Storage: @unchecked Sendable {
    public private(set) var pointer: UnsafeMutableRawPointer
    public let byteCount: Int
    /// Counts writes in place, so that a backward pass can tell that a value it needs was changed.
    public internal(set) var version = 0
    private var owner: AnyObject?
    /// Whether the bytes are counted as those of another storage.
    private var isLent = false

    /// Uninitialised memory for `count` elements of four bytes.
    /// - Throws: `MemoryError` when it cannot be had.
    public init(count: Int) throws {
        let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: DType.byteCount)
        if overflow { throw MemoryError(bytes: .max) }
        byteCount = bytes
        pointer = try BlockCache.take(bytes)
        owner = nil
        trellis_memory_add(Int64(byteCount))
        if Recording.isActive { Recording.noteBirth(self) }
    }

    /// Adopts memory that `owner` keeps alive (a file reader's buffer, a loader's batch).
    public init(adopting pointer: UnsafeMutableRawPointer, byteCount: Int, owner: AnyObject) {
        self.pointer = pointer
        self.byteCount = byteCount
        self.owner = owner
        trellis_memory_add(Int64(byteCount))
        if Recording.isActive { Recording.noteBirth(self) }
    }

    /// A part of other memory, which goes on being that one's; see `moveOut`.
    /// - Parameter owner: what keeps that memory; nil where it is left in time.
    init(lending pointer: UnsafeMutableRawPointer, _ count: Int, of owner: Storage?) {
        self.pointer = pointer
        byteCount = max(count, 1) * DType.byteCount
        self.owner = owner
        isLent = true
    }

    /// Copies what is lent into memory of its own: everything that views it stays as it is, whatever happens to the lender.
    func moveOut() throws {
        guard isLent else { return }
        let own = try BlockCache.take(byteCount)
        own.copyMemory(from: pointer, byteCount: byteCount)
        (pointer, owner, isLent) = (own, nil, false)
        trellis_memory_add(Int64(byteCount))
    }

    /// Memory of its own with the same numbers.
    func copy() throws -> Storage {
        let copy = try Storage(count: byteCount / DType.byteCount)
        copy.pointer.copyMemory(from: pointer, byteCount: byteCount)
        return copy
    }

    deinit {
        if isLent { return }
        trellis_memory_add(-Int64(byteCount))
        if owner == nil { BlockCache.give(pointer, byteCount) }
    }

    public var floats: UnsafeMutablePointer<Float> { pointer.assumingMemoryBound(to: Float.self) }
    public var ints: UnsafeMutablePointer<Int32> { pointer.assumingMemoryBound(to: Int32.self) }
}

/// Keeps freed blocks of a training loop for its next turn: fresh pages from the kernel cost more than most operations.
/// Blocks are cached by exact size up to a total of `limit` bytes.
enum BlockCache {
    private static let limit = 192 << 20
    private static let smallest = 1 << 14
    /// From this size on large pages are worth it.
    private static let large = 4 << 20
    nonisolated(unsafe) private static var blocks: [Int: [UnsafeMutableRawPointer]] = [:]
    nonisolated(unsafe) private static var cached = 0
    nonisolated(unsafe) private static var lock = pthread_mutex_t()

    /// Blocks of up to this size are kept by multiples of 64 bytes, each linked to the next by its first word: aligned memory of a few
    /// bytes costs malloc more than all else that a small tensor needs.
    private static let small = 1024
    private static let mostSmall = 4096
    nonisolated(unsafe) private static let heads = UnsafeMutablePointer<(first: UnsafeMutableRawPointer?, count: Int)>.filled(small / 64)

    private static func takeSmall(_ bytes: Int) throws -> UnsafeMutableRawPointer {
        let size = (bytes + 63) / 64
        pthread_mutex_lock(&lock)
        let head = heads + (size - 1)
        let block = head.pointee.first
        if let block { head.pointee = (block.load(as: UnsafeMutableRawPointer?.self), head.pointee.count - 1) }
        pthread_mutex_unlock(&lock)
        return try block ?? allocate(size * 64)
    }

    private static func giveSmall(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
        let head = heads + ((bytes + 63) / 64 - 1)
        pthread_mutex_lock(&lock)
        let isKept = head.pointee.count < mostSmall
        if isKept {
            block.storeBytes(of: head.pointee.first, as: UnsafeMutableRawPointer?.self)
            head.pointee = (block, head.pointee.count + 1)
        }
        pthread_mutex_unlock(&lock)
        if !isKept { free(block) }
    }

    static func take(_ bytes: Int) throws -> UnsafeMutableRawPointer {
        if bytes <= small { return try takeSmall(bytes) }
        if bytes >= smallest {
            pthread_mutex_lock(&lock)
            let block = blocks[bytes]?.popLast()
            if block != nil { cached -= bytes }
            pthread_mutex_unlock(&lock)
            if let block { return block }
        }
        let block = try allocate(bytes)
        if bytes >= large { trellis_advise_huge(block, bytes) }
        return block
    }

    static func give(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
        if bytes <= small { return giveSmall(block, bytes) }
        if bytes >= smallest, bytes <= limit / 4 {
            pthread_mutex_lock(&lock)
            if cached + bytes > limit {
                clear()
            }
            blocks[bytes, default: []].append(block)
            cached += bytes
            pthread_mutex_unlock(&lock)
            return
        }
        free(block)
    }

    /// Fresh memory on a cache line's boundary. What is kept for later is given back before memory is refused.
    private static func allocate(_ bytes: Int) throws -> UnsafeMutableRawPointer {
        if let block = aligned(bytes) { return block }
        pthread_mutex_lock(&lock)
        clear()
        pthread_mutex_unlock(&lock)
        guard let block = aligned(bytes) else { throw MemoryError(bytes: bytes) }
        return block
    }

    private static func aligned(_ bytes: Int) -> UnsafeMutableRawPointer? {
        var block: UnsafeMutableRawPointer?
        return posix_memalign(&block, 64, bytes) == 0 ? block : nil
    }

    /// Gives all blocks back but the small ones. The lock is held.
    private static func clear() {
        for list in blocks.values { for old in list { free(old) } }
        blocks.removeAll(keepingCapacity: true)
        cached = 0
    }
}

/// Memory that cannot be had.
public struct MemoryError: Error, CustomStringConvertible, Sendable {
    /// What was asked for.
    public let bytes: Int

    public init(bytes: Int) { self.bytes = bytes }

    public var description: String {
        let gigabytes = Double(bytes) / 1e9
        return "not enough memory: \((gigabytes * 10).rounded(.up) / 10) GB are needed; use a smaller batch, image or network"
    }
}

extension UnsafeMutablePointer where Pointee == (first: UnsafeMutableRawPointer?, count: Int) {
    fileprivate static func filled(_ count: Int) -> Self {
        let memory = allocate(capacity: count)
        memory.initialize(repeating: (nil, 0), count: count)
        return memory
    }
}

/// Bytes held by live tensors.
public enum Memory {
    public static var live: Int { Int(trellis_memory_live()) }
    public static var peak: Int { Int(trellis_memory_peak()) }
    public static func resetPeak() { trellis_memory_reset_peak() }
}
