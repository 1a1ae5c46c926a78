import Base
import Tensors

/// Height and width in pixels.
public struct Size: Hashable, Sendable, CustomStringConvertible {
    /// Images with more pixels are refused: a few bytes of a file can claim gigabytes.
    public static let mostPixels = 1 << 28

    public var height: Int
    public var width: Int

    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    /// Number of pixels; the largest number there is where they cannot be counted, so that every limit holds.
    public var count: Int {
        let (product, overflow) = height.multipliedReportingOverflow(by: width)
        return overflow ? .max : product
    }

    public var description: String { "\(height)x\(width)" }

    /// The size times `factor`, each side rounded to the nearest pixel and at least one.
    public func scaled(_ factor: Double) -> Size {
        func side(_ length: Int) -> Int { max(1, Int(exactly: (Double(length) * factor).rounded()) ?? .max) }
        return Size(height: side(height), width: side(width))
    }

    /// Height and width exchanged.
    var turned: Size { Size(height: width, width: height) }

    /// - Throws: `FileError` for the size of an image that is not read.
    func requireReadable() throws {
        guard height > 0, width > 0 else { throw FileError("", "expected an image of at least 1x1, got \(self)") }
        guard count <= Size.mostPixels else {
            throw FileError("", "expected at most \(Size.mostPixels) pixels, got \(self)", remedy: "cut the image into pieces, or make it smaller")
        }
    }
}

/// An RGB image of 8 bits a channel, as files hold it.
public struct Image: Equatable, Sendable {
    public let size: Size
    /// `height * width * 3` bytes: rows from the top, pixels from the left, red green blue.
    public var pixels: [UInt8]

    public init(size: Size, pixels: [UInt8]) {
        precondition(size.height > 0 && size.width > 0 && pixels.count == size.count * 3, "pixels and size differ")
        self.size = size
        self.pixels = pixels
    }

    /// An image whose rows `fill` hands over, all of them.
    /// - Throws: `FileError` when there is not the memory; what `fill` throws.
    init(size: Size, rows fill: (@escaping Codec.Row) throws -> Void) throws {
        try Memory.check(size.count * 3, toHold: "an image of \(size)")
        let stride = size.width * 3
        let pixels = try [UInt8](unsafeUninitializedCapacity: size.count * 3) { pixels, count in
            guard let start = pixels.baseAddress else { return }
            try fill { y, row in (start + y * stride).initialize(from: row, count: stride) }
            count = size.count * 3
        }
        self.init(size: size, pixels: pixels)
    }

    func copy(row: Int, to target: UnsafeMutablePointer<UInt8>) {
        let stride = size.width * 3
        pixels.withUnsafeBufferPointer { pixels in
            if let start = pixels.baseAddress { target.update(from: start + row * stride, count: stride) }
        }
    }
}

/// One class number a pixel.
public struct LabelMap: Equatable, Sendable {
    /// The label of pixels that count nowhere: not in the loss, not in a metric.
    public static let ignore: UInt16 = 255

    public let size: Size
    /// `height * width` labels: rows from the top, pixels from the left.
    public var values: [UInt16]

    public init(size: Size, values: [UInt16]) {
        precondition(size.height > 0 && size.width > 0 && values.count == size.count, "labels and size differ")
        self.size = size
        self.values = values
    }

    /// Labels that say nothing.
    /// - Throws: `FileError` when there is not the memory.
    public init(ignored size: Size) throws {
        try Memory.check(size.count * 2, toHold: "labels of \(size)")
        self.init(size: size, values: [UInt16](repeating: LabelMap.ignore, count: size.count))
    }

    /// Labels whose rows `fill` writes, all of them.
    /// - Throws: `FileError` when there is not the memory; what `fill` throws.
    init(size: Size, rows fill: (@escaping (_ y: Int) -> UnsafeMutablePointer<UInt16>) throws -> Void) throws {
        try Memory.check(size.count * 2, toHold: "labels of \(size)")
        let values = try [UInt16](unsafeUninitializedCapacity: size.count) { values, count in
            guard let start = values.baseAddress else { return }
            try fill { y in start + y * size.width }
            count = size.count
        }
        self.init(size: size, values: values)
    }
}
