import Foundation
import XCTest

#if canImport(FoundationXML)
    import FoundationXML
#endif

@testable import Figures

/// Collects what an SVG document holds; fails on anything that is not well-formed.
private final class Reader: NSObject, XMLParserDelegate {
    var words: [String] = []
    var ids: [String] = []
    var references: [String] = []
    var root: [String: String] = [:]
    private var current: String?

    static func read(_ document: String) throws -> Reader {
        let reader = Reader()
        let parser = XMLParser(data: Data(document.utf8))
        parser.delegate = reader
        XCTAssertTrue(parser.parse(), "\(String(describing: parser.parserError))")
        return reader
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?, attributes: [String: String] = [:]
    ) {
        if name == "svg", root.isEmpty { root = attributes }
        if let id = attributes["id"] { ids.append(id) }
        if let link = attributes["xlink:href"] ?? attributes["href"], link.hasPrefix("#") { references.append(String(link.dropFirst())) }
        if name == "text" { current = "" }
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { current? += string }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        if name == "text", let text = current {
            words.append(text)
            current = nil
        }
    }
}

final class OutputTests: XCTestCase {
    private var directory = ""

    override func setUpWithError() throws {
        directory = NSTemporaryDirectory() + "figures-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    override func tearDown() { try? FileManager.default.removeItem(atPath: directory) }

    private func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory).sorted() }

    func testSVGOfEveryFigureIsWellFormed() throws {
        for (name, figure) in try Gallery.all() {
            let reader = try Reader.read(try figure.svg())
            XCTAssertEqual(reader.root["width"], "\(Int(figure.size.width.rounded(.up)))px", name)
            XCTAssertEqual(Set(reader.ids).count, reader.ids.count, name)
            XCTAssertTrue(Set(reader.references).isSubset(of: Set(reader.ids)), name)
        }
    }

    func testSVGHoldsTheLabelsAsWords() throws {
        let trellis = try Reader.read(try TrellisFigure(try Samples.trellis(layers: 12, path: Samples.published), title: "a < b & c").svg())
        for word in ["a < b & c", "stem", "ASPP", "4", "8", "16", "32", "12", "stride", "decoded path", "β (transition probability)"] {
            XCTAssertTrue(trellis.words.contains(word), word)
        }
        let cell = try Reader.read(try CellFigure(try Samples.publishedCell()).svg())
        XCTAssertEqual(cell.words.filter { $0 == "sep_conv_3x3" }.count, 4)
        XCTAssertEqual(cell.words.filter { $0.hasPrefix("block") }, ["block 1", "block 2", "block 3", "block 4", "block 5"])
        XCTAssertTrue(cell.words.contains("concat"))
    }

    /// On a page every figure is well-formed, holds its words as text, and every colour that differs between the themes has both.
    func testFiguresOnAPage() throws {
        var page = PageDrawings()
        var used = Set<Substring>()
        for (name, figure) in try Gallery.all() {
            let svg = try page.svg(figure, label: "a \"label\" & more")
            let reader = try Reader.read(svg)
            XCTAssertEqual(reader.root["width"], "\(Int(figure.size.width.rounded(.up)))", name)
            XCTAssertEqual(reader.root["aria-label"], "a \"label\" & more", name)
            XCTAssertEqual(reader.words, try PDFDocument.texts(figure).map { $0.text.printable }, name)
            XCTAssertTrue(reader.ids.isEmpty && reader.references.isEmpty, name)
            XCTAssertFalse(svg.contains("http"), name)
            for part in svg.components(separatedBy: "var(--k").dropFirst() { used.insert(Substring(part.prefix { $0.isNumber })) }
        }
        for dark in [false, true] {
            let defined = page.variables(dark: dark).split(separator: ";")
            XCTAssertEqual(Set(defined.map { $0.dropFirst(3).prefix { $0.isNumber } }), used)
            XCTAssertTrue(defined.allSatisfy { $0.contains(":#") })
        }
        XCTAssertNotEqual(page.variables(dark: false), page.variables(dark: true))
        let trellis = TrellisFigure(try Samples.trellis(layers: 12, path: Samples.published))
        XCTAssertLessThan(try page.svg(trellis, label: "trellis").utf8.count, try trellis.svg().utf8.count / 2)
    }

    func testSharesAndChoicesRefuseWhatTheyCannotShow() throws {
        for (words, make) in [
            ("'a' has 1 values for 2 steps", { _ = try StackedAreas([("a", [1])], x: [0, 1]) }),
            ("'b' has -1.0", { _ = try StackedAreas([("b", [1, -1])], x: [0, 1]) }),
            ("expected 1 rows of 2", { _ = try ChoiceMap([[0]], rows: ["r"], columns: ["1", "2"], choices: ["x"]) }),
            ("1 is none of the 1 choices", { _ = try ChoiceMap([[1]], rows: ["r"], columns: ["1"], choices: ["x"]) }),
        ] as [(String, () throws -> Void)] {
            XCTAssertThrowsError(try make()) { XCTAssertTrue("\($0)".contains(words), "\($0)") }
        }
        let map = try ChoiceMap([[0, 1, 1]], rows: ["edge"], columns: ["1", "2", "3"], choices: ["skip", "conv"])
        XCTAssertEqual(map.text(TextStyle(width: 40)), "edge abb\na skip\nb conv")
    }

    /// Two documents in one page must not take each other's glyphs.
    func testSVGNamesDifferBetweenFigures() throws {
        let one = try Reader.read(try Chart([Series("one", [1, 2])]).svg())
        let two = try Reader.read(try Chart([Series("two", [1, 2])]).svg())
        XCTAssertFalse(one.ids.isEmpty)
        XCTAssertTrue(Set(one.ids).isDisjoint(with: Set(two.ids)))
        XCTAssertEqual(try Chart([Series("one", [1, 2])]).svg(), try Chart([Series("one", [1, 2])]).svg())
    }

    func testPNGHasSignatureAndSize() throws {
        let figure = Chart([Series("x", [1, 2, 3])], size: Size(200, 150))
        for scale in [1.0, 2, 0.5] {
            let bytes = try figure.png(scale: scale)
            XCTAssertEqual(Array(bytes.prefix(8)), [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
            func number(_ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
            XCTAssertEqual([number(16), number(20)], [Int(200 * scale), Int(150 * scale)])
        }
        XCTAssertThrowsError(try figure.png(scale: 1000)) { XCTAssertTrue("\($0)".contains("32767"), "\($0)") }
        XCTAssertThrowsError(try figure.png(scale: .nan))
        XCTAssertThrowsError(try figure.png(scale: -1))
    }

    func testPDFHasHeader() throws {
        let bytes = try CellFigure(try Samples.publishedCell()).pdf()
        XCTAssertTrue(bytes.starts(with: Array("%PDF-1.".utf8)))
        XCTAssertTrue(String(decoding: bytes.suffix(16), as: UTF8.self).contains("%%EOF"))
        // The same figure gives the same file, whenever it is written.
        Thread.sleep(forTimeInterval: 1.1)
        XCTAssertEqual(try CellFigure(try Samples.publishedCell()).pdf(), bytes)
    }

    func testSaveChoosesTheFormatByTheName() throws {
        let figure = Chart([Series("x", [1, 2, 3])])
        for (name, start) in [("a.svg", "<?xml"), ("b.PNG", "PNG"), ("c.pdf", "%PDF"), ("d.txt", "━ x")] {
            try figure.save(directory + "/" + name)
            let data = try XCTUnwrap(FileManager.default.contents(atPath: directory + "/" + name))
            XCTAssertTrue(String(decoding: data.prefix(12), as: UTF8.self).contains(start), name)
        }
        XCTAssertEqual(try files(), ["a.svg", "b.PNG", "c.pdf", "d.txt"])
    }

    func testSaveRefusesUnknownNames() throws {
        for name in ["picture.jpg", "picture", ".svg.d/picture", "picture."] {
            XCTAssertThrowsError(try Chart([]).save(directory + "/" + name)) {
                XCTAssertEqual($0 as? FigureError, .unknownFormat(path: directory + "/" + name))
                XCTAssertTrue("\($0)".contains(".svg, .png, .pdf"), "\($0)")
            }
        }
        XCTAssertEqual(try files(), [])
    }

    func testFailedSaveSaysWhyAndLeavesNothing() throws {
        XCTAssertThrowsError(try Chart([]).save(directory + "/absent/x.svg")) {
            XCTAssertTrue("\($0)".contains("absent/x.svg: cannot write in this directory: No such file or directory"), "\($0)")
        }
        // A directory in the way: the rename fails after the file beside is complete.
        try FileManager.default.createDirectory(atPath: directory + "/taken.svg", withIntermediateDirectories: false)
        XCTAssertThrowsError(try Chart([]).save(directory + "/taken.svg"))
        XCTAssertEqual(try files(), ["taken.svg"])
    }
}

/// The layout of every figure: texts lie on the page and apart from each other.
final class OverlapTests: XCTestCase {
    func testTextsDoNotOverlap() throws {
        for (name, figure) in try Gallery.all() {
            let texts = try PDFDocument.texts(figure)
            let size = Surfaces.page(figure)
            for text in texts {
                for corner in text.corners {
                    XCTAssertTrue(
                        corner.x > -1 && corner.y > -1 && corner.x < size.width + 1 && corner.y < size.height + 1,
                        "\(name): '\(text.text)' leaves the page at \(corner)")
                }
            }
            for (index, a) in texts.enumerated() {
                for b in texts[(index + 1)...] where overlap(a.corners, b.corners) {
                    XCTFail("\(name): '\(a.text)' and '\(b.text)' overlap")
                }
            }
        }
    }

    /// Whether two convex outlines share more than a rim (separating axes).
    private func overlap(_ a: [Point], _ b: [Point]) -> Bool {
        for outline in [a, b] {
            for index in outline.indices {
                let (p, q) = (outline[index], outline[(index + 1) % outline.count])
                let length = ((q.x - p.x) * (q.x - p.x) + (q.y - p.y) * (q.y - p.y)).squareRoot()
                guard length > 0 else { return false }
                let (nx, ny) = ((q.y - p.y) / length, (p.x - q.x) / length)
                let (u, v) = (a.map { $0.x * nx + $0.y * ny }, b.map { $0.x * nx + $0.y * ny })
                // Boxes hold ascenders and descenders that most texts lack: a unit of contact is none.
                if (u.max() ?? 0) <= (v.min() ?? 0) + 1.5 || (v.max() ?? 0) <= (u.min() ?? 0) + 1.5 { return false }
            }
        }
        return true
    }
}
