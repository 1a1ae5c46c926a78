import Base
import Tensors

/// Resizing, cutting, mirroring, colour and normalisation in one pass over the output; nothing in between is stored.
extension Augmentation {
    /// Where the rows and columns of a window come from in maps of one size.
    struct Axes {
        fileprivate let rows: [Axis]
        fileprivate let columns: [Axis]
        /// Height and width of the maps.
        fileprivate let old: Size

        init(_ window: Window, old: Size) {
            self.old = old
            rows = Axis.list(window.top, window.size.height, old: old.height, new: window.scaled.height, mirrored: false)
            columns = Axis.list(window.left, window.size.width, old: old.width, new: window.scaled.width, mirrored: window.mirrored)
        }
    }

    /// What a window shows of a part, in memory of its own.
    /// - Throws: `FileError` when there is not the memory; `Interrupted`.
    func rendered(_ value: SampleValue, _ part: SamplePart, _ window: Window, _ axes: Axes) throws -> NamedArray {
        let shape = window.shape(of: value, part)
        let buffer = try Buffer(byteCount: shape.reduce(part.dtype.size, *))
        try render(value, part, window, axes, to: buffer.pointer)
        return NamedArray(name: part.name, dtype: part.dtype, shape: shape, buffer: buffer)
    }

    /// Writes what a window shows of a part: elements of the part's type in the shape that `Window.shape` says.
    /// - Throws: `Interrupted`.
    func render(_ value: SampleValue, _ part: SamplePart, _ window: Window, _ axes: Axes, to target: UnsafeMutableRawPointer) throws {
        let count = window.shape(of: value, part).reduce(1, *)
        func floats() -> UnsafeMutablePointer<Float> { target.bindMemory(to: Float.self, capacity: count) }
        switch value {
        case .image(let image):
            try image.pixels.withUnsafeBufferPointer { try paint($0, axes, window, floats()) }
        case .labels(let map):
            try map.values.withUnsafeBufferPointer {
                try pick($0, axes, outside: Int32(part.outside), target.bindMemory(to: Int32.self, capacity: count)) { Int32($0) }
            }
        case .array(let array):
            switch part.kind {
            case .nearest where array.dtype == .int32:
                let to = target.bindMemory(to: Int32.self, capacity: count)
                try eachPlane(array, Int32.self, window) { try pick($0, axes, outside: Int32(part.outside), to + $1) { $0 } }
            case .nearest:
                try eachPlane(array, Float.self, window) { try pick($0, axes, outside: part.outside, floats() + $1) { $0 } }
            case .bilinear:
                try eachPlane(array, Float.self, window) { try blend($0, axes, outside: part.outside, floats() + $1) }
            case .image:
                try eachPlane(array, Float.self, window) { try blend($0, axes, outside: .nan, floats() + $1) }
                try finish(floats(), window)
            case .points:
                window.move(array.buffer.elements(of: Float.self), width: array.shape.last ?? 2, axes.old, to: floats())
            case .same, .own, .unplaced:
                target.copyMemory(from: array.buffer.pointer, byteCount: array.buffer.byteCount)
            }
        }
    }

    /// Calls `body` for each [H, W] of an array, with where its result begins.
    private func eachPlane<Element>(_ array: NamedArray, _ type: Element.Type, _ window: Window, _ body: (UnsafeBufferPointer<Element>, Int) throws -> Void) rethrows {
        let values = UnsafeBufferPointer(array.buffer.elements(of: type))
        let plane = SampleValue.array(array).size.count
        for index in 0..<values.count / plane { try body(UnsafeBufferPointer(rebasing: values[index * plane..<(index + 1) * plane]), index * window.size.count) }
    }

    /// The nearest pixel of one plane.
    private func pick<From, To>(
        _ source: UnsafeBufferPointer<From>, _ axes: Axes, outside: To, _ target: UnsafeMutablePointer<To>, _ convert: (From) -> To
    ) throws {
        let (columns, width) = (axes.columns, axes.old.width)
        for (y, row) in axes.rows.enumerated() {
            try checkInterrupt()
            for (x, column) in columns.enumerated() {
                let inside = row.nearest >= 0 && column.nearest >= 0
                target[y * columns.count + x] = inside ? convert(source[row.nearest * width + column.nearest]) : outside
            }
        }
    }

    /// One plane of floats, blended of four pixels; one whose share is 0 does not count, were it NaN.
    private func blend(_ source: UnsafeBufferPointer<Float>, _ axes: Axes, outside: Float, _ target: UnsafeMutablePointer<Float>) throws {
        let (columns, width) = (axes.columns, axes.old.width)
        func mix(_ a: Float, _ b: Float, _ share: Float) -> Float { share == 0 ? a : a * (1 - share) + b * share }
        for (y, row) in axes.rows.enumerated() {
            try checkInterrupt()
            let (above, below) = (row.first * width, row.second * width)
            for (x, column) in columns.enumerated() {
                guard row.nearest >= 0, column.nearest >= 0 else {
                    target[y * columns.count + x] = outside
                    continue
                }
                let top = mix(source[above + column.first], source[above + column.second], column.weight)
                target[y * columns.count + x] = row.weight == 0 ? top
                    : mix(top, mix(source[below + column.first], source[below + column.second], column.weight), row.weight)
            }
        }
    }

    /// Colours and normalisation of three planes of 0 to 1, in place; the mean colour where they are NaN.
    private func finish(_ planes: UnsafeMutablePointer<Float>, _ window: Window) throws {
        let plane = window.size.count
        let (r, g, b) = (planes, planes + plane, planes + 2 * plane)
        for at in 0..<plane {
            if at & 0xffff == 0 { try checkInterrupt() }
            guard !r[at].isNaN, !g[at].isNaN, !b[at].isNaN else {
                (r[at], g[at], b[at]) = (0, 0, 0)
                continue
            }
            if jitter > 0 {
                var (red, green, blue) = (r[at] * 255, g[at] * 255, b[at] * 255)
                window.colour(&red, &green, &blue)
                (r[at], g[at], b[at]) = (red / 255, green / 255, blue / 255)
            }
            for (channel, values) in [r, g, b].enumerated() { values[at] = (values[at] - normalisation.mean[channel]) / normalisation.deviation[channel] }
        }
    }

    private func paint(
        _ source: UnsafeBufferPointer<UInt8>, _ axes: Axes, _ window: Window, _ images: UnsafeMutablePointer<Float>
    ) throws {
        let (rows, columns, width) = (axes.rows, axes.columns, axes.old.width)
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
    /// Shape of what the window shows of a part.
    func shape(of value: SampleValue, _ part: SamplePart) -> [Int] { part.kind.isMap ? value.shape.dropLast(2) + [size.height, size.width] : value.shape }

    /// Points {x, y, ...} of a sample of size `old`, in pixels from the centre of the first, as they lie in the window.
    fileprivate func move(_ points: UnsafeMutableBufferPointer<Float>, width: Int, _ old: Size, to target: UnsafeMutablePointer<Float>) {
        for at in points.indices {
            switch at % width {
            case 0:
                let x = (points[at] + 0.5) * Float(scaled.width) / Float(old.width) - 0.5 - Float(left)
                target[at] = mirrored ? Float(size.width - 1) - x : x
            case 1: target[at] = (points[at] + 0.5) * Float(scaled.height) / Float(old.height) - 0.5 - Float(top)
            default: target[at] = points[at]
            }
        }
    }

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
