import KernelsV2
import KernelsV3
import KernelsV4

/// Copies between layouts.
public enum Layout {
    /// dst[i · dstStrides] = src[i · srcStrides] for all indices i of `shape`; strides in elements, a source stride of 0
    /// repeats. The two must not overlap. Rows that are contiguous on both sides are copied whole; where the contiguous
    /// dimensions differ (transposes, NCHW to NHWC), squares are transposed in registers.
    public static func copyStrided(
        shape: [Int], src: UnsafePointer<Float>, srcStrides: [Int], dst: UnsafeMutablePointer<Float>, dstStrides: [Int]
    ) {
        guard !shape.contains(0) else { return }
        let copy = StridedCopy(shape, srcStrides, dstStrides)
        copy.run(src, dst)
    }
}

/// The dimensions ordered by the destination's strides and merged where both sides allow it; the last is the innermost.
private struct StridedCopy {
    private var shape: [Int] = []
    private var src: [Int] = []
    private var dst: [Int] = []
    /// The dimension in which the source is contiguous while the destination is so in the last, if there is one.
    private var across: Int?

    init(_ shape: [Int], _ srcStrides: [Int], _ dstStrides: [Int]) {
        // Outermost first; equal destination strides cannot both exceed one element.
        let order = shape.indices.filter { shape[$0] != 1 }.sorted { abs(dstStrides[$0]) > abs(dstStrides[$1]) }
        for d in order {
            let last = self.shape.count - 1
            if last >= 0, src[last] == srcStrides[d] * shape[d], dst[last] == dstStrides[d] * shape[d] {
                self.shape[last] *= shape[d]
                src[last] = srcStrides[d]
                dst[last] = dstStrides[d]
            } else {
                self.shape.append(shape[d])
                src.append(srcStrides[d])
                dst.append(dstStrides[d])
            }
        }
        if self.shape.isEmpty { (self.shape, src, dst) = ([1], [1], [1]) }
        let inner = self.shape.count - 1
        if dst[inner] == 1, src[inner] != 1, src[inner] != 0 {
            across = self.shape.indices.last { $0 < inner && src[$0] == 1 && self.shape[$0] >= 4 }
            if self.shape[inner] < 4 { across = nil }
        }
    }

    func run(_ s: UnsafePointer<Float>, _ d: UnsafeMutablePointer<Float>) {
        let inner = shape.count - 1
        let outer = (0..<inner).filter { $0 != across }
        let count = outer.reduce(1) { $0 * shape[$1] }
        // A plane is cut along the dimension that is contiguous in the source.
        let columns = across.map { shape[$0] } ?? 1
        let bands = across == nil ? 1 : max(1, min((columns + 63) / 64, shape[inner] * columns / 16384))
        let band = ((columns + bands - 1) / bands + 15) / 16 * 16
        let planes = count * ((columns + band - 1) / band)
        let perPiece = max(1, 16384 / max(1, shape[inner] * min(band, columns)))
        ThreadPool.run((planes + perPiece - 1) / perPiece) { piece in
            for plane in piece * perPiece..<min((piece + 1) * perPiece, planes) {
                var rest = plane / ((columns + band - 1) / band)
                var from = s, to = d
                for k in outer.reversed() {
                    from += rest % shape[k] * src[k]
                    to += rest % shape[k] * dst[k]
                    rest /= shape[k]
                }
                if let across {
                    let first = plane % ((columns + band - 1) / band) * band
                    choose(KernelsV4.transposePlane, KernelsV3.transposePlane, KernelsV2.transposePlane)(
                        to + first * dst[across], dst[across], from + first, src[inner], shape[inner], min(band, columns - first))
                } else {
                    choose(KernelsV4.copyRow, KernelsV3.copyRow, KernelsV2.copyRow)(
                        to, dst[inner], from, src[inner], shape[inner])
                }
            }
        }
    }
}
