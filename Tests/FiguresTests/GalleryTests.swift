import Foundation
import XCTest

@testable import Figures

/// Draws every kind of figure. With FIGURES_OUT set, the pictures are kept there to be looked at.
final class GalleryTests: XCTestCase {
    func testGallery() throws {
        let directory = ProcessInfo.processInfo.environment["FIGURES_OUT"]
        for (name, figure) in try Gallery.all() {
            let bytes = try figure.png(scale: 1)
            XCTAssertEqual(Array(bytes.prefix(4)), [0x89, 0x50, 0x4E, 0x47], name)
            guard let directory else { continue }
            try figure.save(directory + "/" + name + ".png")
            try figure.save(directory + "/" + name + ".svg")
            try figure.save(directory + "/" + name + ".pdf")
            var text = ""
            for style in [TextStyle(width: 90), TextStyle(width: 90, charset: .ascii), TextStyle(width: 90, colour: .full)] {
                text += figure.text(style) + "\n\n"
            }
            try text.write(toFile: directory + "/" + name + ".txt", atomically: true, encoding: .utf8)
        }
    }
}

enum Gallery {
    static func all() throws -> [(String, any Figure)] {
        var figures: [(String, any Figure)] = []
        func add(_ name: String, _ figure: any Figure) { figures.append((name, figure)) }
        add("trellis-12", TrellisFigure(try Samples.trellis(layers: 12, path: Samples.published), title: "Auto-DeepLab search, epoch 40"))
        add("trellis-3", TrellisFigure(try Samples.trellis(layers: 3, path: [4, 8, 8])))
        let large = try Samples.trellis(layers: 20, strides: [4, 8, 16, 32, 64, 128])
        add("trellis-20x6", TrellisFigure(large, title: "Twenty layers, six strides"))
        add("trellis-plain", TrellisFigure(try Samples.trellis(layers: 6, probabilities: false)))
        add("trellis-path", TrellisFigure(try TrellisDrawing(path: Samples.published, strides: [4, 8, 16, 32])))
        add("cell-published", CellFigure(try Samples.publishedCell(), title: "Published cell"))
        add("cell-chain", CellFigure(try Samples.chainCell(blocks: 7, name: "a_rather_long_operator_name_of_a_user_7x7")))
        add("cell-one", CellFigure(try Samples.chainCell(blocks: 1)))
        figures += try charts() + tables() + images() + overTime()
        return figures
    }

    /// How a search decided.
    static func overTime() throws -> [(String, any Figure)] {
        let epochs = (0...40).map(Double.init)
        let names = ["none", "skip_connect", "sep_conv_3x3", "atrous_conv_3x3"]
        let weights = epochs.map { t in names.indices.map { exp(Double($0) * t / 60 + sin(t / 5 + Double($0)) / 3) } }
        let shares = names.indices.map { k in (name: names[k], values: weights.map { $0[k] / $0.reduce(0, +) }) }
        let areas = try StackedAreas(
            shares, x: epochs, title: "Share of each operator", xAxis: Axis("epoch"), yAxis: Axis("mean of softmax(α)", range: 0...1))
        func map(_ rows: Int, _ columns: Int) throws -> ChoiceMap {
            var map = try ChoiceMap(
                (0..<rows).map { r in (0..<columns).map { ($0 * (r + 3) / 17) % 4 } }, rows: (1...rows).map { "edge \($0)" },
                columns: (0..<columns).map(String.init), choices: names, title: "Strongest operator")
            map.columnTitle = "epoch"
            map.strengths = (0..<rows).map { r in (0..<columns).map { Double($0 + r) / Double(columns + rows) } }
            return map
        }
        return [
            ("areas", areas), ("areas-one-step", try StackedAreas([("a", [1])], x: [0])), ("choices", try map(20, 41)),
            ("choices-few", try map(2, 3)), ("choices-many", try map(40, 200)),
        ]
    }

