import XCTest
@testable import Search

final class SpaceTests: XCTestCase {
    // MARK: Cell

    func testEdgesInOrder() throws {
        let cell = try CellSpace(blocks: 5)
        XCTAssertEqual(cell.edgeCount, 20)
        XCTAssertEqual(
            cell.edges.prefix(9).map(\.description).joined(separator: " "), "(1,1) (1,2) (2,1) (2,2) (2,3) (3,1) (3,2) (3,3) (3,4)")
        for blocks in 1...8 {
            let cell = try CellSpace(blocks: blocks)
            XCTAssertEqual(cell.edges.count, cell.edgeCount)
            for (i, edge) in cell.edges.enumerated() {
                XCTAssertEqual(cell.index(of: edge), i)
                XCTAssertEqual(cell.edge(at: i), edge)
            }
            XCTAssertNil(cell.edge(at: -1))
            XCTAssertNil(cell.edge(at: cell.edgeCount))
            XCTAssertNil(cell.index(of: CellEdge(block: blocks + 1, state: 1)))
            XCTAssertNil(cell.index(of: CellEdge(block: 1, state: 3)))
            XCTAssertNil(cell.index(of: CellEdge(block: 0, state: 1)))
        }
    }

    func testCellErrors() {
        XCTAssertEqual(spaceError { try CellSpace(blocks: 0) }?.location, "cell.blocks")
        let unknown = spaceError { try CellSpace(operators: ["none", "sep_conv3x3"]) }
        XCTAssertEqual(unknown?.kind, .unknownName)
        XCTAssertEqual(unknown?.location, "cell.operators[2]")
        XCTAssertTrue(unknown?.description.contains("did you mean 'sep_conv_3x3'?") ?? false, "\(String(describing: unknown))")
        XCTAssertTrue(
            spaceError { try CellSpace(operators: ["skip_connect", "skip_connect"]) }?.got.contains("first at 1") ?? false)
        XCTAssertEqual(spaceError { try CellSpace(operators: ["none"]) }?.location, "cell.operators")
        XCTAssertEqual(spaceError { try CellSpace(operators: []) }?.location, "cell.operators")
    }

    func testOperatorsOfTheUser() throws {
        var catalogue = OperatorCatalogue.standard
        try catalogue.add("sep_conv_7x7", cost: CustomCost { Cost(parameters: 49 * $0.channels) })
        XCTAssertEqual(try CellSpace(blocks: 2, operators: ["none", "sep_conv_7x7"], catalogue: catalogue).operators.count, 2)
        XCTAssertEqual(
            try catalogue.cost(of: "sep_conv_7x7", at: OperatorSite(channels: 4, height: 1, width: 1)).parameters, 196)
        XCTAssertNotNil(spaceError { try catalogue.add("none", cost: CustomCost { _ in .zero }) })
        XCTAssertNotNil(spaceError { try catalogue.add("", cost: CustomCost { _ in .zero }) })
        XCTAssertEqual(catalogue.names.count, 11)
        try catalogue.add("sep_conv_7x7", cost: CustomCost { _ in .zero })
        XCTAssertEqual(catalogue.names.count, 11)
    }

    // MARK: Trellis

    func testThePapersTrellis() throws {
        let space = try TrellisSpace(cell: CellSpace())
        XCTAssertEqual(space.nodes.count - 1, 45)
        XCTAssertEqual(space.arrows.count, 105)
        XCTAssertEqual(space.trimmed, [])
        for layer in 0...12 { XCTAssertEqual(space.levels(atLayer: layer), Array(0...min(layer, 3))) }
        XCTAssertEqual(space.alphaShape, [20, 8])
        XCTAssertEqual(space.betaShape, [12, 4, 3])
        XCTAssertEqual(space.betaMask.filter { $0 }.count, 105)
        XCTAssertEqual((0..<4).map(space.headRate), [24, 12, 6, 3])
        XCTAssertEqual((0..<4).map(space.nodeChannels), [40, 80, 160, 320])
        XCTAssertTrue(space.sizes(height: 321, width: 321).map(\.height) == [81, 41, 21, 11])
        XCTAssertEqual(
            space.stem, [.init(inChannels: 3, outChannels: 20, stride: 2), .init(inChannels: 20, outChannels: 40, stride: 2)])
    }

