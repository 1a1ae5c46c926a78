import Base
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
    /// - Throws: when it cannot be had.
    public init(count: Int, for operation: @autoclosure () -> String = "tensor") throws {
        let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: DType.byteCount)
        guard !overflow, let block = BlockCache.take(bytes) else { throw Memory.error(overflow ? .max : bytes, operation()) }
        byteCount = bytes
        pointer = block
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
        guard let own = BlockCache.take(byteCount) else { throw Memory.error(byteCount, "plan") }
        own.copyMemory(from: pointer, byteCount: byteCount)
        (pointer, owner, isLent) = (own, nil, false)
        trellis_memory_add(Int64(byteCount))
    }

    /// Memory of its own with the same numbers.
    func copy() throws -> Storage {
        let copy = try Storage(count: byteCount / DType.byteCount, for: "clone")
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
    nonisolated(unsafe) private static var blocks = emptyAndWatched()
    nonisolated(unsafe) private static var cached = 0
    nonisolated(unsafe) private static var lock = pthread_mutex_t()

    /// Blocks of up to this size are kept by multiples of 64 bytes, each linked to the next by its first word: aligned memory of a few
    /// bytes costs malloc more than all else that a small tensor needs.
    private static let small = 1024
    private static let mostSmall = 4096
    /// What the objects around a small block take: without them a million small tensors would use up the memory unasked.
    private static let objects = 512
    nonisolated(unsafe) private static let heads = UnsafeMutablePointer<(first: UnsafeMutableRawPointer?, count: Int)>.filled(small / 64)

    private static func takeSmall(_ bytes: Int) -> UnsafeMutableRawPointer? {
        let size = (bytes + 63) / 64
        pthread_mutex_lock(&lock)
        let head = heads + (size - 1)
        let block = head.pointee.first
        if let block { head.pointee = (block.load(as: UnsafeMutableRawPointer?.self), head.pointee.count - 1) }
        pthread_mutex_unlock(&lock)
        if let block { return block }
        return trellis_memory_admits(objects) ? trellis_memory_take(size * 64) : nil
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

    /// nil when there is no such memory.
    static func take(_ bytes: Int) -> UnsafeMutableRawPointer? {
        if bytes <= small { return takeSmall(bytes) }
        if bytes >= smallest {
            pthread_mutex_lock(&lock)
            let block = blocks[bytes]?.popLast()
            if block != nil { cached -= bytes }
            pthread_mutex_unlock(&lock)
            if let block { return block }
        }
        guard let block = trellis_memory_take(bytes) else { return nil }
        if bytes >= large { trellis_advise_huge(block, bytes) }
        return block
    }

    static func give(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
        if bytes <= small { return giveSmall(block, bytes) }
        if bytes >= smallest, bytes <= limit / 4 {
            pthread_mutex_lock(&lock)
            if cached + bytes > limit { clear() }
            blocks[bytes, default: []].append(block)
            cached += bytes
            pthread_mutex_unlock(&lock)
            return
        }
        free(block)
    }

    /// No blocks; before memory is refused all but the small ones are given back.
    private static func emptyAndWatched() -> [Int: [UnsafeMutableRawPointer]] {
        trellis_memory_on_pressure {
            pthread_mutex_lock(&BlockCache.lock)
            BlockCache.clear()
            pthread_mutex_unlock(&BlockCache.lock)
        }
        return [:]
    }

    /// Gives all blocks back but the small ones. The lock is held.
    private static func clear() {
        for list in blocks.values { for old in list { free(old) } }
        blocks.removeAll(keepingCapacity: true)
        cached = 0
    }
}

extension UnsafeMutablePointer where Pointee == (first: UnsafeMutableRawPointer?, count: Int) {
    fileprivate static func filled(_ count: Int) -> Self {
        let memory = allocate(capacity: count)
        memory.initialize(repeating: (nil, 0), count: count)
        return memory
    }
}
