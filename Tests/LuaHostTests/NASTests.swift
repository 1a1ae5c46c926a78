import Foundation
import XCTest

@testable import LuaHost
@testable import Search
import Segmentation
import Tensors

/// What the scripts of Tests/Scripts cannot say of module nas.
final class NASTests: ScriptTestCase {
    private static let root = String(#filePath.dropLast("Tests/LuaHostTests/NASTests.swift".count))
    private static let golden = root + "../shared/golden/"

    /// `scripts/golden.lua` on both files; it ends the process when one is out of bounds.
    func testGoldenScript() throws {
        for name in ["search_l3_b3_f4_40x24_separable.safetensors", "search_l4_b2_f4_33.safetensors"] {
            guard access(NASTests.golden + name, R_OK) == 0 else { throw XCTSkip("no \(name)") }
            let scripting = try Scripting()
            defer { scripting.host.close() }
            XCTAssertNil(scripting.run("arg = {'\(NASTests.golden + name)'}"))
            switch scripting.host.runFile(NASTests.root + "scripts/golden.lua", arguments: [NASTests.golden + name]) {
            case .done: break
            case .failed(let error): XCTFail("\(error.message)\n\(error.traceback ?? "")")
            default: XCTFail("it did not end")
            }
        }
    }

    /// The tour of the design up to what the search found: as it stands when TRELLIS_TOUR is set (minutes), else with a few steps.
    func testTour() throws {
        let path = NASTests.root + "../shared/acceptance/tour.lua"
        guard let bytes = FileManager.default.contents(atPath: path), let text = String(bytes: bytes, encoding: .utf8) else { throw XCTSkip("no \(path)") }
        let part = try XCTUnwrap(text.range(of: "-- the derived network")).lowerBound
        var source = String(text[..<part])
        if getenv("TRELLIS_TOUR") == nil {
            source = source.replacingOccurrences(of: "step = 1, 80 do", with: "step = 1, 3 do").replacingOccurrences(of: "step > 40", with: "step > 2")
        }
        let scripting = try Scripting()
        defer { scripting.host.close() }
        let (lines, error) = scripting.output(of: source)
        print(lines.joined(separator: "\n"))
        XCTAssertNil(error)
        XCTAssertTrue(lines.contains { $0.hasPrefix("195\t9000000\t") })
        XCTAssertTrue(files(".").contains("found.json"))
    }

    /// Every option of the Swift space can be set from Lua, and its errors are told by the name that Lua uses.
    func testEverySpaceOptionIsBound() {
        let names = Mirror(reflecting: SpaceOptions()).children.compactMap(\.label)
        XCTAssertEqual(names.count, SpaceOptions.options.count)
        XCTAssertEqual(Set(names.map { "options." + $0 }).intersection(SpaceOptions.luaNames.keys).count, SpaceOptions.luaNames.count)
        for name in SpaceOptions.luaNames.values { XCTAssertTrue(SpaceOptions.options.contains { $0.name == name }, name) }
    }

    func testEvaluationCountsWhatIsPredicted() throws {
        let space = try TrellisSpace(layers: 2, strides: [4, 8], filters: 2, cell: CellSpace(blocks: 1, operators: ["skip_connect"]))
        let net = try Supernet(space, classes: 3, seed: 1)
        let images = try Tensor.random(.normal(mean: 0, deviation: 1), [2, 3, 16, 16])
        let predicted = try net.predict(images)
        let labels = try Tensor.full([2, 16, 16], int: 255)
        try labels.slice(starts: [0, 0, 0], sizes: [1, 16, 16]).assign(predicted.slice(starts: [0, 0, 0], sizes: [1, 16, 16]))
        var matrix = ConfusionMatrix(classes: 3)
        try net.evaluate(images, labels, into: &matrix)
        XCTAssertEqual(matrix.total, 256)
        XCTAssertEqual(matrix.pixelAccuracy, 1)
        XCTAssertThrowsError(try net.evaluate(images, Tensor.full([2, 8, 8], int: 0), into: &matrix))
    }
}
