import Foundation
import XCTest

@testable import Figures

/// Drawings in characters, to the letter.
final class TextTests: XCTestCase {
    private let unicode = TextStyle(width: 60)
    private let ascii = TextStyle(width: 60, charset: .ascii)

    func testPath() throws {
        XCTAssertEqual(
            try TrellisText.path(Samples.published, strides: [4, 8, 16, 32], unicode),
            """
            stride   1  2  3  4  5  6  7  8  9 10 11 12
                 4 ──●──●──●─╮
                 8           ╰●─╮  ╭●─╮              ╭●
                16              ╰●─╯  ╰●──●─╮     ╭●─╯
                32                          ╰●──●─╯
            """)
        XCTAssertEqual(
            try TrellisText.path([4, 16, 8], strides: [4, 8, 16], ascii),
            """
            stride   1  2  3
                 4 --o-.
                 8     |  .o
                16     'o-'
            """)
        XCTAssertThrowsError(try TrellisText.path([4, 5], strides: [4, 8]))
        XCTAssertThrowsError(try TrellisText.path([], strides: [4, 8]))
    }

    /// A path longer than the line is drawn in pieces that fit together.
    func testLongPathIsBroken() throws {
        let text = try TrellisText.path([4, 4, 4, 4, 8, 8], strides: [4, 8], TextStyle(width: 20))
        XCTAssertEqual(
            text,
            """
            stride   1  2  3  4
                 4 ──●──●──●──●
                 8

            stride   5  6
                 4 ─╮
                 8  ╰●──●
            """)
    }

    func testTrellis() throws {
        let figure = TrellisFigure(try Samples.trellis(layers: 4, strides: [4, 8, 16], path: [4, 8, 8, 16]))
        XCTAssertEqual(
            figure.text(unicode),
            """
            stride      1   2   3   4
                 4  ●───●───○━━━○───○
                      ╲   ╳   ·   ╲
                 8      ○┄┄┄●───●───○
                          ·   ╳   ╳
                16          ○━━━○┄┄┄●

            ● decoded path  β:  ┄ · < 0.2  ─ < 0.5  ━ more
            """)
        XCTAssertEqual(
            figure.text(ascii),
            """
            stride      1   2   3   4
                 4  @---@---o===o---o
                      \\   X   .   \\
                 8      o...@---@---o
                          .   X   X
                16          o===o...@

            @ decoded path  beta:  . < 0.2  - < 0.5  = more
            """)
    }

    func testCell() throws {
        XCTAssertEqual(
            CellFigure(try Samples.publishedCell(), title: "Cell").text(unicode),
            """
            Cell
             block │ input    │ operator
            ───────┼──────────┼─────────────────
                 1 │ two back │ atrous_conv_5x5
                   │ previous │ sep_conv_3x3
                 2 │ two back │ sep_conv_3x3
                   │ previous │ atrous_conv_3x3
                 3 │ block 2  │ sep_conv_3x3
                   │ two back │ sep_conv_3x3
                 4 │ block 3  │ sep_conv_5x5
                   │ block 1  │ sep_conv_5x5
                 5 │ block 2  │ sep_conv_5x5
                   │ block 4  │ atrous_conv_5x5
            """)
    }

    func testCurve() {
        let chart = Chart([Series("loss", [4, 2, 1, .nan, 0])], x: Axis("epoch"))
        XCTAssertEqual(
            chart.text(TextStyle(width: 30)),
            """
            ━ loss
              │⠠⡀
            4 ┤ ⠱⡀
              │  ⠘⡄
            3 ┤   ⠈⢆
              │    ⠈⢆
              │      ⢣
            2 ┤       ⠑⠤⡀
              │         ⠈⠒⢄
            1 ┤            ⠉⠢
              │
              │
            0 ┤                          ⠂
              └┴──────┴─────┴─────┴──────┴
               1      2     3     4      5
                          epoch
            """)
        let two = Chart([Series("a", [0, 1]), Series("b", [1, 0], style: .dots)])
        XCTAssertTrue(two.text(ascii).hasPrefix("* a   o b\n"))
    }

    func testTable() throws {
        var map = try HeatMap.alpha([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], edges: ["1 ← 1", "1 ← 2"], operators: ["none", "skip", "sep"])
        map.title = "α"
        XCTAssertEqual(
            map.text(unicode),
            """
            α
                   none skip  sep
            1 ← 1  0.50*0.25 0.25
            1 ← 2  0.10 0.20*0.70
            0 to 0.7 α
            """)
        XCTAssertEqual(map.text(ascii).split(separator: "\n")[2], "1 <- 1  0.50*0.25 0.25")
        XCTAssertTrue(map.text(TextStyle(width: 60, colour: .full)).contains("\u{1B}[1;38;2;"))
    }

    func testBars() {
        XCTAssertEqual(
            BarChart([("half", 0.5), ("one", 1)], axis: Axis("", range: 0...1)).text(TextStyle(width: 27)),
            """
            half │████████▌ 0.5
             one │█████████████████ 1
            """)
    }

