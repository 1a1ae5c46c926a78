import Base
import Tensors

// Tensors as PNG and JPEG files, and back.
extension ImageFile {
    /// Whether a file's name is that of an image.
    public static func isNamedAsImage(_ path: String) -> Bool { [".png", ".jpg", ".jpeg"].contains { path.lowercased().hasSuffix($0) } }

    /// The image of a PNG or JPEG file.
    /// - Parameter stored: the numbers as the file has them, int32: grey or palette indices as [H, W], other PNG as [channels, H, W], JPEG as [3, H, W]. Else
    ///   float32 of 0 to 1: grey as [1, H, W], colours (and palettes by their colours) as [3, H, W], without alpha.
    /// - Throws: `FileError`; `Interrupted`.
    public static func tensor(_ path: String, stored: Bool = false) throws -> Tensor {
        let bytes = try Files.contents(path, limit: maximumBytes)
        return try located(path) {
            guard try isPNG(bytes) else { return try colours(JPEG.image(bytes), stored: stored) }
            let header = try PNG.header(bytes)
            if header.palette != nil, !stored { return try colours(PNG.image(bytes), stored: false) }
            return try samples(bytes, header, stored: stored)
        }
    }

    private static func colours(_ image: Image, stored: Bool) throws -> Tensor {
        let values = try image.tensor()
        return stored ? try (values * 255).unary(.round).cast(.int32) : values
    }

    /// What a PNG stores, plane by plane.
    private static func samples(_ bytes: [UInt8], _ header: PNG.Header, stored: Bool) throws -> Tensor {
        let (size, width) = (header.size, header.size.width)
        let planes = stored ? header.channels : header.channels >= 3 ? 3 : 1
        let buffer = try Buffer(byteCount: planes * size.count * 4)
        let (floats, ints) = (buffer.elements(of: Float.self), buffer.elements(of: Int32.self))
        let most = Float((1 << header.depth) - 1)
        try PNG.stored(bytes) { y, row in
            for x in 0..<width {
                for plane in 0..<planes {
                    let at = x * header.channels + plane
                    let value = header.depth == 16 ? Int(UnsafeRawPointer(row).loadUnaligned(fromByteOffset: 2 * at, as: UInt16.self)) : Int(row[at])
                    let to = plane * size.count + y * width + x
                    if stored { ints[to] = Int32(value) } else { floats[to] = Float(value) / most }
                }
            }
        }
        let shape = (stored && planes == 1 ? [] : [planes]) + [size.height, width]
        return Tensor(NamedArray(name: "image", dtype: stored ? .int32 : .float32, shape: shape, buffer: buffer))
    }

    /// Writes [H, W] or [1, H, W] as grey, [3, H, W] as colours, by the ending: float32 of 0 to 1, what lies outside cut off; int32 as it is.
    /// - Parameters:
    ///   - bits: of a PNG's samples, 8 or 16.
    ///   - quality: of a JPEG, 1 to 100.
    /// - Throws: `DataError` for another shape, NaN, and whole numbers that the bits do not hold; `FileError`.
    public static func write(_ tensor: Tensor, to path: String, bits: Int = 8, quality: Int = 95) throws {
        let planes = tensor.rank == 2 ? 1 : tensor.rank == 3 ? tensor.shape[0] : 0
        guard planes == 1 || planes == 3, tensor.count > 0 else {
            throw DataError("\(path): expected [H, W], [1, H, W] or [3, H, W] as an image, got \(tensor.shape)")
        }
        let isPNG = path.lowercased().hasSuffix(".png")
        guard bits == 8 || bits == 16 && isPNG else { throw DataError("\(path): expected 8 bits, or 16 of a PNG, got \(bits)") }
        let size = Size(height: tensor.shape[tensor.rank - 2], width: tensor.shape[tensor.rank - 1])
        let values = try wholes(tensor.detach().contiguous(), most: (1 << bits) - 1, path)
        try located(path) {
            let bytes: [UInt8]
            if isPNG {
                bytes = try PNG.encode(size, channels: planes, depth: bits, palette: []) { y, samples in
                    for x in 0..<size.width {
                        for plane in 0..<planes {
                            let (value, at) = (values[plane * size.count + y * size.width + x], x * planes + plane)
                            if bits == 16 {
                                UnsafeMutableRawPointer(samples).storeBytes(of: value, toByteOffset: 2 * at, as: UInt16.self)
                            } else {
                                samples[at] = UInt8(value)
                            }
                        }
                    }
                }
            } else {
                let pixels = (0..<size.count * 3).map { UInt8(values[(planes == 3 ? $0 % 3 : 0) * size.count + $0 / 3]) }
                bytes = try JPEG.encode(Image(size: size, pixels: pixels), quality: quality)
            }
            try AtomicFile.write(bytes, to: path)
        }
    }

    /// The numbers of a tensor as samples of 0 to `most`.
    private static func wholes(_ tensor: Tensor, most: Int, _ path: String) throws -> [UInt16] {
        if tensor.dtype == .int32 {
            return try tensor.ints().map { value in
                guard (0...most).contains(Int(value)) else { throw DataError("\(path): expected 0 to \(most), got \(value)", remedy: "divide, or write 16 bits") }
                return UInt16(value)
            }
        }
        return try tensor.floats().map { value in
            guard !value.isNaN else { throw DataError("\(path): an image holds no NaN") }
            return UInt16((max(0, min(1, value)) * Float(most)).rounded())
        }
    }
}
