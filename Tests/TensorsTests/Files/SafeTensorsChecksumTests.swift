import Base
import Foundation
import XCTest
@testable import Tensors

final class SafeTensorsChecksumTests: XCTestCase {
    private var file = ""
    private var said: [String] = []

    override func setUp() {
        file = NSTemporaryDirectory() + "trellis-\(UUID().uuidString).safetensors"
        let before = Notice.listen { [weak self] in self?.said.append($0) }
        addTeardownBlock { [file] in
            Notice.listen(before)
            try? FileManager.default.removeItem(atPath: file)
        }
    }

    private func write(checksums: Bool) throws {
        let arrays = [
            try NamedArray(name: "w", shape: [2, 3], floats: [1, .nan, -0.0, 4, .infinity, 6]), try NamedArray(name: "n", shape: [2], ints: [7, -8]),
            try NamedArray(name: "none", shape: [0, 3], floats: []),
        ]
        try SafeTensors.write(arrays, metadata: ["run": "{\"epoch\": 3}", "note": "ä"], checksums: checksums, to: file)
    }

    private func bytes() throws -> [UInt8] { try Array(Data(contentsOf: URL(fileURLWithPath: file))) }

    func testAFileWithChecksumsReadsAsOneWithout() throws {
        try write(checksums: false)
        let plain = try SafeTensors.read(file)
        try write(checksums: true)
        let checked = try SafeTensors.read(file, expectsChecksums: true)
        XCTAssertEqual(checked.metadata, plain.metadata)
        XCTAssertEqual(checked.arrays.map(\.name), plain.arrays.map(\.name))
        XCTAssertEqual(checked.arrays.map { $0.floats.map(\.bitPattern) }, plain.arrays.map { $0.floats.map(\.bitPattern) })
        XCTAssertEqual(checked.arrays.map(\.ints), plain.arrays.map(\.ints))
        XCTAssertEqual(said, [])
        let before = try bytes()
        try write(checksums: true)
        XCTAssertEqual(try bytes(), before)
    }

    func testAFileWithoutIsReadWithAWordWhereOneIsExpected() throws {
        try write(checksums: false)
        XCTAssertEqual(try SafeTensors.read(file).arrays.count, 3)
        XCTAssertEqual(said, [])
        XCTAssertEqual(try SafeTensors.read(file, expectsChecksums: true).arrays.count, 3)
        XCTAssertEqual(said.count, 1)
        XCTAssertTrue(said[0].hasPrefix(file + ": no checksums"), said[0])
    }

    /// Any flipped bit, in the header or in the data, is an error that names the file.
    func testAnyFlippedBitIsFound() throws {
        try write(checksums: true)
        let good = try bytes()
        for place in good.indices {
            var bad = good
            bad[place] ^= 1 << UInt8(place % 8)
            try Data(bad).write(to: URL(fileURLWithPath: file))
            XCTAssertThrowsError(try SafeTensors.read(file), "byte \(place) of \(good.count)") { XCTAssertTrue("\($0)".hasPrefix(file), "\($0)") }
        }
        var bad = good
        bad[good.count - 1] ^= 0x80
        try Data(bad).write(to: URL(fileURLWithPath: file))
        XCTAssertThrowsError(try SafeTensors.read(file)) { XCTAssertTrue("\($0)".contains("tensor \"n\": damaged"), "\($0)") }
        // Who wants another tensor gets it.
        XCTAssertEqual(try SafeTensors.read(file) { $0 == "w" }.arrays.count, 1)
    }

    /// Another program may write the header anew, with other spaces; the tensors' sums are theirs still.
    func testAHeaderWrittenAnew() throws {
        try write(checksums: true)
        let good = try bytes()
        let length = good.little(Int.self, at: 0)
        let text = String(decoding: good[8..<8 + length], as: UTF8.self).replacingOccurrences(of: "\":\"", with: "\": \"")
        var header: [UInt8] = []
        header.append(little: UInt64(text.utf8.count))
        try Data(header + text.utf8 + good[(8 + length)...]).write(to: URL(fileURLWithPath: file))
        XCTAssertEqual(try SafeTensors.read(file, expectsChecksums: true).arrays.count, 3)
        XCTAssertEqual(said, [])
    }
}
