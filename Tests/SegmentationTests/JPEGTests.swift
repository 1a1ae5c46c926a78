import Base
import Tensors
import XCTest
@testable import Segmentation

/// JPEG files that others read are read, damaged ones are refused, and a camera's note is not overlooked.
final class JPEGTests: TemporaryDirectoryTestCase {
    private let size = Size(height: 24, width: 32)

    private func picture() throws -> [UInt8] {
        var draw = Draw(seed: 3)
        return try JPEG.encode(Image(size: size, pixels: (0..<size.count * 3).map { _ in UInt8(draw.below(256)) }))
    }

    /// Where a marker stands, the first after `from`.
    private func place(of marker: UInt8, in bytes: [UInt8], from: Int = 2) throws -> Int {
        try XCTUnwrap((from..<bytes.count - 1).first { bytes[$0] == 0xff && bytes[$0 + 1] == marker })
    }

    private func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
        return path(name)
    }

    func testStrayBytesBetweenPartsAreNoDamage() throws {
        let bytes = try picture()
        let image = try JPEG.image(bytes)
        for marker: UInt8 in [0xdb, 0xc0, 0xc4, 0xda, 0xd9] {
            for stray: [UInt8] in [[0], [0, 1], [UInt8](repeating: 0x55, count: 300)] {
                let at = try place(of: marker, in: bytes)
                let file = try write(Array(bytes[..<at]) + stray + bytes[at...], "x.jpg")
                XCTAssertEqual(try ImageFile.image(file), image, "\(stray.count) bytes before \(marker)")
                XCTAssertEqual(try ImageFile.size(file), size)
                XCTAssertNoThrow(try ImageFile.verify(file))
            }
        }
        // What stands behind the end belongs to nobody.
        XCTAssertEqual(try JPEG.image(bytes + [1, 2, 3]), image)
    }

    func testDamageIsRefused() throws {
        let bytes = try picture()
        func refuses(_ damaged: [UInt8], _ words: String, line: UInt = #line) throws {
            let file = try write(damaged, "x.jpg")
            assertThrows("x.jpg: not a usable JPEG", words, "damaged or cut short", line: line) { try ImageFile.image(file) }
            assertThrows("x.jpg: not a usable JPEG", words, line: line) { try ImageFile.verify(file) }
        }
        try refuses(Array(bytes.prefix(bytes.count / 2)), "Premature end of JPEG file")
        try refuses(Array(bytes.dropLast(2)), "Premature end of JPEG file")
        let pixels = try place(of: 0xda, in: bytes) + 14
        // An end in the middle of the pixels, and pixels that are missing before it.
        var early = bytes
        early.replaceSubrange(pixels + 200..<pixels + 202, with: [0xff, 0xd9])
        try refuses(early, "Corrupt JPEG data")
        try refuses(Array(bytes[..<(pixels + 100)] + bytes[(bytes.count - 2)...]), "Corrupt JPEG data")
    }

    func testOtherKindsSayThatTheFileMayBeWhole() throws {
        let bytes = try picture()
        let frame = try place(of: 0xc0, in: bytes)
        var deep = bytes
        deep[frame + 4] = 12
        assertThrows("a kind of JPEG that is not read", "precision 12", "the file may be whole") { try JPEG.image(deep) }
        var lossless = bytes
        lossless[frame + 1] = 0xc3
        assertThrows("a kind of JPEG that is not read", "the file may be whole") { try JPEG.image(lossless) }
    }

    /// Pillow 11 converts these files of Fixtures/make_jpeg.c so.
    func testInkBecomesLight() throws {
        for name in ["cmyk.jpg", "ycck.jpg"] {
            let image = try ImageFile.image(fixture(name))
            XCTAssertEqual(image.size, Size(height: 8, width: 32))
            let row = 3 * 32
            let found = [4, 12, 20, 28].map { x in Array(image.pixels[3 * (row + x)..<3 * (row + x) + 3]) }
            XCTAssertEqual(found, [[255, 255, 255], [0, 0, 0], [255, 0, 0], [141, 71, 35]], name)
            XCTAssertNoThrow(try ImageFile.verify(fixture(name)))
        }
    }

    // MARK: Orientation

    /// A TIFF structure with a directory of one other entry and the orientation.
    private func exif(_ value: UInt16, isLittle: Bool) -> [UInt8] {
        func bytes(_ value: UInt32, _ count: Int) -> [UInt8] {
            let big = RawPNG.big(value).suffix(count)
            return isLittle ? big.reversed() : Array(big)
        }
        let entry = bytes(0x0112, 2) + bytes(3, 2) + bytes(1, 4) + bytes(UInt32(value), 2) + [0, 0]
        return Array((isLittle ? "II" : "MM").utf8) + bytes(42, 2) + bytes(8, 4) + bytes(2, 2) + bytes(0x010f, 2) + bytes(2, 2) + bytes(4, 4)
            + [65, 66, 67, 0] + entry + bytes(0, 4)
    }

    private func turned(_ bytes: [UInt8], _ value: UInt16, isLittle: Bool = true) -> [UInt8] {
        let body = Array("Exif\0\0".utf8) + exif(value, isLittle: isLittle)
        return Array(bytes[..<2]) + [0xff, 0xe1, 0, UInt8(body.count + 2)] + body + bytes[2...]
    }

    func testOrientationIsFound() throws {
        let bytes = try picture()
        XCTAssertNil(Orientation(bytes))
        for value: UInt16 in 0...9 {
            for isLittle in [true, false] {
                let expected = (2...8).contains(value) ? Int(value) : nil
                XCTAssertEqual(Orientation(turned(bytes, value, isLittle: isLittle))?.value, expected)
                var png = RawPNG(colourType: 0, depth: 8, pixels: [[[1]]])
                png.chunks = [("gAMA", [0, 0, 1, 0]), ("eXIf", exif(value, isLittle: isLittle))]
                XCTAssertEqual(Orientation(png.bytes)?.value, expected)
            }
        }
        // Whatever stands in the file, it ends well.
        let whole = turned(bytes, 6)
        for length in 0..<80 { _ = Orientation(Array(whole.prefix(length))) }
        var draw = Draw(seed: 5)
        for _ in 0..<3000 {
            var broken = Array(whole.prefix(90))
            for _ in 0...draw.below(4) { broken[2 + draw.below(88)] = UInt8(draw.below(256)) }
            _ = Orientation(broken)
        }
    }

    func testOrientationIsSaidWhereItMatters() throws {
        for name in ["i", "l"] { try makeDirectory(name) }
        let bytes = try picture()
        func words(labels: Size?) throws -> [String] {
            if let labels { try ImageFile.write(LabelMap(size: labels, values: [UInt16](repeating: 1, count: labels.count)), to: path("l/a.png")) }
            return try Notice.gathered {
                let set = try Folder(images: path("i"), labels: labels == nil ? nil : path("l"), classes: ClassInfo.numbered(2))
                XCTAssertEqual(try set.sample(0).image, try JPEG.image(bytes), "pixels are as they are stored")
            }
        }
        _ = try write(turned(bytes, 3), "i/a.jpg")
        for labels in [nil, size] {
            let said = try words(labels: labels)
            XCTAssertEqual(said.count, 1)
            for word in ["1 of 1 images", "i/a.jpg: EXIF orientation 3 (turn by 180°)", "not applied", "auto-orient"] { XCTAssertTrue(said[0].contains(word), said[0]) }
        }
        _ = try write(turned(bytes, 6), "i/a.jpg")
        XCTAssertEqual(try words(labels: nil).count, 1)
        // Labels of the stored size were made for the stored pixels; those of the size that is shown lie over other ones.
        XCTAssertEqual(try words(labels: size), [])
        assertThrows("i/a.jpg is 24x32 as it is stored", "l/a.png are 32x24", "EXIF orientation 6", "auto-orient") { try words(labels: size.turned) }
        let said = try Notice.gathered { _ = try ImageFile.image(path("i/a.jpg"), saysTurned: true) }
        XCTAssertTrue(said.count == 1 && said[0].contains("i/a.jpg: EXIF orientation 6 (turn by 90° to the right)"), "\(said)")
    }
}
