import CJPEG
import Tensors

/// JPEG files through libjpeg-turbo's TurboJPEG interface, which returns error codes and never jumps out.
public enum JPEG {
    static let signature: [UInt8] = [0xff, 0xd8, 0xff]

    /// A JPEG as RGB. Decoding uses the accurate integer DCT, whose results do not depend on the processor.
    /// The orientation that a camera may have noted is not applied: labels know nothing of it.
    public static func image(_ bytes: [UInt8]) throws(FileError) -> Image {
        let decoder = try Handle(tjInitDecompress())
        let size = try size(bytes, decoder)
        var pixels = [UInt8](repeating: 0, count: size.count * 3)
        // A truncated file is only a warning to the library, which makes up the rest in grey; here it is an error.
        let flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS
        let code = tjDecompress2(
            decoder.handle, bytes, UInt(bytes.count), &pixels, Int32(size.width), 0, Int32(size.height), Int32(TJPF_RGB.rawValue), flags)
        guard code == 0 else { throw decoder.error("not a usable JPEG") }
        return Image(size: size, pixels: pixels)
    }

    /// Height and width, without decoding.
    static func size(_ bytes: [UInt8]) throws(FileError) -> Size { try size(bytes, try Handle(tjInitDecompress())) }

    private static func size(_ bytes: [UInt8], _ decoder: Handle) throws(FileError) -> Size {
        var (width, height, subsampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
        guard tjDecompressHeader3(decoder.handle, bytes, UInt(bytes.count), &width, &height, &subsampling, &space) == 0,
            width > 0, height > 0
        else { throw decoder.error("not a usable JPEG") }
        let size = Size(height: Int(height), width: Int(width))
        guard size.count <= PNG.maximumPixels else { throw FileError("", "expected at most \(PNG.maximumPixels) pixels, got \(size)") }
        return size
    }

    /// An RGB image as JPEG without subsampling of colour.
    /// - Parameter quality: 1 to 100.
    public static func encode(_ image: Image, quality: Int = 95) throws(FileError) -> [UInt8] {
        guard (1...100).contains(quality) else { throw FileError("", "expected a JPEG quality of 1 to 100, got \(quality)") }
        let encoder = try Handle(tjInitCompress())
        var bytes: UnsafeMutablePointer<UInt8>?
        var count: UInt = 0
        defer { tjFree(bytes) }
        let code = tjCompress2(
            encoder.handle, image.pixels, Int32(image.size.width), 0, Int32(image.size.height), Int32(TJPF_RGB.rawValue), &bytes, &count,
            Int32(TJSAMP_444.rawValue), Int32(quality), TJFLAG_ACCURATEDCT)
        guard code == 0 else { throw encoder.error("libjpeg-turbo could not encode the image") }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// A `tjhandle` that is destroyed with its owner.
    private final class Handle {
        let handle: tjhandle

        init(_ handle: tjhandle?) throws(FileError) {
            guard let handle else { throw FileError("", "libjpeg-turbo could not start") }
            self.handle = handle
        }

        deinit { tjDestroy(handle) }

        func error(_ what: String) -> FileError {
            let reason = tjGetErrorStr2(handle).map { String(cString: $0) } ?? "unknown error"
            return FileError("", "\(what): \(reason)", remedy: "write or fetch the file again")
        }
    }
}
