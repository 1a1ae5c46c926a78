import XCTest
@testable import Tensors

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
        XCTAssertEqual(try JSONValue.parse("12345678901234567890".utf8), .number(1.2345678901234567e19))
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
}
