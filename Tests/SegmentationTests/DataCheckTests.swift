import Base
import CKernels
import Tensors
import XCTest
@testable import Segmentation

/// What is found before any work: damaged images, sets that cannot be learned from, sizes without measure.
final class DataCheckTests: TemporaryDirectoryTestCase {
    private let size = Size(height: 8, width: 10)

    override func setUpWithError() throws {
        try super.setUpWithError()
        for name in ["i", "l"] { try makeDirectory(name) }
    }

    private func write(_ bytes: [UInt8], _ name: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path(name))) }

    private func pair(_ number: Int, _ labels: [UInt16]) throws {
        try ImageFile.write(Image(size: size, pixels: [UInt8](repeating: UInt8(number), count: size.count * 3)), to: path("i/\(number).jpg"))
        try ImageFile.write(LabelMap(size: size, values: (0..<size.count).map { labels[$0 % labels.count] }), to: path("l/\(number).png"))
    }

    private func folder(_ classes: Int = 2, _ holding: Folder.Labels = .numbers()) throws -> Folder {
        try Folder(images: path("i"), labels: path("l"), classes: ClassInfo.numbered(classes), holding: holding)
    }

    // MARK: Images

    func testEveryImageIsDecoded() throws {
        for number in 0..<40 { try pair(number, [0, 1]) }
        let set = try folder()
        XCTAssertNoThrow(try set.verifyImages())
        let whole = try Files.contents(path("i/17.jpg"))
        try write(Array(whole.prefix(whole.count / 2)), "i/17.jpg")
        try write(Array(whole.prefix(whole.count / 3)), "i/30.jpg")
        // Of several the first is named, on any number of threads, through whatever the set is seen by.
        for seen: any DataSet in [set, set.cached(), set.cached(bytes: 0), try set.scaled(0.5), try Subset(set, [3, 10, 9, 20]), try set.scaled(0.5).cached()] {
            assertThrows("i/17.jpg: not a usable JPEG", "cut short") { try seen.verifyImages() }
        }
        XCTAssertNoThrow(try Subset(set, [0, 1, 2]).verifyImages())
        var done: [Int] = []
        try write(whole, "i/17.jpg")
        try write(whole, "i/30.jpg")
        try set.verifyImages { done.append($0) }
        XCTAssertEqual(done.last, 40)
    }

    /// A second pass reads no files that are as they were.
    func testFilesAreDecodedOnceAProcess() throws {
        try pair(0, [0, 1])
        XCTAssertNoThrow(try VerifiedFiles.verify(path("i/0.jpg")))
        // The same size, time and file: nobody looks.
        var status = stat()
        XCTAssertEqual(stat(path("i/0.jpg"), &status), 0)
        let handle = try XCTUnwrap(FileHandle(forUpdatingAtPath: path("i/0.jpg")))
        try handle.seek(toOffset: 30)
        try handle.write(contentsOf: [UInt8](repeating: 0, count: 60))
        try handle.close()
        var times = [status.st_atim, status.st_mtim]
        XCTAssertEqual(utimensat(AT_FDCWD, path("i/0.jpg"), &times, 0), 0)
        XCTAssertNoThrow(try VerifiedFiles.verify(path("i/0.jpg")))
        times[1].tv_sec += 1
        XCTAssertEqual(utimensat(AT_FDCWD, path("i/0.jpg"), &times, 0), 0)
        XCTAssertThrowsError(try VerifiedFiles.verify(path("i/0.jpg")))
    }

    func testWhatVerifyFindsIsWhatReadingFinds() throws {
        var draw = Draw(seed: 11)
        for name in ["rgb8.png", "grey8_adam7.png", "palette4.png", "grey16.png", "cmyk.jpg"] {
            let bytes = try Files.contents(fixture(name))
            for _ in 0..<50 {
                var changed = bytes
                changed[draw.below(bytes.count)] = UInt8(draw.below(256))
                if draw.chance(0.3) { changed = Array(changed.prefix(draw.below(bytes.count))) }
                try write(changed, "x")
                var (read, verified) = (true, true)
                do { _ = try ImageFile.image(path("x")) } catch { read = false }
                do { try ImageFile.verify(path("x")) } catch { verified = false }
                XCTAssertEqual(read, verified, "\(name)")
            }
        }
    }

    func testDamagedPNG() throws {
        let whole = RawPNG(colourType: 0, depth: 8, pixels: (0..<20).map { y in (0..<20).map { [UInt16(y * $0 % 256)] } }).bytes
        let pixels = try XCTUnwrap(whole.firstRange(of: Array("IDAT".utf8))).upperBound
        // A pixel, and the checksum of the chunk.
        for (place, words) in [(pixels + 40, "incorrect data check"), (whole.count - 13, "CRC error")] {
            var changed = whole
            changed[place] ^= 1
            try write(changed, "x.png")
            assertThrows("x.png: not a usable PNG", words, "damaged or cut short") { try ImageFile.image(path("x.png")) }
            assertThrows("x.png: not a usable PNG", words) { try ImageFile.verify(path("x.png")) }
        }
        for length in [10, 30, pixels + 100, whole.count - 3] {
            try write(Array(whole.prefix(length)), "x.png")
            assertThrows("x.png") { try ImageFile.image(path("x.png")) }
            assertThrows("x.png") { try ImageFile.verify(path("x.png")) }
        }
    }

    // MARK: Labels

    func testASetWithoutAnyClass() throws {
        for number in 0..<3 { try pair(number, [255]) }
        let set = try folder()
        let summary = try set.inspect()
        assertThrows("folder: no pixel has a class; all 240 pixels of 3 label images are read as 255", "values = {[255] = 1}") {
            try summary.requireClasses(set)
        }
        XCTAssertFalse(summary.looksLikeMasks)
        try pair(2, [255, 1])
        XCTAssertNoThrow(try folder().inspect().requireClasses(set))
    }

    func testMasksOf0And255() throws {
        for number in 0..<4 { try pair(number, [0, 255]) }
        let set = try folder()
        let summary = try set.inspect()
        XCTAssertTrue(summary.looksLikeMasks)
        let text = summary.masksError(set).description
        for word in ["the only class that occurs is 0 (class 0)", "50.0 % of the pixels are 255", "values = {[255] = 1}", "ignore = 255"] {
            XCTAssertTrue(text.contains(word), text)
        }
        XCTAssertFalse(Folder.Labels.numbers().saysVoid)
        XCTAssertTrue(Folder.Labels.numbers(ignored: [255]).saysVoid)
        let mapped = Folder.Labels.numbers(values: [255: 1])
        XCTAssertTrue(mapped.saysVoid)
        let masks = try folder(2, mapped)
        XCTAssertEqual(try masks.inspect().frequencies, [0.5, 0.5])
        XCTAssertEqual(try masks.inspect().warnings(masks), [])
        // Predictions are written as the masks were.
        XCTAssertEqual(masks.classes.outputIds, [0, 255])
        try ImageFile.write(LabelMap(size: size, values: (0..<size.count).map { UInt16($0 % 2) }), as: masks.classes, to: path("p.png"))
        XCTAssertEqual(try ImageFile.labels(path("p.png")), try ImageFile.labels(path("l/0.png")))
        assertThrows("the value 7 is to be class 2, expected 0 to 1 or 255") { try folder(2, .numbers(values: [7: 2])) }
        // Ids never stand for two classes: what is written reads as it was.
        for values: [UInt16: UInt16] in [[1: 0, 0: 1], [9: 0], [9: 0, 8: 0, 0: 255], [0: 255, 3: 0, 1: 2, 2: 1], [300: 1], [255: 2, 7: 255]] {
            let set = try folder(3, .numbers(values: values))
            let ids = set.classes.outputIds.map(UInt16.init)
            XCTAssertEqual(Set(ids).count, 3, "\(values)")
            var map = LabelMap(size: Size(height: 1, width: 3), values: ids)
            try LabelTable(classes: 3, values: values).apply(to: &map, source: "")
            XCTAssertEqual(map.values, [0, 1, 2], "\(values)")
        }
        try pair(0, [38])
        assertThrows("l/0.png: expected labels 0 to 1, 76 or 255 (class 1), got 38") { try folder(2, .numbers(values: [76: 0, 255: 1])).labels(0) }
    }

    func testClassesThatNeverOccurAndParts() throws {
        try pair(0, [0, 2])
        try pair(1, [0, 255])
        try pair(2, [3])
        let set = try folder(6)
        let summary = try set.inspect()
        let words = summary.warnings(set)
        XCTAssertEqual(words.count, 1)
        for word in [
            "folder: 3 of 6 classes occur nowhere in 3 label images", "1 (class 1), 4 (class 4), 5 (class 5)", "16.7 % of the pixels are 255", "use more images",
        ] { XCTAssertTrue(words[0].contains(word), words[0]) }
        XCTAssertEqual(summary.part([2]).pixels, [0, 0, 0, 80, 0, 0])
        XCTAssertEqual(summary.part([0, 2]), try Subset(set, [0, 2]).inspect())
        XCTAssertEqual(try folder(4, .numbers(values: [9: 1])).inspect().warnings(set).count, 1)
    }

    // MARK: Names

    func testNamesThatAreNotUTF8() throws {
        try pair(0, [0, 1])
        let name = Array(path("i/caf").utf8) + [0xe9] + Array(".jpg".utf8)
        let copy = name.withUnsafeBufferPointer { bytes in
            String(decoding: bytes, as: UTF8.self) == path("i/caf\u{fffd}.jpg") ? bytes.map { CChar(bitPattern: $0) } + [0] : []
        }
        let handle = fopen(copy, "w")
        XCTAssertNotNil(handle)
        if let handle { fclose(handle) }
        assertThrows("i/caf\\xe9.jpg: the name is not UTF-8", "convmv") { try folder() }
        XCTAssertEqual(unlink(copy), 0)
        // What is not wanted may be called anything.
        let other = copy.dropLast(5) + Array(".txt\0".utf8).map { CChar(bitPattern: $0) }
        if let handle = fopen(Array(other), "w") { fclose(handle) }
        XCTAssertEqual(try folder().count, 1)
        XCTAssertEqual(FileName.escaped(Array("a\u{e9}\n".utf8)), "a\\xc3\\xa9\\x0a")
    }

    func testLinksThatLeadNowhere() throws {
        try pair(0, [0, 1])
        try FileManager.default.createSymbolicLink(atPath: path("i/9.jpg"), withDestinationPath: "/nowhere")
        assertThrows("i/9.jpg: cannot read the file", "No such file") { try folder() }
        XCTAssertEqual(unlink(path("i/9.jpg")), 0)
        XCTAssertEqual(mkfifo(path("i/9.jpg"), 0o600), 0)
        assertThrows("i/9.jpg: expected a regular file") { try folder() }
    }

    // MARK: Limits

    func testSizesWithoutMeasure() throws {
        let huge = Size(height: 1 << 40, width: 1 << 40)
        XCTAssertEqual(huge.count, .max)
        XCTAssertEqual(Size(height: 1 << 62, width: 1).scaled(16), Size(height: .max, width: 16))
        let set = try Shapes(images: 4, size: Size(height: 16, width: 16), classes: 3, seed: 1)
        assertThrows("expected a crop of at most 268435456 pixels") { try BatchLoader(set, size: 1, augmentation: Augmentation(crop: huge, pad: true), seed: 1) }
        assertThrows("expected 0 to 256 batches ahead") { try BatchLoader(set, size: 1, seed: 1, ahead: .max) }
        XCTAssertEqual(try BatchLoader(set, size: .max, seed: 1, dropLast: false).next().indices.count, 4)
        assertThrows("expected 1 to 1048576 images for shapes") { try Shapes(images: 1 << 62, size: Size(height: 16, width: 16), classes: 3, seed: 1) }
        assertThrows("expected a window") { try SegmentationOptions(window: huge).check() }
        let loader = try BatchLoader(set, size: 1, seed: 1)
        var state = loader.state
        state.epoch = .max
        assertThrows("expected the state of a loader") { try loader.restore(state) }
        assertThrows("what is asked for needs", "can be had", "smaller batch, image") { try Memory.check(1 << 60, toHold: "what is asked for") }
        XCTAssertNoThrow(try Memory.check(1 << 20, toHold: "little"))
        var header = RawPNG(colourType: 0, depth: 8, pixels: [[[1]]]).bytes
        header.replaceSubrange(16..<24, with: [0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff])
        try write(header, "x.png")
        assertThrows("x.png: expected at most 268435456 pixels, got 2147483647x2147483647") { try ImageFile.size(path("x.png")) }
    }

    // MARK: Ctrl-C

    private func interrupted(_ body: () throws -> Void) {
        trellis_interrupt_set(true)
        defer { trellis_interrupt_set(false) }
        XCTAssertThrowsError(try body()) { XCTAssertTrue($0 is Interrupted, "\($0)") }
    }

    func testEverythingThatTakesTimeLooksForCtrlC() throws {
        try pair(0, [0, 1])
        try ImageFile.write(try ImageFile.image(path("i/0.jpg")), to: path("x.png"))
        let (image, set) = (try ImageFile.image(path("x.png")), try folder())
        let labels = try set.labels(0)
        let scenes = try Shapes(images: 1, size: Size(height: 16, width: 16), classes: 3, seed: 1)
        let small = Size(height: 4, width: 5)
        let works: [(String, () throws -> Void)] = [
            ("JPEG", { _ = try ImageFile.image(self.path("i/0.jpg")) }), ("PNG", { _ = try ImageFile.image(self.path("x.png")) }),
            ("interlaced", { _ = try ImageFile.image(self.fixture("grey8_adam7.png")) }), ("labels", { _ = try set.labels(0) }),
            ("verify PNG", { try ImageFile.verify(self.path("x.png")) }), ("verify JPEG", { try ImageFile.verify(self.path("i/0.jpg")) }),
            ("write PNG", { _ = try PNG.encode(image) }), ("write JPEG", { _ = try JPEG.encode(image) }),
            ("reduce", { _ = try image.reduced(to: small) }), ("nearest", { _ = try labels.nearest(to: small) }),
            ("tensor", { _ = try image.tensor() }), ("scene", { _ = try scenes.sample(0) }), ("listing", { _ = try self.folder() }),
            ("inspect", { _ = try set.inspect() }), ("verify", { try scenes.verifyImages() }),
            ("batch", { _ = try BatchLoader(Pictures([Sample(image: image, labels: labels)], classes: 2), size: 1, seed: 1, ahead: 0).next() }),
        ]
        for (name, work) in works {
            XCTAssertNoThrow(try work(), name)
            interrupted(work)
        }
    }

    /// A consumer that waits for the thread sees Ctrl-C, and the batch comes when it is asked for again.
    func testWaitingForABatchCanBeInterrupted() throws {
        let gate = DispatchSemaphore(value: 0)
        let loader = try BatchLoader(Gated(gate: gate), size: 1, seed: 1, shuffle: false)
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.05) { trellis_interrupt_set(true) }
        XCTAssertThrowsError(try loader.next()) { XCTAssertTrue($0 is Interrupted) }
        trellis_interrupt_set(false)
        for _ in 0..<20 { gate.signal() }
        XCTAssertEqual(try loader.next().indices, [0])
        // The thread may see an interrupt that nobody waits for: it is no error of the batch.
        trellis_interrupt_set(true)
        usleep(20_000)
        trellis_interrupt_set(false)
        XCTAssertEqual(try loader.next().indices, [1])
        for _ in 0..<20 { gate.signal() }
        XCTAssertEqual(try loader.next().indices, [2])
    }

    /// Samples that wait to be let through.
    private struct Gated: DataSet {
        let gate: DispatchSemaphore
        let name = "gated"
        let classes = ClassInfo.numbered(2)
        let count = 5
        func source(_ index: Int) -> String { "gated \(index)" }
        func size(_ index: Int) throws -> Size { Size(height: 2, width: 2) }
        func sample(_ index: Int) throws -> Sample {
            gate.wait()
            try checkInterrupt()
            let size = try size(index)
            return Sample(image: Image(size: size, pixels: [UInt8](repeating: 0, count: 12)), labels: try LabelMap(ignored: size))
        }
    }
}
