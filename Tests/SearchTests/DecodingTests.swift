import Tensors
import XCTest

@testable import Search

final class DecodingTests: XCTestCase {
    func testTheCellAgainstAllPairs() throws {
        var generator = SplitMix64(seed: 1)
        for round in 0..<200 {
            let cell = try CellSpace(blocks: 1 + round % 4, operators: round % 2 == 0 ? darts : ["skip_connect", "none", "sep_conv_3x3"])
            let few = round % 3 == 0
            let alpha = (0..<(cell.edgeCount * cell.operators.count)).map { _ in
                few ? Double(generator.next() % 3) : Double(generator.next() >> 11) * 0x1p-53
            }
            let decoded = try cell.decode(alpha: alpha)
            var place = 0
            for (b, block) in decoded.cell.blocks.enumerated() {
                // The best pair of all pairs of states by their stronger, then weaker state, the lower states first.
                func weight(_ state: Int, _ column: Int) -> Double {
                    alpha[cell.index(of: CellEdge(block: b + 1, state: state))! * cell.operators.count + column]
                }
                let strongest = (1...(b + 2)).map { state in cell.decodable.map { weight(state, $0) }.max()! }
                var best: (pair: [Int], key: [Double])?
                for low in 1...(b + 1) {
                    for high in (low + 1)...(b + 2) {
                        let key = [strongest[low - 1], strongest[high - 1]].sorted(by: >)
                        if best == nil || best!.key.lexicographicallyPrecedes(key) { best = ([low, high], key) }
                    }
                }
                XCTAssertEqual(block.branches.map(\.state), best!.pair)
                for branch in block.branches {
                    let column = cell.operators.firstIndex(of: branch.operation)!
                    XCTAssertEqual(weight(branch.state, column), strongest[branch.state - 1])
                    XCTAssertEqual(decoded.strengths[place], strongest[branch.state - 1])
                    // Of equal operators the first.
                    XCTAssertFalse(cell.decodable.contains { $0 < column && weight(branch.state, $0) == strongest[branch.state - 1] })
                    XCTAssertNotEqual(branch.operation, "none")
                    place += 1
                }
            }
        }
    }

    func testNoneIsNeverDecodedHoweverStrong() throws {
        let cell = try CellSpace(blocks: 2, operators: ["none", "max_pool_3x3", "skip_connect"])
        var alpha = [Double](repeating: 0, count: 15)
        for edge in 0..<5 { alpha[3 * edge] = 50 }
        let decoded = try cell.decode(logits: alpha)
        XCTAssertTrue(decoded.cell.branches.allSatisfy { $0.operation == "max_pool_3x3" })
        XCTAssertEqual(decoded.cell.blocks.map { $0.branches.map(\.state) }, [[1, 2], [1, 2]])
    }

    func testRawRowsAreSoftmaxedFirst() throws {
        // Block 2: state 1 has the largest raw weight, but shares it with `none`; states 2 and 3 are surer.
        let cell = try CellSpace(blocks: 2, operators: ["none", "skip_connect"])
        let alpha: [Double] = [0, 0, 0, 0, 10, 9, 0, 2, 0, 3]
        XCTAssertEqual(try cell.decode(logits: alpha).cell.blocks[1].branches.map(\.state), [2, 3])
        XCTAssertEqual(try cell.decode(alpha: alpha).cell.blocks[1].branches.map(\.state), [1, 3])
        // Rows with the same numbers in another order tie exactly.
        let wide = try CellSpace(blocks: 2, operators: ["max_pool_3x3", "avg_pool_3x3", "skip_connect"])
        let rows = [0.1, 0.7, 0.3, 0.3, 0.1, 0.7, 0.7, 0.3, 0.1]
        XCTAssertEqual(try wide.decode(logits: [0, 0, 0, 0, 0, 0] + rows).cell.blocks[1].branches.map(\.state), [1, 2])
    }

    func testSoftmaxDoesNotMindTheOrder() throws {
        func softmax(_ row: [Double]) throws -> [Double] {
            try Rows([Array(row.indices)], shape: [row.count]).softmax(Tensor(row.map(Float.init), shape: [row.count]), temperature: nil)
        }
        var generator = SplitMix64(seed: 9)
        for _ in 0..<200 {
            let row = (0..<8).map { _ in Double(generator.next() >> 11) * 0x1p-50 }
            let order = Array(0..<8).shuffled(using: &generator)
            let whole = try softmax(row)
            XCTAssertEqual(try softmax(order.map { row[$0] }), order.map { whole[$0] })
            XCTAssertEqual(whole.reduce(0, +), 1, accuracy: 1e-15 * 8)
        }
        XCTAssertEqual(try softmax([1000, 1000, -1000, -.infinity]), [0.5, 0.5, .leastNormalMagnitude, 0])
    }

    func testAlphaErrors() throws {
        let cell = try CellSpace(blocks: 1, operators: ["none", "skip_connect"])
        XCTAssertEqual(spaceError { try cell.decode(alpha: [0]) }?.kind, .shape)
        XCTAssertEqual(spaceError { try cell.decode(alpha: [0, 0, .nan, 0]) }?.location, "alpha[2][1]")
    }

