import Base
import Tensors

extension Image {
    /// The image made smaller: each new pixel is the average of the area it covers.
    ///
    /// Weights are whole numbers (parts of `height` and `width`), so the result is exact and the same everywhere.
    /// - Throws: `FileError` when there is not the memory; `Interrupted`.
    public func reduced(to target: Size) throws -> Image {
        if target == size { return self }
        let rows = Span.coverage(from: size.height, to: target.height)
        let columns = Span.coverage(from: size.width, to: target.width)
        // In units where an old pixel is `target` long and a new one `size` long.
        let area = UInt64(size.height) * UInt64(size.width)
        var line = [UInt8](repeating: 0, count: target.width * 3)
        return try pixels.withUnsafeBufferPointer { source in
            try Image(size: target) { row in
                for y in 0..<target.height {
                    try checkInterrupt()
                    line.withUnsafeMutableBufferPointer { average(source, rows[y], columns, area, into: $0) }
                    try line.withUnsafeBufferPointer { line in if let start = line.baseAddress { try row(y, start) } }
                }
            }
        }
    }

    private func average(
        _ source: UnsafeBufferPointer<UInt8>, _ row: Span, _ columns: [Span], _ area: UInt64, into line: UnsafeMutableBufferPointer<UInt8>
    ) {
        for (x, span) in columns.enumerated() {
            var (red, green, blue) = (area / 2, area / 2, area / 2)
            for y in row.first...row.last {
                let tall = row.weight(y)
                for column in span.first...span.last {
                    let weight = tall * span.weight(column)
                    let at = (y * size.width + column) * 3
                    red += weight * UInt64(source[at])
                    green += weight * UInt64(source[at + 1])
                    blue += weight * UInt64(source[at + 2])
                }
            }
            line[3 * x] = UInt8(red / area)
            line[3 * x + 1] = UInt8(green / area)
            line[3 * x + 2] = UInt8(blue / area)
        }
    }

}

extension NamedArray {
    /// Float32 maps [..., H, W] made smaller: each new pixel is the average of the area it covers.
    /// - Throws: `FileError` when there is not the memory; `Interrupted`.
    func reduced(to target: Size) throws -> NamedArray {
        let old = SampleValue.array(self).size
        if target == old { return self }
        let (rows, columns) = (Span.coverage(from: old.height, to: target.height), Span.coverage(from: old.width, to: target.width))
        let planes = count / old.count
        let result = try Buffer(byteCount: planes * target.count * 4)
        let (from, to) = (buffer.elements(of: Float.self), result.elements(of: Float.self))
        let area = Double(old.height) * Double(old.width)
        for plane in 0..<planes {
            for y in 0..<target.height {
                try checkInterrupt()
                for (x, span) in columns.enumerated() {
                    var sum = 0.0
                    for row in rows[y].first...rows[y].last {
                        let tall = Double(rows[y].weight(row))
                        for column in span.first...span.last {
                            sum += tall * Double(span.weight(column)) * Double(from[plane * old.count + row * old.width + column])
                        }
                    }
                    to[plane * target.count + y * target.width + x] = Float(sum / area)
                }
            }
        }
        return NamedArray(name: name, dtype: dtype, shape: shape.dropLast(2) + [target.height, target.width], buffer: result)
    }
}

/// The old pixels that a new one covers: all but the first and last are covered whole.
private struct Span {
    var first: Int
    var last: Int
    var firstWeight: UInt64
    var lastWeight: UInt64
    var whole: UInt64

    func weight(_ index: Int) -> UInt64 { index == first ? firstWeight : index == last ? lastWeight : whole }

    static func coverage(from old: Int, to new: Int) -> [Span] {
        (0..<new).map { index in
            // New pixel `index` covers [index * old, (index + 1) * old) in units where an old pixel is `new` long.
            let (low, high) = (index * old, (index + 1) * old)
            let (first, last) = (low / new, (high - 1) / new)
            let firstWeight = min(high, (first + 1) * new) - low
            return Span(
                first: first, last: last, firstWeight: UInt64(firstWeight), lastWeight: UInt64(high - max(low, last * new)),
                whole: UInt64(new))
        }
    }
}

extension LabelMap {
    /// The map at another size: each new pixel has the label of the old one under its centre.
    /// - Throws: `FileError` when there is not the memory; `Interrupted`.
    public func nearest(to target: Size) throws -> LabelMap {
        if target == size { return self }
        let columns = (0..<target.width).map { (2 * $0 + 1) * size.width / (2 * target.width) }
        return try values.withUnsafeBufferPointer { source in
            try LabelMap(size: target) { line in
                for y in 0..<target.height {
                    try checkInterrupt()
                    let (row, to) = ((2 * y + 1) * size.height / (2 * target.height) * size.width, line(y))
                    for x in columns.indices { to[x] = source[row + columns[x]] }
                }
            }
        }
    }
}
