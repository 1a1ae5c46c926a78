import XCTest
@testable import Segmentation

final class ShapesTests: XCTestCase {
    /// Pictures to look at: TRELLIS_GALLERY=DIR swift test --filter testGallery
    func testGallery() throws {
        guard let directory = ProcessInfo.processInfo.environment["TRELLIS_GALLERY"] else { throw XCTSkip("TRELLIS_GALLERY is not set") }
        for (name, classes, size) in [
            ("shapes12", 12, Size(height: 192, width: 256)), ("shapes5", 5, Size(height: 96, width: 128)),
            ("shapes2", 2, Size(height: 96, width: 128)),
        ] {
            let set = try Shapes(images: 12, size: size, classes: classes, seed: 3)
            var tiles: [[Image]] = []
            for row in 0..<4 {
                let samples = try (0..<3).map { try set.sample(row * 3 + $0) }
                tiles.append(try samples.flatMap { [$0.image, try $0.labels.coloured(set.classes)] })
            }
            try ImageFile.write(Self.sheet(tiles), to: directory + "/" + name + ".png")
        }
    }

    /// FNV-1a over pixels and labels.
    private func hash(_ sample: Sample) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in sample.image.pixels { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        for label in sample.labels.values { hash = (hash ^ UInt64(label)) &* 0x100_0000_01b3 }
        return hash
    }

    /// The same pictures on every machine and in every build: change these numbers only on purpose, results shift with them.
    func testGoldenPictures() throws {
        let golden: [(classes: Int, hash: UInt64)] = [
            (2, 0xf563881a833faed2), (5, 0x724644f703d2b3df), (12, 0xbe5c193d3338205e),
        ]
        for (classes, expected) in golden {
            let set = try Shapes(images: 4, size: Size(height: 48, width: 64), classes: classes, seed: 3)
            let found = try (0..<4).map { hash(try set.sample($0)) }.reduce(0) { ($0 &* 31) ^ $1 }
            XCTAssertEqual(found, expected, "\(classes) classes: 0x" + String(found, radix: 16))
        }
    }

    func testScenesDependOnSeedAndNumberOnly() throws {
        let size = Size(height: 24, width: 40)
        let set = try Shapes(images: 3, size: size, classes: 12, seed: 3)
        let more = try Shapes(images: 9, size: size, classes: 12, seed: 3)
        let other = try Shapes(images: 3, size: size, classes: 12, seed: 4)
        for index in 0..<3 {
            XCTAssertEqual(hash(try set.sample(index)), hash(try more.sample(index)))
            XCTAssertNotEqual(hash(try set.sample(index)), hash(try other.sample(index)))
        }
        XCTAssertNotEqual(hash(try set.sample(0)), hash(try set.sample(1)))
        XCTAssertEqual(set.source(2), "shapes (seed 3) image 3")
    }

    func testEveryClassOccursAndNoOther() throws {
        for classes in [2, 5, 8, 12] {
            let set = try Shapes(images: 10, size: Size(height: 48, width: 64), classes: classes, seed: 1)
            let summary = try set.inspect()
            XCTAssertTrue(summary.pixels.allSatisfy { $0 > 20 }, "\(classes): \(summary.pixels)")
            XCTAssertEqual(summary.ignored, 0)
            XCTAssertEqual(set.classes.count, classes)
        }
    }

    /// Colour alone must not do: the best guess of a pixel's class from its colour (learnt on the same pictures, 16 levels a
    /// channel) stays far from right, and so does the best guess from its place.
    func testNeitherColourNorPlaceAloneTellsTheClass() throws {
        let set = try Shapes(images: 12, size: Size(height: 48, width: 64), classes: 12, seed: 1)
        var (byColour, byPlace): ([Int: [Int: Int]], [Int: [Int: Int]]) = ([:], [:])
        for index in 0..<set.count {
            let sample = try set.sample(index)
            for (pixel, label) in sample.labels.values.enumerated() {
                let colour = (0..<3).reduce(0) { $0 << 3 | Int(sample.image.pixels[pixel * 3 + $1] >> 5) }
                byColour[colour, default: [:]][Int(label), default: 0] += 1
                byPlace[pixel, default: [:]][Int(label), default: 0] += 1
            }
        }
        func accuracy(_ table: [Int: [Int: Int]]) -> Double {
            let right = table.values.reduce(0) { $0 + ($1.values.max() ?? 0) }
            return Double(right) / Double(set.count * set.size.count)
        }
        XCTAssertLessThan(accuracy(byColour), 0.8)
        XCTAssertLessThan(accuracy(byPlace), 0.8)
    }

    func testAnySize() throws {
        for size in [Size(height: 16, width: 16), Size(height: 17, width: 90), Size(height: 70, width: 19)] {
            XCTAssertEqual(try Shapes(images: 1, size: size, classes: 12, seed: 1).sample(0).image.size, size)
        }
    }

    func testBadNumbers() {
        for (images, size, classes, words) in [
            (0, Size(height: 32, width: 32), 3, "1 to 1048576 images"), (1 << 62, Size(height: 32, width: 32), 3, "1 to 1048576 images"), (1, Size(height: 8, width: 32), 3, "16x16 to 8192x8192"),
            (1, Size(height: 32, width: 32), 1, "2 to 12 classes"), (1, Size(height: 32, width: 32), 13, "2 to 12 classes"),
        ] {
            XCTAssertThrowsError(try Shapes(images: images, size: size, classes: classes, seed: 1)) {
                XCTAssertTrue("\($0)".contains(words), "\($0)")
            }
        }
    }

    private static func sheet(_ tiles: [[Image]]) -> Image {
        let tile = tiles[0][0].size
        let size = Size(height: tile.height * tiles.count, width: tile.width * tiles[0].count)
        var pixels = [UInt8](repeating: 0, count: size.count * 3)
        for (row, line) in tiles.enumerated() {
            for (column, image) in line.enumerated() {
                for y in 0..<tile.height {
                    let to = ((row * tile.height + y) * size.width + column * tile.width) * 3
                    pixels.replaceSubrange(to..<to + tile.width * 3, with: image.pixels[y * tile.width * 3..<(y + 1) * tile.width * 3])
                }
            }
        }
        return Image(size: size, pixels: pixels)
    }
}
