import Foundation
import XCTest

@testable import LuaHost

/// The file of the prompt's history.
final class PromptHistoryTests: XCTestCase {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
    private func entry(_ text: String, time: Int = 7) -> PromptHistory.Entry { PromptHistory.Entry(time: time, text: bytes(text)) }

    func testEntriesComeBackAsTheyWere() {
        let texts = [
            "x = 1", "for i = 1, 2 do\n  print(i)\nend", "#t", "#t\n#1", "s = [[\n#1700000000\n\\#1\n\\\\#22\n#1a\n#\n]]", "\n\nx\n", "", "é\\", "a\n\nb",
        ]
        let entries = texts.enumerated().map { entry($1, time: $0) }
        let file = entries.flatMap(PromptHistory.stored)
        XCTAssertEqual(PromptHistory.entries(file), entries)
        // A file whose last line has no end.
        XCTAssertEqual(PromptHistory.entries(Array(file.dropLast())), entries)
        let foreign: [UInt8] = [0xff, 0xfe, 0x41]
        XCTAssertEqual(PromptHistory.entries(PromptHistory.stored(PromptHistory.Entry(time: 1, text: foreign))).first?.text, foreign)
    }

    func testFilesOfOthers() {
        XCTAssertEqual(PromptHistory.entries(bytes("a\nb\n\n#12\nc\nd\n")), [entry("a", time: 0), entry("b", time: 0), entry("c\nd", time: 12)])
        XCTAssertEqual(PromptHistory.entries(bytes("#t\n# 5\n#-5\n")), [entry("#t", time: 0), entry("# 5", time: 0), entry("#-5", time: 0)])
        XCTAssertEqual(PromptHistory.entries([]), [])
        XCTAssertEqual(PromptHistory.entries(bytes("#1\n#2\n")), [])
    }

    func testIsCutBetweenEntries() throws {
        let path = try Program.temporaryFolder() + "/history"
        let entries = (0..<3000).map { entry("for i = 1, \($0) do\n  print(i)\n  print(i)\nend", time: 1_700_000_000 + $0) }
        try Data(entries.flatMap(PromptHistory.stored)).write(to: URL(fileURLWithPath: path))
        PromptHistory(path: path).open()
        let kept = PromptHistory.entries(Array(try Data(contentsOf: URL(fileURLWithPath: path))))
        XCTAssertEqual(kept, Array(entries.suffix(2000)))
        XCTAssertEqual(Array(PromptHistory.newest([entry(String(repeating: "\n", count: 20_000))])).count, 1)
    }

    func testSessionsShareTheFile() throws {
        let path = try Program.temporaryFolder() + "/history"
        try Data(bytes("#1\nhalf a li")).write(to: URL(fileURLWithPath: path))
        let first = PromptHistory(path: path), second = PromptHistory(path: path)
        first.open()
        second.open()
        first.add("a")
        first.add("a")
        second.add("b\nc")
        first.add("d")
        let texts = PromptHistory.entries(Array(try Data(contentsOf: URL(fileURLWithPath: path)))).map { String(decoding: $0.text, as: UTF8.self) }
        XCTAssertEqual(texts, ["half a li", "a", "b\nc", "d"])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        XCTAssertEqual(mode, 0o600)
    }
}