    func testImages() throws {
        let image = try RGBAImage(width: 2, height: 2, bytes: [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255])
        let coloured = try ImageGrid(image).text(TextStyle(width: 20, colour: .full))
        XCTAssertTrue(coloured.hasPrefix("\u{1B}[38;2;255;0;0;48;2;255;0;0m▀"), coloured)
        XCTAssertTrue(try ImageGrid(image).text(TextStyle(width: 20, colour: .indexed)).contains("38;5;196"))
        let labels = try LabelMap(width: 2, height: 2, labels: [0, 1, 255, 1])
        let grid = ImageGrid([[try ImageTile(labels: labels, caption: "truth")]], palette: LabelPalette(names: ["sky", "road"]))
        let text = grid.text(TextStyle(width: 20))
        XCTAssertTrue(text.hasPrefix("aaaaaaaaaabbbbbbbbbb\n"), text)
        XCTAssertTrue(text.contains("          bbbbbbbbbb\ntruth\na sky   b road"), text)
    }

    /// Without colour no escape sequence may appear: text goes into logs.
    func testNoEscapesWithoutColour() throws {
        for (name, figure) in try Gallery.all() {
            for style in [unicode, ascii] {
                let text = figure.text(style)
                XCTAssertFalse(text.contains("\u{1B}"), name)
                for line in text.split(separator: "\n") { XCTAssertLessThanOrEqual(String(line).columns, 60, name) }
            }
            XCTAssertTrue(figure.text(ascii).utf8.allSatisfy { $0 == 10 || (32...126).contains($0) }, name)
            for line in figure.text(TextStyle(width: 60, colour: .full)).split(separator: "\n") {
                XCTAssertLessThanOrEqual(String(line).strippedColumns, 60, name)
            }
        }
    }

    func testWideCharacters() {
        XCTAssertEqual("道路".columns, 4)
        XCTAssertEqual(TextStyle().fitted("道路道路", 5), "道路…")
    }
}

final class TerminalTests: XCTestCase {
    private func detect(_ environment: [String: String], terminal: Bool = true, columns: Int? = nil) -> Terminal {
        Terminal.detect(environment: environment, isTerminal: terminal, columns: columns)
    }

    func testDetection() {
        let utf8 = ["LANG": "en_GB.UTF-8", "TERM": "xterm-256color"]
        func with(_ more: [String: String]) -> [String: String] { utf8.merging(more) { $1 } }
        XCTAssertEqual(detect(utf8), Terminal(graphics: .unicode, columns: 80, colour: .indexed))
        XCTAssertEqual(
            detect(with(["COLORTERM": "truecolor", "COLUMNS": "132"])), Terminal(graphics: .unicode, columns: 132, colour: .full))
        XCTAssertEqual(detect(with(["NO_COLOR": "1"])).colour, .none)
        XCTAssertEqual(detect(with(["TERM": "xterm-kitty"])), Terminal(graphics: .kitty, columns: 80, colour: .full))
        XCTAssertEqual(detect(with(["KITTY_WINDOW_ID": "1"])).graphics, .kitty)
        XCTAssertEqual(detect(with(["KITTY_WINDOW_ID": "1", "TMUX": "/tmp/x"])).graphics, .unicode)
        XCTAssertEqual(detect(with(["TERM_PROGRAM": "WezTerm"])).graphics, .kitty)
        XCTAssertEqual(detect(with(["TERM": "foot"])).graphics, .sixel)
        XCTAssertEqual(detect(with(["TERM_PROGRAM": "iTerm.app"])).graphics, .sixel)
        XCTAssertEqual(detect(with(["TERM": "linux"])).graphics, .ascii)
        XCTAssertEqual(detect(["TERM": "xterm", "LANG": "C"]).graphics, .ascii)
        XCTAssertEqual(detect(with(["LC_ALL": "C"])).graphics, .ascii)
        XCTAssertEqual(detect(with(["TERM": "dumb"])), Terminal(graphics: .ascii, columns: 80, colour: .none))
        XCTAssertEqual(detect(utf8, terminal: false, columns: 100), Terminal(graphics: .ascii, columns: 100, colour: .none))
        for graphics in TerminalGraphics.allCases {
            XCTAssertEqual(detect(with(["TRELLIS_GRAPHICS": graphics.rawValue]), terminal: false).graphics, graphics)
        }
        XCTAssertEqual(detect(with(["TRELLIS_GRAPHICS": "nonsense"])).graphics, .unicode)
    }

