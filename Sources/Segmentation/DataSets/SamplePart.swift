import Tensors

/// One named part of the samples of a data set: an image, a label map, a depth map, key points.
public struct SamplePart: Hashable, Sendable {
    /// What becomes of a part when its sample is cut out, scaled or mirrored.
    public enum Kind: String, Sendable {
        /// Colours [3, H, W] of 0 to 1: bilinear, normalised, jittered; the mean colour outside.
        case image
        /// [..., H, W], each pixel from the nearest one: classes, masks.
        case nearest
        /// float32 [..., H, W], blended of four pixels: depth, heat maps.
        case bilinear
        /// float32 [..., 2 or more]: x and y in pixels, the centre of the first pixel at 0; what follows stays as it is.
        case points
        /// Stays as it is, because it does not depend on the place.
        case same
        /// A function of the data set's own says (`DataSet.cut`).
        case own
        /// Nobody said: an error where it matters.
        case unplaced

        /// Whether it has a value for each pixel.
        public var isMap: Bool { self == .image || self == .nearest || self == .bilinear }
    }

    public var name: String
    /// What networks compute from; else what they are to give.
    public var isInput: Bool
    public var kind: Kind
    public var dtype: ElementType
    /// What a map holds outside of the image; an image holds the mean colour.
    public var outside: Float

    public init(_ name: String, isInput: Bool, kind: Kind, dtype: ElementType = .float32, outside: Float = 0) {
        self.name = name
        self.isInput = isInput
        self.kind = kind
        self.dtype = dtype
        self.outside = outside
    }

    /// The parts of images with labels.
    public static let labelledImage = [
        SamplePart("images", isInput: true, kind: .image),
        SamplePart("labels", isInput: false, kind: .nearest, dtype: .int32, outside: Float(LabelMap.ignore)),
    ]
}

/// What a sample holds of a part.
public enum SampleValue: Sendable {
    case image(Image)
    case labels(LabelMap)
    case array(NamedArray)

    /// As a batch holds it, without the dimension of the samples.
    public var shape: [Int] {
        switch self {
        case .image(let image): [3, image.size.height, image.size.width]
        case .labels(let map): [map.size.height, map.size.width]
        case .array(let array): array.shape
        }
    }

    /// Height and width of a map, its last two dimensions.
    var size: Size {
        let shape = shape
        return shape.count < 2 ? Size(height: 1, width: 1) : Size(height: shape[shape.count - 2], width: shape[shape.count - 1])
    }

    /// Bytes in memory.
    var byteCount: Int {
        switch self {
        case .image(let image): image.pixels.count
        case .labels(let map): map.values.count * 2
        case .array(let array): array.buffer.byteCount
        }
    }

    /// The value as a tensor: an image as [3, H, W] of 0 to 1, labels as int32 [H, W].
    /// - Throws: `FileError` when there is not the memory; `Interrupted`.
    public func tensor() throws -> Tensor {
        switch self {
        case .image(let image): try image.tensor()
        case .labels(let map): try map.tensor()
        case .array(let array): Tensor(array)
        }
    }
}

/// One sample of a data set: a value for each of its parts.
public struct Sample: Sendable {
    public var values: [SampleValue]

    public init(_ values: [SampleValue]) { self.values = values }

    /// An image with the class of each of its pixels.
    public init(image: Image, labels: LabelMap) { values = [.image(image), .labels(labels)] }

    /// The image of a set of files or of generated scenes, whose first part it is.
    public var image: Image {
        guard case .image(let image)? = values.first else { preconditionFailure("the first part of this sample is no image") }
        return image
    }

    /// The class of each pixel; nil where no part says it.
    public var labelMap: LabelMap? {
        for case .labels(let map) in values { return map }
        return nil
    }

    /// The class of each pixel of a sample that has them.
    public var labels: LabelMap {
        guard let labelMap else { preconditionFailure("this sample has no labels") }
        return labelMap
    }

    /// Height and width of its maps; nil without one.
    func size(_ parts: [SamplePart]) -> Size? { zip(values, parts).first { $0.1.kind.isMap }?.0.size }
}
