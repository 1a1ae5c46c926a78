import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// A change of the planes' size.
public struct ResizeShape: Hashable, Sendable {
    public var batch, channels, inHeight, inWidth, outHeight, outWidth: Int
    /// Elements from one image to the next.
    public var inBatchStride, outBatchStride: Int

    public init(
        batch: Int, channels: Int, inHeight: Int, inWidth: Int, outHeight: Int, outWidth: Int, inBatchStride: Int? = nil,
        outBatchStride: Int? = nil
    ) {
        self.batch = batch
        self.channels = channels
        self.inHeight = inHeight
        self.inWidth = inWidth
        self.outHeight = outHeight
        self.outWidth = outWidth
        self.inBatchStride = inBatchStride ?? channels * inHeight * inWidth
        self.outBatchStride = outBatchStride ?? channels * outHeight * outWidth
    }
}

/// Bilinear and nearest resizing and their adjoints. `alignCorners` false is the half-pixel rule of PyTorch's
/// align_corners=False; nearest is PyTorch's `nearest`.
public enum Resize {
    public static func bilinear(
        _ s: ResizeShape, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, alignCorners: Bool
    ) {
        forward(s, x, y) { Taps.linear($0, $1, alignCorners: alignCorners) }
    }

    public static func bilinearBackward(
        _ s: ResizeShape, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, alignCorners: Bool,
        accumulate: Bool = false
    ) {
        backward(s, g, dx, accumulate) { Taps.linear($0, $1, alignCorners: alignCorners) }
    }

    public static func nearest(_ s: ResizeShape, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
        forward(s, x, y) { Taps.nearest($0, $1) }
    }

    public static func nearestBackward(
        _ s: ResizeShape, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, accumulate: Bool = false
    ) {
        backward(s, g, dx, accumulate) { Taps.nearest($0, $1) }
    }

    private static func forward(
        _ s: ResizeShape, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ taps: (Int, Int) -> Taps?
    ) {
        guard s.inHeight > 0, s.inWidth > 0, s.outHeight > 0, s.outWidth > 0 else { return }
        guard let rows = taps(s.inHeight, s.outHeight),
            let columns = s.inHeight == s.inWidth && s.outHeight == s.outWidth ? rows : taps(s.inWidth, s.outWidth)
        else { return }
        apply(rows, columns, s.batch, s.channels, x, s.inBatchStride, y, s.outBatchStride, false)
    }

    private static func backward(
        _ s: ResizeShape, _ g: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>, _ accumulate: Bool,
        _ taps: (Int, Int) -> Taps?
    ) {
        guard s.inHeight > 0, s.inWidth > 0, s.outHeight > 0, s.outWidth > 0 else { return }
        guard let rows = taps(s.inHeight, s.outHeight)?.transposed(),
            let columns = s.inHeight == s.inWidth && s.outHeight == s.outWidth ? rows : taps(s.inWidth, s.outWidth)?.transposed()
        else { return }
        apply(rows, columns, s.batch, s.channels, g, s.outBatchStride, dx, s.inBatchStride, accumulate)
    }

    private static func apply(
        _ rows: Taps, _ columns: Taps, _ batch: Int, _ channels: Int, _ x: UnsafePointer<Float>, _ xStride: Int,
        _ y: UnsafeMutablePointer<Float>, _ yStride: Int, _ accumulate: Bool
    ) {
        var r = rows.operation, c = columns.operation
        let inSize = r.inCount * c.inCount, outSize = r.count * c.count
        withUnsafePointer(to: &r) { r in
            withUnsafePointer(to: &c) { c in
                let floats = choose(KernelsV4.resizeWork, KernelsV3.resizeWork, KernelsV2.resizeWork)(r, c)
                Bands(planes: batch * channels, rows: r.pointee.count, size: max(inSize, outSize)).run { plane, first, end in
                    guard let work = Workspace.floats(floats) else { return }
                    let image = plane / channels, channel = plane % channels
                    choose(KernelsV4.resizePlane, KernelsV3.resizePlane, KernelsV2.resizePlane)(
                        r, c, x + image * xStride + channel * inSize, y + image * yStride + channel * outSize, first, end,
                        work, accumulate)
                }
            }
        }
        withExtendedLifetime((rows, columns)) {}
    }
}

/// Planes, whole where they are small, else cut into bands of rows; by shape alone.
struct Bands {
    private let groups: PlaneGroups
    private let rows, bands, rowsPerBand: Int

    init(planes: Int, rows: Int, size: Int) {
        groups = PlaneGroups(planes: planes, size: size)
        self.rows = rows
        let wanted = max(1, min(rows / 8, size / 65536))
        rowsPerBand = max(1, (rows + wanted - 1) / wanted)
        bands = rows == 0 ? 0 : (rows + rowsPerBand - 1) / rowsPerBand
    }

    func run(_ body: (_ plane: Int, _ first: Int, _ end: Int) -> Void) {
        if bands <= 1 { return groups.run { body($0, 0, rows) } }
        ThreadPool.run(groups.planes * bands) { piece in
            let first = piece % bands * rowsPerBand
            body(piece / bands, first, min(first + rowsPerBand, rows))
        }
    }
}
