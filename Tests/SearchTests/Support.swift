import XCTest
@testable import Search

let darts = ["none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"]

/// A small cell where the cell does not matter.
func smallCell() throws -> CellSpace { try CellSpace(blocks: 1, operators: ["none", "skip_connect", "sep_conv_3x3"]) }

/// The error that `body` must throw.
func spaceError<T>(_ body: () throws -> T, file: StaticString = #filePath, line: UInt = #line) -> SpaceError? {
    do {
        _ = try body()
        XCTFail("no error was thrown", file: file, line: line)
    } catch let error as SpaceError {
        return error
    } catch {
        XCTFail("another error: \(error)", file: file, line: line)
    }
    return nil
}

/// Fails unless `body` throws a `SpaceError` of a kind (".size") whose text contains another.
func assertError(_ kind: String, _ text: String, file: StaticString = #filePath, line: UInt = #line, _ body: () throws -> Void) {
    XCTAssertThrowsError(try body(), file: file, line: line) { error in
        guard let error = error as? SpaceError else { return XCTFail("\(error)", file: file, line: line) }
        XCTAssertEqual(".\(error.kind)", kind, file: file, line: line)
        XCTAssertTrue(error.description.contains(text), error.description, file: file, line: line)
    }
}

/// A mask that admits an arrow with the given chance, the same arrows for the same seed.
func randomMask(seed: UInt64, percent: Int) -> (Int, Int, Int) -> Bool {
    { layer, from, to in
        var generator = SplitMix64(seed: seed &* 1_000_003 &+ UInt64(layer * 10_000 + from * 100 + to))
        return SplitMix64.below(100, using: &generator) < percent
    }
}

/// Every sequence of levels that starts beside level 0 and follows admitted arrows, by trying all: no graph involved.
func bruteForcePaths(layers: Int, strides: [Int], _ admits: (Int, Int, Int) -> Bool) -> [[Int]] {
    var paths: [[Int]] = [[]]
    for layer in 1...layers {
        paths = paths.flatMap { path in
            let from = path.last ?? 0
            return strides.indices.filter { abs($0 - from) <= 1 && admits(layer, strides[from], strides[$0]) }.map { path + [$0] }
        }
    }
    return paths
}

extension TrellisSpace {
    /// An architecture as its decisions are drawn.
    func randomArchitecture(using generator: inout some RandomNumberGenerator) throws -> Architecture {
        try architecture(of: decisionList().random(using: &generator))
    }

    func randomArchitecture(seed: UInt64) throws -> Architecture {
        var generator = SplitMix64(seed: seed)
        return try randomArchitecture(using: &generator)
    }
}
