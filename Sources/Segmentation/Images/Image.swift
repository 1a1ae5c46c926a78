/// Height and width in pixels.
public struct Size: Hashable, Sendable, CustomStringConvertible {
    public var height: Int
    public var width: Int

    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    public var count: Int { height * width }
    public var description: String { "\(height)x\(width)" }

    /// The size times `factor`, each side rounded to the nearest pixel and at least one.
    public func scaled(_ factor: Double) -> Size {
        Size(height: max(1, Int((Double(height) * factor).rounded())), width: max(1, Int((Double(width) * factor).rounded())))
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
    public init(ignored size: Size) { self.init(size: size, values: [UInt16](repeating: LabelMap.ignore, count: size.count)) }
}
