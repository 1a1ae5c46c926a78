import XCTest

@testable import Kernels

/// Statistics that are put together from images against those of whole batches.
final class ImageStatisticsTests: XCTestCase {
    private let (groups, samples, channels) = (2, 3, 5)

    private func memory<T>(_ count: Int, _ value: (Int) -> T) -> UnsafeMutablePointer<T> {
        let pointer = UnsafeMutablePointer<T>.allocate(capacity: count)
        for i in 0..<count { (pointer + i).initialize(to: value(i)) }
        addTeardownBlock { pointer.deallocate() }
        return pointer
    }

    /// Numbers around a mean; far from zero, sums of squares would cancel.
    private func numbers(_ count: Int, _ seed: Int, around mean: Float) -> UnsafeMutablePointer<Float> {
        memory(count) { mean + Float(($0 &* 7919 &+ seed) % 1009) / 504 - 1 }
    }

    private func compare(_ found: UnsafeMutablePointer<Float>, _ expected: UnsafeMutablePointer<Float>, _ count: Int, _ tolerance: Float) {
        let scale = (0..<count).reduce(Float(1e-3)) { max($0, abs(expected[$1])) }
        for i in 0..<count { XCTAssertEqual(found[i], expected[i], accuracy: tolerance * scale) }
    }

    func testAgainstWholeBatches() {
        let statistics = groups * 2 * channels, images = groups * samples
        for size in [1, 6, 143, 5000] {
            let image = channels * size
            let x = numbers(images * image, 3, around: 1000), g = numbers(images * image, 11, around: 0)
            let stack = StackShape(
                groups: groups, samples: samples, channels: channels, size: size, repeats: 1, statistics: channels, batchStride: image)

            let moments = numbers(statistics, 0, around: 0), expected = numbers(statistics, 0, around: 0)
            let states = memory(images * channels * 3) { _ in Double.nan }
            for n in 0..<images { ImageStatistics.moments(channels: channels, size: size, x + n * image, states + n * channels * 3) }
            ImageStatistics.combineMoments(groups: groups, samples: samples, channels: channels, states, moments)
            StackedNormalisation.moments(stack, x, expected)
            for row in 0..<2 * groups {
                // Means of 1000 are exact to Float's last place; variances as far as the values are.
                compare(moments + row * channels, expected + row * channels, channels, row % 2 == 0 ? 2e-7 : 1e-3)
            }

            let sums = numbers(statistics, 0, around: 0), wanted = numbers(statistics, 0, around: 0)
            let parts = memory(images * channels * 2) { _ in Double.nan }
            for n in 0..<images {
                ImageStatistics.gradientSums(
                    channels: channels, size: size, x + n * image, g + n * image, mean: moments + n / samples * 2 * channels, parts + n * channels * 2)
            }
            ImageStatistics.combineSums(groups: groups, samples: samples, channels: channels, parts, moments: moments, epsilon: 1e-5, sums)
            StackedNormalisation.gradientSums(stack, x, g, gBatchStride: image, statistics: moments, epsilon: 1e-5, sums: wanted)
            compare(sums, wanted, statistics, 1e-5)
        }
    }

    func testNaNStays() {
        let moments = numbers(2, 0, around: 0)
        ImageStatistics.combineMoments(groups: 1, samples: 1, channels: 1, [4, .nan, .nan], moments)
        XCTAssertTrue(moments[0].isNaN && moments[1].isNaN)
    }
}
