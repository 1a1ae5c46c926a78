/// One block of memory for the intermediate values of all plans: plans run one after another and keep nothing in it between runs, so the
/// two plans of a search step need the larger of their arenas, not the sum.
enum SharedArena {
    nonisolated(unsafe) private static var block: Storage?
    nonisolated(unsafe) private static var leases: [Int: Int] = [:]

    /// Address that a table holds before its first run.
    nonisolated(unsafe) static let nowhere = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)

    /// Those that the last run left in the block.
    nonisolated(unsafe) static var tenant: GradientBuffers?

    /// Before a run: gradients that somebody still holds move out.
    static func vacate() throws {
        try tenant?.leaveArena()
        tenant = nil
    }

    /// A plan's claim; when the last one goes, so does the memory.
    final class Lease {
        let bytes: Int

        init(bytes: Int) {
            self.bytes = bytes
            SharedArena.leases[bytes, default: 0] += 1
        }

        deinit {
            let left = (SharedArena.leases[bytes] ?? 1) - 1
            SharedArena.leases[bytes] = left == 0 ? nil : left
            let most = SharedArena.leases.keys.max() ?? 0
            guard let block = SharedArena.block, SharedArena.leases.isEmpty || block.byteCount > 2 * most + (1 << 20) else { return }
            if (try? SharedArena.vacate()) != nil { SharedArena.block = nil }
        }
    }

    static func storage(atLeast bytes: Int) throws -> Storage {
        if let block, block.byteCount >= bytes { return block }
        block = nil  // first, so that the two never stand side by side
        let wanted = max(bytes, leases.keys.max() ?? 0)
        // What the largest plan wants may be too much where this one's can be had.
        let fresh = try wanted > bytes ? (try? allocate(wanted)) ?? allocate(bytes) : allocate(bytes)
        block = fresh
        return fresh
    }

    private static func allocate(_ bytes: Int) throws -> Storage {
        try Storage(count: (bytes + DType.byteCount - 1) / DType.byteCount, for: "plan")
    }
}
