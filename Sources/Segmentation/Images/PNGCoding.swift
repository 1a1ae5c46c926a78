import Base
import CImage
import Tensors

/// PNG files through libpng.
public enum PNG {
    static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

    /// What a PNG stores.
    struct Header {
        var size: Size
        /// 1 grey or palette index, 2 grey and alpha, 3 RGB, 4 RGBA.
        var channels: Int
        /// Bits a sample: 1, 2, 4, 8 or 16.
        var depth: Int
        /// Red, green, blue and alpha of each index; nil when samples are no indices.
        var palette: [SIMD4<UInt8>]?
        /// The samples of pixels that are transparent, where one value stands for that.
        var key: [UInt16]?

        /// "grey of 8 bits", for messages.
        var kind: String {
            let names = ["grey", "grey with alpha", "RGB", "RGBA"]
            return (palette == nil ? names[channels - 1] : "palette") + " of \(depth) bit\(depth == 1 ? "" : "s")"
        }
    }

    /// - Throws: `FileError`, also for an image of more than `Size.mostPixels`.
    static func header(_ bytes: [UInt8]) throws -> Header {
        var png = trellis_png()
        try Codec.check("PNG") { trellis_png_header(bytes, bytes.count, &png, $0) }
        let size = Size(height: Int(png.height), width: Int(png.width))
        try size.requireReadable()
        let palette = withUnsafeBytes(of: png.palette) { entries in
            (0..<Int(png.palette_count)).map { entries.loadUnaligned(fromByteOffset: 4 * $0, as: SIMD4<UInt8>.self) }
        }
        let key = withUnsafeBytes(of: png.key) { Array($0.bindMemory(to: UInt16.self).prefix(Int(png.channels))) }
        return Header(
            size: size, channels: Int(png.channels), depth: Int(png.depth), palette: png.is_palette ? palette : nil, key: png.has_key ? key : nil)
    }

    /// Any PNG as RGB of 8 bits: palettes looked up, grey repeated, alpha dropped, 16 bits cut to 8, no gamma.
    public static func image(_ bytes: [UInt8]) throws -> Image {
        try Image(size: header(bytes).size) { row in try rows(bytes, TRELLIS_PNG_RGB, row) }
    }

    /// Samples as they are stored, a row at a time: a byte each, or 16 bits of the machine's order where the depth is 16. Palette indices
    /// stay indices, grey of 1, 2 and 4 bits is not stretched.
    static func stored(_ bytes: [UInt8], _ row: @escaping Codec.Row) throws { try rows(bytes, TRELLIS_PNG_STORED, row) }

    /// Decodes without keeping anything: finds every damage that reading would.
    static func verify(_ bytes: [UInt8]) throws {
        _ = try header(bytes)
        try rows(bytes, TRELLIS_PNG_STORED, nil)
    }

    private static func rows(_ bytes: [UInt8], _ form: trellis_png_form, _ row: Codec.Row?) throws {
        try Codec.decode("PNG", row) { trellis_png_read(bytes, bytes.count, form, $0, $1, $2) }
    }

    /// Height and width from the first bytes of a file, without decoding.
    static func size(header bytes: [UInt8]) -> Size? {
        guard bytes.count >= 24, bytes.starts(with: signature) else { return nil }
        func number(_ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
        return Size(height: number(20), width: number(16))
    }

    /// An RGB image as PNG.
    public static func encode(_ image: Image) throws -> [UInt8] {
        try encode(image.size, channels: 3, depth: 8, palette: []) { y, samples in image.copy(row: y, to: samples) }
    }

    /// Labels as PNG: indices into `palette` (RGB triples) when one is given, else grey; 16 bits only when needed.
    public static func encode(_ labels: LabelMap, palette: [(UInt8, UInt8, UInt8)] = []) throws -> [UInt8] {
        let highest = Int(labels.values.max() ?? 0)
        guard palette.isEmpty || highest < palette.count && palette.count <= 256 else {
            throw FileError("", "label \(highest) has no colour in a palette of \(palette.count)", remedy: "give each label a colour")
        }
        return try encode(labels, depth: highest < 256 ? 8 : 16, palette: palette) { _, _ in }
    }

    /// Labels as PNG of 8 or 16 bits.
    /// - Parameter change: what is done to each row before it is written.
    static func encode(
        _ labels: LabelMap, depth: Int, palette: [(UInt8, UInt8, UInt8)], change: @escaping (_ y: Int, _ row: UnsafeMutableBufferPointer<UInt16>) throws -> Void
    ) throws -> [UInt8] {
        let width = labels.size.width
        var row = [UInt16](repeating: 0, count: width)
        return try encode(labels.size, channels: 1, depth: depth, palette: palette) { y, samples in
            for x in 0..<width { row[x] = labels.values[y * width + x] }
            try row.withUnsafeMutableBufferPointer { row in
                try change(y, row)
                if depth == 16, let start = row.baseAddress {
                    UnsafeMutableRawPointer(samples).copyMemory(from: start, byteCount: width * 2)
                } else {
                    for x in 0..<width { samples[x] = UInt8(truncatingIfNeeded: row[x]) }
                }
            }
        }
    }

    /// Rows of samples as PNG: bytes, or 16 bits of the machine's order.
    static func encode(
        _ size: Size, channels: Int, depth: Int, palette: [(UInt8, UInt8, UInt8)], _ row: @escaping (Int, UnsafeMutablePointer<UInt8>) throws -> Void
    ) throws -> [UInt8] {
        var png = trellis_png()
        png.width = UInt32(size.width)
        png.height = UInt32(size.height)
        png.channels = Int32(channels)
        png.depth = Int32(depth)
        png.is_palette = !palette.isEmpty
        png.palette_count = Int32(palette.count)
        withUnsafeMutableBytes(of: &png.palette) { table in
            for (index, colour) in palette.enumerated() {
                table[4 * index] = colour.0
                table[4 * index + 1] = colour.1
                table[4 * index + 2] = colour.2
            }
        }
        return try Codec.encode("PNG", stride: size.width * channels * depth / 8, row) { trellis_png_write(&png, $0, $1, &$2, &$3, $4) }
    }
}
