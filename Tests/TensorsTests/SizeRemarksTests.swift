import XCTest
@testable import Tensors

final class SizeRemarksTests: XCTestCase {
    private func remarks(_ shape: [Int], _ body: (Tensor) throws -> Tensor) throws -> [String] {
        let recording = Recording()
        defer { recording.dismantle() }
        let input = recording.input(shape, .float32)
        _ = try recording.record { try located("heads.4.atrous") { try body(input) } }
        return recording.remarks(height: 4 * shape[2], width: 4 * shape[3])
    }

    /// A convolution is named exactly when no tap but one has a derivative: all kernels, rates, paddings, strides and sizes of a range.
    func testAConvolutionIsBlindWhenOneTapAloneHasADerivative() throws {
        var blind = 0, sighted = 0
        for kernel in [1, 2, 3, 5] {
            for (rate, padding, stride) in [(1, 0, 1), (1, 1, 1), (1, 2, 2), (2, 2, 1), (4, 4, 1), (4, 3, 2), (3, 6, 3)] {
                for (height, width) in [(1, 1), (1, 5), (2, 3), (4, 4), (4, 5), (9, 2)] {
                    let options = ConvOptions(stride: (stride, stride), padding: (padding, padding), dilation: (rate, rate))
                    let reach = rate * (kernel - 1) + 1
                    guard height + 2 * padding >= reach, width + 2 * padding >= reach else { continue }
                    let weight = try Tensor.ones([1, 1, kernel, kernel]).requireGrad()
                    try Operation.conv2d(options)(Tensor.ones([1, 1, height, width]), weight).sum().backward()
                    let live = try XCTUnwrap(weight.grad).floats().count { $0 != 0 }
                    let said = try remarks([1, 1, height, width]) { try Operation.conv2d(options)($0, weight) }
                    XCTAssertEqual(!said.isEmpty, kernel > 1 && live <= 1, "kernel \(kernel), \(options), \(height)x\(width): \(live) taps live")
                    if said.isEmpty { sighted += 1 } else { blind += 1 }
                }
            }
        }
        XCTAssertGreaterThan(blind, 10)
        XCTAssertGreaterThan(sighted, 10)
    }

    func testWhatIsSaid() throws {
        let weight = try Tensor.ones([2, 2, 3, 3])
        let options = ConvOptions(padding: (24, 24), dilation: (24, 24))
        let said = try remarks([4, 2, 16, 24]) { try Operation.conv2d(options)($0, weight) }
        XCTAssertEqual(said.count, 1)
        XCTAssertTrue(said[0].hasPrefix("at 64x96 every tap but the middle one lies outside of the picture in heads.4.atrous: "), said[0])
        XCTAssertTrue(said[0].contains("a smaller head_reach in nas.trellis or architecture:network (0.3 of the shorter side is 19)"), said[0])
        XCTAssertEqual(try remarks([4, 2, 25, 24]) { try Operation.conv2d(options)($0, weight) }, [])
    }

    func testANormOverOneValue() throws {
        let statistics = try Tensor.zeros([2, 3])
        func norm(_ x: Tensor) throws -> Tensor { try x.batchNorm(statistics: statistics, gamma: nil, beta: nil, epsilon: 1e-5) }
        let said = try remarks([1, 3, 1, 1], norm)
        XCTAssertEqual(said.count, 1)
        XCTAssertTrue(said[0].hasPrefix("one value for each channel cannot be normalised by the batch in heads.4.atrous"), said[0])
        XCTAssertEqual(try remarks([1, 3, 1, 2], norm), [])
    }
}