    func testTwoBackAsTheReferenceHasIt() throws {
        let space = try TrellisSpace(cell: CellSpace())
        for node in space.nodes where node.layer > 0 {
            XCTAssertEqual(space.hasTwoBack(node), node.layer >= 2 && node.level <= min(node.layer - 2, 3), "\(node)")
        }
    }

    func testArrowsAndNodesAgree() throws {
        for seed in 0..<60 as Range<UInt64> {
            guard
                let space = try? TrellisSpace(
                    layers: 5, strides: [2, 4, 8], filters: 2, cell: smallCell(), arrows: randomMask(seed: seed, percent: 60))
            else { continue }
            XCTAssertEqual(space.arrows, space.nodes.flatMap(space.outgoing))
            XCTAssertEqual(Set(space.arrows), Set(space.nodes.flatMap(space.incoming)))
            for (i, arrow) in space.arrows.enumerated() {
                XCTAssertEqual(space.index(of: arrow), i)
                XCTAssertTrue(space.betaMask[space.betaIndex(of: arrow)])
                XCTAssertTrue(space.contains(arrow.source) && space.contains(arrow.target))
            }
            XCTAssertEqual(space.betaMask.filter { $0 }.count, space.arrows.count)
            for node in space.nodes where node.layer < space.layers { XCTAssertFalse(space.outgoing(node).isEmpty) }
        }
    }

    func testANodeExistsWhenAPathLeadsThroughIt() throws {
        var cut = 0
        for seed in 0..<200 as Range<UInt64> {
            let mask = randomMask(seed: seed, percent: 55)
            let paths = bruteForcePaths(layers: 4, strides: [4, 8, 16], mask)
            var expected: Set<TrellisNode> = [TrellisNode(layer: 0, level: 0)]
            for path in paths { for (i, level) in path.enumerated() { expected.insert(TrellisNode(layer: i + 1, level: level)) } }
            if paths.isEmpty {
                cut += 1
                let error = spaceError {
                    try TrellisSpace(layers: 4, strides: [4, 8, 16], filters: 2, cell: smallCell(), arrows: mask)
                }
                XCTAssertEqual(error?.kind, .mask)
                continue
            }
            let space = try TrellisSpace(layers: 4, strides: [4, 8, 16], filters: 2, cell: smallCell(), arrows: mask)
            XCTAssertEqual(Set(space.nodes), expected)
            XCTAssertEqual(space.trimmed.count, 11 - (expected.count - 1))
            XCTAssertEqual(space.count().paths.int, paths.count)
            XCTAssertEqual(space.count().pathsFromFinest.int, paths.filter { $0[0] == 0 }.count)
        }
        XCTAssertGreaterThan(cut, 5)
    }

    func testTheMaskIsAskedOnceForEveryArrowWithASource() throws {
        var asked: [[Int]] = []
        _ = try TrellisSpace(layers: 2, strides: [4, 8], filters: 1, cell: smallCell()) { layer, from, to in
            asked.append([layer, from, to])
            return !(layer == 1 && to == 8)
        }
        XCTAssertEqual(asked, [[1, 4, 4], [1, 4, 8], [2, 4, 4], [2, 4, 8]])
        struct Stop: Error {}
        XCTAssertThrowsError(try TrellisSpace(cell: smallCell()) { _, _, _ in throw Stop() }) { XCTAssertTrue($0 is Stop) }
    }

