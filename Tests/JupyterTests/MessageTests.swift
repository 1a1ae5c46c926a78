import Base
import CZmq
import Tensors
import XCTest

@testable import Jupyter

/// Messages as they go over the wire.
final class MessageTests: XCTestCase {
    override func setUpWithError() throws {
        if let why = Wire.missingLibrary { throw XCTSkip("libzmq5 is not installed: \(why)") }
    }

    /// Test cases 1 and 2 of RFC 4231.
    func testSignatures() {
        XCTAssertEqual(
            String(decoding: Signature.of([Array("Hi ".utf8), Array("There".utf8)], key: [UInt8](repeating: 0x0B, count: 20)), as: UTF8.self),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        XCTAssertEqual(
            String(decoding: Signature.of([Array("what do ya want for nothing?".utf8)], key: Array("Jefe".utf8)), as: UTF8.self),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    func testWrittenAndRead() throws {
        let key = Array("secret".utf8)
        let header = JSONValue.object([.init("msg_id", .string("a")), .init("msg_type", .string("x_request")), .init("date", .string("2026-11-28T12:30:00.250000Z"))])
        let message = Message(identities: [[1, 2]], header: header, parent: Message.empty, content: .object([.init("é", .string("ü\n"))]))
        let parts = message.parts(key: key)
        let back = try XCTUnwrap(Message(parts: parts, key: key))
        XCTAssertEqual(back.identities, [[1, 2]])
        XCTAssertEqual(back.type, "x_request")
        XCTAssertEqual(back.content, message.content)
        XCTAssertEqual(try XCTUnwrap(back.date).truncatingRemainder(dividingBy: 60), 0.25, accuracy: 1e-6)
        XCTAssertNil(Message(parts: parts, key: Array("other".utf8)), "signed by another key")
        for changed in 1..<parts.count {
            var broken = parts
            broken[changed] = Array("{}x".utf8)
            XCTAssertNil(Message(parts: broken, key: key), "part \(changed)")
            XCTAssertNil(Message(parts: Array(parts.dropLast(parts.count - changed)), key: key))
        }
    }

    func testDates() throws {
        let utc = try XCTUnwrap(ISODate.seconds("2026-11-28T12:30:00Z"))
        XCTAssertEqual(ISODate.seconds("2026-11-28T13:30:00+01:00"), utc)
        XCTAssertEqual(ISODate.seconds("2026-11-28T07:00:00-0530"), utc)
        XCTAssertEqual(ISODate.seconds("2026-11-28T12:30:00"), utc)
        XCTAssertNil(ISODate.seconds("yesterday"))
        XCTAssertEqual(try XCTUnwrap(ISODate.seconds(ISODate.now)), ISODate.seconds, accuracy: 5)
    }

    func testConnectionFiles() throws {
        let path = NSTemporaryDirectory() + "trellis-connection-\(getpid()).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        func read(_ text: String) throws -> ConnectionFile {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return try ConnectionFile(path: path)
        }
        let ports = "\"shell_port\": 1, \"iopub_port\": 2, \"stdin_port\": 3, \"control_port\": 4, \"hb_port\": 5"
        let file = try read("{\"transport\": \"tcp\", \"ip\": \"127.0.0.1\", \"key\": \"k\", \"signature_scheme\": \"hmac-sha256\", \(ports)}")
        XCTAssertEqual(file.address(.heartbeat), "tcp://127.0.0.1:5")
        XCTAssertThrowsError(try read("{}")) { XCTAssertTrue("\($0)".contains("'transport'"), "\($0)") }
        XCTAssertThrowsError(try read("{\"transport\": \"tcp\", \"ip\": \"x\", \"key\": \"k\", \"signature_scheme\": \"md5\", \(ports)}")) {
            XCTAssertTrue("\($0)".contains("hmac-sha256"), "\($0)")
        }
        XCTAssertThrowsError(try ConnectionFile(path: "/nowhere.json"))
    }
}
