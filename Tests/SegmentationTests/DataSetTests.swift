import Tensors
import XCTest
@testable import Segmentation

final class DataSetTests: TemporaryDirectoryTestCase {
    private let small = Size(height: 6, width: 8)

    private func writePair(_ name: String, labels: [UInt16]? = nil, labelSize: Size? = nil, labelName: String? = nil) throws {
        let image = Image(size: small, pixels: (0..<small.count * 3).map { UInt8($0) })
        let size = labelSize ?? small
        try ImageFile.write(image, to: path("images/" + name))
        let stem = labelName ?? String(name.prefix { $0 != "." }) + ".png"
        try ImageFile.write(LabelMap(size: size, values: labels ?? [UInt16](repeating: 1, count: size.count)), to: path("labels/" + stem))
    }

    private func folder(
        classes: Int = 3, ignored: Set<UInt16> = [], imageSuffix: String = "", labelSuffix: String = ""
    ) throws -> Folder {
        try Folder(
            images: path("images"), labels: path("labels"), imageSuffix: imageSuffix, labelSuffix: labelSuffix,
            classes: ClassInfo.numbered(classes), holding: .numbers(ignored: ignored))
    }

    override func setUpWithError() throws {
        try super.setUpWithError()
        for name in ["images/town", "labels/town"] { try makeDirectory(name) }
    }

    func testFolderPairsByName() throws {
        for name in ["b.png", "a.jpg", "town/c.JPG".lowercased()] { try writePair(name, labelName: name.prefix { $0 != "." } + ".png") }
        let set = try folder()
        XCTAssertEqual(set.count, 3)
        XCTAssertEqual((0..<3).map { set.source($0) }, ["a.jpg", "b.png", "town/c.jpg"].map { path("images/" + $0) })
        XCTAssertEqual(try set.sample(1).image.size, small)
        XCTAssertEqual(set.description, "folder: 3 images, 3 classes")
        let summary = try set.inspect()
        XCTAssertEqual(summary.pixels, [0, 3 * small.count, 0])
        XCTAssertEqual(summary.smallest, small)
        XCTAssertEqual(summary.balancedWeights, [0, 1, 0])
    }

    func testFolderSuffixes() throws {
        try writePair("x_leftImg8bit.png", labelName: "x_gtFine_labelIds.png")
        let other = LabelMap(size: small, values: [UInt16](repeating: 0, count: small.count))
        try ImageFile.write(other, to: path("labels/x_gtFine_color.png"))
        XCTAssertEqual(try folder(imageSuffix: "_leftImg8bit", labelSuffix: "_gtFine_labelIds").count, 1)
        assertThrows("1 images", "2 label images", "images without labels: x_leftImg8bit") { try folder() }
    }

    func testFolderErrors() throws {
        assertThrows("0 images") { try folder() }
        try writePair("a.png")
        try ImageFile.write(Image(size: small, pixels: [UInt8](repeating: 0, count: small.count * 3)), to: path("images/b.png"))
        assertThrows("2 images", "1 label images", "1 images without labels: b") { try folder() }
        try FileManager.default.removeItem(atPath: path("images/b.png"))
        assertThrows("expected 1 to 255 classes") { try folder(classes: 0) }
        assertThrows("labels/a.png", "expected labels 0 to 0 or 255", "got 1 at row 1, column 1") { try folder(classes: 1).sample(0) }
        assertThrows("nowhere", "cannot read the directory") {
            try Folder(images: path("nowhere"), labels: path("labels"), classes: ClassInfo.numbered(2))
        }
        try writePair("a.png", labelSize: Size(height: 6, width: 7))
        assertThrows("images/a.png is 6x8", "labels/a.png are 6x7") { try folder() }
        try writePair("a.jpg")
        assertThrows("have the same name") { try folder() }
    }

    func testIgnoredLabels() throws {
        try writePair("a.png", labels: (0..<small.count).map { $0 < 8 ? 11 : $0 < 16 ? 255 : 2 })
        XCTAssertEqual(try folder(ignored: [11]).inspect().ignored, 16)
        assertThrows("got 11") { try folder().inspect() }
        // A label may be ignored although it would be a class.
        XCTAssertEqual(try folder(classes: 12, ignored: [2]).inspect().ignored, small.count - 8)
    }

