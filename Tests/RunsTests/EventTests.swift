import Base
import Foundation
import XCTest

@testable import Runs

/// Event files as TensorBoard reads them, byte for byte where its framing says so.
final class EventTests: XCTestCase {
    private var directory = ""

    override func setUp() {
        var template = Array("/tmp/trellis-runs-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template))
    }

    override func tearDown() { try? FileManager.default.removeItem(atPath: directory) }

    /// RFC 3720, B.4, and the check value of the polynomial.
    func testChecksums() {
        XCTAssertEqual(CRC32C.of([UInt8](repeating: 0, count: 32)), 0x8A91_36AA)
        XCTAssertEqual(CRC32C.of([UInt8](repeating: 0xFF, count: 32)), 0x62A8_AB43)
        XCTAssertEqual(CRC32C.of(Array(0..<32)), 0x46DD_794E)
        XCTAssertEqual(CRC32C.of(Array("123456789".utf8)), 0xE306_9283)
    }

    func testFraming() {
        let framed = EventRecords.framed(Array("abc".utf8))
        XCTAssertEqual(framed.count, 8 + 4 + 3 + 4)
        XCTAssertEqual(Array(framed[..<8]), [3, 0, 0, 0, 0, 0, 0, 0])
        let crc = CRC32C.of(Array("abc".utf8))
        let masked = (crc >> 15 | crc << 17) &+ 0xA282_EAD8
        XCTAssertEqual(Array(framed[15...]), withUnsafeBytes(of: masked.littleEndian) { Array($0) })
    }

    func testScalarsComeBack() throws {
        let writer = try EventWriter(in: directory, from: 1)
        for step in 1...5 { try writer.add(scalars: [("loss", 1 / Double(step)), ("lr", 0.5)], step: step) }
        try writer.add(histogram: XCTUnwrap(EventHistogram([0, 1, 2, .nan])), tag: "alpha", step: 5)
        try writer.add(png: [1, 2, 3], width: 1, height: 1, channels: 3, tag: "picture", step: 5)
        try writer.flush()
        let curves = try Curves(of: directory)
        XCTAssertEqual(curves.points["loss"], (1...5).map { Curves.Point(step: $0, value: Double(Float(1 / Double($0)))) })
        XCTAssertEqual(curves.points["lr"]?.count, 5)
        XCTAssertEqual(curves.others, ["alpha": 1, "picture": 1])
    }

    /// Steps that a run does again after a kill count once; what the kill left of a record is passed over, a flipped bit is not.
    func testGoingOn() throws {
        var first: EventWriter? = try EventWriter(in: directory, from: 1)
        for step in 1...6 { try first?.add(scalars: [("loss", Double(step))], step: step) }
        try first?.flush()
        let path = try XCTUnwrap(first).path
        first = nil
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes.removeLast(7)
        try bytes.write(to: URL(fileURLWithPath: path))
        XCTAssertEqual(try Curves(of: directory).points["loss"]?.count, 5)
        let second = try EventWriter(in: directory, from: 4)
        XCTAssertNotEqual(second.path, path)
        XCTAssertLessThan(path, second.path)
        for step in 4...7 { try second.add(scalars: [("loss", 10 * Double(step))], step: step) }
        try second.flush()
        XCTAssertEqual(try Curves(of: directory).points["loss"]?.map(\.value), [1, 2, 3, 40, 50, 60, 70])
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        XCTAssertThrowsError(try Curves(of: directory)) { XCTAssertTrue("\($0)".contains("does not have the checksum"), "\($0)") }
    }

    func testHistogram() throws {
        let histogram = try XCTUnwrap(EventHistogram((0..<60).map(Float.init)))
        XCTAssertEqual(histogram.counts, [Double](repeating: 2, count: 30))
        XCTAssertEqual(histogram.limits.last, 59)
        XCTAssertEqual(histogram.sum, 1770)
        XCTAssertEqual(EventHistogram([3, 3])?.counts, [2])
        XCTAssertNil(EventHistogram([.nan, .infinity]))
    }
}
