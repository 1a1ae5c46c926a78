import XCTest

@testable import Base

final class TextTests: XCTestCase {
    func testNumbers() {
        XCTAssertEqual([8, 0.5, -3].map(NumberText.plain), ["8", "0.5", "-3"])
        XCTAssertEqual(NumberText.fixed(-0.004, 2), "0.00")
        XCTAssertEqual(NumberText.fixed(1.005, 1), "1.0")
        XCTAssertEqual(NumberText.fixed(-12.3456, 2), "-12.35")
        XCTAssertEqual(NumberText.fixed(0.05, 1), "0.1")
        XCTAssertEqual(NumberText.short(0.000123456), "0.000123")
        XCTAssertEqual(NumberText.short(1234567), "1234567")
        XCTAssertEqual(NumberText.short(99_999_999), "1e8")
        XCTAssertEqual(NumberText.short(-1.5e-9), "-1.5e-9")
        XCTAssertEqual(NumberText.grouped(-10_147_427), "-10,147,427")
        XCTAssertEqual(NumberText.grouped(.min), "-9,223,372,036,854,775,808")
        XCTAssertEqual([999, 1234, 47_739_816, 123_456_789].map(decimalUnits), ["999", "1.23 k", "47.7 M", "123 M"])
        XCTAssertEqual(NumberText.superscript(-12), "⁻¹²")
    }

    func testNearestName() {
        let operators = ["none", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "max_pool_3x3"]
        for (wrong, right) in [("sep_conv_3x4", "sep_conv_3x3"), ("skip_conect", "skip_connect"), ("Max_Pool_3x3", "max_pool_3x3"), ("nnoe", "none")] {
            XCTAssertEqual(nearestName(to: wrong, in: operators), right)
        }
        XCTAssertEqual(nearestName(to: "opreator", in: ["state", "operator"]), "operator")
        XCTAssertEqual(nearestName(to: "kernal", in: ["kernel", "padding"]), "kernel")
        XCTAssertEqual(nearestName(to: "widht", in: ["width", "height"]), "width")
        for nothing in ["xyz", "x", ""] { XCTAssertNil(nearestName(to: nothing, in: operators), nothing) }
        XCTAssertNil(nearestName(to: "zzz", in: ["kernel", "lr"]))
        XCTAssertNil(nearestName(to: "x", in: []))
        XCTAssertEqual(editDistance(Array("".utf8), Array("abc".utf8)), 3)
        XCTAssertEqual(editDistance(Array("abcd".utf8), Array("acbd".utf8)), 1)
    }

    func testReadersNameThePlace() throws {
        struct Wrong: Error { let fault: JSONFault }
        let reader = JSONReader(try JSONValue.parse("{\"a\": [1, {\"b\": \"x\"}]}".utf8), at: "f", fails: { Wrong(fault: $0) })
        XCTAssertThrowsError(try reader.required("a").items()[1].required("b").int()) {
            XCTAssertEqual(($0 as? Wrong)?.fault.place, "f.a[2].b")
            XCTAssertEqual(($0 as? Wrong)?.fault.got, "a string")
        }
        XCTAssertThrowsError(try reader.allow(["b"])) { XCTAssertEqual(($0 as? Wrong)?.fault.known, ["b"]) }
    }
}
