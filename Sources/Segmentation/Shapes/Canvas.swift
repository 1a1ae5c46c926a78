import Base
import CKernels
import Tensors

/// Where a scene is painted, back to front: three by three points a pixel, each with a colour and a class.
///
/// A pixel's colour is the average of its points (so edges are smooth), its label the class of the point at its centre.
/// Coordinates are in image heights: `u` from the middle of the image to the right, `v` from the top down.
final class Canvas {
    /// Points a pixel along each side; odd, so that one is at the centre.
    static let points = 3

    let size: Size
    private let columns: Int
    private let rows: Int
    private var tones: [Tone]
    private var labels: [UInt8]
    /// How far away what is seen at a point is, in metres, 0 of the sky; empty unless asked for.
    private var depths: [Float]
    /// Whether Ctrl-C was seen: what is painted afterwards has gaps, also when whoever reacts to it has done so already.
    private var isInterrupted = false

    /// - Throws: `FileError` when there is not the memory.
    init(size: Size, keepsDepth: Bool) throws {
        let points = size.count * Canvas.points * Canvas.points
        try Memory.check(points * (MemoryLayout<Tone>.stride + (keepsDepth ? 5 : 1)), toHold: "painting a scene of \(size)")
        self.size = size
        columns = size.width * Canvas.points
        rows = size.height * Canvas.points
        tones = [Tone](repeating: Tone(grey: 0), count: columns * rows)
        labels = [UInt8](repeating: 0, count: columns * rows)
        depths = [Float](repeating: 0, count: keepsDepth ? columns * rows : 0)
    }

    /// Half the image's width in image heights.
    var halfWidth: Double { Double(size.width) / Double(size.height) / 2 }
    /// Size of a pixel in image heights.
    var pixel: Double { 1 / Double(size.height) }

    /// The points of a rectangle: indices of columns and rows, and the distance between points.
    private func points(_ u: ClosedRange<Double>, _ v: ClosedRange<Double>) -> (columns: Range<Int>, rows: Range<Int>, step: Double) {
        let step = pixel / Double(Canvas.points)
        let left = index((u.lowerBound + halfWidth) / step, columns)
        let top = index(v.lowerBound / step, rows)
        let right = index((u.upperBound + halfWidth) / step + 1, columns)
        let bottom = index(v.upperBound / step + 1, rows)
        return (left..<max(left, right), top..<max(top, bottom), step)
    }

    /// Sets the points of a rectangle for which `shader` returns a colour and class, given where they are.
    /// - Parameter depth: how far away a point is, in metres.
    @inline(__always)
    func paint(
        u: ClosedRange<Double>, v: ClosedRange<Double>, depth: (_ u: Double, _ v: Double) -> Double,
        _ shader: (_ u: Double, _ v: Double) -> (tone: Tone, label: UInt8)?
    ) {
        let area = points(u, v)
        let half = halfWidth
        let keepsDepth = !depths.isEmpty
        tones.withUnsafeMutableBufferPointer { tones in
            labels.withUnsafeMutableBufferPointer { labels in
                for row in area.rows {
                    guard goesOn() else { return }
                    for column in area.columns {
                        let place = ((Double(column) + 0.5) * area.step - half, (Double(row) + 0.5) * area.step)
                        guard let point = shader(place.0, place.1) else { continue }
                        tones[row * columns + column] = point.tone
                        labels[row * columns + column] = point.label
                        if keepsDepth { depths[row * columns + column] = Float(depth(place.0, place.1)) }
                    }
                }
            }
        }
    }

    /// Multiplies the colour of points by what `shader` returns; classes stay. For shadows.
    @inline(__always)
    func shade(u: ClosedRange<Double>, v: ClosedRange<Double>, _ shader: (_ u: Double, _ v: Double) -> Double) {
        let area = points(u, v)
        let half = halfWidth
        tones.withUnsafeMutableBufferPointer { tones in
            for row in area.rows {
                guard goesOn() else { return }
                for column in area.columns {
                    tones[row * columns + column] *= shader((Double(column) + 0.5) * area.step - half, (Double(row) + 0.5) * area.step)
                }
            }
        }
    }

    /// Fills the rows of pixels above `bottom`, with one colour a pixel: for what has no edges.
    @inline(__always)
    func fill(above bottom: Double, label: UInt8, _ shader: (_ u: Double, _ v: Double) -> Tone) {
        let half = halfWidth
        for y in 0..<min(size.height, index(bottom / pixel + 1, rows)) {
            guard goesOn() else { return }
            for x in 0..<size.width {
                let tone = shader((Double(x) + 0.5) * pixel - half, (Double(y) + 0.5) * pixel)
                for row in y * Canvas.points..<(y + 1) * Canvas.points {
                    for column in x * Canvas.points..<(x + 1) * Canvas.points {
                        tones[row * columns + column] = tone
                        labels[row * columns + column] = label
                    }
                }
            }
        }
    }

    /// False once Ctrl-C was pressed.
    private func goesOn() -> Bool {
        if trellis_interrupt_pending() { isInterrupted = true }
        return !isInterrupted
    }

    /// `position` as an index of 0 to `limit`, whatever its size.
    private func index(_ position: Double, _ limit: Int) -> Int {
        position >= Double(limit) ? limit : position > 0 ? Int(position) : 0
    }

    /// The picture: averaged, with a little noise of the sensor, in 8 bits. Labels beyond the last class become the last.
    /// - Throws: `Interrupted`.
    func sample(noise: Noise, classes count: Int) throws -> Sample {
        var pixels = [UInt8](repeating: 0, count: size.count * 3)
        var classes = [UInt16](repeating: 0, count: size.count)
        let (side, middle) = (Canvas.points, Canvas.points / 2)
        for y in 0..<size.height {
            guard goesOn() else { throw Interrupted() }
            for x in 0..<size.width {
                var sum = Tone(grey: 0)
                for row in 0..<side {
                    for column in 0..<side { sum += tones[(y * side + row) * columns + x * side + column] }
                }
                let grain = (noise.at(x, y) + noise.at(x + 100_003, y) - 1) * 0.035
                let tone = sum / Double(side * side) + Tone(grey: grain)
                let at = y * size.width + x
                for channel in 0..<3 { pixels[at * 3 + channel] = UInt8(max(0, min(255, tone[channel] * 255 + 0.5))) }
                classes[at] = min(UInt16(labels[(y * side + middle) * columns + x * side + middle]), UInt16(count - 1))
            }
        }
        let sample = Sample(image: Image(size: size, pixels: pixels), labels: LabelMap(size: size, values: classes))
        return depths.isEmpty ? sample : Sample(sample.values + [.array(try depthMap())])
    }

    /// The depth at the middle of each pixel, [H, W].
    private func depthMap() throws -> NamedArray {
        let middle = Canvas.points / 2
        return try NamedArray(
            name: Shapes.depth.name, shape: [size.height, size.width],
            floats: (0..<size.count).map { depths[($0 / size.width * Canvas.points + middle) * columns + $0 % size.width * Canvas.points + middle] })
    }
}
