import CImage
import Glibc
import Tensors

/// PNG files through libpng.
public enum PNG {
    static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
    /// Images with more pixels are refused: a few bytes of PNG can claim gigabytes.
    public static let maximumPixels = 1 << 28

    /// What a PNG stores, unchanged.
    struct Raw {
        var size: Size
        /// 1 grey or palette index, 2 grey and alpha, 3 RGB, 4 RGBA.
        var channels: Int
        var values: [UInt16]
        var isPalette: Bool
        /// Bits a value: 8 (also for those stored in fewer) or 16.
        var depth: Int
    }

    /// Any PNG as RGB of 8 bits: palettes looked up, grey repeated, alpha dropped, 16 bits cut to 8, no gamma.
    public static func image(_ bytes: [UInt8]) throws(FileError) -> Image {
        let png = try decode(bytes, colour: true)
        defer { free(png.pixels) }
        return Image(size: size(png), pixels: Array(UnsafeBufferPointer(start: png.pixels, count: size(png).count * 3)))
    }

    /// The stored values: palette indices stay indices, grey of 1, 2 and 4 bits is not stretched.
    static func raw(_ bytes: [UInt8]) throws(FileError) -> Raw {
        let png = try decode(bytes, colour: false)
        defer { free(png.pixels) }
        let count = size(png).count * Int(png.channels)
        var values = [UInt16](repeating: 0, count: count)
        if let pixels = png.pixels {
            if png.depth == 16 {
                values.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(start: pixels, count: count * 2)) }
            } else {
                for index in 0..<count { values[index] = UInt16(pixels[index]) }
            }
        }
        return Raw(size: size(png), channels: Int(png.channels), values: values, isPalette: png.palette_count > 0, depth: Int(png.depth))
    }

    /// Height and width from the first bytes of a file, without decoding.
    static func size(header bytes: [UInt8]) -> Size? {
        guard bytes.count >= 24, bytes.starts(with: signature) else { return nil }
        func number(_ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
        return Size(height: number(20), width: number(16))
    }

    private static func size(_ png: trellis_png) -> Size { Size(height: Int(png.height), width: Int(png.width)) }

    private static func decode(_ bytes: [UInt8], colour: Bool) throws(FileError) -> trellis_png {
        var png = trellis_png()
        var message = [CChar](repeating: 0, count: 200)
        guard trellis_png_read(bytes, bytes.count, colour ? 1 : 0, UInt64(maximumPixels), &png, &message, message.count) == 0 else {
            throw FileError("", "not a usable PNG: \(text(message))", remedy: "write or fetch the file again")
        }
        return png
    }

    private static func text(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// An RGB image as PNG.
    public static func encode(_ image: Image) throws(FileError) -> [UInt8] {
        try encode(image.size, channels: 3, depth: 8, image.pixels, palette: [])
    }

    /// Labels as PNG: indices into `palette` (RGB triples) when one is given, else grey; 16 bits only when needed.
    public static func encode(_ labels: LabelMap, palette: [(UInt8, UInt8, UInt8)] = []) throws(FileError) -> [UInt8] {
        let highest = Int(labels.values.max() ?? 0)
        guard palette.isEmpty || highest < palette.count && palette.count <= 256 else {
            throw FileError("", "label \(highest) has no colour in a palette of \(palette.count)", remedy: "give each label a colour")
        }
        if highest < 256 { return try encode(labels.size, channels: 1, depth: 8, labels.values.map { UInt8($0) }, palette: palette) }
        let bytes = labels.values.withUnsafeBytes { Array($0) }
        return try encode(labels.size, channels: 1, depth: 16, bytes, palette: [])
    }

    private static func encode(
        _ size: Size, channels: Int, depth: Int, _ pixels: [UInt8], palette: [(UInt8, UInt8, UInt8)]
    ) throws(FileError) -> [UInt8] {
        var png = trellis_png()
        png.width = UInt32(size.width)
        png.height = UInt32(size.height)
        png.channels = Int32(channels)
        png.depth = Int32(depth)
        png.palette_count = Int32(palette.count)
        withUnsafeMutableBytes(of: &png.palette) { table in
            for (index, colour) in palette.enumerated() {
                table[3 * index] = colour.0
                table[3 * index + 1] = colour.1
                table[3 * index + 2] = colour.2
            }
        }
        var message = [CChar](repeating: 0, count: 200)
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        let code = pixels.withUnsafeBufferPointer { source in
            png.pixels = UnsafeMutablePointer(mutating: source.baseAddress)
            return trellis_png_write(&png, &bytes, &count, &message, message.count)
        }
        defer { free(bytes) }
        guard code == 0 else { throw FileError("", "libpng could not encode the image: \(text(message))") }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }
}