    func testKittyChunks() throws {
        let bytes = (0..<7000).map { UInt8($0 % 251) }
        let text = Kitty.encode(png: bytes, columns: 40)
        let parts = text.components(separatedBy: "\u{1B}\\").filter { !$0.isEmpty }
        XCTAssertEqual(parts.count, 3)
        XCTAssertTrue(parts[0].hasPrefix("\u{1B}_Ga=T,f=100,q=2,c=40,m=1;"))
        XCTAssertTrue(parts[1].hasPrefix("\u{1B}_Gm=1;"))
        XCTAssertTrue(parts[2].hasPrefix("\u{1B}_Gm=0;"))
        let payload = parts.map { String($0[$0.index(after: $0.firstIndex(of: ";") ?? $0.startIndex)...]) }
        XCTAssertTrue(payload.allSatisfy { $0.utf8.count <= 4096 })
        XCTAssertEqual(Data(base64Encoded: payload.joined()), Data(bytes))
        for count in 0..<7 {
            XCTAssertEqual(Base64.text(bytes[..<count]), Data(bytes[..<count]).base64EncodedString())
        }
    }

    /// Decodes what was encoded and compares it with the picture.
    func testSixelRoundTrip() throws {
        let (width, height) = (17, 13)
        var bytes: [UInt8] = []
        for i in 0..<width * height {
            bytes += [UInt8(i % 5) * 51, UInt8(i % 3) * 102]
            bytes.append(i % 7 == 0 ? 255 : 0)
        }
        let image = try RGBAImage(width: width, height: height, bytes: bytes)
        let decoded = try XCTUnwrap(SixelReader.read(Sixel.encode(image)))
        XCTAssertEqual(decoded.width, width)
        XCTAssertEqual(decoded.height, height)
        for i in 0..<width * height {
            for c in 0..<3 { XCTAssertEqual(Double(decoded.pixels[3 * i + c]), Double(bytes[3 * i + c]), accuracy: 2) }
        }
    }

    func testManyColoursAreReduced() throws {
        var bytes: [UInt8] = []
        for i in 0..<64 * 64 {
            bytes.append(UInt8(i % 64) * 4)
            bytes.append(UInt8(i / 64) * 4)
            bytes.append(UInt8((i * 7) % 256))
        }
        let (indices, palette) = Sixel.quantised(try RGBAImage(width: 64, height: 64, bytes: bytes))
        XCTAssertEqual(palette.count, 256)
        let errors = indices.enumerated().map { i, index in abs(palette[Int(index)].0 - Int(bytes[3 * i])) }
        XCTAssertLessThan(errors.reduce(0, +) / errors.count, 16)
    }

    func testRendering() throws {
        let figure = Chart([Series("loss", [3, 2, 1])])
        XCTAssertNil(try figure.rendered(for: Terminal(graphics: .none)))
        XCTAssertTrue(try XCTUnwrap(figure.rendered(for: Terminal(graphics: .kitty))).hasPrefix("\u{1B}_Ga=T"))
        XCTAssertTrue(try XCTUnwrap(figure.rendered(for: Terminal(graphics: .sixel))).hasPrefix("\u{1B}P0;1;0q"))
        XCTAssertEqual(try figure.rendered(for: Terminal(graphics: .unicode)), figure.text(TextStyle(width: 80)) + "\n")
        XCTAssertTrue(try XCTUnwrap(figure.rendered(for: Terminal(graphics: .ascii))).utf8.allSatisfy { $0 < 128 })
    }
}

/// A small reader of sixels, independent of the writer.
private enum SixelReader {
    static func read(_ text: String) -> (width: Int, height: Int, pixels: [Int])? {
        guard let start = text.firstIndex(of: "q") else { return nil }
        var rest = Array(text[text.index(after: start)...].unicodeScalars.map { $0.value })[...]
        func number() -> Int {
            var value = 0
            while let digit = rest.first, (48...57).contains(digit) {
                value = value * 10 + Int(digit) - 48
                rest.removeFirst()
            }
            return value
        }
        func list() -> [Int] {
            var values = [number()]
            while rest.first == 59 {
                rest.removeFirst()
                values.append(number())
            }
            return values
        }
        var (width, height, colour, x, y) = (0, 0, 0, 0, 0)
        var palette: [Int: [Int]] = [:]
        var pixels: [Int] = []
        while let code = rest.popFirst(), code != 27 {
            switch code {
            case 34:  // raster attributes
                let values = list()
                (width, height) = (values[2], values[3])
                pixels = [Int](repeating: -1, count: width * height * 3)
            case 35:  // colour
                let values = list()
                colour = values[0]
                if values.count == 5 { palette[colour] = values[2...].map { $0 * 255 / 100 } }
            case 36: x = 0
            case 45: (x, y) = (0, y + 6)
            default:
                var count = 1
                var bits = code
                if code == 33 {
                    count = number()
                    bits = rest.removeFirst()
                }
                for _ in 0..<count {
                    for row in 0..<6 where (bits - 63) >> UInt32(row) & 1 == 1 && y + row < height && x < width {
                        for c in 0..<3 { pixels[3 * ((y + row) * width + x) + c] = palette[colour]?[c] ?? -1 }
                    }
                    x += 1
                }
            }
        }
        return (width, height, pixels)
    }
}
