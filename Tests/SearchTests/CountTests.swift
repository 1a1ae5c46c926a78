import XCTest
@testable import Search

final class CountTests: XCTestCase {
    func testPublishedCounts() throws {
        let count = try TrellisSpace(cell: CellSpace()).count()
        XCTAssertEqual(count.nodes, 45)
        XCTAssertEqual(count.arrows, 105)
        XCTAssertEqual(count.edges, 20)
        XCTAssertEqual(count.paths, 75_025)
        XCTAssertEqual(count.pathsFromFinest, 28_657)
        XCTAssertEqual(count.cells.grouped, "556,627,761,561,600")
        // 75025 * 556627761561600, from Python; beyond 64 bits.
        XCTAssertEqual(count.joint.description, "41760997811159040000")
        for text in ["75,025", "28,657", "556,627,761,561,600", "2.9e4"] { XCTAssertTrue(count.description.contains(text)) }
    }

    func testPathsForEveryNumberOfLayers() throws {
        let expected = [2, 5, 13, 34, 89, 233, 610, 1597, 4181, 10946, 28657, 75025]
        for (i, paths) in expected.enumerated() {
            XCTAssertEqual(try TrellisSpace(layers: i + 1, cell: smallCell()).count().paths.int, paths)
        }
    }

    func testManyLayers() throws {
        // Every second Fibonacci number: F(2L + 1); F(401) from Python.
        let count = try TrellisSpace(layers: 200, cell: smallCell()).count()
        XCTAssertEqual(
            count.paths.description, "284812298108489611757988937681460995615380088782304890986477195645969271404032323901")
        XCTAssertFalse(count.description.contains("paper"))
    }

    func testCellsAgainstEnumeration() throws {
        let cases: [(blocks: Int, operators: [String])] = [
            (1, ["none", "skip_connect"]), (2, ["skip_connect", "sep_conv_3x3"]), (2, ["none", "skip_connect", "sep_conv_3x3"]),
            (1, darts),
        ]
        for (blocks, operators) in cases {
            let cell = try CellSpace(blocks: blocks, operators: operators)
            let space = try TrellisSpace(layers: 2, strides: [4, 8], filters: 1, cell: cell)
            // The paper's count by trying all (I1, I2, O1, O2) of every block.
            var all = 1
            for block in 1...blocks {
                var ways = 0
                for _ in 1...(block + 1) { for _ in 1...(block + 1) { for _ in operators { for _ in operators { ways += 1 } } } }
                all *= ways
            }
            XCTAssertEqual(space.count().cells.int, all)
            let cells = Array(cell.cells)
            XCTAssertEqual(space.count().decodableCells.int, cells.count)
            XCTAssertEqual(Set(cells.map(\.canonical)).count, cells.count)
            for decided in cells {
                try decided.validate(blocks: blocks, operators: operators)
                XCTAssertTrue(decided.blocks.allSatisfy { $0.first.state < $0.second.state })
                XCTAssertFalse(decided.branches.contains { $0.operation == "none" })
            }
            XCTAssertEqual(Array(space.architectures).count, 4 * cells.count)
        }
    }
}
