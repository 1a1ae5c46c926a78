import XCTest

@testable import Figures

/// Errors for data that do not fit, and no trouble with data that are merely odd.
final class DataTests: XCTestCase {
    private func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return ""
    }

    func testTrellisErrors() {
        XCTAssertTrue(message { _ = try TrellisDrawing(layers: 0, strides: [4], arrows: []) }.contains("at least 1 layer"))
        XCTAssertTrue(message { _ = try TrellisDrawing(layers: 1, strides: [], arrows: []) }.contains("at least one stride"))
        XCTAssertTrue(
            message { _ = try TrellisDrawing(layers: 2, strides: [4, 8], arrows: [TrellisArrow(layer: 3, from: 4, to: 8)]) }
                .contains("from stride 4 to 8 at layer 3"))
        XCTAssertTrue(
            message { _ = try TrellisDrawing(layers: 2, strides: [4, 8], arrows: [TrellisArrow(layer: 1, from: 8, to: 8)]) }
                .contains("stem at stride 4"))
        XCTAssertTrue(message { _ = try TrellisDrawing(layers: 2, strides: [4, 8], arrows: [], path: [4]) }.contains("got 1"))
        XCTAssertTrue(message { _ = try TrellisDrawing(layers: 1, strides: [4, 8], arrows: [], path: [16]) }.contains("stride 16"))
    }

    func testCellErrors() {
        XCTAssertTrue(message { _ = try CellDrawing(blocks: []) }.contains("at least one block"))
        let text = message { _ = try CellDrawing(blocks: [[], [CellOperator(state: 4, name: "sep_conv_3x3")]]) }
        XCTAssertTrue(text.contains("'sep_conv_3x3' of block 2 reads state 4"), text)
    }

    func testTableErrors() {
        XCTAssertTrue(message { _ = try HeatMap([[1, 2], [3]]) }.contains("row 2 has 1 values, expected 2"))
        XCTAssertTrue(message { _ = try HeatMap([[1, 2]], rows: ["a", "b"]) }.contains("2 row names for 1 rows"))
        XCTAssertTrue(message { _ = try HeatMap([[1, 2]], columns: ["a"]) }.contains("1 column names for 2 columns"))
        XCTAssertTrue(message { _ = try HeatMap.confusion([[1, 2]], classes: ["a"]) }.contains("square"))
        XCTAssertTrue(message { _ = try Series("loss", x: [1], y: []) }.contains("'loss'"))
    }

    func testImageErrors() throws {
        XCTAssertTrue(message { _ = try RGBAImage(width: 2, height: 2, bytes: [1]) }.contains("12 bytes (RGB) or 16 (RGBA), got 1"))
        XCTAssertTrue(message { _ = try RGBAImage(width: 0, height: 2, bytes: []) }.contains("positive"))
        XCTAssertTrue(message { _ = try LabelMap(width: 2, height: 2, labels: [1]) }.contains("need 4 labels, got 1"))
        let image = try RGBAImage(width: 1, height: 1, bytes: [1, 2, 3])
        let labels = try LabelMap(width: 2, height: 1, labels: [0, 1])
        XCTAssertTrue(message { _ = try ImageTile(image: image, labels: labels) }.contains("1 x 1 and its label map 1 x 2"))
    }

    /// Void stays as the image has it; other labels tint.
    func testOverlayLeavesVoidTransparent() throws {
        let image = try RGBAImage(width: 3, height: 1, bytes: [10, 20, 30, 10, 20, 30, 10, 20, 30])
        let labels = try LabelMap(width: 3, height: 1, labels: [0, 255, 11])
        let palette = LabelPalette.camvid
        let over = try ImageTile(image: image, labels: labels, opacity: 0.5).composed(palette)
        XCTAssertEqual(over.pixels, [69, 74, 79, 255, 10, 20, 30, 255, 10, 20, 30, 255])
        let alone = try ImageTile(labels: labels).composed(palette)
        XCTAssertEqual(alone.pixels, [128, 128, 128, 255, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    func testPaletteColoursDiffer() {
        let colours = LabelPalette.distinct(40)
        XCTAssertEqual(Set(colours).count, 40)
        XCTAssertNil(LabelPalette(names: ["a"]).colour(255))
        XCTAssertEqual(LabelPalette(names: ["a"]).name(3), "class 3")
    }

    /// Nothing here may crash, and every format must come out.
    func testOddData() throws {
        let odd: [Double] = [.nan, .infinity, -.infinity, 0, -1, 1e308, -1e308, .leastNonzeroMagnitude]
        var figures: [any Figure] = [
            Chart([]), Chart([Series("", [])]), Chart([Series("odd", odd)]), Chart([Series("odd", odd)], y: Axis("", scale: .log)),
            Chart([Series("range", [1, 2])], y: Axis("", range: 5...5)), Chart([Series("flat", [3, 3, 3])]),
            Chart([Series("log range", [1, 2])], y: Axis("", scale: .log, range: -1...1)),
            Chart([Series("small", [1])], title: String(repeating: "long title ", count: 40), size: Size(1, 1)),
            try HeatMap([odd]), try HeatMap([[]]), try HeatMap([]), try HeatMap([[.nan]]), try HeatMap.alpha([], edges: [], operators: []),
            try HeatMap.confusion([], classes: []), try HeatMap.confusion([[0, 0], [0, 0]], classes: ["a", "b"]),
            BarChart([]), BarChart([("x", .nan), ("y", -2)]), BarChart.dots([.init("none", [])]), Histogram([]), Histogram(odd),
            Histogram([1, 1, 1]), ImageGrid([]), ImageGrid([[]]), FigureGrid([]), FigureGrid([[], [Chart([])]]), Panels([]),
            TrellisFigure(try TrellisDrawing(layers: 1, strides: [4], arrows: [])),
            TrellisFigure(
                try TrellisDrawing(layers: 1, strides: [4], arrows: [TrellisArrow(layer: 1, from: 4, to: 4, probability: .infinity)])),
            TrellisFigure(
                try TrellisDrawing(
                    layers: 2, strides: [1, 2, 4, 8],
                    arrows: [
                        TrellisArrow(layer: 1, from: 1, to: 8, probability: 7), TrellisArrow(layer: 2, from: 8, to: 1, probability: -3),
                    ], path: [8, 1])),
            CellFigure(try CellDrawing(blocks: [[]])),
            CellFigure(try CellDrawing(blocks: [[], [CellOperator(state: 1, name: "", weight: .nan)]])),
        ]
        var cell = try Samples.publishedCell()
        cell.inputNames = []
        var map = try HeatMap([[1, 2]])
        map.range = 1...1
        var bars = BarChart([("x", 1)])
        bars.width = .nan
        var images = ImageGrid([[try ImageTile(labels: try LabelMap(width: 300, height: 1, labels: [UInt8](repeating: 7, count: 300)))]])
        images.tileWidth = -.infinity
        figures += [CellFigure(cell), map, bars, images]
        figures.append(FigureGrid.row(figures))
        for figure in figures {
            XCTAssertNoThrow(try figure.svg(), "\(figure)")
            XCTAssertNoThrow(try figure.png(scale: 1), "\(figure)")
            XCTAssertNoThrow(try figure.pdf(), "\(figure)")
            for width in [0, 20, 80, 300] {
                for charset in [TextStyle.Charset.unicode, .ascii] {
                    let style = TextStyle(width: width, charset: charset)
                    for line in figure.text(style).split(separator: "\n", omittingEmptySubsequences: false) {
                        XCTAssertLessThanOrEqual(String(line).columns, style.width, "\(type(of: figure)): \(line)")
                        guard charset == .ascii else { continue }
                        XCTAssertTrue(line.utf8.allSatisfy { (32...126).contains($0) }, "\(type(of: figure)): \(line)")
                    }
                    _ = figure.text(TextStyle(width: width, charset: charset, colour: .indexed))
                }
            }
        }
    }

    func testEdgeNames() {
        let names = CellDrawing.edgeNames(blocks: 5)
        XCTAssertEqual(names.count, 20)
        XCTAssertEqual(Array(names.prefix(5)), ["1 ← two back", "1 ← previous", "2 ← two back", "2 ← previous", "2 ← block 1"])
        XCTAssertEqual(names.last, "5 ← block 4")
    }

    func testTicks() {
        func labels(_ low: Double, _ high: Double, _ count: Int, log: Bool = false, whole: Bool = false) -> [String] {
            AxisScale(Axis("", scale: log ? .log : .linear, range: low...high), values: []).ticks(count, whole: whole).map(\.label)
        }
        XCTAssertEqual(labels(0, 1, 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])
        XCTAssertEqual(labels(-0.3, 0.3, 3), ["-0.2", "0.0", "0.2"])
        XCTAssertEqual(labels(1, 4, 8, whole: true), ["1", "2", "3", "4"])
        XCTAssertEqual(labels(0, 10_000_000, 4), ["0", "2M", "4M", "6M", "8M", "10M"])
        XCTAssertEqual(labels(0, 3e-7, 3), ["0", "1×10⁻⁷", "2×10⁻⁷", "3×10⁻⁷"])
        XCTAssertEqual(labels(1e-6, 1, 4, log: true), ["10⁻⁶", "10⁻⁴", "0.01", "1"])
        XCTAssertEqual(labels(1, 100, 4, log: true), ["1", "2", "5", "10", "20", "50", "100"])
    }

    func testColourMaps() {
        XCTAssertEqual(ColourMap.viridis(0), Colour(0x440154))
        XCTAssertEqual(ColourMap.viridis(1), Colour(0xFDE725))
        XCTAssertEqual(ColourMap.viridis(7), Colour(0xFDE725))
        XCTAssertEqual(ColourMap.viridis(.nan), ColourMap.viridis.missing)
        XCTAssertEqual(ColourMap.named("viridis_r")?(0), Colour(0xFDE725))
        XCTAssertNil(ColourMap.named("jet"))
        for name in ColourMap.names { XCTAssertEqual(ColourMap.named(name)?.name, name) }
    }
}
