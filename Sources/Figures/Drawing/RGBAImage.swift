/// A picture of 8-bit red, green, blue and opacity, row by row from the top left.
public struct RGBAImage: Hashable, Sendable {
    public let width, height: Int
    /// `4 * width * height` bytes.
    public internal(set) var pixels: [UInt8]

    /// A transparent picture.
    init(width: Int, height: Int) {
        self.width = max(0, width)
        self.height = max(0, height)
        pixels = [UInt8](repeating: 0, count: 4 * self.width * self.height)
    }

    /// A picture from `height x width x 3` (RGB) or `height x width x 4` (RGBA) bytes.
    ///
    /// - Throws: `FigureError.invalid` when the number of bytes fits neither.
    public init(width: Int, height: Int, bytes: [UInt8]) throws {
        guard width > 0, height > 0 else {
            throw FigureError.invalid("image: width and height must be positive, got \(width) x \(height)")
        }
        let count = width * height
        guard bytes.count == 3 * count || bytes.count == 4 * count else {
            throw FigureError.invalid(
                "image: \(height) x \(width) pixels need \(3 * count) bytes (RGB) or \(4 * count) (RGBA), got \(bytes.count)")
        }
        self.width = width
        self.height = height
        if bytes.count == 4 * count {
            pixels = bytes
        } else {
            var pixels = [UInt8](repeating: 255, count: 4 * count)
            for i in 0..<count {
                for c in 0..<3 { pixels[4 * i + c] = bytes[3 * i + c] }
            }
            self.pixels = pixels
        }
    }

    /// The picture with each pixel repeated `factor` times in both directions.
    func enlarged(_ factor: Int) -> RGBAImage {
        guard factor > 1 else { return self }
        var result = RGBAImage(width: width * factor, height: height * factor)
        result.pixels.removeAll(keepingCapacity: true)
        for y in 0..<height {
            var row: [UInt8] = []
            row.reserveCapacity(4 * result.width)
            for x in 0..<width {
                let pixel = pixels[(4 * (y * width + x))..<(4 * (y * width + x) + 4)]
                for _ in 0..<factor { row += pixel }
            }
            for _ in 0..<factor { result.pixels += row }
        }
        return result
    }

    subscript(x: Int, y: Int) -> Colour {
        let i = 4 * (y * width + x)
        return Colour(
            red: Double(pixels[i]) / 255, green: Double(pixels[i + 1]) / 255, blue: Double(pixels[i + 2]) / 255,
            alpha: Double(pixels[i + 3]) / 255)
    }
}
