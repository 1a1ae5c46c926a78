import Tensors
import XCTest
@testable import Segmentation

/// Small trees in the layouts of the published data sets, of real PNG and JPEG files.
final class PublishedDataSetTests: TemporaryDirectoryTestCase {
    private let small = Size(height: 4, width: 6)

    private func write(_ name: String, _ text: String) throws {
        try prepare(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    private func prepare(_ name: String) throws {
        try FileManager.default.createDirectory(
            at: URL(fileURLWithPath: path(name)).deletingLastPathComponent(), withIntermediateDirectories: true)
    }

    private func writeImage(_ name: String, _ size: Size? = nil) throws {
        let size = size ?? small
        try prepare(name)
        try ImageFile.write(Image(size: size, pixels: (0..<size.count * 3).map { UInt8($0 % 251) }), to: path(name))
    }

    /// - Parameter colours: a palette image when given, else grey.
    private func writeLabels(_ name: String, _ values: [UInt16], size: Size? = nil, colours: [Colour] = []) throws {
        let size = size ?? small
        try prepare(name)
        try ImageFile.write(
            LabelMap(size: size, values: (0..<size.count).map { values[$0 % values.count] }), colours: colours, to: path(name))
    }

    // MARK: Cityscapes

    private func city(_ split: String, _ frame: String, kind: String = "gtFine", values: [UInt16] = [7]) throws {
        let town = frame.prefix { $0 != "_" }
        try writeImage("leftImg8bit/\(split)/\(town)/\(frame)_leftImg8bit.png")
        try writeLabels("\(kind)/\(split)/\(town)/\(frame)_\(kind)_labelIds.png", values)
        // What else the archives hold.
        try writeLabels("\(kind)/\(split)/\(town)/\(frame)_\(kind)_instanceIds.png", [26001])
        try writeImage("\(kind)/\(split)/\(town)/\(frame)_\(kind)_color.png")
        try write("\(kind)/\(split)/\(town)/\(frame)_\(kind)_polygons.json", "{}")
    }

    func testCityscapesReadsLabelIds() throws {
        try city("train", "ulm_000001_000019", values: Array(0...33))
        try city("train", "aachen_000000_000019")
        let set = try Cityscapes(directory, split: "train")
        XCTAssertEqual(set.description, "cityscapes train: 2 images, 19 classes")
        XCTAssertEqual(set.outputName(1), "ulm_000001_000019")
        XCTAssertEqual(set.source(0), path("leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"))
        let v = UInt16(255)
        XCTAssertEqual(
            try set.labels(1).values, [v, v, v, v, v, v, v, 0, 1, v, v, 2, 3, 4, v, v, v, 5, v, 6, 7, 8, 9, 10])
        XCTAssertEqual(try set.inspect().pixels[0], 24 + 1)
        XCTAssertEqual(set.meanRule, .present)
        XCTAssertEqual(try set.scaled(0.5).sample(0).labels.size, Size(height: 2, width: 3))
    }

    /// Ids, names and colours against the table of the data set's own scripts, as its users know it by train id.
    func testCityscapesClasses() throws {
        let ids: [UInt8] = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
        XCTAssertEqual(Cityscapes.classList.outputIds, ids)
        XCTAssertEqual(Set(Cityscapes.classList.map(\.name)).count, 19)
        // Every id there and back, as a saved prediction.
        let map = LabelMap(size: Size(height: 1, width: 19), values: Array(0..<19))
        try ImageFile.write(map, as: Cityscapes.classList, to: path("p.png"))
        XCTAssertEqual(try ImageFile.labels(path("p.png")).values, ids.map(UInt16.init))
        XCTAssertEqual(try ImageFile.image(path("p.png")), try map.coloured(Cityscapes.classList))
    }

    func testCityscapesCoarseAndTest() throws {
        try city("train_extra", "bonn_000000_000019", kind: "gtCoarse", values: [0, 26])
        let coarse = try Cityscapes(directory, split: "train_extra", annotation: .coarse)
        XCTAssertEqual(coarse.name, "cityscapes train_extra coarse")
        XCTAssertEqual(try coarse.inspect().pixels[13], 12)
        try city("test", "berlin_000000_000019", values: [0, 1, 2, 3])
        let test = try Cityscapes(directory, split: "test")
        XCTAssertFalse(test.isLabelled)
        XCTAssertEqual(try test.sample(0).labels, try LabelMap(ignored: small))
        assertThrows("cityscapes test has no labels, which counting classes needs") { try test.inspect() }
        assertThrows("cityscapes test has no labels") { try test.scaled(0.5).cached().requireLabels(for: "training") }
        assertThrows("train, val or test", "got train_extra") { try Cityscapes(directory, split: "train_extra") }
        assertThrows("train, train_extra or val", "coarse") { try Cityscapes(directory, split: "test", annotation: .coarse) }
    }

    func testCityscapesErrors() throws {
        assertThrows(
            "leftImg8bit/val: cannot read the directory", "expected Cityscapes as it is unpacked: DIR/leftImg8bit/val/CITY/*_leftImg8bit.png",
            "DIR/gtFine/val/CITY/*_gtFine_labelIds.png"
        ) { try Cityscapes(directory, split: "val") }
        try city("val", "lindau_000000_000019", values: [7, 34])
        assertThrows("lindau_000000_000019_gtFine_labelIds.png: expected label ids 0 to 33, got 34 at row 1, column 2", "neither train ids") {
            try Cityscapes(directory, split: "val").sample(0)
        }
        // Train ids have 255, label ids have not.
        try city("val", "lindau_000000_000019", values: [0, 255])
        assertThrows("got 255 at row 1, column 2") { try Cityscapes(directory, split: "val").labels(0) }
        let labels = "gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png"
        try writeLabels(labels, [7], size: Size(height: 4, width: 5))
        assertThrows("_leftImg8bit.png is 4x6, its labels", "_labelIds.png are 4x5") { try Cityscapes(directory, split: "val") }
        try FileManager.default.removeItem(atPath: path(labels))
        assertThrows("1 images, ", "0 label images; 1 images without labels: lindau/lindau_000000_000019") {
            try Cityscapes(directory, split: "val")
        }
    }

    // MARK: PASCAL VOC

    private func voc(_ name: String, folder: String = "SegmentationClass", values: [UInt16] = [0, 15, 255], grey: Bool = false) throws {
        try writeImage("JPEGImages/\(name).jpg")
        try writeLabels("\(folder)/\(name).png", values, colours: grey ? [] : PascalVOC.classList.map(\.colour))
    }

    func testVOCReadsItsLists() throws {
        for name in ["2007_000032", "2007_000033", "2008_000001"] { try voc(name) }
        try write("ImageSets/Segmentation/train.txt", "2008_000001\n2007_000032\n")
        // Windows line ends, a byte order mark, spaces, empty lines, no end of the last line.
        try write("ImageSets/Segmentation/val.txt", "\u{feff}2007_000033\r\n\r\n 2007_000032 \r\n\t2008_000001")
        let set = try PascalVOC(directory, split: "train")
        XCTAssertEqual(set.description, "voc train: 2 images, 21 classes")
        XCTAssertEqual((0..<2).map(set.outputName), ["2008_000001", "2007_000032"])
        XCTAssertEqual(Array(try set.labels(0).values.prefix(3)), [0, 15, 255])
        XCTAssertEqual(try set.size(0), small)
        XCTAssertEqual(set.meanRule, .all)
        XCTAssertEqual(try set.inspect().ignored, 16)
        let val = try PascalVOC(directory, split: "val")
        XCTAssertEqual((0..<val.count).map(val.outputName), ["2007_000033", "2007_000032", "2008_000001"])
        // Colours of the development kit's palette.
        let colours = PascalVOC.classList.map(\.colour)
        XCTAssertEqual(colours[0], Colour(0, 0, 0))
        XCTAssertEqual(colours[1], Colour(128, 0, 0))
        XCTAssertEqual(colours[15], Colour(192, 128, 128))
        XCTAssertEqual(colours[20], Colour(0, 64, 128))
    }

    func testVOCAugmentedListAndParents() throws {
        try voc("2008_000002", folder: "SegmentationClassAug", values: [3], grey: true)
        try voc("2008_000003", folder: "SegmentationClassAug", values: [4])
        try write("ImageSets/Segmentation/trainaug.txt", "/JPEGImages/2008_000003.jpg /SegmentationClassAug/2008_000003.png\n2008_000002\n")
        let set = try PascalVOC(directory, split: "trainaug")
        XCTAssertEqual([try set.labels(0).values[0], try set.labels(1).values[0]], [4, 3])
        try write("VOC2012/JPEGImages/none", "")
        for item in ["JPEGImages", "SegmentationClassAug", "ImageSets"] {
            try? FileManager.default.removeItem(atPath: path("VOC2012/" + item))
            try FileManager.default.moveItem(atPath: path(item), toPath: path("VOC2012/" + item))
        }
        XCTAssertEqual(try PascalVOC(directory, split: "trainaug").count, 2)
    }

    func testVOCErrors() throws {
        assertThrows("ImageSets/Segmentation/train.txt", "No such file", "expected PASCAL VOC as it is unpacked: DIR/JPEGImages/*.jpg") {
            try PascalVOC(directory, split: "train")
        }
        assertThrows("train, val, trainval, trainaug or test", "got all") { try PascalVOC(directory, split: "all") }
        try write("ImageSets/Segmentation/train.txt", "\r\n \n")
        assertThrows("train.txt lists no images", "DIR/SegmentationClass/*.png") { try PascalVOC(directory, split: "train") }
        try write("ImageSets/Segmentation/train.txt", "a\nb\n\na\n")
        assertThrows("train.txt, line 4: a is in line 1 already") { try PascalVOC(directory, split: "train") }
        try write("ImageSets/Segmentation/train.txt", "a 1\n")
        assertThrows("train.txt, line 1: expected the name of an image", "got 'a 1'") { try PascalVOC(directory, split: "train") }
        try voc("a", values: [0, 21])
        try write("ImageSets/Segmentation/train.txt", "a\nb\n")
        assertThrows("lists 2 images; 2 files are missing: ", "JPEGImages/b.jpg", "SegmentationClass/b.png") {
            try PascalVOC(directory, split: "train")
        }
        try write("ImageSets/Segmentation/train.txt", "a\n")
        assertThrows("SegmentationClass/a.png: expected classes 0 to 20 or 255 (void), got 21 at row 1, column 2") {
            try PascalVOC(directory, split: "train").sample(0)
        }
        try writeImage("SegmentationClass/a.png")
        assertThrows("SegmentationClass/a.png", "one class number a pixel", "RGB of 8 bits") { try PascalVOC(directory, split: "train").labels(0) }
        try writeLabels("SegmentationClass/a.png", [1], size: Size(height: 5, width: 6))
        assertThrows("JPEGImages/a.jpg is 4x6, its labels", "a.png are 5x6") { try PascalVOC(directory, split: "train") }
        try write("ImageSets/Segmentation/test.txt", "a")
        XCTAssertFalse(try PascalVOC(directory, split: "test").isLabelled)
    }

    // MARK: ADE20K

    func testADE20K() throws {
        for (number, values) in [(1, [0, 1, 150]), (2, [2])] as [(Int, [UInt16])] {
            try writeImage("images/training/ADE_train_0000000\(number).jpg")
            try writeLabels("annotations/training/ADE_train_0000000\(number).png", values)
        }
        let set = try ADE20K(directory, split: "train")
        XCTAssertEqual(set.description, "ade20k train: 2 images, 150 classes")
        XCTAssertEqual(Array(try set.labels(0).values.prefix(3)), [255, 0, 149])
        XCTAssertEqual(set.outputName(1), "ADE_train_00000002")
        XCTAssertEqual(set.meanRule, .all)
        XCTAssertEqual(ADE20K.classList.count, 150)
        XCTAssertEqual(ADE20K.classList.outputIds, Array(1...150))
        XCTAssertEqual(Set(ADE20K.classList.map(\.name)).count, 150)
        XCTAssertEqual(ADE20K.classList[0], ClassInfo("wall", Colour(120, 120, 120), id: 1))
        XCTAssertEqual(ADE20K.classList[12], ClassInfo("person", Colour(150, 5, 61), id: 13))
        XCTAssertEqual(ADE20K.classList[44], ClassInfo("chest of drawers", Colour(6, 51, 255), id: 45))
        XCTAssertEqual(ADE20K.classList[149], ClassInfo("flag", Colour(92, 0, 255), id: 150))
        // Labels, written as a prediction, are the annotation again, but for 0.
        try ImageFile.write(set.labels(0), as: set.classes, to: path("p.png"))
        XCTAssertEqual(Array(try ImageFile.labels(path("p.png")).values.prefix(3)), [255, 1, 150])

        try writeLabels("annotations/training/ADE_train_00000002.png", [5, 151])
        assertThrows("ADE_train_00000002.png: expected 0 (other) or classes 1 to 150, got 151 at row 1, column 2") { try set.sample(1) }
        try writeLabels("annotations/training/ADE_train_00000002.png", [300])
        assertThrows("got 300 at row 1, column 1") { try set.labels(1) }
        try FileManager.default.removeItem(atPath: path("annotations/training/ADE_train_00000002.png"))
        assertThrows("1 images without labels: ADE_train_00000002", "ADEChallengeData2016") { try ADE20K(directory, split: "train") }
        assertThrows("images/validation: cannot read the directory", "DIR/annotations/validation/*.png") { try ADE20K(directory, split: "val") }
        try makeDirectory("images/testing")
        assertThrows("images/testing has no images") { try ADE20K(directory, split: "test") }
        try writeImage("images/testing/ADE_test_00000001.jpg")
        XCTAssertFalse(try ADE20K(directory, split: "test").isLabelled)
    }

    /// The size of a JPEG stands in its header, wherever that is.
    func testSizesOfJPEGsWithLongHeaders() throws {
        try writeImage("a.jpg", Size(height: 33, width: 47))
        XCTAssertEqual(try ImageFile.size(path("a.jpg")), Size(height: 33, width: 47))
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path("a.jpg"))))
        // An application segment of 60,000 bytes behind the start of the image.
        let segment: [UInt8] = [0xff, 0xe1, 0xea, 0x62] + [UInt8](repeating: 7, count: 60000)
        try Data(bytes[..<2] + segment + bytes[2...]).write(to: URL(fileURLWithPath: path("b.jpg")))
        XCTAssertEqual(try ImageFile.size(path("b.jpg")), Size(height: 33, width: 47))
    }
}
