import XCTest
@testable import Search

final class DerivedEstimateTests: XCTestCase {
    /// From Tests/References/derived_counts.py with PyTorch 2.15; the first three parameter counts are the published ones.
    func testAgainstPyTorch() throws {
        var hourglass = Gallery.stackedHourglass
        hourglass.cell = Gallery.autoDeepLab.cell
        let references: [(Architecture, filters: Int, height: Int, width: Int, classes: Int, parameters: Int, multiplyAdds: Int)] = [
            (Gallery.autoDeepLab, 20, 65, 129, 19, 10_147_427, 1_431_676_472),
            (Gallery.autoDeepLab, 32, 65, 129, 19, 21_622_451, 2_027_970_944),
            (Gallery.autoDeepLab, 48, 33, 33, 19, 44_424_691, 546_712_928),
            (hourglass, 8, 70, 51, 5, 3_213_157, 522_312_384),
        ]
        for r in references {
            let estimate = try r.0.estimate(filters: r.filters, classes: r.classes, height: r.height, width: r.width)
            XCTAssertEqual(estimate.parameters, r.parameters)
            XCTAssertEqual(estimate.multiplyAdds, r.multiplyAdds)
        }
    }

    /// The design's figures for 1025x2049, in billions.
    func testPublishedSizes() throws {
        for (filters, billions) in [(20, 320.5), (32, 439.9), (48, 662.4)] {
            let estimate = try Gallery.autoDeepLab.estimate(filters: filters, classes: 19, height: 1025, width: 2049)
            XCTAssertEqual(Double(estimate.multiplyAdds) / 1e9, billions, accuracy: 0.05)
        }
    }

    func testEveryDesignOfTheGallery() throws {
        for architecture in Gallery.all {
            let estimate = try architecture.estimate(filters: 8, classes: 5, height: 97, width: 60)
            XCTAssertEqual(estimate.parts.count, 15)
            XCTAssertTrue(estimate.description.contains("layer 12, stride \(architecture.path[11])"))
            XCTAssertGreaterThan(estimate.multiplyAdds, 0)
        }
        let darts = Gallery.dartsV2
        XCTAssertEqual(spaceError { try darts.estimate(filters: 0, classes: 5, height: 9, width: 9) }?.location, "estimate.filters")
        XCTAssertEqual(spaceError { try darts.estimate(filters: 65_536, classes: 9, height: 65_536, width: 65_536) }?.location, "estimate")
    }
}
