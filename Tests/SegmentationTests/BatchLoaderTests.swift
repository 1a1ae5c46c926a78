import Tensors
import XCTest
@testable import Segmentation

/// Images whose red and green tell each pixel's place, and labels that agree; number `bad` cannot be read.
private struct Places: DataSet {
    var sizes: [Size]
    var bad: Int?
    let name = "places"
    let classes = ClassInfo.numbered(200)
    var count: Int { sizes.count }
    func source(_ index: Int) -> String { "place \(index)" }
    func size(_ index: Int) throws -> Size { sizes[index] }
    func sample(_ index: Int) throws -> Sample {
        if index == bad { throw DataError("place \(index) is gone") }
        let size = sizes[index]
        let places = (0..<size.count).map { ($0 / size.width, $0 % size.width) }
        return Sample(
            image: Image(size: size, pixels: places.flatMap { [UInt8($0.0), UInt8($0.1), UInt8(index)] }),
            labels: LabelMap(size: size, values: places.map { UInt16(($0.0 * 7 + $0.1) % 200) }))
    }

    init(_ count: Int, _ size: Size, bad: Int? = nil) {
        sizes = [Size](repeating: size, count: count)
        self.bad = bad
    }
}

final class BatchLoaderTests: TemporaryDirectoryTestCase {
    private let size = Size(height: 20, width: 30)
    private let plain = Normalisation(mean: [0, 0, 0], deviation: [1 / 255, 1 / 255, 1 / 255])

    private func bits(_ batch: Batch) -> [UInt32] {
        Array(batch.arrays[0].buffer.elements(of: UInt32.self)) + Array(batch.arrays[1].buffer.elements(of: UInt32.self))
    }

    private func everything() -> Augmentation {
        Augmentation(crop: Size(height: 9, width: 11), scale: 0.5...2, flip: true, jitter: 0.3, focus: 0.5)
    }

    func testShapesAndOrder() throws {
        let loader = try BatchLoader(Places(10, size), size: 3, seed: 1)
        XCTAssertEqual(loader.batchesPerEpoch, 3)
        var seen: [[Int]] = []
        for epoch in 0..<3 {
            var epochIndices: [Int] = []
            for index in 0..<3 {
                let batch = try loader.next()
                XCTAssertEqual([batch.epoch, batch.index], [epoch, index])
                XCTAssertEqual(batch.arrays[0].shape, [3, 3, 20, 30])
                XCTAssertEqual(batch.arrays[1].shape, [3, 20, 30])
                XCTAssertEqual(batch.arrays[0].buffer.byteCount, 3 * 3 * 600 * 4)
                epochIndices += batch.indices
            }
            XCTAssertEqual(Set(epochIndices).count, 9)
            seen.append(epochIndices)
        }
        XCTAssertNotEqual(seen[0], seen[1])
        let whole = try BatchLoader(Places(10, size), size: 4, seed: 1, shuffle: false, dropLast: false)
        XCTAssertEqual(try (0..<3).flatMap { _ in try whole.next().indices }, Array(0..<10))
    }

    func testValuesAreNormalised() throws {
        let loader = try BatchLoader(Places(1, size), size: 1, augmentation: Augmentation(), seed: 1)
        let batch = try loader.next()
        let values = batch.arrays[0].buffer.elements(of: Float.self)
        // Row 4, column 7 of red and green.
        XCTAssertEqual(values[4 * 30 + 7], (4 / 255 - 0.485) / 0.229, accuracy: 1e-6)
        XCTAssertEqual(values[600 + 4 * 30 + 7], (7 / 255 - 0.456) / 0.224, accuracy: 1e-6)
        XCTAssertEqual(batch.arrays[1].buffer.elements(of: Int32.self)[4 * 30 + 7], 35)
        let image = try Normalisation.imageNet.image(batch.arrays[0].buffer.elements(of: Float.self).baseAddress!, size: size)
        XCTAssertEqual(image, try Places(1, size).sample(0).image)
    }

