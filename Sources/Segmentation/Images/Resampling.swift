extension Image {
    /// The image made smaller: each new pixel is the average of the area it covers.
    ///
    /// Weights are whole numbers (parts of `height` and `width`), so the result is exact and the same everywhere.
    public func reduced(to target: Size) -> Image {
        if target == size { return self }
        let rows = coverage(from: size.height, to: target.height)
        let columns = coverage(from: size.width, to: target.width)
        var pixels = [UInt8](repeating: 0, count: target.count * 3)
        // In units where an old pixel is `target` long and a new one `size` long.
        let area = UInt64(size.height) * UInt64(size.width)
        self.pixels.withUnsafeBufferPointer { source in
            for y in 0..<target.height {
                for x in 0..<target.width {
                    var (red, green, blue) = (area / 2, area / 2, area / 2)
                    for row in rows[y].first...rows[y].last {
                        let tall = rows[y].weight(row)
                        for column in columns[x].first...columns[x].last {
                            let weight = tall * columns[x].weight(column)
                            let at = (row * size.width + column) * 3
                            red += weight * UInt64(source[at])
                            green += weight * UInt64(source[at + 1])
                            blue += weight * UInt64(source[at + 2])
                        }
                    }
                    let to = (y * target.width + x) * 3
                    pixels[to] = UInt8(red / area)
                    pixels[to + 1] = UInt8(green / area)
                    pixels[to + 2] = UInt8(blue / area)
                }
            }
        }
        return Image(size: target, pixels: pixels)
    }

    /// The old pixels that a new one covers: all but the first and last are covered whole.
    private struct Span {
        var first: Int
        var last: Int
        var firstWeight: UInt64
        var lastWeight: UInt64
        var whole: UInt64

        func weight(_ index: Int) -> UInt64 { index == first ? firstWeight : index == last ? lastWeight : whole }
    }

    private func coverage(from old: Int, to new: Int) -> [Span] {
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
    public func nearest(to target: Size) -> LabelMap {
        if target == size { return self }
        let columns = (0..<target.width).map { (2 * $0 + 1) * size.width / (2 * target.width) }
        var values = [UInt16](repeating: 0, count: target.count)
        for y in 0..<target.height {
            let row = (2 * y + 1) * size.height / (2 * target.height) * size.width
            for x in 0..<target.width { values[y * target.width + x] = self.values[row + columns[x]] }
        }
        return LabelMap(size: target, values: values)
    }
}
