import Networks
import Tensors
import XCTest

@testable import PyTorch

/// The code itself; `Tests/Scripts/pytorch.sh` runs it beside PyTorch.
final class CodeTests: XCTestCase {
    private func source(_ module: Module, height: Int = 33, width: Int = 49) throws -> PyTorchFile.Source {
        try PyTorchFile.source(module, PyTorchFile.Options(height: height, width: width))
    }

    private func block(_ channels: Int, stride: Int = 1) throws -> Module {
        Sequential(named: [
            ("relu", Layer.relu()), ("conv", try Conv2d(channels, channels, kernel: (3, 3), stride: (stride, stride), padding: (1, 1), bias: false)), ("bn", try BatchNorm(channels)),
        ])
    }

    func testAClassForAKindOfModule() throws {
        let net = Sequential(named: [
            ("stem", try Conv2d(3, 4, kernel: (3, 3), padding: (1, 1))), ("block_1", try block(4)), ("block_2", try block(4, stride: 2)), ("block_3", try block(4)),
        ])
        let text = try source(net).text
        XCTAssertTrue(text.contains("class Block1(nn.Module):") || text.contains("class Block1"), text)
        XCTAssertTrue(text.contains("self.stem = nn.Conv2d(3, 4, 3, padding=1)"), text)
        XCTAssertTrue(text.contains("return self.bn(self.conv(F.relu(x)))"), text)
    }

    func testPartsThatDifferInNumbersShareAClass() throws {
        let net = Sequential([try block(3), Parallel([try block(3), try block(3, stride: 1)], join: .sum)])
        let made = try source(net)
        XCTAssertTrue(made.takesAnySize)
        let wide = try source(Sequential([try Conv2d(3, 8, kernel: (1, 1)), Sequential([try block(8)]), try Conv2d(8, 4, kernel: (1, 1)), Sequential([try block(4)])]))
        XCTAssertTrue(wide.text.contains("(channels)") || wide.text.contains("channels):"), wide.text)
    }

    func testSizesComeFromTheImages() throws {
        let net = Sequential([
            Layer.maxPool2d(PoolOptions(kernel: (3, 3), stride: (2, 2), padding: (1, 1))),
            Lambda("up") { x, _ in try x.resize(.bilinearAlignCorners, height: x.shape[2] * 2, width: x.shape[3] * 2) },
        ])
        let text = try source(net).text
        XCTAssertTrue(text.contains("[2 * s for s in"), text)
    }

    func testWhatIsComputedTwiceIsWrittenTwice() throws {
        let shared = try Conv2d(3, 3, kernel: (1, 1))
        let inner = Sequential([shared])
        let text = try source(Sequential([inner, inner])).text
        XCTAssertTrue(text.contains("set_submodule(\"2\", model.get_submodule(\"1\"))"), text)
    }

    func testDropPathAndDropoutTrain() throws {
        let net = Sequential([try Conv2d(3, 3, kernel: (1, 1)), try DropPath(0.25), try Layer.dropout(0.5)])
        let text = try source(net).text
        XCTAssertTrue(text.contains("DropPath(0.25)") && text.contains("nn.Dropout(0.5)"), text)
    }

    func testAnOperationWithoutACounterpartIsNamed() throws {
        let net = Sequential(named: [("odd", Lambda("odd") { x, _ in try x * Tensor.random(.uniform(low: 0, high: 1), x.shape) })])
        XCTAssertThrowsError(try source(net)) { XCTAssertTrue("\($0)".contains("random") && "\($0)".contains("odd"), "\($0)") }
    }

    func testEveryElementwiseFunctionHasCode() throws {
        for function in UnaryFunction.allCases {
            XCTAssertNoThrow(try source(Lambda("f") { x, _ in try x.unary(function) }.inside), function.name)
            XCTAssertNoThrow(try source(Lambda("f") { x, _ in try (x * 9).cast(.int32).unary(function).cast(.float32) }.inside), function.name)
        }
        for function in BinaryFunction.allCases {
            XCTAssertNoThrow(try source(Lambda("f") { x, _ in try x.binary(function, x.unary(.abs)).scalar(function, 2) }.inside), function.name)
        }
    }

    func testFunctionsThatPyTorchHasAreCalls() throws {
        let text = try source(Sequential(named: [
            ("up", try ConvTranspose2d(3, 8, kernel: (4, 4), stride: (2, 2), padding: (1, 1))), ("group", try GroupNorm(2, 8)),
            ("rest", Lambda("rest") { x, _ in
                let (n, h, w) = (x.shape[0], x.shape[2], x.shape[3])
                let tokens = try x.reshape([n, 8, h * w]).transpose(1, 2).layerNorm([8])
                let seen = try tokens.attention(keys: tokens, values: tokens).transpose(1, 2).reshape([n, 8, h, w])
                return try seen.cumulativeSum(1).pixelShuffle(2)
            }),
        ])).text
        for call in ["nn.ConvTranspose2d(3, 8, 4, stride=2, padding=1)", "nn.GroupNorm(2, 8, eps=1e-05)", "F.layer_norm(", "(8,), None, None, 1e-05)", "F.scaled_dot_product_attention(",
            "torch.cumsum(", "F.pixel_shuffle("] {
            XCTAssertTrue(text.contains(call), "\(call) in\n\(text)")
        }
    }

    func testNamesOfPyTorchsOwnAreRefused() throws {
        XCTAssertThrowsError(try source(Sequential(named: [("train", try Conv2d(3, 3, kernel: (1, 1)))]))) { XCTAssertTrue("\($0)".contains("train"), "\($0)") }
    }
}

extension Module {
    /// As a part, for code of its own.
    fileprivate var inside: Module { Sequential([self]) }
}
