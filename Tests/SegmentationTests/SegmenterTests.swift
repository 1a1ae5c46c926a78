import Networks
import Tensors
import XCTest
@testable import Segmentation

final class SegmenterTests: TemporaryDirectoryTestCase {
    private func random(_ shape: [Int]) throws -> Tensor { try Tensor.random(.normal(mean: 0, deviation: 1), shape, from: RandomState(seed: 9)) }

    private func assertNear(_ a: Tensor, _ b: Tensor, _ tolerance: Float = 1e-5, line: UInt = #line) throws {
        XCTAssertEqual(a.shape, b.shape, line: line)
        let worst = zip(try a.floats(), try b.floats()).map { abs($0 - $1) }.max() ?? 0
        XCTAssertLessThan(worst, tolerance, line: line)
    }

    func testWindowsCoverEveryPixel() {
        for (whole, part, step) in [(10, 4, 4), (12, 4, 4), (12, 4, 3), (5, 8, 3), (7, 7, 7), (100, 7, 1), (9, 4, 4)] {
            let windows = SlidingWindow(
                Size(height: whole, width: 3), window: Size(height: part, width: 3), stride: Size(height: step, width: 1))
            let counts = windows.coverage.rows
            XCTAssertEqual(counts.count, whole)
            XCTAssertGreaterThanOrEqual(counts.min() ?? 0, 1, "\(whole) \(part) \(step)")
            XCTAssertEqual(windows.size.height, min(part, whole))
            XCTAssertEqual(counts.reduce(0, +), windows.rows.count * windows.size.height)
            if whole % part == 0, step == part { XCTAssertEqual(Set(counts), [1]) }
            XCTAssertEqual(zip(windows.rows, windows.rows.dropFirst()).filter { $1 <= $0 || $1 - $0 > step }.count, 0)
        }
        XCTAssertEqual(SlidingWindow(Size(height: 9, width: 9), window: Size(height: 6, width: 6)).rows, [0, 3], "two thirds apart")
    }

    func testWindowsGiveWhatTheWholeImageGives() throws {
        let net = try Nets.colours()
        let images = try random([2, 3, 23, 31])
        let whole = try Segmenter(net).probabilities(images)
        for options in [
            SegmentationOptions(window: Size(height: 8, width: 9)), SegmentationOptions(window: Size(height: 8, width: 40), stride: Size(height: 8, width: 1)),
            SegmentationOptions(window: Size(height: 100, width: 100)),
        ] {
            try assertNear(try Segmenter(net, options).probabilities(images), whole)
            XCTAssertEqual(try Segmenter(net, options).classify(images).ints(), try Segmenter(net).classify(images).ints())
        }
    }

    /// Labels found strip by strip are those of the whole image's probabilities, with a network whose windows do not agree where they overlap.
    func testStripsGiveTheSameLabels() throws {
        let net = try Nets.uneven(4)
        let images = try random([2, 3, 29, 23])
        for (window, step) in [((8, 9), (3, 4)), ((8, 40), (8, 8)), ((28, 5), (1, 5)), ((9, 23), (2, 23))] {
            for flip in [false, true] {
                let options = SegmentationOptions(
                    flip: flip, window: Size(height: window.0, width: window.1), stride: Size(height: step.0, width: step.1))
                let segmenter = try Segmenter(net, options)
                XCTAssertTrue(segmenter.goesByStrips(Size(height: 29, width: 23)))
                XCTAssertEqual(try segmenter.classify(images).ints(), try segmenter.probabilities(images).argmax(1).ints(), "\(options.summary)")
                // An image of bytes, of which the rows of a window become floats at a time.
                let image = Pictures.noise([Size(height: 29, width: 23)], classes: 4, seed: 9).samples[0].image
                let whole = try segmenter.probabilities(options.normalisation.tensor(image)).argmax(1).ints()
                XCTAssertEqual(try segmenter.classify(image).values.map { Int32($0) }, whole, "\(options.summary)")
            }
        }
    }

    /// A network whose answer depends on the colour of a pixel alone says the same of flat pictures at every scale and mirrored.
    func testLooksAgreeOnKnownAnswers() throws {
        let size = Size(height: 17, width: 26)
        let halves = (0..<size.count).map { $0 % size.width < 13 ? 0 : 2 }
        let image = Pictures.sample(size, colours: halves, labels: halves.map { UInt16($0) }).image
        let options = SegmentationOptions(scales: [0.75, 1, 1.25], flip: true, window: Size(height: 9, width: 12))
        let labels = try Segmenter(Nets.colours(), options).classify(image)
        XCTAssertEqual(labels.size, size)
        for (index, label) in labels.values.enumerated() where abs(index % size.width - 13) > 2 {
            XCTAssertEqual(Int(label), halves[index])
        }
        XCTAssertEqual(try Segmenter(Nets.colours()).classify(image).values.map(Int.init), halves)
    }

