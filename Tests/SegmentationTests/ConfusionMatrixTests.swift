import XCTest
@testable import Segmentation

final class ConfusionMatrixTests: TemporaryDirectoryTestCase {
    func testMetricsByHand() throws {
        var matrix = ConfusionMatrix(classes: 4)
        // Class 2 is only predicted; class 3 is nowhere.
        try matrix.add(labels: [0, 0, 0, 1, 1, 255, 255], predictions: [0, 0, 1, 1, 2, 3, -7], count: 7)
        XCTAssertEqual(matrix.total, 5)
        XCTAssertEqual(matrix[0, 1], 1)
        XCTAssertEqual(matrix.iou(0), 2.0 / 3)
        XCTAssertEqual(matrix.iou(1), 1.0 / 3)
        XCTAssertEqual(matrix.iou(2), 0)
        XCTAssertNil(matrix.iou(3))
        XCTAssertEqual(matrix.meanIoU, 1.0 / 3, accuracy: 1e-15)
        XCTAssertEqual(matrix.meanIoU(.all), 1.0 / 4, accuracy: 1e-15)
        XCTAssertTrue(ConfusionMatrix(classes: 2).meanIoU(.all).isNaN)
        XCTAssertEqual(matrix.pixelAccuracy, 0.6)
        XCTAssertEqual(matrix.meanAccuracy, (2.0 / 3 + 0.5) / 2, accuracy: 1e-15)
        XCTAssertNil(matrix.accuracy(2))
        XCTAssertEqual(
            matrix.table(["sky", "road"]),
            """
            class                IoU  accuracy    pixels
            sky                 66.7      66.7      60.0
            road                33.3      50.0      40.0
            class 2              0.0         -       0.0
            class 3                -         -       0.0
            mean                33.3      58.3
            pixel accuracy                60.0
            """)
    }

    func testMergingIsAdding() throws {
        var (whole, first, second) = (ConfusionMatrix(classes: 5), ConfusionMatrix(classes: 5), ConfusionMatrix(classes: 5))
        var draw = Draw(seed: 1)
        let labels = (0..<1000).map { _ in Int32(draw.below(6)) }.map { $0 == 5 ? 255 : $0 }
        let predictions = (0..<1000).map { _ in Int32(draw.below(5)) }
        try whole.add(labels: labels, predictions: predictions, count: 1000)
        try first.add(labels: labels, predictions: predictions, count: 300)
        try second.add(labels: Array(labels[300...]), predictions: Array(predictions[300...]), count: 700)
        try first.merge(second)
        XCTAssertEqual(first, whole)
        XCTAssertEqual(whole.total, Int64(labels.filter { $0 != 255 }.count))
        let copy = try JSONDecoder().decode(ConfusionMatrix.self, from: JSONEncoder().encode(whole))
        XCTAssertEqual(copy, whole)
        assertThrows("5 classes, got 4") { try first.merge(ConfusionMatrix(classes: 4)) }
    }

    func testEmptyAndWrong() throws {
        var matrix = ConfusionMatrix(classes: 2)
        XCTAssertTrue(matrix.meanIoU.isNaN && matrix.pixelAccuracy.isNaN && matrix.meanAccuracy.isNaN)
        XCTAssertTrue(matrix.table().contains("-"))
        assertThrows("labels 0 to 1 or 255", "got 2 at pixel 1") { try matrix.add(labels: [2], predictions: [0], count: 1) }
        assertThrows("predictions 0 to 1, got 5") { try matrix.add(labels: [0], predictions: [5], count: 1) }
        let (a, b) = (LabelMap(size: Size(height: 1, width: 2), values: [0, 1]), LabelMap(size: Size(height: 2, width: 1), values: [0, 1]))
        try matrix.add(labels: a, predictions: a)
        XCTAssertEqual(matrix.meanIoU, 1)
        assertThrows("prediction of 1x2, got 2x1") { try matrix.add(labels: a, predictions: b) }
    }

    func testOnlyPrediction() throws {
        func only(_ pairs: [(Int32, Int32)]) throws -> Int? {
            var matrix = ConfusionMatrix(classes: 3)
            try matrix.add(labels: pairs.map(\.0), predictions: pairs.map(\.1), count: pairs.count)
            return matrix.onlyPrediction
        }
        XCTAssertEqual(try only([(0, 2), (1, 2), (2, 2)]), 2)
        XCTAssertNil(try only([(0, 2), (1, 1)]))
        // Images of one class say nothing.
        XCTAssertNil(try only([(2, 2), (2, 2)]))
        XCTAssertNil(try only([]))
    }
}