    func testSplitsAreDisjointCompleteAndDetermined() throws {
        let set = try Shapes(images: 101, size: Size(height: 16, width: 16), classes: 3, seed: 1)
        for fraction in [0.5, 0.1, 0.9] {
            let (a, b) = try set.split(fraction, seed: 4)
            XCTAssertEqual((a.indices + b.indices).sorted(), Array(0..<101))
            XCTAssertEqual(a.count, Int((101 * fraction).rounded()))
            XCTAssertEqual(try set.split(fraction, seed: 4).first.indices, a.indices)
            XCTAssertNotEqual(try set.split(fraction, seed: 5).first.indices, a.indices)
        }
        let half = try set.split(0.5, seed: 4).first
        let (c, d) = try half.split(0.5, seed: 1)
        XCTAssertEqual(Set((c.indices + d.indices).map { half.indices[$0] }), Set(half.indices))
        XCTAssertEqual(try c.sample(0).image, try set.sample(half.indices[c.indices[0]]).image)
        assertThrows("too few to split") { try Subset(set, [3]).split(0.5, seed: 1) }
        assertThrows("between 0 and 1") { try set.split(1, seed: 1) }
        assertThrows("expected samples 0 to 100", "got 101") { try Subset(set, [101]) }
    }

    func testScaledAndCached() throws {
        let set = try Shapes(images: 3, size: Size(height: 20, width: 31), classes: 4, seed: 1)
        let half = try set.scaled(0.5)
        XCTAssertEqual(try half.size(0), Size(height: 10, width: 16))
        XCTAssertEqual(try half.sample(0).image.size, Size(height: 10, width: 16))
        XCTAssertEqual(try half.labels(1), try half.sample(1).labels)
        XCTAssertEqual(try half.sample(1).labels, try set.sample(1).labels.nearest(to: Size(height: 10, width: 16)))
        assertThrows("expected a scale above 0") { try set.scaled(0) }
        XCTAssertTrue(try set.scaled(1) is Shapes)
        let bytes = 10 * 16 * 5
        let cached = half.cached(bytes: bytes * 2)
        for round in 0..<2 {
            for index in 0..<3 {
                XCTAssertEqual(try cached.sample(index).image, try half.sample(index).image, "round \(round)")
                XCTAssertEqual(try cached.labels(index), try half.labels(index))
            }
            XCTAssertEqual(cached.usedBytes, bytes * 2)
        }
    }

    private func camVid(_ split: String) throws -> CamVid {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        // The repository's neighbour, or that of a worktree beside it.
        for place in ["../shared/camvid", "../../shared/camvid"] {
            let directory = root.appendingPathComponent(place).standardized.path
            if FileManager.default.fileExists(atPath: directory) { return try CamVid(directory, split: split) }
        }
        throw XCTSkip("no ../shared/camvid here")
    }

    func testCamVid() throws {
        let set = try camVid("val")
        XCTAssertEqual(set.count, 101)
        XCTAssertEqual(set.classes.count, 11)
        let sample = try set.sample(0)
        XCTAssertEqual(sample.image.size, Size(height: 360, width: 480))
        XCTAssertEqual(sample.labels.values.filter { $0 > 10 && $0 != 255 }.count, 0)
        XCTAssertEqual(try set.scaled(0.5).size(0), Size(height: 180, width: 240))
        XCTAssertEqual(try camVid("train").count, 367)
    }

    func testCamVidLayout() throws {
        for name in ["val", "valannot"] { try makeDirectory(name) }
        try ImageFile.write(Image(size: small, pixels: [UInt8](repeating: 9, count: small.count * 3)), to: path("val/1.png"))
        try ImageFile.write(LabelMap(size: small, values: (0..<small.count).map { UInt16($0 % 12) }), to: path("valannot/1.png"))
        let set = try CamVid(directory, split: "val")
        XCTAssertEqual(try set.inspect().ignored, 4)
        assertThrows("train, val or test") { try CamVid(directory, split: "all") }
        assertThrows("cannot read the directory", "DIR/test/*.png and DIR/testannot/*.png") { try CamVid(directory, split: "test") }
    }
}