    func testCropAndFlipMoveImageAndLabelsTogether() throws {
        let augmentation = Augmentation(crop: Size(height: 5, width: 6), flip: true, normalisation: plain)
        let loader = try BatchLoader(Places(8, size), size: 8, augmentation: augmentation, seed: 3)
        var (mirrored, places) = (0, Set<Int>())
        for _ in 0..<20 {
            let batch = try loader.next()
            let (values, labels) = (batch.arrays[0].buffer.elements(of: Float.self), batch.arrays[1].buffer.elements(of: Int32.self))
            for slot in 0..<8 {
                let plane = slot * 3 * 30
                for pixel in 0..<30 {
                    let (row, column) = (Int(values[plane + pixel].rounded()), Int(values[plane + 30 + pixel].rounded()))
                    XCTAssertTrue((0..<20).contains(row) && (0..<30).contains(column))
                    XCTAssertEqual(Int(labels[slot * 30 + pixel]), (row * 7 + column) % 200)
                    XCTAssertEqual(values[plane + 60 + pixel], Float(batch.indices[slot]), accuracy: 1e-3)
                }
                mirrored += values[plane + 30] > values[plane + 31] ? 1 : 0
                places.insert(Int(values[plane].rounded()))
            }
        }
        XCTAssertTrue((50...110).contains(mirrored), "\(mirrored) of 160")
        XCTAssertEqual(places.count, 16)
    }

    func testWindowsNeverLeaveTheImage() throws {
        var draw = Draw(seed: 5)
        let augmentation = Augmentation(crop: Size(height: 16, width: 24), scale: 0.8...1.7, flip: true)
        var corners = Set<[Bool]>()
        for _ in 0..<5000 {
            let window = augmentation.window(size, &draw)
            XCTAssertGreaterThanOrEqual(window.top, 0)
            XCTAssertGreaterThanOrEqual(window.left, 0)
            XCTAssertLessThanOrEqual(window.top + 16, window.scaled.height)
            XCTAssertLessThanOrEqual(window.left + 24, window.scaled.width)
            corners.insert([window.top == 0, window.top + 16 == window.scaled.height])
        }
        XCTAssertEqual(corners.count, 4)
    }

    func testScalingIsBilinear() throws {
        // Doubled: new pixels lie a quarter beside the old ones, and the border repeats.
        let data = Places(1, Size(height: 2, width: 3))
        let augmentation = Augmentation(crop: Size(height: 4, width: 6), scale: 2...2, normalisation: plain)
        let batch = try BatchLoader(data, size: 1, augmentation: augmentation, seed: 1).next()
        let columns = Array(batch.arrays[0].buffer.elements(of: Float.self)[24..<30])
        for (value, expected) in zip(columns, [0, 0.25, 0.75, 1.25, 1.75, 2]) { XCTAssertEqual(value, Float(expected), accuracy: 1e-5) }
        XCTAssertEqual(Array(batch.arrays[1].buffer.elements(of: Int32.self).prefix(6)), [0, 0, 1, 1, 2, 2])
    }

    func testPaddingIsMeanColourAndIgnored() throws {
        let augmentation = Augmentation(crop: Size(height: 30, width: 40), scale: 0.5...0.5, pad: true)
        let batch = try BatchLoader(Places(1, size), size: 1, augmentation: augmentation, seed: 1).next()
        let (values, labels) = (batch.arrays[0].buffer.elements(of: Float.self), batch.arrays[1].buffer.elements(of: Int32.self))
        XCTAssertEqual(labels.filter { $0 != 255 }.count, 10 * 15)
        for index in labels.indices where labels[index] == 255 { XCTAssertEqual(values[index], 0) }
    }

    /// Half of the aimed crops hold the one pixel of the second class, and all lie where crops may lie.
    func testFocusShowsRareClasses() throws {
        var labels = LabelMap(size: size, values: [UInt16](repeating: 3, count: size.count))
        labels.values[2 * 30 + 27] = 1
        for (scale, pad) in [(1.0...1.0, false), (0.6...2, false), (0.5...0.5, true)] {
            let augmentation = Augmentation(crop: Size(height: 11, width: 17), scale: scale, pad: pad, focus: 1)
            var (seen, draw) = (0, Draw(seed: 2))
            for _ in 0..<1000 {
                let before = augmentation.window(size, &draw)
                var window = before
                augmentation.aim(&window, at: labels, &draw)
                let (free, wide) = (window.scaled.height - 11, window.scaled.width - 17)
                XCTAssertTrue((min(0, free)...max(0, free)).contains(window.top) && (min(0, wide)...max(0, wide)).contains(window.left))
                let (row, column) = (5 * window.scaled.height / 40, 55 * window.scaled.width / 60)
                if (window.top..<window.top + 11).contains(row), (window.left..<window.left + 17).contains(column) { seen += 1 }
                (window.top, window.left) = (before.top, before.left)
                XCTAssertEqual(window, before)
            }
            XCTAssertTrue(((pad ? 990 : 500)...(pad ? 1000 : 680)).contains(seen), "\(seen) at \(scale)")
        }
        // Where nothing has a class there is nothing to aim at; without focus nothing is drawn.
        var (window, draw) = (Augmentation.Window(scaled: size, top: 0, left: 0, size: size), Draw(seed: 3))
        let before = window
        Augmentation(crop: size, focus: 1).aim(&window, at: try LabelMap(ignored: size), &draw)
        XCTAssertEqual(window, before)
        var (one, other) = (Draw(seed: 4), Draw(seed: 4))
        Augmentation(crop: size).aim(&window, at: labels, &one)
        XCTAssertEqual(one.next(), other.next())
    }

