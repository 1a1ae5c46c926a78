import XCTest
@testable import Figures

/// Networks as graphs: places of boxes and lines, bands of long ones, decisions in boxes.
final class NetworkFigureTests: XCTestCase {
    private func chain(_ count: Int, decided: Bool = false) throws -> NetworkDrawing {
        let nodes = (0..<count).map { i -> NetworkDrawing.Node in
            var node = NetworkDrawing.Node(.module, name: "block \(i)", note: "mix")
            node.decisions = [
                DecisionDrawing("op.\(i)", kind: "choice", options: [OptionDrawing("skip", probability: 0.25), OptionDrawing("conv", probability: 0.75, isDecided: decided)]),
            ]
            return node
        }
        return try NetworkDrawing(nodes: nodes, edges: (1..<max(1, count)).map { NetworkDrawing.Edge(from: $0 - 1, to: $0, probability: 0.5) })
    }

    func testWhatIsRefused() {
        XCTAssertThrowsError(try NetworkDrawing(nodes: [.init(.end, name: "input")], edges: [.init(from: 0, to: 1)]))
        XCTAssertThrowsError(try NetworkDrawing(nodes: [.init(.end, name: "a"), .init(.end, name: "b")], edges: [.init(from: 1, to: 0)]))
    }

    /// No two boxes overlap, and every line begins and ends at one, in graphs of all shapes.
    func testBoxesDoNotOverlap() throws {
        for seed in 0..<40 {
            var state = UInt64(seed + 1)
            func draw(_ n: Int) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(state >> 33) % n
            }
            let count = 2 + draw(24)
            let nodes = (0..<count).map { NetworkDrawing.Node(draw(4) == 0 ? .junction : .module, name: String(repeating: "n", count: 1 + draw(20)), note: "\($0)") }
            var edges: [NetworkDrawing.Edge] = []
            for to in 1..<count { for from in Set((0...draw(3)).map { _ in draw(to) }) { edges.append(.init(from: from, to: to)) } }
            let drawing = try NetworkDrawing(nodes: nodes, edges: edges)
            let layout = NetworkLayout(drawing, sizes: nodes.map { Size(40 + 8 * Double($0.name.count), $0.kind == .junction ? 15 : 60) })
            XCTAssertEqual(layout.boxes.count, count)
            for (i, a) in layout.boxes.enumerated() {
                for b in layout.boxes[(i + 1)...] { XCTAssertFalse(a.frame.overlaps(b.frame), "seed \(seed): \(a) and \(b)") }
                XCTAssertTrue(a.frame.x >= 0 && a.frame.y >= -0.001 && a.frame.maxX <= layout.size.width + 0.001 && a.frame.maxY <= layout.size.height + 0.001, "seed \(seed): \(a)")
            }
            // Lines run to the right, and every connection arrives.
            XCTAssertTrue(layout.lines.allSatisfy { $0.from.x <= $0.to.x }, "seed \(seed)")
            XCTAssertEqual(layout.lines.filter { if case .arrow = $0.end { true } else { false } }.count, edges.count, "seed \(seed)")
        }
    }

    func testLongNetworksGoOnInTheNextLine() throws {
        let figure = NetworkFigure(try chain(30))
        XCTAssertLessThan(figure.size.width, 1700)
        XCTAssertGreaterThan(figure.size.height, 2 * NetworkFigure(try chain(3)).size.height)
        XCTAssertTrue(try figure.svg().contains("block 29"))
        XCTAssertFalse(try figure.png(scale: 1).isEmpty)
    }

    func testText() throws {
        let text = NetworkFigure(try chain(2, decided: true), title: "small").text(TextStyle(width: 60))
        XCTAssertEqual(
            text,
            """
            small
            block 0  mix
                op.0: choice
                  skip 0.25  ● conv 0.75
            block 1  mix
              ← block 0 0.50
                op.1: choice
                  skip 0.25  ● conv 0.75
            """)
    }

    func testTrellisesOfAnyStates() throws {
        let arrows = [TrellisArrow(layer: 1, from: 1, to: 0, probability: 0.5, option: "sep_conv_3x3"), TrellisArrow(layer: 1, from: 0, to: 1), TrellisArrow(layer: 2, from: 0, to: 0)]
        let drawing = try TrellisDrawing(layers: 2, states: ["fine", "coarse"], starts: [0, 1], arrows: arrows, decided: [arrows[0], arrows[2]])
        let text = TrellisFigure(drawing).text(TextStyle(width: 60))
        XCTAssertTrue(text.contains("coarse"), text)
        XCTAssertTrue(try TrellisFigure(drawing).svg().contains("sep_conv_3x3"))
        XCTAssertThrowsError(try TrellisDrawing(layers: 2, states: ["fine"], starts: [1], arrows: []))
        XCTAssertThrowsError(try TrellisDrawing(layers: 1, states: ["fine", "coarse"], starts: [0], arrows: [arrows[0]]))
    }

    func testDecisions() throws {
        let many = DecisionDrawing("width", kind: "number", options: (1...40).map { OptionDrawing("\($0)", probability: 1 / 40) })
        let figure = DecisionsFigure([many, DecisionDrawing("op", kind: "choice", options: [OptionDrawing("a"), OptionDrawing("b", isDecided: true)])], title: "all")
        XCTAssertLessThan(figure.size.width, 1000)
        XCTAssertTrue(figure.text(TextStyle(width: 40, charset: .ascii)).contains("@ b"))
        XCTAssertTrue(try figure.themed(.dark).svg().contains("width"))
        // What is decided is among what is shown.
        let some = DecisionDrawing("op", kind: "choice", options: (0..<9).map { OptionDrawing("\($0)", probability: Double($0) / 36, isDecided: $0 == 0) }).shown(3)
        XCTAssertEqual(some.options.map(\.name), ["0", "7", "8"])
        XCTAssertEqual(some.rest, 6)
    }
}
