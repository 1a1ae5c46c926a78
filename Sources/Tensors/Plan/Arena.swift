/// Places buffers with known lifetimes in one block of memory.
struct Arena {
    /// A buffer of `bytes` that is written first by step `first` and read last by step `last`.
    struct Request {
        let bytes: Int
        let first: Int
        let last: Int
    }

    private(set) var offsets: [Int] = []
    /// Size of the whole block.
    private(set) var byteCount = 0

    /// Best fit in order of first use: a freed gap is used again by the next buffer that fits it most tightly.
    init(_ requests: [Request], alignment: Int = 64) {
        offsets = [Int](repeating: 0, count: requests.count)
        let order = requests.indices.sorted { (requests[$0].first, $0) < (requests[$1].first, $1) }
        var free = FreeList()
        var deadline: [Int: [Int]] = [:]
        var clock = -1
        for index in order {
            let request = requests[index]
            while clock < request.first - 1 {
                clock += 1
                for done in deadline.removeValue(forKey: clock) ?? [] {
                    free.release(offsets[done], Arena.rounded(requests[done].bytes, alignment))
                }
            }
            let size = Arena.rounded(request.bytes, alignment)
            offsets[index] = free.take(size, growing: &byteCount)
            deadline[max(request.last, request.first), default: []].append(index)
        }
    }

    private static func rounded(_ bytes: Int, _ alignment: Int) -> Int { max(alignment, (bytes + alignment - 1) / alignment * alignment) }

    /// Gaps by offset, neighbours merged.
    private struct FreeList {
        private var gaps: [(offset: Int, size: Int)] = []

        mutating func take(_ size: Int, growing total: inout Int) -> Int {
            var best: Int?
            for (i, gap) in gaps.enumerated() where gap.size >= size && (best.map { gap.size < gaps[$0].size } ?? true) { best = i }
            if let best {
                let offset = gaps[best].offset
                if gaps[best].size == size { gaps.remove(at: best) } else { gaps[best] = (offset + size, gaps[best].size - size) }
                return offset
            }
            // Grow; a gap that ends at the end is part of the new space.
            if let last = gaps.last, last.offset + last.size == total {
                gaps.removeLast()
                total = last.offset + size
                return last.offset
            }
            let offset = total
            total += size
            return offset
        }

        mutating func release(_ offset: Int, _ size: Int) {
            var (low, high) = (0, gaps.count)
            while low < high {
                let middle = (low + high) / 2
                if gaps[middle].offset < offset { low = middle + 1 } else { high = middle }
            }
            gaps.insert((offset, size), at: low)
            if low + 1 < gaps.count, gaps[low].offset + gaps[low].size == gaps[low + 1].offset {
                gaps[low].size += gaps[low + 1].size
                gaps.remove(at: low + 1)
            }
            if low > 0, gaps[low - 1].offset + gaps[low - 1].size == gaps[low].offset {
                gaps[low - 1].size += gaps[low].size
                gaps.remove(at: low)
            }
        }
    }
}
