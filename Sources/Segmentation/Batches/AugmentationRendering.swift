import Base
import Tensors

/// Resizing, cutting, mirroring, colour and normalisation in one pass over the output; nothing in between is stored.
extension Augmentation {
    /// Writes one sample's [3, H, W] and [H, W] of `window.size`.
    /// - Throws: `Interrupted`.
    func render(
        _ sample: Sample, _ window: Window, images: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>
    ) throws {
        let rows = Axis.list(window.top, window.size.height, old: sample.image.size.height, new: window.scaled.height, mirrored: false)
        let columns = Axis.list(
            window.left, window.size.width, old: sample.image.size.width, new: window.scaled.width, mirrored: window.mirrored)
        let width = sample.image.size.width
        try sample.labels.values.withUnsafeBufferPointer { source in
            for (y, row) in rows.enumerated() {
                try checkInterrupt()
                for (x, column) in columns.enumerated() {
                    let inside = row.nearest >= 0 && column.nearest >= 0
                    labels[y * columns.count + x] = inside ? Int32(source[row.nearest * width + column.nearest]) : Int32(LabelMap.ignore)
                }
            }
        }
        try sample.image.pixels.withUnsafeBufferPointer { source in
            try paint(source, width, rows, columns, window, images)
        }
    }

    private func paint(
        _ source: UnsafeBufferPointer<UInt8>, _ width: Int, _ rows: [Axis], _ columns: [Axis], _ window: Window,
        _ images: UnsafeMutablePointer<Float>
    ) throws {
        let plane = rows.count * columns.count
        let gain = (0..<3).map { 1 / (255 * normalisation.deviation[$0]) }
        let offset = (0..<3).map { -normalisation.mean[$0] / normalisation.deviation[$0] }
        let (r, g, b) = (images, images + plane, images + 2 * plane)
        for (y, row) in rows.enumerated() {
            try checkInterrupt()
            let (above, below) = (row.first * width, row.second * width)
            for (x, column) in columns.enumerated() {
                let at = y * columns.count + x
                guard row.nearest >= 0, column.nearest >= 0 else {
                    // The mean colour, which is zero once normalised.
                    (r[at], g[at], b[at]) = (0, 0, 0)
                    continue
                }
                let corners = (
                    (above + column.first) * 3, (above + column.second) * 3, (below + column.first) * 3, (below + column.second) * 3)
                let (across, down) = (column.weight, row.weight)
                @inline(__always) func blend(_ channel: Int) -> Float {
                    let top = Float(source[corners.0 + channel]) * (1 - across) + Float(source[corners.1 + channel]) * across
                    let bottom = Float(source[corners.2 + channel]) * (1 - across) + Float(source[corners.3 + channel]) * across
                    return top * (1 - down) + bottom * down
                }
                var (red, green, blue) = (blend(0), blend(1), blend(2))
                if jitter > 0 { window.colour(&red, &green, &blue) }
                r[at] = red * gain[0] + offset[0]
                g[at] = green * gain[1] + offset[1]
                b[at] = blue * gain[2] + offset[2]
            }
        }
    }
}

extension Augmentation.Window {
    /// Brightness, contrast about the middle grey, saturation about the pixel's own grey (weights of ITU-R BT.601).
    @inline(__always)
    fileprivate func colour(_ red: inout Float, _ green: inout Float, _ blue: inout Float) {
        func adjust(_ value: Float) -> Float { (value * brightness - 127.5) * contrast + 127.5 }
        (red, green, blue) = (adjust(red), adjust(green), adjust(blue))
        let grey = 0.299 * red + 0.587 * green + 0.114 * blue
        func saturate(_ value: Float) -> Float { max(0, min(255, grey + (value - grey) * saturation)) }
        (red, green, blue) = (saturate(red), saturate(green), saturate(blue))
    }
}

/// Where a row or column of the output comes from.
private struct Axis {
    /// Two neighbours and the share of the second (bilinear, half-pixel centres).
    var first = 0
    var second = 0
    var weight: Float = 0
    /// The old pixel under the centre of the new one; -1 outside the image.
    var nearest = -1

    static func list(_ start: Int, _ count: Int, old: Int, new: Int, mirrored: Bool) -> [Axis] {
        (0..<count).map { index in
            let position = start + (mirrored ? count - 1 - index : index)
            guard (0..<new).contains(position) else { return Axis() }
            let centre = max(0, (Double(position) + 0.5) * Double(old) / Double(new) - 0.5)
            let first = min(Int(centre), old - 1)
            return Axis(
                first: first, second: min(first + 1, old - 1), weight: Float(centre - Double(first)),
                nearest: (2 * position + 1) * old / (2 * new))
        }
    }
}
