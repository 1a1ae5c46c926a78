import Tensors
import XCTest
@testable import Segmentation

final class ImageFileTests: TemporaryDirectoryTestCase {
    private let size = Size(height: 5, width: 7)
    private var ramp: [UInt16] { (0..<35).map { UInt16($0) } }

    /// Fixtures/make.py wrote these without libpng.
    func testLabelsAreReadAsStored() throws {
        for (name, values) in [
            ("grey8", ramp), ("grey8_gamma", ramp), ("grey8_adam7", ramp), ("palette8", ramp), ("grey16", ramp.map { $0 * 1000 }),
            ("grey4", ramp.map { $0 % 16 }), ("palette4", ramp.map { $0 % 16 }), ("grey1", ramp.map { $0 % 2 }),
        ] {
            let map = try ImageFile.labels(fixture(name + ".png"))
            XCTAssertEqual(map.size, size, name)
            XCTAssertEqual(map.values, values, name)
            XCTAssertEqual(try ImageFile.size(fixture(name + ".png")), size)
        }
    }

    func testImagesAreReadAsRGB() throws {
        let grey = ramp.flatMap { [UInt8](repeating: UInt8($0), count: 3) }
        let colour = ramp.flatMap { [UInt8($0), UInt8(2 * $0), UInt8(3 * $0)] }
        for (name, pixels) in [
            ("grey8", grey), ("grey8_gamma", grey), ("grey8_adam7", grey), ("grey_alpha8", grey), ("palette8", colour), ("rgb8", colour),
            ("rgb16", colour), ("rgba8", colour),
        ] {
            let image = try ImageFile.image(fixture(name + ".png"))
            XCTAssertEqual(image.size, size, name)
            XCTAssertEqual(image.pixels, pixels, name)
        }
        XCTAssertEqual(Array(try ImageFile.image(fixture("grey4.png")).pixels.prefix(6)), [0, 0, 0, 17, 17, 17])
    }

    func testPNGRoundTrip() throws {
        let image = try ImageFile.image(fixture("rgb8.png"))
        try ImageFile.write(image, to: path("x.png"))
        XCTAssertEqual(try ImageFile.image(path("x.png")), image)
        for values in [ramp, ramp.map { $0 * 1800 }] {
            let map = LabelMap(size: size, values: values)
            try ImageFile.write(map, to: path("l.png"))
            XCTAssertEqual(try ImageFile.labels(path("l.png")), map)
        }
        let map = LabelMap(size: size, values: ramp.map { $0 == 34 ? 255 : $0 % 3 })
        let colours = [Colour(10, 20, 30), Colour(200, 0, 0), Colour(0, 0, 250)]
        try ImageFile.write(map, colours: colours, to: path("p.png"))
        XCTAssertEqual(try ImageFile.labels(path("p.png")), map)
        XCTAssertEqual(Array(try ImageFile.image(path("p.png")).pixels.prefix(6)), [10, 20, 30, 200, 0, 0])
        assertThrows("label 9 has no colour") { try PNG.encode(LabelMap(size: size, values: ramp.map { $0 % 10 }), palette: [(0, 0, 0)]) }
    }

    func testPredictionsAsTheirEvaluationWantsThem() throws {
        let classes = [ClassInfo("road", Colour(128, 64, 128), id: 7), ClassInfo("sky", Colour(70, 130, 180), id: 23)]
        XCTAssertEqual(classes.outputIds, [7, 23])
        XCTAssertEqual(ClassInfo.numbered(3).outputIds, [0, 1, 2])
        let map = LabelMap(size: Size(height: 1, width: 3), values: [1, 0, 255])
        try ImageFile.write(map, as: classes, to: path("p.png"))
        XCTAssertEqual(try ImageFile.labels(path("p.png")).values, [23, 7, 255])
        XCTAssertEqual(try ImageFile.image(path("p.png")).pixels, [70, 130, 180, 128, 64, 128, 255, 255, 255])
        assertThrows("q.png: expected labels 0 to 1", "got 2 at row 1, column 2") {
            try ImageFile.write(LabelMap(size: Size(height: 1, width: 2), values: [0, 2]), as: classes, to: path("q.png"))
        }
        assertThrows("at most 255 classes apart, got 256") { try ImageFile.write(map, as: ClassInfo.numbered(256), to: path("q.png")) }
        // Every one of 256 values may be a class.
        XCTAssertEqual((0..<256).map { ClassInfo("\($0)", Colour(1, 2, 3)) }.palette[255], Colour(1, 2, 3))
        XCTAssertEqual(OutputNames.unique(["a/x", "b/y"]), ["x", "y"])
        XCTAssertEqual(OutputNames.unique(["a/x", "b/x"]), ["a-x", "b-x"])
        XCTAssertEqual(OutputNames.unique(["a/x", "a-x", "x"]), ["a-x-1", "a-x-2", "x-3"])
    }

    func testLabelsByColour() throws {
        let colours = ramp.map { Colour(UInt8($0), UInt8(2 * $0), UInt8(3 * $0)) }
        let coding = try ColourCoding(classes: colours)
        XCTAssertEqual(try ImageFile.labels(fixture("rgb8.png"), colours: coding).values, ramp)
        // The first pixel has an alpha of 0, or an index that has.
        for name in ["rgba8.png", "palette8.png"] {
            assertThrows(name, "the pixel at row 1, column 1 is transparent") { try ImageFile.labels(fixture(name), colours: coding) }
        }
        assertThrows("rgb8.png", "the colour (2, 4, 6) at row 1, column 3") {
            try ImageFile.labels(fixture("rgb8.png"), colours: ColourCoding(classes: Array(colours.prefix(2))))
        }
        assertThrows("one class number a pixel", "RGB of 8 bits") { try ImageFile.labels(fixture("rgb8.png")) }
        assertThrows("8 bits a channel") { try ImageFile.labels(fixture("rgb16.png"), colours: coding) }
    }

