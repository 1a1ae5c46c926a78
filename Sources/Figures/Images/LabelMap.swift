/// A class number for each pixel, row by row from the top left.
public struct LabelMap: Hashable, Sendable {
    public let width, height: Int
    public let labels: [UInt8]

    /// - Throws: `FigureError.invalid` when the number of labels is not `width * height`.
    public init(width: Int, height: Int, labels: [UInt8]) throws {
        guard width > 0, height > 0, labels.count == width * height else {
            throw FigureError.invalid("label map: \(height) x \(width) pixels need \(max(0, width * height)) labels, got \(labels.count)")
        }
        self.width = width
        self.height = height
        self.labels = labels
    }
}

/// Colours and names of classes.
public struct LabelPalette: Hashable, Sendable {
    public var colours: [Colour]
    public var names: [String]
    /// Labels that mean "no class": they are transparent and not in the legend.
    public var void: Set<UInt8>

    /// A palette with the colours of the classes 0, 1, 2 ... Classes without one get a generated colour.
    public init(colours: [Colour], names: [String] = [], void: Set<UInt8> = [255]) {
        self.colours = colours
        self.names = names
        self.void = void
    }

    /// Colours for any number of classes, each well apart from the ones before it: hues by the golden angle, lightness by turns.
    public init(names: [String], void: Set<UInt8> = [255]) {
        self.init(colours: LabelPalette.distinct(names.count), names: names, void: void)
    }

    /// The colour of a label; nil for void.
    public func colour(_ label: UInt8) -> Colour? {
        if void.contains(label) { return nil }
        return Int(label) < colours.count ? colours[Int(label)] : LabelPalette.generated(Int(label))
    }

    /// The name of a label; `class 7` for one without.
    public func name(_ label: UInt8) -> String { Int(label) < names.count ? names[Int(label)] : "class \(label)" }

    /// `count` colours that differ as much as can be.
    public static func distinct(_ count: Int) -> [Colour] { (0..<max(0, count)).map(generated) }

    private static func generated(_ index: Int) -> Colour {
        // The first ones are the series colours, which hold for colour-blind readers too.
        if index < Theme.okabeIto.count { return Theme.okabeIto[index] }
        let hue = (Double(index) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
        let lightness = [0.62, 0.38, 0.78][index % 3]
        let saturation = [0.65, 0.75, 0.6][index % 3]
        return hsl(hue, saturation, lightness)
    }

    private static func hsl(_ hue: Double, _ saturation: Double, _ lightness: Double) -> Colour {
        let a = saturation * min(lightness, 1 - lightness)
        func component(_ n: Double) -> Double {
            let k = (n + hue * 12).truncatingRemainder(dividingBy: 12)
            return lightness - a * max(-1, min(k - 3, 9 - k, 1))
        }
        return Colour(red: component(0), green: component(8), blue: component(4))
    }

    /// The eleven classes of CamVid as the SegNet authors number them; 11 is void.
    public static let camvid = LabelPalette(
        colours: [
            Colour(0x808080), Colour(0x800000), Colour(0xC0C080), Colour(0x804080), Colour(0x3C28DE), Colour(0x808000),
            Colour(0xC08080), Colour(0x404080), Colour(0x400080), Colour(0x404000), Colour(0x0080C0),
        ],
        names: ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "cyclist"], void: [11, 255])

    /// The nineteen training classes of Cityscapes; 255 is void.
    public static let cityscapes = LabelPalette(
        colours: [
            Colour(0x804080), Colour(0xF423E8), Colour(0x464646), Colour(0x66669C), Colour(0xBE9999), Colour(0x999999), Colour(0xFAAA1E),
            Colour(0xDCDC00), Colour(0x6B8E23), Colour(0x98FB98), Colour(0x4682B4), Colour(0xDC143C), Colour(0xFF0000), Colour(0x00008E),
            Colour(0x000046), Colour(0x003C64), Colour(0x005064), Colour(0x0000E6), Colour(0x770B20),
        ],
        names: [
            "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain", "sky",
            "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
        ])
}