    func testBetaSumsToOneAtEveryNode() throws {
        var generator = SplitMix64(seed: 4)
        for seed in 0..<30 as Range<UInt64> {
            guard
                let space = try? TrellisSpace(
                    layers: 4, strides: [4, 8, 16], filters: 1, cell: smallCell(), arrows: randomMask(seed: seed, percent: 70))
            else { continue }
            // What is no arrow may hold anything.
            let raw = space.betaMask.map { $0 ? Double(generator.next() >> 11) * 0x1p-51 : .nan }
            let beta = space.normalised(beta: raw)
            for node in space.nodes where node.layer < space.layers {
                XCTAssertEqual(space.outgoing(node).reduce(0) { $0 + beta[space.betaIndex(of: $1)] }, 1, accuracy: 1e-12)
            }
            for (value, exists) in zip(beta, space.betaMask) where !exists { XCTAssertEqual(value, 0) }
            // So do the probabilities of all paths, because no arrow leads nowhere.
            let paths = try space.bestPaths(beta: beta, count: 10_000)
            XCTAssertEqual(paths.count, space.count().paths.int)
            XCTAssertEqual(paths.reduce(0) { $0 + exp($1.logProbability) }, 1, accuracy: 1e-9)
            XCTAssertEqual(Set(paths.map { $0.states.map { space.strides[$0] } }), Set(space.paths))
        }
    }

    func testAnArchitectureFromBothTables() throws {
        let space = try TrellisSpace(cell: CellSpace())
        let published = Gallery.autoDeepLab
        var alpha = [Double](repeating: 0, count: 160)
        for (b, block) in published.cell.blocks.enumerated() {
            for branch in block.branches {
                let row = try XCTUnwrap(space.cell.index(of: CellEdge(block: b + 1, state: branch.state)))
                alpha[8 * row + space.cell.operators.firstIndex(of: branch.operation)!] = 3
            }
        }
        var beta = [Double](repeating: 0, count: 144)
        var from = 0
        for (i, to) in published.levels.enumerated() {
            beta[space.betaIndex(of: TrellisArrow(layer: i + 1, from: from, move: Move(rawValue: to - from + 1)!))] = 4
            from = to
        }
        let found = try space.decode(logits: alpha, beta, provenance: Provenance(seed: 5))
        XCTAssertEqual(found.path, published.path)
        XCTAssertEqual(found.cell, published.cell.canonical)
        XCTAssertEqual(found.scores.strengths.count, 10)
        XCTAssertLessThan(try XCTUnwrap(found.scores.pathLogProbability), 0)
        try found.validate(in: space)
        XCTAssertEqual(found.provenance.seed, 5)
        beta[space.betaIndex(of: space.arrows[3])] = .infinity
        XCTAssertEqual(spaceError { try space.decode(alpha: alpha, beta: beta) }?.kind, .probability)
        XCTAssertEqual(spaceError { try space.decode(alpha: alpha, beta: [1]) }?.kind, .shape)
    }

    // MARK: Entropy and collapse

    func testEntropies() throws {
        let cell = try CellSpace(blocks: 1, operators: ["none", "skip_connect", "sep_conv_3x3", "sep_conv_5x5"])
        let space = try TrellisSpace(layers: 2, filters: 1, cell: cell)
        let even = space.cell.entropy(logits: [Double](repeating: 0.3, count: 8))
        XCTAssertEqual(even.rows.count, 2)
        XCTAssertEqual(even.mean, log(4), accuracy: 1e-12)
        XCTAssertEqual(even.relative, 1, accuracy: 1e-12)
        let sure = space.cell.entropy(alpha: [1, 0, 0, 0, 0, 0, 1, 0])
        XCTAssertEqual(sure.mean, 0)
        XCTAssertEqual(sure.relative, 0)
        // Nodes (0,4) and (1,4) have two arrows, (1,8) three.
        let beta = space.entropy(logits: [Double](repeating: -2, count: 24))
        XCTAssertEqual(beta.rows.count, 3)
        XCTAssertEqual(beta.mean, (2 * log(2) + log(3)) / 3, accuracy: 1e-12)
        XCTAssertEqual(beta.relative, 1, accuracy: 1e-12)
        let line = try TrellisSpace(layers: 2, strides: [4], filters: 1, cell: smallCell())
        XCTAssertEqual(line.entropy(logits: [Double](repeating: 0, count: 6)).mean, 0)
    }

    func testCollapse() {
        func cell(_ skips: Int) -> CellGenotype {
            let names = (0..<8).map { $0 < skips ? "skip_connect" : "sep_conv_3x3" }
            return CellGenotype(blocks: (0..<4).map { CellBlock(CellBranch(names[2 * $0], 1), CellBranch(names[2 * $0 + 1], 2)) })
        }
        XCTAssertNil(cell(2).collapseWarning())
        XCTAssertTrue(cell(3).collapseWarning()?.contains("3 of 8") ?? false)
        XCTAssertEqual(cell(3).skipShare, 0.375)
        XCTAssertEqual(CellGenotype(blocks: []).skipShare, 0)
    }
}