    func testScalesAndMirrorImagesAreAveragedAsProbabilities() throws {
        let net = try Nets.uneven(4)
        let images = try random([1, 3, 15, 19])
        func look(_ height: Int, _ width: Int, mirrored: Bool) throws -> Tensor {
            var x = try images.resize(.bilinearAlignCorners, height: height, width: width)
            if mirrored { x = try Segmenter.mirror(x) }
            let scores = try net(x).resize(.bilinearAlignCorners, height: height, width: width)
            let p = try scores.resize(.bilinearAlignCorners, height: 15, width: 19).softmax(1)
            return mirrored ? try Segmenter.mirror(p) : p
        }
        let expected = try GradientMode.disabled {
            // 1 + 14·0.5 by 1 + 18·0.5
            let all = [try look(8, 10, mirrored: false), try look(8, 10, mirrored: true), try look(15, 19, mirrored: false), try look(15, 19, mirrored: true)]
            return try (all[0] + all[1] + all[2] + all[3]) / 4
        }
        let found = try Segmenter(net, SegmentationOptions(scales: [0.5, 1], flip: true)).probabilities(images)
        try assertNear(found, expected)
        let plain = try Segmenter(net).probabilities(images)
        XCTAssertGreaterThan(zip(try plain.floats(), try found.floats()).map { abs($0 - $1) }.max() ?? 0, 1e-3, "looking twice changes something")
    }

    func testMirror() throws {
        XCTAssertEqual(try Segmenter.mirror(Tensor([1, 2, 3, 4, 5, 6], shape: [1, 2, 3])).floats(), [3, 2, 1, 6, 5, 4])
    }

    /// Evaluation mode whatever the network's own: neither statistics nor the mode change, and dropout drops nothing.
    func testNetworkStaysAsItIs() throws {
        let net = try Nets.full(3)
        let before = try net.state().map { try $0.tensor.floats() }
        let images = try random([1, 3, 12, 12])
        let segmenter = try Segmenter(net)
        let first = try segmenter.classify(images).ints()
        XCTAssertEqual(try segmenter.classify(images).ints(), first)
        XCTAssertEqual(try net.state().map { try $0.tensor.floats() }, before)
        XCTAssertTrue(net.isTraining)
        net.eval()
        XCTAssertEqual(try GradientMode.disabled { try net(images).argmax(1).ints() }, first)
    }

    func testMeasuresByHand() throws {
        // Colours (what the network says) over labels: class 0 right twice, wrong once; one pixel does not count.
        let one = Pictures.sample(Size(height: 1, width: 4), colours: [0, 0, 1, 2], labels: [0, 0, 0, 255])
        let two = Pictures.sample(Size(height: 2, width: 1), colours: [1, 1], labels: [1, 2])
        let data = Pictures([one, two], classes: 3)
        var done: [Int] = []
        let result = try Evaluator.run(Segmenter(Nets.colours()), data, batch: 2) { done.append($0) }
        XCTAssertEqual(done, [1, 2], "images of different sizes come one at a time")
        XCTAssertEqual(result.confusion.counts, [2, 1, 0, 0, 1, 0, 0, 1, 0])
        XCTAssertEqual(result.confusion.iou(0), 2.0 / 3)
        XCTAssertEqual(result.confusion.iou(1), 1.0 / 3)
        XCTAssertEqual(result.confusion.iou(2), 0)
        XCTAssertEqual(result.meanIoU, 1.0 / 3, accuracy: 1e-12)
        XCTAssertEqual(result.pixelAccuracy, 0.6, accuracy: 1e-12)
        XCTAssertTrue(result.description.hasPrefix("pictures: 2 images, one scale\n"))
        XCTAssertTrue(result.description.contains("33.3"))
    }

    func testPredictionsAreSaved() throws {
        let sample = Pictures.sample(Size(height: 2, width: 3), colours: [0, 1, 2, 2, 1, 0], labels: [0, 0, 0, 0, 0, 255])
        let data = Pictures([sample, sample], classes: 3)
        _ = try Evaluator.run(Segmenter(Nets.colours()), data, batch: 2, directory: path("deep/er"))
        for index in 0..<2 {
            let file = path("deep/er/\(data.outputName(index)).png")
            XCTAssertEqual(try ImageFile.labels(file).values, [0, 1, 2, 2, 1, 0])
            XCTAssertEqual(Array(try ImageFile.image(file).pixels.prefix(3)), [data.classes[0].colour.red, data.classes[0].colour.green, data.classes[0].colour.blue])
        }
    }

    func testOverlay() {
        let image = Image(size: Size(height: 1, width: 2), pixels: [100, 100, 100, 7, 8, 9])
        let labels = LabelMap(size: image.size, values: [0, LabelMap.ignore])
        XCTAssertEqual(try image.overlaid(labels, [ClassInfo("a", Colour(200, 0, 100))], opacity: 0.5).pixels, [150, 50, 100, 7, 8, 9])
    }

    func testErrors() throws {
        let data = Pictures.noise([Size(height: 8, width: 8)], classes: 4, seed: 1)
        assertThrows("the network tells 3 classes apart, pictures has 4") { try Evaluator.run(Segmenter(Nets.colours()), data) }
        assertThrows("scores [N, classes, H, W]", "[1, 3]") {
            try Segmenter.classes(of: Sequential([Nets.colours(), Lambda("mean") { x, _ in try x.mean([2, 3]) }]), for: Size(height: 4, width: 4))
        }
        assertThrows("scales above 0") { try Segmenter(Nets.colours(), SegmentationOptions(scales: [])) }
        assertThrows("window of at least 1x1") { try Segmenter(Nets.colours(), SegmentationOptions(window: Size(height: 0, width: 3))) }
        assertThrows("expected float32 images [N, 3, H, W], got") { try Segmenter(Nets.colours()).classify(Tensor.zeros([1, 4, 5, 5])) }
        assertThrows("pictures has no images") { try Evaluator.run(Segmenter(Nets.colours()), Pictures([], classes: 3)) }
    }
}
