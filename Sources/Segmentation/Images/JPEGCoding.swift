import Base
import CImage

/// JPEG files through libjpeg-turbo.
public enum JPEG {
    static let signature: [UInt8] = [0xff, 0xd8, 0xff]

    /// A JPEG as RGB; CMYK is converted as Pillow does, without a colour profile. Decoding uses the accurate integer DCT, whose results do not
    /// depend on the processor. Stray bytes between the parts of a file are passed over, as all programs do; a file that is cut short or whose
    /// pixels are damaged is an error, where others make up the rest in grey. The orientation that a camera may have noted is not applied
    /// (`Orientation`).
    public static func image(_ bytes: [UInt8]) throws -> Image {
        try Image(size: size(bytes)) { row in try rows(bytes, row) }
    }

    /// Decodes without keeping anything: finds every damage that reading would, in less time.
    static func verify(_ bytes: [UInt8]) throws {
        _ = try size(bytes)
        try rows(bytes, nil)
    }

    private static func rows(_ bytes: [UInt8], _ row: Codec.Row?) throws {
        try Codec.decode("JPEG", row) { trellis_jpeg_read(bytes, bytes.count, $0, $1, $2) }
    }

    /// Height and width, without decoding.
    /// - Throws: `FileError`, also for an image of more than `Size.mostPixels` and for one of neither 1, 3 nor 4 components.
    static func size(_ bytes: [UInt8]) throws -> Size {
        var (width, height, components): (UInt32, UInt32, Int32) = (0, 0, 0)
        try Codec.check("JPEG") { trellis_jpeg_header(bytes, bytes.count, &width, &height, &components, $0) }
        guard [1, 3, 4].contains(components) else {
            throw FileError("", "expected a JPEG of 1 (grey), 3 or 4 (CMYK) components, got \(components)", remedy: "the file may be whole; save it as RGB")
        }
        let size = Size(height: Int(height), width: Int(width))
        try size.requireReadable()
        return size
    }

    /// An RGB image as JPEG without subsampling of colour.
    /// - Parameter quality: 1 to 100.
    public static func encode(_ image: Image, quality: Int = 95) throws -> [UInt8] {
        guard (1...100).contains(quality) else { throw FileError("", "expected a JPEG quality of 1 to 100, got \(quality)") }
        let size = image.size
        return try Codec.encode("JPEG", stride: size.width * 3, { y, samples in image.copy(row: y, to: samples) }) {
            trellis_jpeg_write(UInt32(size.width), UInt32(size.height), Int32(quality), $0, $1, &$2, &$3, $4)
        }
    }
}
