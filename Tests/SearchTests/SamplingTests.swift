import XCTest
@testable import Search

final class SamplingTests: XCTestCase {
    private func small(_ mask: (Int, Int, Int) -> Bool = { _, _, _ in true }) throws -> TrellisSpace {
        try TrellisSpace(
            layers: 3, strides: [4, 8, 16], filters: 1, cell: CellSpace(blocks: 2, operators: ["none", "skip_connect", "sep_conv_3x3"]),
            arrows: mask)
    }

    func testSplitMix() {
        // The first outputs for seed 1234567, as the generator's author published them.
        var generator = SplitMix64(seed: 1_234_567)
        XCTAssertEqual(
            (0..<3).map { _ in generator.next() }, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423])
    }

    func testEveryPathInOrder() throws {
        for seed in 0..<60 as Range<UInt64> {
            let mask = seed == 0 ? { _, _, _ in true } : randomMask(seed: seed, percent: 65)
            guard let space = try? small(mask) else { continue }
            let expected = bruteForcePaths(layers: 3, strides: space.strides, mask).map { $0.map { space.strides[$0] } }
            XCTAssertEqual(Array(space.paths), expected)
            guard seed < 2 else { continue }
            let decided = try space.decisionList().each().map { try space.architecture(of: $0).path }
            XCTAssertEqual(Set(decided), Set(expected))
        }
        XCTAssertEqual(try TrellisSpace(cell: smallCell()).paths.reduce(0) { count, _ in count + 1 }, 75_025)
    }

    func testPathsAndCellsAreDrawnEvenly() throws {
        let space = try small { layer, from, to in !(layer == 2 && from == 4 && to == 4) }
        var generator = SplitMix64(seed: 11)
        let decisions = try space.decisionList()
        var paths: [Value?: Int] = [:]
        var cells: [[Value?]: Int] = [:]
        let rounds = 4_000
        for _ in 0..<rounds {
            let drawn = try decisions.random(using: &generator)
            paths[drawn["paths"], default: 0] += 1
            cells[(1...2).map { drawn["cell.\($0)"] }, default: 0] += 1
        }
        try assertEven(Array(paths.values), XCTUnwrap(space.count().paths.int), rounds)
        try assertEven(Array(cells.values), XCTUnwrap(space.count().decodableCells.int), rounds)
    }

    /// Pearson's chi-square, six standard deviations wide.
    private func assertEven(_ counts: [Int], _ kinds: Int, _ rounds: Int, line: UInt = #line) {
        XCTAssertEqual(counts.count, kinds, line: line)
        let expected = Double(rounds) / Double(kinds)
        let square = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        let freedom = Double(kinds - 1)
        XCTAssertLessThan(square, freedom + 6 * (2 * freedom).squareRoot(), line: line)
    }

    func testASeedIsAnArchitecture() throws {
        let space = try TrellisSpace(cell: CellSpace())
        let drawn = try space.randomArchitecture(seed: 7)
        XCTAssertEqual(drawn, try space.randomArchitecture(seed: 7))
        XCTAssertNotEqual(drawn.path, try space.randomArchitecture(seed: 8).path)
        for seed in 0..<100 as Range<UInt64> { try space.randomArchitecture(seed: seed).validate(in: space) }
        // Comparisons rely on it: the same on every machine and in every version.
        XCTAssertEqual(drawn.path, [4, 8, 16, 8, 16, 8, 8, 8, 16, 16, 8, 4])
    }

    func testNeighboursDifferInOneDecision() throws {
        let space = try small { layer, from, to in !(layer == 2 && from == 8 && to == 8) }
        let all = Array(space.architectures)
        for architecture in stride(from: 0, to: all.count, by: 17).map({ all[$0] }) {
            let neighbours = try space.decisionList().neighbours(of: space.assignment(of: architecture)).map { try space.architecture(of: $0) }
            // By trying every architecture of the space.
            let expected = all.filter { differences($0, architecture) == 1 }
            XCTAssertEqual(neighbours.count, Set(neighbours).count)
            XCTAssertEqual(Set(neighbours.map(key)), Set(expected.map(key)))
        }
    }

    private func key(_ architecture: Architecture) -> [String] {
        [architecture.path.description] + architecture.cell.canonical.branches.map(\.description)
    }

    /// Decisions that differ: layers of the path; of each block how many of the two branches have to be replaced, two when a
    /// replaced branch changes both its operator and its state.
    private func differences(_ a: Architecture, _ b: Architecture) -> Int {
        var count = zip(a.path, b.path).filter { $0 != $1 }.count
        for (p, q) in zip(a.cell.blocks, b.cell.blocks) {
            func distance(_ x: CellBranch, _ y: CellBranch) -> Int { (x.operation == y.operation ? 0 : 1) + (x.state == y.state ? 0 : 1) }
            count += min(
                distance(p.first, q.first) + distance(p.second, q.second), distance(p.first, q.second) + distance(p.second, q.first))
        }
        return count
    }

    func testMutations() throws {
        let space = try small()
        let decisions = try space.decisionList()
        var generator = SplitMix64(seed: 5)
        let start = try space.randomArchitecture(using: &generator)
        func decisionsThatDiffer(_ other: Architecture) -> Int {
            (other.path == start.path ? 0 : 1) + zip(other.cell.canonical.blocks, start.cell.canonical.blocks).filter { $0 != $1 }.count
        }
        for _ in 0..<500 {
            let mutated = try space.architecture(of: decisions.mutate(space.assignment(of: start), using: &generator))
            try mutated.validate(in: space)
            XCTAssertEqual(decisionsThatDiffer(mutated), 1)
        }
        // Nothing to decide: the architecture itself.
        let point = try TrellisSpace(
            layers: 2, strides: [4], filters: 1, cell: CellSpace(blocks: 1, operators: ["none", "skip_connect"]))
        let only = try point.decisionList().random(using: &generator)
        XCTAssertEqual(try point.decisionList().mutate(only, using: &generator), only)
        XCTAssertEqual(point.count().decodableCells, 1)
    }
}