    func testTheSameWithAndWithoutThread() throws {
        let data = Places(7, size)
        let loaders = try [0, 1, 5].map { try BatchLoader(data, size: 2, augmentation: everything(), seed: 9, ahead: $0) }
        for _ in 0..<10 {
            let all = try loaders.map { bits(try $0.next()) }
            XCTAssertEqual(all[0], all[1])
            XCTAssertEqual(all[0], all[2])
        }
        let other = try BatchLoader(data, size: 2, augmentation: everything(), seed: 10)
        XCTAssertNotEqual(bits(try other.next()), bits(try BatchLoader(data, size: 2, augmentation: everything(), seed: 9).next()))
    }

    func testResumeGivesTheSameBatches() throws {
        let data = Places(7, size)
        let first = try BatchLoader(data, size: 2, augmentation: everything(), seed: 9)
        var batches: [[UInt32]] = []
        var states: [BatchLoader.State] = []
        for _ in 0..<9 {
            states.append(first.state)
            batches.append(bits(try first.next()))
        }
        for (at, state) in states.enumerated() {
            let text = try JSONEncoder().encode(state)
            let fresh = try BatchLoader(data, size: 2, augmentation: everything(), seed: 9)
            try fresh.restore(try JSONDecoder().decode(BatchLoader.State.self, from: text))
            for step in at..<9 { XCTAssertEqual(bits(try fresh.next()), batches[step]) }
            // The same loader, thrown back while its thread is ahead.
            try first.restore(state)
            XCTAssertEqual(bits(try first.next()), batches[at])
        }
        assertThrows("seed 9", "seed 8", "settings of the first run") {
            try BatchLoader(data, size: 2, seed: 8).restore(states[0])
        }
        assertThrows("batch 7") {
            var state = states[0]
            state.batch = 7
            try first.restore(state)
        }
    }

    func testErrorsOfTheThreadSurfaceAndCanBeRetried() throws {
        let loader = try BatchLoader(Places(6, size, bad: 4), size: 1, seed: 1, shuffle: false)
        for index in 0..<4 { XCTAssertEqual(try loader.next().indices, [index]) }
        for _ in 0..<3 { assertThrows("sample 5 of places: place 4 is gone") { try loader.next() } }
        var state = loader.state
        state.batch = 5
        try loader.restore(state)
        XCTAssertEqual(try loader.next().indices, [5])
        XCTAssertEqual(try loader.next().indices, [0])
    }

    func testBadSettingsAreFoundBeforeAnyWork() throws {
        let data = Places(4, size, bad: 0)
        func check(_ words: String, size: Int = 2, _ augmentation: Augmentation = Augmentation(), data: any DataSet, line: UInt = #line) {
            assertThrows(words, line: line) { try BatchLoader(data, size: size, augmentation: augmentation, seed: 1) }
        }
        check("the crop 21x30 is larger than place 0 (20x30)", Augmentation(crop: Size(height: 21, width: 30)), data: data)
        check("at scale 0.5, 10x15", Augmentation(crop: Size(height: 11, width: 11), scale: 0.5...1), data: data)
        check("too few for batches of 5", size: 5, data: data)
        check("at least 1 sample", size: 0, data: data)
        check("random scales need a crop", Augmentation(scale: 1...2), data: data)
        check("expected scales", Augmentation(crop: size, scale: 0...2), data: data)
        check("expected a jitter", Augmentation(jitter: 1), data: data)
        check("expected a focus", Augmentation(focus: 1.5), data: data)
        check("at least 1x1", Augmentation(crop: Size(height: 0, width: 4)), data: data)
        check("positive deviation", Augmentation(normalisation: Normalisation(mean: [0, 0, 0], deviation: [1, 0, 1])), data: data)
        var mixed = data
        mixed.sizes[2] = Size(height: 20, width: 31)
        check("place 2 is 20x31, place 0 is 20x30", data: mixed)
        XCTAssertNoThrow(try BatchLoader(mixed, size: 1, seed: 1))
    }

    func testManyLoadersComeAndGo() throws {
        for seed in 0..<50 {
            let loader = try BatchLoader(Places(5, size), size: 2, seed: UInt64(seed))
            if seed % 2 == 0 { _ = try loader.next() }
        }
    }
}