    private func smooth() -> Image {
        let size = Size(height: 40, width: 56)
        let pixels = (0..<size.count).flatMap { index -> [UInt8] in [UInt8(index / size.width * 4), UInt8(index % size.width * 3), 100] }
        return Image(size: size, pixels: pixels)
    }

    func testJPEG() throws {
        let image = smooth()
        try ImageFile.write(image, to: path("x.jpg"))
        let read = try ImageFile.image(path("x.jpg"))
        XCTAssertEqual(read.size, image.size)
        XCTAssertEqual(try ImageFile.size(path("x.jpg")), image.size)
        let worst = zip(read.pixels, image.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
        XCTAssertLessThan(worst, 12)
        assertThrows("x.jpg", "a JPEG, whose compression changes the numbers") { try ImageFile.labels(path("x.jpg")) }
        assertThrows("quality of 1 to 100") { try JPEG.encode(image, quality: 0) }
    }

    private func write(_ bytes: [UInt8], _ name: String) -> String {
        XCTAssertTrue(FileManager.default.createFile(atPath: path(name), contents: Data(bytes)))
        return path(name)
    }

    func testTruncatedAtEveryByte() throws {
        let image = smooth()
        for (bytes, name) in [
            (try Files.contents(fixture("rgb8.png")), "x.png"), (try Files.contents(fixture("palette4.png")), "y.png"),
            (try JPEG.encode(Image(size: Size(height: 8, width: 8), pixels: Array(image.pixels.prefix(192)))), "x.jpg"),
        ] {
            for length in 0..<bytes.count {
                let cut = Array(bytes.prefix(length))
                let what = "\(name) cut to \(length) of \(bytes.count) bytes"
                XCTAssertThrowsError(try bytes.starts(with: JPEG.signature) ? JPEG.image(cut) : PNG.image(cut), what)
                XCTAssertThrowsError(try PNG.verify(cut), what)
            }
            assertThrows(name, "not a usable") { try ImageFile.image(write(Array(bytes.prefix(bytes.count - 20)), name)) }
        }
    }

    func testMutationsNeverCrash() throws {
        var draw = Draw(seed: 7)
        var refused = 0
        for bytes in [
            try Files.contents(fixture("rgb8.png")), try Files.contents(fixture("grey8_adam7.png")),
            try Files.contents(fixture("palette4.png")), try JPEG.encode(smooth()),
        ] {
            for _ in 0..<1000 {
                var bytes = bytes
                for _ in 0...draw.below(3) { bytes[draw.below(bytes.count)] = UInt8(draw.below(256)) }
                do {
                    _ = bytes.starts(with: JPEG.signature) ? try JPEG.image(bytes) : try PNG.image(bytes)
                } catch { refused += 1 }
                _ = try? PNG.verify(bytes)
            }
        }
        XCTAssertGreaterThan(refused, 2000)
    }

    func testAHugePNGIsRefusedBeforeItIsDecoded() throws {
        var bytes = try Files.contents(fixture("grey8.png"))
        // Width and height of 100,000, with the header's checksum set right.
        bytes.replaceSubrange(16..<24, with: [0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0])
        var checksum: UInt32 = 0xffff_ffff
        for byte in bytes[12..<29] {
            checksum ^= UInt32(byte)
            for _ in 0..<8 { checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0xedb8_8320 : checksum >> 1 }
        }
        checksum = ~checksum
        bytes.replaceSubrange(29..<33, with: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: checksum >> $0) })
        assertThrows("expected at most 268435456 pixels, got 100000x100000") { try PNG.image(bytes) }
    }

    func testOtherFiles() throws {
        let text = write(Array("no image".utf8), "x.png")
        assertThrows("x.png", "expected a PNG or JPEG") { try ImageFile.image(text) }
        assertThrows("x.png", "expected a PNG or JPEG") { try ImageFile.size(text) }
        assertThrows("x.png", "PNG of class numbers") { try ImageFile.labels(text) }
        assertThrows("none.png", "No such file") { try ImageFile.image(path("none.png")) }
        assertThrows("x.gif", ".png, .jpg or .jpeg") { try ImageFile.write(smooth(), to: path("x.gif")) }
    }

    func testReducingAveragesTheAreaCovered() {
        let image = Image(size: Size(height: 2, width: 4), pixels: [0, 4, 10, 20, 2, 0, 6, 200].flatMap { [$0, $0, $0] })
        XCTAssertEqual(try image.reduced(to: Size(height: 1, width: 2)).pixels, [2, 2, 2, 59, 59, 59])
        XCTAssertEqual(try image.reduced(to: Size(height: 2, width: 4)), image)
        // Three pixels from four: each covers one and a third.
        let four = Image(size: Size(height: 1, width: 4), pixels: [0, 30, 60, 90].flatMap { [$0, $0, $0] })
        XCTAssertEqual(try four.reduced(to: Size(height: 1, width: 3)).pixels, [8, 8, 8, 45, 45, 45, 83, 83, 83])
        let labels = LabelMap(size: Size(height: 2, width: 4), values: [0, 1, 2, 3, 4, 5, 6, 7])
        XCTAssertEqual(try labels.nearest(to: Size(height: 1, width: 2)).values, [5, 7])
    }
}
