import Figures
import Tensors
import XCTest

@testable import Notebook

/// Notebooks as files: written, read again, as Markdown.
final class NotebookFileTests: XCTestCase {
    private func document() -> NotebookDocument {
        var code = NotebookCell(.code, "return 1\n-- é")
        code.number = 1
        code.outputs = [
            .stream(isError: false, "a\nb"), .display(MIMEBundle(plain: "table", html: "<table></table>")),
            .result(MIMEBundle(plain: "figure", figure: Chart([Series("", [1, 2])])), number: 1), .error(message: "boom", text: "boom\n  1 | error()"),
        ]
        return NotebookDocument(cells: [NotebookCell(.markdown, "# Title\n\ntext"), code, NotebookCell(.code, "same"), NotebookCell(.code, "same")])
    }

    func testWrittenAndRead() throws {
        let text = try document().json()
        XCTAssertEqual(text, try document().json())
        let back = try NotebookDocument.read(json: text)
        XCTAssertEqual(back.cells.map(\.source), document().cells.map(\.source))
        XCTAssertEqual(back.title, "Title")
        XCTAssertEqual(back.cells[1].outputs.map(PlainText.of), document().cells[1].outputs.map(PlainText.of))
        XCTAssertEqual(Set(back.cells.map(\.id)).count, 4, "ids of equal cells differ")
        XCTAssertTrue(text.contains("\"image/png\": \"iVBOR"))
        XCTAssertTrue(text.contains("\"language\": \"lua\""))
    }

    func testBrokenNotebooksAreErrors() {
        for (text, word) in [
            ("{", "not valid JSON"), ("{}", "nbformat"), ("{\"nbformat\": 3}", "nbformat 4"), ("{\"nbformat\": 4}", "cells"),
            ("{\"nbformat\": 4, \"cells\": [{}]}", "cell 1"), ("{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": 3}]}", "source"),
            ("{\"nbformat\": 4, \"metadata\": {\"kernelspec\": {\"language\": \"python\"}}, \"cells\": []}", "python"),
        ] {
            XCTAssertThrowsError(try NotebookDocument.read(json: text)) { XCTAssertTrue("\($0)".contains(word), "\($0)") }
        }
    }

    func testMarkdownFile() throws {
        let (text, pictures) = try document().markdown(pictures: "x_files", code: true)
        XCTAssertEqual(pictures.map(\.name), ["1-3.svg"])
        XCTAssertTrue(text.contains("# Title\n\ntext\n\n```lua\nreturn 1\n-- é\n```\n\n```\na\nb\n```\n\n```\ntable\n```\n\n![figure 1](x_files/1-3.svg)"), text)
        XCTAssertFalse(try document().markdown(pictures: "x_files", code: false).text.contains("```lua"))
        XCTAssertEqual(NotebookDocument.fenced("a ``` b", ""), "````\na ``` b\n````")
    }

    func testMarkdownAsHTML() {
        var anchors: Set<String> = []
        let (html, headings) = Markdown.html(
            "## A *b* c\n\n## A b c\n\n| x | y |\n|--|--|\n| 1 | ~~2~~ |\n\n<script>x</script>\n\n![pic](https://x.org/a.png) [link](https://x.org)\n", folder: "/nowhere",
            anchors: &anchors)
        XCTAssertEqual(headings.map(\.anchor), ["a-b-c", "a-b-c-1"])
        XCTAssertTrue(html.contains("<h2 id=\"a-b-c\">A <em>b</em> c</h2>"), html)
        XCTAssertTrue(html.contains("<table>") && html.contains("<del>2</del>"), html)
        XCTAssertFalse(html.contains("<script") || html.contains("<img"), html)
        XCTAssertTrue(html.contains("[pic]"), html)
    }

    func testPlainText() {
        XCTAssertEqual(PlainText.clean("a\rbc\n\u{1B}[31mred\u{1B}[0m\n10%\r20%\r\n"), "bc\nred\n20%\n")
        XCTAssertEqual(PlainText.clean("plain"), "plain")
    }

    func testDifferences() {
        var other = document()
        other.cells[1].outputs[0] = .stream(isError: false, "a\nc")
        XCTAssertEqual(OutputComparison.report(stored: document(), made: document()), [])
        XCTAssertEqual(OutputComparison.report(stored: document(), made: other), ["cell 1:", "- b", "+ c"])
        var given = NotebookCell(.code, "n = 1")
        given.metadata = [.init("tags", .array([.string(NotebookDocument.injected)]))]
        other.cells.insert(given, at: 0)
        XCTAssertEqual(OutputComparison.report(stored: document(), made: other), ["cell 1:", "- b", "+ c"])
        other.cells.removeLast()
        XCTAssertEqual(OutputComparison.report(stored: document(), made: other).first, "expected 3 code cells as stored, got 2")
    }
}
