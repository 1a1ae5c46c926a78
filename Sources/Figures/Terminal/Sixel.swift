/// Sixel pictures, as DEC's VT340 introduced them: six rows of pixels a character, colours by number.
enum Sixel {
    /// The picture with at most 256 colours.
    static func encode(_ image: RGBAImage) -> String {
        let (indices, palette) = quantised(image)
        var out: [UInt8] = Array("\u{1B}P0;1;0q\"1;1;\(image.width);\(image.height)".utf8)
        for (index, colour) in palette.enumerated() {
            let (r, g, b) = colour
            // Components in per cent.
            out += Array("#\(index);2;\((r * 100 + 127) / 255);\((g * 100 + 127) / 255);\((b * 100 + 127) / 255)".utf8)
        }
        for top in stride(from: 0, to: image.height, by: 6) {
            band(indices, image.width, top, min(image.height, top + 6), &out)
            out.append(UInt8(ascii: "-"))
        }
        return String(decoding: out, as: UTF8.self) + "\u{1B}\\"
    }

    /// Six rows: for each colour in them a line of characters whose bits say which of the six pixels have it.
    private static func band(_ indices: [UInt8], _ width: Int, _ top: Int, _ bottom: Int, _ out: inout [UInt8]) {
        var bits: [UInt8: [UInt8]] = [:]
        for y in top..<bottom {
            let bit = UInt8(1) << UInt8(y - top)
            for x in 0..<width {
                bits[indices[y * width + x], default: [UInt8](repeating: 0, count: width)][x] |= bit
            }
        }
        for (number, colour) in bits.keys.sorted().enumerated() {
            if number > 0 { out.append(UInt8(ascii: "$")) }  // back to the start of the band
            out += Array("#\(colour)".utf8)
            let row = bits[colour] ?? []
            var x = 0
            while x < width {
                var end = x
                while end < width, row[end] == row[x] { end += 1 }
                let character = row[x] + 63
                // Runs of more than three are shorter with a count.
                if end - x > 3 {
                    out += Array("!\(end - x)".utf8) + [character]
                } else {
                    out += [UInt8](repeating: character, count: end - x)
                }
                x = end
            }
        }
    }

    /// Colour numbers of the pixels and the palette, by median cut over the picture's colours.
    static func quantised(_ image: RGBAImage) -> (indices: [UInt8], palette: [(Int, Int, Int)]) {
        var counts: [UInt32: Int] = [:]
        let words = (0..<(image.width * image.height)).map { i -> UInt32 in
            let red = UInt32(image.pixels[4 * i])
            let green = UInt32(image.pixels[4 * i + 1])
            let blue = UInt32(image.pixels[4 * i + 2])
            return red << 16 | green << 8 | blue
        }
        for word in words { counts[word, default: 0] += 1 }
        var boxes = [counts.keys.sorted()]
        while boxes.count < 256 {
            // The box with most pixels among those that still hold several colours is cut at the median of its longest side.
            let candidates = boxes.indices.filter { boxes[$0].count > 1 }
            guard let chosen = candidates.max(by: { weight(boxes[$0], counts) < weight(boxes[$1], counts) }) else { break }
            let (low, high) = cut(boxes[chosen], counts)
            boxes[chosen] = low
            boxes.append(high)
        }
        var number: [UInt32: UInt8] = [:]
        var palette: [(Int, Int, Int)] = []
        for (index, box) in boxes.enumerated() {
            palette.append(mean(box, counts))
            for word in box { number[word] = UInt8(index) }
        }
        return (words.map { number[$0] ?? 0 }, palette)
    }

    private static func component(_ word: UInt32, _ axis: Int) -> Int { Int(word >> UInt32(16 - 8 * axis) & 0xFF) }

    /// Pixels times extent, so that large areas of nearly one colour do not take all the cuts.
    private static func weight(_ box: [UInt32], _ counts: [UInt32: Int]) -> Int {
        box.reduce(0) { $0 + (counts[$1] ?? 0) } * (1 + extent(box, longest(box)))
    }

    private static func extent(_ box: [UInt32], _ axis: Int) -> Int {
        var (low, high) = (255, 0)
        for word in box {
            low = min(low, component(word, axis))
            high = max(high, component(word, axis))
        }
        return high - low
    }

    private static func longest(_ box: [UInt32]) -> Int { (0..<3).max { extent(box, $0) < extent(box, $1) } ?? 0 }

    private static func cut(_ box: [UInt32], _ counts: [UInt32: Int]) -> ([UInt32], [UInt32]) {
        let axis = longest(box)
        let sorted = box.sorted { (component($0, axis), $0) < (component($1, axis), $1) }
        let half = box.reduce(0) { $0 + (counts[$1] ?? 0) } / 2
        var sum = 0
        for (index, word) in sorted.enumerated() {
            sum += counts[word] ?? 0
            if sum >= half {
                let place = max(1, min(sorted.count - 1, index + 1))
                return (Array(sorted[..<place]), Array(sorted[place...]))
            }
        }
        return (sorted, [])
    }

    private static func mean(_ box: [UInt32], _ counts: [UInt32: Int]) -> (Int, Int, Int) {
        var sums = [0, 0, 0]
        var total = 0
        for word in box {
            let count = counts[word] ?? 0
            total += count
            for axis in 0..<3 { sums[axis] += component(word, axis) * count }
        }
        return (sums[0] / max(1, total), sums[1] / max(1, total), sums[2] / max(1, total))
    }
}