    static func charts() throws -> [(String, any Figure)] {
        let steps = (1...200).map(Double.init)
        func curve(_ a: Double, _ b: Double) -> [Double] {
            steps.map { (t: Double) -> Double in a + b * exp(-t / 40) + 0.05 * sin(t * 1.7) }
        }
        let loss = Chart(
            [
                try Series("weights (trainA)", x: steps, y: curve(0.4, 2)),
                try Series("architecture (trainB)", x: steps, y: curve(0.5, 1.8)),
            ], title: "Search", x: Axis("step"), y: Axis("loss"))
        let log = Chart(
            [Series("gradient norm", curve(0.1, 30).map(abs))], title: "Logarithmic", x: Axis("step"), y: Axis("norm", scale: .log))
        let gaps = Chart(
            [Series("with gaps", [1, 2, .nan, 4, .infinity, 3, 2]), Series("one point", [.nan, .nan, 2.5])],
            title: "Gaps", x: Axis("epoch"), y: Axis("mIoU"))
        let many = Chart(
            (1...12).map { (k: Int) -> Series in
                let values = (0..<40).map { (i: Int) -> Double in Double(k) + sin(Double(i) / Double(k)) }
                return Series("operator_with_a_long_name_\(k)", values)
            },
            title: "Many series", x: Axis("epoch"), y: Axis("share"))
        let rising = (1...20).map { (i: Int) -> Double in 0.6 - 0.5 * exp(-Double(i) / 6) }
        let miou = Chart([Series("supernet", rising, style: .both)], x: Axis("epoch"), y: Axis("validation mIoU"))
        let ranks = (0..<60).map { Double(($0 * 37) % 60) }
        let cloud = try Chart.scatter(
            x: ranks.map { 4e6 + 1e5 * $0 }, y: ranks.map { 0.4 + 0.003 * $0 + 0.01 * sin($0 * 11) },
            title: "Runs", xLabel: "parameters", yLabel: "mIoU")
        let bars = BarChart(
            [
                ("sep_conv_3x3", 0.31), ("atrous_conv_5x5", 0.22), ("skip_connect", 0.2), ("none", 0.07),
                ("a_rather_long_operator_name_of_a_user_7x7", 0.2),
            ], title: "Mean α over edges", axis: Axis("share"))
        let dots = BarChart.dots(
            [.init("first order", [0.52, 0.55, 0.531, 0.56]), .init("random", [0.45, 0.51, 0.48]), .init("failed", [.nan])],
            title: "Runs by method", axis: Axis("mIoU"))
        let noise = (0..<2000).map { (i: Int) -> Double in sin(Double(i) * 12.9898) * 3 + cos(Double(i) * 78.233) * 2 }
        return [
            ("curves", loss), ("curves-log", log), ("curves-gaps", gaps), ("curves-many", many),
            ("curves-empty", Chart([], title: "Nothing yet")),
            ("curves-point", Chart([Series("one", [0.5])], x: Axis("step"), y: Axis("loss"))),
            ("curves-tiny", Chart([Series("tiny", [1.2e-7, 3.4e-7, 2.2e-7])], y: Axis("rate"))),
            ("panels", Panels([loss, miou], title: "One search")), ("scatter", cloud), ("bars", bars), ("dots", dots),
            ("histogram", Histogram(noise, title: "Weights", x: Axis("value"))),
            ("histogram-two", Histogram([("before", noise), ("after", noise.map { $0 * 0.4 + 3 })], x: Axis("value"), bins: 40)),
            ("grid", FigureGrid([[loss.themed(.dark), bars], [miou, dots]], title: "Four figures")),
            ("dark", TrellisFigure(try Samples.trellis(layers: 8, path: [4, 8, 8, 16, 32, 16, 8, 4]), title: "Dark").themed(.dark)),
        ]
    }

    static func tables() throws -> [(String, any Figure)] {
        let operators = [
            "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "atrous_conv_3x3", "atrous_conv_5x5",
        ]
        let edges = CellDrawing.edgeNames(blocks: 5)
        let alpha = edges.indices.map { e -> [Double] in
            let weights = operators.indices.map { 1 + Double((e * 5 + $0 * 7) % 13) / 3 }
            return weights.map { $0 / weights.reduce(0, +) }
        }
        let waves = (0..<30).map { (r: Int) -> [Double] in
            (0..<60).map { (c: Int) -> Double in r == 4 && c > 50 ? Double.nan : 3 * sin(Double(r) / 5) * cos(Double(c) / 7) }
        }
        var signed = try HeatMap(waves, title: "A large table")
        signed.map = .redBlue
        signed.range = -3...3
        let names = LabelPalette.camvid.names
        let counts = names.indices.map { (r: Int) -> [Int] in
            names.indices.map { (c: Int) -> Int in r == c ? 900 : (r * 7 + c * 3) % 5 * 20 }
        }
        return [
            ("alpha", try HeatMap.alpha(alpha, edges: edges, operators: operators, title: "α after the softmax")),
            ("heatmap-large", signed), ("heatmap-odd", try HeatMap([[1, .nan, .infinity], [-.infinity, 2e9, -3]])),
            ("heatmap-empty", try HeatMap([])), ("confusion", try HeatMap.confusion(counts, classes: names, title: "Validation")),
        ]
    }

    static func images() throws -> [(String, any Figure)] {
        let (w, h) = (120, 90)
        var bytes: [UInt8] = []
        var labels: [UInt8] = []
        for y in 0..<h {
            for x in 0..<w {
                let disc = (x - 60) * (x - 60) + (y - 50) * (y - 50) < 600
                let label = disc ? 8 : y < 30 ? 0 : y < 60 ? (x % 40 < 20 ? 1 : 5) : 3
                labels.append(x < 4 || y > 86 ? 255 : UInt8(label))
                bytes += [UInt8((x * 2) % 256), UInt8((y * 2 + label * 10) % 256), UInt8(disc ? 200 : 90)]
            }
        }
        let image = try RGBAImage(width: w, height: h, bytes: bytes)
        let map = try LabelMap(width: w, height: h, labels: labels)
        let row = [
            try ImageTile(image: image, caption: "image"), try ImageTile(labels: map, caption: "truth"),
            try ImageTile(image: image, labels: map, caption: "prediction over the image"),
        ]
        let small = try RGBAImage(width: 4, height: 2, bytes: (0..<24).map { UInt8($0 * 10) })
        return [
            ("images", ImageGrid([row, row], title: "Segmented", palette: .camvid)),
            ("image-small", try ImageGrid(small, caption: "4 x 2 pixels")),
            ("images-none", ImageGrid([])),
        ]
    }
}
