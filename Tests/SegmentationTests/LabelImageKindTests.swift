import Tensors
import XCTest
@testable import Segmentation

/// Every kind of label image in every reader: the right class, or an error that says what the file is.
final class LabelImageKindTests: TemporaryDirectoryTestCase {
    /// A file of three pixels in one row.
    private struct Kind {
        let name: String
        let png: RawPNG
        /// What the samples are as class numbers; nil when a pixel has several.
        let numbers: [UInt16]?
        /// What a viewer shows; nil where that is no colour of 8 bits.
        let colours: [Colour]?
        /// What messages call it.
        let words: String
    }

    private static let shown = [Colour(0, 255, 0), Colour(255, 0, 0), Colour(0, 0, 255)]

    private static func kinds() -> [Kind] {
        var kinds: [Kind] = []
        for depth in [1, 2, 4, 8, 16] {
            // Class 11 where it fits; with one bit there is no third number.
            let top: UInt16 = depth == 1 ? 1 : depth == 2 ? 3 : 11
            let numbers = [0, 1, top]
            let words = "of \(depth) bit"
            let stretch = depth < 16 ? 255 / ((1 << depth) - 1) : 0
            let greys = numbers.map { Colour(UInt8(Int($0) * stretch), UInt8(Int($0) * stretch), UInt8(Int($0) * stretch)) }
            let grey = RawPNG(colourType: 0, depth: depth, pixels: [numbers.map { [$0] }])
            kinds.append(Kind(name: "grey \(depth)", png: grey, numbers: numbers, colours: depth < 16 ? greys : nil, words: "grey " + words))
            guard depth < 16 else { continue }
            var table = [Colour](repeating: Colour(9, 9, 9), count: Int(top) + 1)
            for (number, colour) in zip(numbers, shown) { table[Int(number)] = colour }
            var palette = RawPNG(colourType: 3, depth: depth, pixels: [numbers.map { [$0] }])
            palette.chunks = [("PLTE", table.flatMap { [$0.red, $0.green, $0.blue] })]
            let colours = numbers.map { table[Int($0)] }
            kinds.append(Kind(name: "palette \(depth)", png: palette, numbers: numbers, colours: colours, words: "palette " + words))
            // An entry that is half transparent has the colour all the same.
            palette.chunks.append(("tRNS", [128]))
            kinds.append(Kind(name: "palette with alpha \(depth)", png: palette, numbers: numbers, colours: colours, words: "palette " + words))
        }
        for depth in [8, 16] {
            let full = UInt16((1 << depth) - 1)
            let greyAlpha = RawPNG(colourType: 4, depth: depth, pixels: [[[0, full], [1, full], [11, full]]])
            let greys = [Colour(0, 0, 0), Colour(1, 1, 1), Colour(11, 11, 11)]
            kinds.append(Kind(
                name: "grey alpha \(depth)", png: greyAlpha, numbers: nil, colours: depth == 8 ? greys : nil, words: "grey with alpha of \(depth) bits"))
            let samples = shown.map { [$0.red, $0.green, $0.blue].map { UInt16($0) * (depth == 16 ? 257 : 1) } }
            let rgb = RawPNG(colourType: 2, depth: depth, pixels: [samples])
            kinds.append(Kind(name: "RGB \(depth)", png: rgb, numbers: nil, colours: depth == 8 ? shown : nil, words: "RGB of \(depth) bits"))
            let rgba = RawPNG(colourType: 6, depth: depth, pixels: [samples.map { $0 + [full] }])
            kinds.append(Kind(name: "RGBA \(depth)", png: rgba, numbers: nil, colours: depth == 8 ? shown : nil, words: "RGBA of \(depth) bits"))
        }
        return kinds.flatMap { kind -> [Kind] in
            var png = kind.png
            png.isInterlaced = true
            return [kind, Kind(name: kind.name + " interlaced", png: png, numbers: kind.numbers, colours: kind.colours, words: kind.words)]
        }
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        let file = URL(fileURLWithPath: path(name))
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    private func writeText(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }

    /// A reader of a file whose pixels are numbers, and what it makes of each number.
    private struct Reader {
        let name: String
        /// Where the label image lies.
        let file: String
        let read: () throws -> LabelMap
        let meaning: (UInt16) -> UInt16
    }

    private func readers() throws -> [Reader] {
        let image = Image(size: Size(height: 1, width: 3), pixels: [UInt8](repeating: 7, count: 9))
        for name in [
            "i/a.png", "leftImg8bit/train/ulm/ulm_1_leftImg8bit.png", "camvid/train/a.png",
        ] { try write(PNG.encode(image), name) }
        for name in ["JPEGImages/a.jpg", "images/training/a.jpg"] { try write(JPEG.encode(image), name) }
        try writeText("a\n", "ImageSets/Segmentation/train.txt")
        let directory = self.directory
        let classes = ClassInfo.numbered(12)
        func folder(_ labels: Folder.Labels) throws -> LabelMap {
            try Folder(images: directory + "/i", labels: directory + "/l", classes: classes, holding: labels).labels(0)
        }
        return [
            Reader(name: "folder", file: "l/a.png", read: { try folder(.numbers()) }, meaning: { $0 }),
            Reader(
                name: "folder with values", file: "l/a.png", read: { try folder(.numbers(ignored: [3], values: [0: 5, 1: 255, 11: 0])) },
                meaning: { [0: 5, 1: 255, 3: 255, 11: 0][$0] ?? $0 }),
            Reader(
                name: "cityscapes", file: "gtFine/train/ulm/ulm_1_gtFine_labelIds.png", read: { try Cityscapes(directory, split: "train").labels(0) },
                meaning: { $0 == 11 ? 2 : 255 }),
            Reader(name: "voc", file: "SegmentationClass/a.png", read: { try PascalVOC(directory, split: "train").labels(0) }, meaning: { $0 }),
            Reader(
                name: "camvid", file: "camvid/trainannot/a.png", read: { try CamVid(directory + "/camvid", split: "train").labels(0) },
                meaning: { $0 == 11 ? 255 : $0 }),
            Reader(
                name: "ade20k", file: "annotations/training/a.png", read: { try ADE20K(directory, split: "train").labels(0) },
                meaning: { $0 == 0 ? 255 : $0 - 1 }),
        ]
    }

    func testEveryKindInEveryReaderOfNumbers() throws {
        for reader in try readers() {
            for kind in Self.kinds() {
                try write(kind.png.bytes, reader.file)
                if let numbers = kind.numbers {
                    XCTAssertEqual(try reader.read().values, numbers.map(reader.meaning), "\(kind.name) in \(reader.name)")
                } else {
                    assertThrows(reader.file, "expected one class number a pixel (grey or palette), got \(kind.words)", "by colour") { try reader.read() }
                }
            }
            try write(JPEG.encode(Image(size: Size(height: 1, width: 3), pixels: [UInt8](repeating: 0, count: 9))), reader.file)
            assertThrows(reader.file, "a JPEG, whose compression changes the numbers") { try reader.read() }
            try write(Array("GIF89a what else there is".utf8), reader.file)
            assertThrows(reader.file, "expected a PNG or JPEG image, got something else") { try reader.read() }
            try write(Self.kinds()[0].png.bytes, reader.file)
        }
    }

    func testEveryKindByColour() throws {
        let size = Size(height: 1, width: 3)
        try write(PNG.encode(Image(size: size, pixels: [UInt8](repeating: 7, count: 9))), "i/a.png")
        func read(_ classes: [Colour], ignoring: [Colour] = []) throws -> LabelMap {
            let infos = classes.enumerated().map { ClassInfo("class \($0)", $1) }
            return try Folder(images: path("i"), labels: path("l"), classes: infos, holding: .colours(ignoredColours: ignoring)).labels(0)
        }
        for kind in Self.kinds() {
            try write(kind.png.bytes, "l/a.png")
            guard let colours = kind.colours else {
                assertThrows("l/a.png", "expected class colours of 8 bits a channel, got \(kind.words)") { try read(Self.shown) }
                continue
            }
            // The classes are not in the order of stored numbers; with one bit there are two colours.
            let classes = [colours[1], colours[0]] + (colours[2] == colours[1] ? [] : [colours[2]])
            let expected = [1, 0, UInt16(classes.count == 3 ? 2 : 0)]
            XCTAssertEqual(try read(classes).values, expected, kind.name)
            XCTAssertEqual(try read([colours[1]], ignoring: Array(classes.dropFirst())).values, expected.map { $0 == 0 ? 0 : 255 }, kind.name)
            assertThrows("l/a.png", "the colour \(colours[1]) at row 1, column 2 belongs to no class", kind.words) { try read([colours[0]]) }
        }
    }

    func testWhatShowsNoColour() throws {
        let coding = try ColourCoding(classes: Self.shown + [Colour(0, 0, 0), Colour(85, 85, 85)])
        func read(_ png: RawPNG) throws -> LabelMap {
            try write(png.bytes, "x.png")
            return try ImageFile.labels(path("x.png"), colours: coding)
        }
        let transparent = "the pixel at row 1, column 2 is transparent and shows no colour"
        var palette = RawPNG(colourType: 3, depth: 8, pixels: [[[0], [1], [2]]])
        palette.chunks = [("PLTE", Self.shown.flatMap { [$0.red, $0.green, $0.blue] }), ("tRNS", [255, 0])]
        assertThrows(transparent, "palette of 8 bits") { try read(palette) }
        palette.pixels[0][1] = [3]
        palette.chunks.removeLast()
        assertThrows("the index 3 at row 1, column 2 is not in the palette of 3 colours") { try read(palette) }
        let rgba = RawPNG(colourType: 6, depth: 8, pixels: [[[255, 0, 0, 1], [255, 0, 0, 0]]])
        assertThrows(transparent, "RGBA of 8 bits") { try read(rgba) }
        let greyAlpha = RawPNG(colourType: 4, depth: 8, pixels: [[[0, 255], [0, 0]]])
        assertThrows(transparent, "grey with alpha") { try read(greyAlpha) }
        var rgb = RawPNG(colourType: 2, depth: 8, pixels: [[[255, 0, 0], [0, 255, 0]]])
        rgb.chunks = [("tRNS", [0, 0, 0, 255, 0, 0])]
        assertThrows(transparent, "RGB of 8 bits") { try read(rgb) }
        var grey = RawPNG(colourType: 0, depth: 2, pixels: [[[0], [1]]])
        XCTAssertEqual(try read(grey).values, [3, 4])
        grey.chunks = [("tRNS", [0, 1])]
        assertThrows(transparent, "grey of 2 bits") { try read(grey) }
    }

    func testColoursThatStandForTwoThings() {
        assertThrows("the classes 0 and 2 both have the colour (1, 2, 3)") {
            try ColourCoding(classes: [Colour(1, 2, 3), Colour(4, 5, 6), Colour(1, 2, 3)])
        }
        assertThrows("the colour (1, 2, 3) is that of class 0, and is to be ignored") {
            try ColourCoding(classes: [Colour(1, 2, 3)], ignored: [Colour(1, 2, 3)])
        }
    }
}
