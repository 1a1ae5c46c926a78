import Tensors

/// Street scenes from a seed: the built-in data set, which needs no download.
///
/// A camera looks down a street. Classes cannot be told by colour alone: walls, road and pavement share one concrete;
/// cars, clothes and plaster share one palette; leaves and lawn share one green; windows, windscreens, puddles and water
/// mirror the sky. What a surface is follows from its texture and its place, things shrink with distance and hide each
/// other, and poles, wires and pickets are a pixel wide. Haze, time of day and weather vary from scene to scene.
///
/// With 3 to 11 classes the things of the missing ones are not there, and ground of a missing kind is of the next one that
/// exists; with 2 everything is there, as sky and land.
///
/// Scene `i` depends on the seed, `i`, the size and the number of classes, on nothing else.
public struct Shapes: DataSet {
    public static let maximumClasses = ShapesClass.allCases.count
    /// An order of them is drawn in each epoch.
    public static let maximumImages = 1 << 20
    public let count: Int
    public let classes: [ClassInfo]
    public let size: Size
    public let seed: UInt64
    /// The labels, and the depth if it was asked for.
    public let parts: [SamplePart]

    /// Metres to what a pixel shows, at most 260; 0 where that is the sky, and outside.
    public static let depth = SamplePart("depth", isInput: false, kind: .nearest)

    /// - Parameters:
    ///   - images: number of scenes, up to `maximumImages`.
    ///   - size: at least 16x16.
    ///   - classes: 2 to 12.
    ///   - hasDepth: samples have the part `depth` too.
    /// - Throws: `DataError` when a number is out of its range.
    public init(images: Int, size: Size, classes: Int, seed: UInt64, hasDepth: Bool = false) throws(DataError) {
        guard (1...Shapes.maximumImages).contains(images) else {
            throw DataError("expected 1 to \(Shapes.maximumImages) images for shapes, got \(images)")
        }
        guard size.height >= 16, size.width >= 16, size.height <= 8192, size.width <= 8192 else {
            throw DataError("expected a size of 16x16 to 8192x8192 for shapes, got \(size)")
        }
        guard (2...Shapes.maximumClasses).contains(classes) else {
            throw DataError("expected 2 to \(Shapes.maximumClasses) classes for shapes, got \(classes)")
        }
        count = images
        self.size = size
        self.classes = ShapesClass.infos(classes)
        self.seed = seed
        parts = SamplePart.labelledImage + (hasDepth ? [Shapes.depth] : [])
    }

    public var name: String { "shapes" }
    public func source(_ index: Int) -> String { "shapes (seed \(seed)) image \(index + 1)" }
    public func size(_ index: Int) throws -> Size { size }

    public func sample(_ index: Int) throws -> Sample {
        precondition((0..<count).contains(index), "no such sample")
        let draw = Draw(seed: seed, stream: Draw.Purpose.scene.rawValue, UInt64(index))
        var scene = try Scene(draw, size: size, classes: classes.count, keepsDepth: parts.contains(Shapes.depth))
        return try scene.painted()
    }

    /// Scenes are made, not read.
    public func verifyImage(_ index: Int) throws {}
}
