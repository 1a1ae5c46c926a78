import Networks
import Tensors
import XCTest
@testable import Search

/// Checkpoints of supernets: by the record of their space, and as they were before there was one.
final class CheckpointRecordTests: XCTestCase {
    private func supernet(layers: Int = 2, affine: Bool = false, mask: Bool = false) throws -> Supernet {
        var options = SpaceOptions()
        options.affine = affine
        let space = try TrellisSpace(
            layers: layers, strides: [4, 8], filters: 1, cell: CellSpace(blocks: 1, operators: ["skip_connect", "sep_conv_3x3"]), options: options
        ) { layer, from, to in !(mask && layer == 2 && from == 4 && to == 8) }
        return try Supernet(space, classes: 2, seed: 1)
    }

    private func problem(_ net: Module, _ part: CheckpointPart) -> String {
        do {
            _ = try net.restoration(of: part)
            return ""
        } catch { return "\(error)" }
    }

    private func former(_ net: some Module & CheckpointIdentified) throws -> CheckpointPart {
        var part = try net.checkpointPart()
        part.details = .object([.init("identity", .object(net.formerIdentity.map { .init($0.name, .string($0.value)) }))])
        return part
    }

    func testStockTrellis() throws {
        let net = try supernet()
        XCTAssertEqual(problem(net, try net.checkpointPart()), "")
        XCTAssertTrue(problem(net, try supernet(affine: true).checkpointPart()).contains("affine is true there, false here"))
        XCTAssertTrue(problem(net, try supernet(layers: 3).checkpointPart()).contains("layers is 3 there, 2 here"))
        XCTAssertTrue(problem(net, try supernet(mask: true).checkpointPart()).contains("decision 'paths' is none there, an arrow 4 -> 8 into layer 2 here"))
        // Those of before.
        XCTAssertEqual(problem(net, try former(net)), "")
        XCTAssertTrue(problem(net, try former(supernet(layers: 3))).contains("layers is 3 there, 2 here"))
    }

    func testDecisions() throws {
        func net(_ operators: [String]) throws -> Supernet {
            let space = try ModuleSpace { _ in
                let decision = try Construction.required(for: "test").decide("op", .choice(Choice(options: operators)))
                return try Mix(decision) { _, _ in Layer.identity() }
            }
            return try space.supernet(seed: 1, relax: Relaxations())
        }
        let one = try net(["a", "b"])
        XCTAssertEqual(problem(one, try one.checkpointPart()), "")
        let other = problem(one, try net(["a", "c"]).checkpointPart())
        XCTAssertTrue(other.contains("decision 'op' is a choice of a, c there, a choice of a, b here"), other)
        XCTAssertEqual(problem(one, try former(one)), "")
    }
}
