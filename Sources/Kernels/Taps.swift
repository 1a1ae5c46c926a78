import CKernels
import Glibc

/// A sparse row operator and the memory of its tables.
final class Taps {
    private(set) var operation: trellis_taps
    private let start: UnsafeMutablePointer<Int32>
    private let weight: UnsafeMutablePointer<Float>

    /// nil when there is no memory for the tables.
    private init?(taps: Int, count: Int, inCount: Int) {
        // Kernels read whole vectors of both tables.
        let pitch = count + 16
        let bytes = (taps + 1) * pitch * 4
        guard let memory = trellis_memory_take(bytes) else {
            trellis_memory_miss(bytes)
            return nil
        }
        start = memory.bindMemory(to: Int32.self, capacity: pitch)
        start.initialize(repeating: 0, count: pitch)
        weight = (memory + pitch * 4).bindMemory(to: Float.self, capacity: taps * pitch)
        weight.initialize(repeating: 0, count: taps * pitch)
        operation = trellis_taps(
            start: UnsafePointer(start), weight: UnsafePointer(weight), taps: taps, count: count, inCount: inCount, pitch: pitch)
    }

    deinit { free(start) }

    /// Indices beyond the last repeat it, so that a whole vector of them stays within the row.
    private func padStart() {
        for j in operation.count..<operation.pitch { start[j] = operation.count > 0 ? start[operation.count - 1] : 0 }
    }

    /// Linear interpolation with PyTorch's arithmetic: the source of output j is j·(in-1)/(out-1) with aligned corners, else
    /// (j + 1/2)·in/out - 1/2, not below 0.
    static func linear(_ inCount: Int, _ outCount: Int, alignCorners: Bool) -> Taps? {
        guard let t = Taps(taps: min(2, inCount), count: outCount, inCount: inCount) else { return nil }
        let scale: Float = alignCorners
            ? (outCount > 1 ? Float(inCount - 1) / Float(outCount - 1) : 0) : Float(inCount) / Float(outCount)
        for j in 0..<outCount {
            let place = alignCorners ? scale * Float(j) : max(0, (Float(j) + 0.5) * scale - 0.5)
            let index = min(Int(place), inCount - 1)
            let part = min(max(place - Float(index), 0), 1)
            if inCount == 1 {
                t.weight[j] = 1
            } else if index == inCount - 1 {
                t.start[j] = Int32(index - 1)
                t.weight[t.operation.pitch + j] = 1
            } else {
                t.start[j] = Int32(index)
                t.weight[j] = 1 - part
                t.weight[t.operation.pitch + j] = part
            }
        }
        t.padStart()
        return t
    }

    /// The element at floor(j·in/out), as PyTorch's `nearest`.
    static func nearest(_ inCount: Int, _ outCount: Int) -> Taps? {
        guard let t = Taps(taps: 1, count: outCount, inCount: inCount) else { return nil }
        let scale = Float(inCount) / Float(outCount)
        for j in 0..<outCount {
            t.start[j] = Int32(min(Int(Float(j) * scale), inCount - 1))
            t.weight[j] = 1
        }
        t.padStart()
        return t
    }

    /// The adjoint: weights of the outputs that each input went to.
    func transposed() -> Taps? {
        var result: Taps?
        Workspace.withTemporary(Int.self, 2 * operation.inCount) { result = transposed(first: $0, end: $0 + operation.inCount) }
        return result
    }

    private func transposed(first: UnsafeMutablePointer<Int>, end: UnsafeMutablePointer<Int>) -> Taps? {
        let o = operation
        first.initialize(repeating: -1, count: o.inCount)
        end.initialize(repeating: 0, count: o.inCount)
        for j in 0..<o.count {
            for k in 0..<o.taps where weight[k * o.pitch + j] != 0 {
                let source = Int(start[j]) + k
                if first[source] < 0 { first[source] = j }
                end[source] = j + 1
            }
        }
        var widest = 1
        var last = 0
        for i in 0..<o.inCount {
            if first[i] < 0 { (first[i], end[i]) = (last, last) }
            // Never falling, also where a later input's first output lies before an earlier one's.
            last = max(last, first[i])
            widest = max(widest, end[i] - first[i])
        }
        guard let t = Taps(taps: widest, count: o.inCount, inCount: o.count) else { return nil }
        for i in 0..<o.inCount { t.start[i] = Int32(first[i]) }
        for j in 0..<o.count {
            for k in 0..<o.taps where weight[k * o.pitch + j] != 0 {
                let source = Int(start[j]) + k
                t.weight[(j - first[source]) * t.operation.pitch + source] = weight[k * o.pitch + j]
            }
        }
        t.padStart()
        return t
    }
}
