import Foundation
import XCTest

@testable import Base

final class JSONValueTests: XCTestCase {
    func testReadsWhatItWrites() throws {
        let value = JSONValue.object([
            .init("z", .array([.integer(1), .number(0.1), .number(-2.5e-30), .integer(.min), .bool(true), .null])),
            .init("a", .object([.init("text", .string("quote \" slash \\ line\n tab\t é 😀 \u{0}")), .init("none", .object([]))])),
            .init("list", .array([.array([]), .object([.init("k", .array([.integer(3)]))])])),
        ])
        XCTAssertEqual(try JSONValue.parse(value.text().utf8), value)
        XCTAssertEqual(try JSONValue.parse(value.text(indented: true).utf8), value)
        XCTAssertEqual(JSONValue.object([.init("a", .array([.integer(1), .integer(2)]))]).text(indented: true), "{\n  \"a\": [1, 2]\n}")
    }

    func testEscapesAndNumbers() throws {
        XCTAssertEqual(try JSONValue.parse(#""A\u00e9\ud83d\ude00\/\b""#.utf8), .string("Aé😀/\u{8}"))
        XCTAssertEqual(try JSONValue.parse("12345678901234567890".utf8), .unsigned(12_345_678_901_234_567_890))
        XCTAssertEqual(try JSONValue.parse("18446744073709551616".utf8), .number(0x1p64))
        XCTAssertEqual(try JSONValue.parse("-9223372036854775809".utf8), .number(-0x1p63))
        XCTAssertEqual(JSONValue.unsigned(.max).text(), "18446744073709551615")
        XCTAssertEqual(try JSONValue.parse(" [1e2, -0.5] ".utf8), .array([.number(100), .number(-0.5)]))
    }

    func testRefuses() {
        for text in [
            "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "01", "1.", ".5", "+1", "1e", "-", "1e999", "nul", "tru", "NaN",
            "'a'", "\"a", "\"\\x\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "[1] 2", "// a\n1",
            "{\"a\":1,\"a\":2}", "\"\n\"", String(repeating: "[", count: 100_000),
        ] {
            XCTAssertThrowsError(try JSONValue.parse(text.utf8), text) { XCTAssertTrue("\($0)".hasPrefix("not valid JSON"), "\($0)") }
        }
        XCTAssertThrowsError(try JSONValue.parse([0x22, 0xc3, 0x22]))
    }

    func testSaysWhere() {
        for (text, words) in [
            ("{\n  \"a\": 1,\n  \"a\": 2}", "line 3, column 3: expected every key once, got \"a\" again"), ("[1 2]", "line 1, column 4: expected ',' or ']', got '2'"),
            ("[\n", "line 2, column 1: expected a value, got the end"), ("[\"a\tb\"]", "line 1, column 4: expected an escaped control character, got byte 9"),
            ("1 1", "line 1, column 3: expected the end of the text, got '1'"), ("01", "line 1, column 1: expected a number without leading zeros, got '0'"),
            ("{\"a", "line 1, column 2: expected the closing quote of the string, got the end"),
        ] {
            XCTAssertThrowsError(try JSONValue.parse(text.utf8)) { XCTAssertEqual("\($0)", "not valid JSON: " + words) }
        }
    }

    func testLayoutByWidth() {
        let value = JSONValue.object([
            .init("a", .array((0..<40).map { .integer($0) })), .init("b", .object([.init("c", .number(0.1)), .init("d", .number(.nan))])),
        ])
        let lines = value.text(width: 60).split(separator: "\n")
        XCTAssertEqual(lines.first, "{")
        XCTAssertEqual(lines.count, 3 + 41 + 1)
        XCTAssertEqual(lines.dropLast().last, "  \"b\": {\"c\": 0.1, \"d\": null}")
    }

    /// Twice as many keys take twice as long, not four times; so does a long list and a long string.
    func testTimeGrowsWithLength() throws {
        func seconds(_ text: String) throws -> Double {
            let bytes = Array(text.utf8)
            let start = Date()
            _ = try JSONValue.parse(bytes)
            return Date().timeIntervalSince(start)
        }
        let kinds: [(Int) -> String] = [
            { n in "{" + (0..<n).map { "\"key\($0)\": \($0)" }.joined(separator: ",\n") + "}" }, { n in "[" + String(repeating: "[1, 2.5e3], ", count: n) + "0]" },
            { n in "\"" + String(repeating: "a\\n\\u00e9", count: n) + "\"" },
        ]
        for kind in kinds {
            let (few, many) = (try seconds(kind(4_000)), try seconds(kind(32_000)))
            XCTAssertLessThan(many, 24 * max(few, 0.002), "\(few) s, and \(many) s for eight times as much")
        }
    }
}