    func testTheToursMask() throws {
        let cell = try CellSpace(blocks: 3, operators: ["none", "skip_connect", "sep_conv_3x3", "atrous_conv_3x3"])
        let space = try TrellisSpace(layers: 6, filters: 4, cell: cell) { layer, _, to in !(layer == 6 && to == 32) }
        XCTAssertEqual(space.levels(atLayer: 6), [0, 1, 2])
        XCTAssertEqual(space.trimmed, [TrellisNode(layer: 6, level: 3)])
        let paths = bruteForcePaths(layers: 6, strides: [4, 8, 16, 32]) { layer, _, to in !(layer == 6 && to == 32) }
        XCTAssertEqual(space.count().paths.int, paths.count)
        // Twice 2, 3, 4 states and 4 operators.
        XCTAssertEqual(space.count().cells, 2_359_296)
    }

    func testErrors() {
        XCTAssertEqual(spaceError { try TrellisSpace(layers: 0, cell: smallCell()) }?.location, "layers")
        XCTAssertEqual(spaceError { try TrellisSpace(layers: .max, cell: smallCell()) }?.location, "layers")
        XCTAssertEqual(spaceError { try TrellisSpace(strides: [4, 1 << 62], cell: smallCell()) }?.location, "strides[2]")
        XCTAssertEqual(spaceError { try CellSpace(blocks: .max) }?.location, "cell.blocks")
        XCTAssertEqual(spaceError { try TrellisSpace(filters: 0, cell: smallCell()) }?.location, "filters")
        XCTAssertEqual(spaceError { try TrellisSpace(strides: [], cell: smallCell()) }?.location, "strides")
        XCTAssertEqual(spaceError { try TrellisSpace(strides: [3, 6], cell: smallCell()) }?.location, "strides[1]")
        XCTAssertEqual(spaceError { try TrellisSpace(strides: [0], cell: smallCell()) }?.location, "strides[1]")
        let gap = spaceError { try TrellisSpace(strides: [4, 8, 32], cell: smallCell()) }
        XCTAssertEqual(gap?.location, "strides[3]")
        XCTAssertEqual(gap?.expected, "16, twice the stride before it")
        let cut = spaceError { try TrellisSpace(cell: smallCell()) { layer, _, _ in layer != 7 } }
        XCTAssertEqual(cut?.got, "a mask that cuts every arrow into layer 7")
        var options = SpaceOptions()
        options.downKernel = 4
        XCTAssertEqual(spaceError { try TrellisSpace(cell: smallCell(), options: options) }?.location, "options.downKernel")
    }

    func testStemsOfOtherStrides() throws {
        func strides(_ first: Int, _ stem: SpaceOptions.Stem) throws -> [[Int]] {
            var options = SpaceOptions()
            options.stem = stem
            let space = try TrellisSpace(layers: 1, strides: [first], filters: 3, cell: smallCell(), options: options)
            return space.stem.map { [$0.inChannels, $0.outChannels, $0.stride] }
        }
        XCTAssertEqual(try strides(4, .two), [[3, 1, 2], [1, 3, 2]])
        XCTAssertEqual(try strides(4, .three), [[3, 1, 2], [1, 1, 1], [1, 3, 2]])
        XCTAssertEqual(try strides(8, .two), [[3, 1, 2], [1, 1, 2], [1, 3, 2]])
        XCTAssertEqual(try strides(2, .two), [[3, 1, 1], [1, 3, 2]])
        XCTAssertEqual(try strides(1, .three), [[3, 1, 1], [1, 1, 1], [1, 3, 1]])
    }

    func testSizesHalveByCeil() throws {
        let space = try TrellisSpace(layers: 3, strides: [2, 4, 8], filters: 1, cell: smallCell())
        for size in 1...70 {
            var expected = (size + 1) / 2
            for level in 0..<3 {
                XCTAssertEqual(space.sizes(height: size, width: 1)[level].height, expected)
                expected = (expected + 1) / 2
            }
        }
    }
}
