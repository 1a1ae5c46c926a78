import Foundation

/// PNG files of every kind, written without libpng: stored deflate blocks, checksums by hand.
struct RawPNG {
    /// As in the header: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA.
    var colourType: UInt8
    var depth: Int
    /// Of each row, each pixel, the samples.
    var pixels: [[[UInt16]]]
    /// Chunks between header and pixels.
    var chunks: [(type: String, data: [UInt8])] = []
    var isInterlaced = false

    static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

    var bytes: [UInt8] {
        let (height, width) = (pixels.count, pixels[0].count)
        let header = RawPNG.big(UInt32(width)) + RawPNG.big(UInt32(height)) + [UInt8(depth), colourType, 0, 0, isInterlaced ? 1 : 0]
        var file = RawPNG.signature + RawPNG.chunk("IHDR", header)
        for (type, data) in chunks { file += RawPNG.chunk(type, data) }
        return file + RawPNG.chunk("IDAT", RawPNG.zlib(scanlines)) + RawPNG.chunk("IEND", [])
    }

    /// Rows behind a filter byte of 0; of an interlaced image those of each pass.
    private var scanlines: [UInt8] {
        let (height, width) = (pixels.count, pixels[0].count)
        let passes = isInterlaced
            ? [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)] : [(0, 0, 1, 1)]
        var lines: [UInt8] = []
        for (top, left, down, across) in passes where left < width {
            for y in stride(from: top, to: height, by: down) {
                lines += [0] + packed(stride(from: left, to: width, by: across).flatMap { pixels[y][$0] })
            }
        }
        return lines
    }

    private func packed(_ samples: [UInt16]) -> [UInt8] {
        if depth == 16 { return samples.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
        if depth == 8 { return samples.map { UInt8($0) } }
        var (bytes, bits): ([UInt8], Int) = ([], 8)
        for sample in samples {
            if bits == 8 { (bytes, bits) = (bytes + [0], 0) }
            bits += depth
            bytes[bytes.count - 1] |= UInt8(sample) << UInt8(8 - bits)
        }
        return bytes
    }

    static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + data
        return big(UInt32(data.count)) + body + big(checksum(body))
    }

    static func big(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }

    /// CRC-32.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum: UInt32 = 0xffff_ffff
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xedb8_8320 : sum >> 1 }
        }
        return ~sum
    }

    /// A zlib stream of stored blocks.
    private static func zlib(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = [0x78, 0x01]
        for start in stride(from: 0, to: max(bytes.count, 1), by: 65535) {
            let block = bytes[start..<min(start + 65535, bytes.count)]
            let size = UInt16(block.count)
            out += [start + 65535 >= bytes.count ? 1 : 0, UInt8(size & 255), UInt8(size >> 8), UInt8(~size & 255), UInt8(~size >> 8)] + block
        }
        var (a, b): (UInt32, UInt32) = (1, 0)
        for byte in bytes { (a, b) = ((a + UInt32(byte)) % 65521, (b + a + UInt32(byte)) % 65521) }
        return out + big(b << 16 | a)
    }
}
