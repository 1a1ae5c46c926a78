import Base
import XCTest
@testable import Tensors

/// Files that are cut, contradict themselves or are not what they say: always an error, never a crash.
final class MalformedFileTests: XCTestCase {
    private var directory = ""

    override func setUpWithError() throws {
        directory = NSTemporaryDirectory() + "trellis-malformed-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    override func tearDown() { try? FileManager.default.removeItem(atPath: directory) }

    private func write(_ bytes: [UInt8], _ ending: String) -> String {
        let path = directory + "/x." + ending
        // Thousands of files: a new one each time, because ext4 syncs a file that was cut to nothing and rewritten.
        unlink(path)
        let file = fopen(path, "w")
        XCTAssertEqual(fwrite(bytes, 1, bytes.count, file), bytes.count)
        fclose(file)
        return path
    }

    private func refused(_ bytes: [UInt8], _ ending: String, _ words: String, line: UInt = #line) {
        let path = write(bytes, ending)
        XCTAssertThrowsError(try ArrayFile.read(path), line: line) { error in
            XCTAssertTrue(error is FileError, line: line)
            XCTAssertTrue("\(error)".hasPrefix(path + ": "), "\(error)", line: line)
            XCTAssertTrue("\(error)".contains(words), "\(error) does not say \(words)", line: line)
        }
    }

    private func sample(_ ending: String) throws -> [UInt8] {
        let arrays = [
            try NamedArray(name: "a", shape: [2, 3], floats: [1, 2, 3, 4, 5, 6]), try NamedArray(name: "b", shape: [2], ints: [7, 8]),
        ]
        let path = directory + "/sample." + ending
        try ArrayFile.write(ending == "npy" ? [arrays[0]] : arrays, to: path)
        return try Files.contents(path)
    }

    private func samples() throws -> [(bytes: [UInt8], ending: String)] {
        var all: [(bytes: [UInt8], ending: String)] = []
        for ending in ["npy", "npz", "safetensors"] { all.append((try sample(ending), ending)) }
        all.append((try Files.contents(FileFixtureTests.fixture("deflated.npz")), "npz"))
        all.append((try Files.contents(FileFixtureTests.fixture("types.safetensors")), "safetensors"))
        return all
    }

    func testTruncatedAtEveryByte() throws {
        for sample in try samples() {
            for length in 0..<sample.bytes.count {
                let path = write(Array(sample.bytes.prefix(length)), sample.ending)
                XCTAssertThrowsError(try ArrayFile.read(path), "\(sample.ending) cut to \(length) of \(sample.bytes.count) bytes")
            }
            refused(sample.bytes + [0], sample.ending, sample.ending == "npz" ? "no directory" : "trailing bytes")
        }
    }

    /// A few thousand seeded mutations: some are still valid files, none may crash or take long.
    func testMutations() throws {
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        var refusals = 0
        for sample in try samples() {
            for _ in 0..<1200 {
                var bytes = sample.bytes
                for _ in 0...random(3) {
                    let at = random(bytes.count)
                    switch random(4) {
                    case 0: bytes[at] ^= 1 << UInt8(random(8))
                    case 1: bytes[at] = [0, 0xff, 0x7f, 0x80][random(4)]
                    case 2: bytes.remove(at: at)
                    default: bytes.insert(bytes[random(bytes.count)], at: at)
                    }
                }
                do { _ = try ArrayFile.read(write(bytes, sample.ending)) } catch { refusals += 1 }
            }
        }
        XCTAssertGreaterThan(refusals, 3000)
    }

    private func safetensors(_ header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: length ?? UInt64(header.utf8.count))
        return bytes + Array(header.utf8) + [UInt8](repeating: 0, count: data)
    }

    private func tensor(_ name: String, _ shape: String, _ offsets: String, type: String = "F32") -> String {
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    func testSafeTensorsCorpus() {
        func check(_ members: String, data: Int, _ words: String, line: UInt = #line) {
            refused(safetensors("{\(members)}", data: data), "safetensors", words, line: line)
        }
        refused(safetensors("{}", data: 0, length: 100_000_001), "safetensors", "at most 100000000 bytes")
        refused(safetensors("{}", data: 0, length: .max), "safetensors", "at most 100000000 bytes")
        refused(safetensors("{}", data: 0, length: 50), "safetensors", "truncated")
        refused(safetensors("[]", data: 0), "safetensors", "begins with '{'")
        refused(safetensors(" {}", data: 0), "safetensors", "begins with '{'")
        refused(safetensors("{", data: 0), "safetensors", "not valid JSON")
        refused(safetensors("{\"\u{1}\":1}", data: 0), "safetensors", "control character")
        refused(safetensors(String(repeating: "{\"a\":", count: 500), data: 0), "safetensors", "levels of nesting")
        refused([4, 0, 0, 0, 0, 0, 0, 0] + Array("{\"".utf8) + [0xff, 0xfe], "safetensors", "not valid JSON")
        check(tensor("a", "[2]", "[0,8]") + "," + tensor("a", "[2]", "[8,16]"), data: 16, "every key once")
        check(tensor("a", "[2]", "[0,8]") + "," + tensor("b", "[2]", "[4,12]"), data: 12, "overlaps")
        check(tensor("a", "[2]", "[0,8]") + "," + tensor("b", "[2]", "[0,8]"), data: 8, "overlaps")
        check(tensor("a", "[2]", "[0,8]") + "," + tensor("b", "[2]", "[12,20]"), data: 20, "gap")
        check(tensor("a", "[2]", "[4,12]"), data: 12, "gap")
        check(tensor("a", "[2]", "[0,8]"), data: 9, "trailing bytes")
        check(tensor("a", "[2]", "[0,8]"), data: 7, "truncated")
        check("", data: 1, "trailing bytes")
        check(tensor("a", "[3]", "[0,8]"), data: 8, "needs 12 bytes")
        check(tensor("a", "[2]", "[8,0]"), data: 8, "data_offsets")
        check(tensor("a", "[2]", "[0,8,8]"), data: 8, "data_offsets")
        check(tensor("a", "[-2]", "[0,8]"), data: 8, "at least 0")
        check(tensor("a", "[2.0]", "[0,8]"), data: 8, "whole numbers")
        check(tensor("a", "[4294967296,4294967296]", "[0,0]"), data: 0, "more elements")
        check(tensor("a", "[0,4294967296,4294967296]", "[0,0]"), data: 0, "more elements")
        check(tensor("a", "[99999999999999999999]", "[0,0]"), data: 0, "whole numbers")
        check(tensor("a", "[\([String](repeating: "1", count: 65).joined(separator: ","))]", "[0,4]"), data: 4, "at most 64 dimensions")
        check(tensor("a", "[8]", "[0,8]", type: "F8_E4M3"), data: 8, "unknown dtype F8_E4M3")
        check(tensor("a", "[1]", "[0,1]", type: "BOOL").replacingOccurrences(of: "shape", with: "size"), data: 1, "shape")
        check("\"a\":3", data: 0, "expected a table")
        check("\"__metadata__\":{\"a\":1}", data: 0, "strings")
        check("\"__metadata__\":[]", data: 0, "table")
        XCTAssertNoThrow(try SafeTensors.read(write(safetensors("{}   ", data: 0), "safetensors")))
        XCTAssertNoThrow(try SafeTensors.read(write(
            safetensors("{\(tensor("b", "[2]", "[0,8]")),\(tensor("z", "[0]", "[8,8]")),\(tensor("y", "[0]", "[0,0]"))}", data: 8),
            "safetensors")))
    }

    func testSafeTensorsBoolMustBeZeroOrOne() {
        var bytes = safetensors("{\(tensor("a", "[1]", "[0,1]", type: "BOOL"))}", data: 1)
        bytes[bytes.count - 1] = 2
        refused(bytes, "safetensors", "where a bool is 0 or 1")
    }

    private func npy(_ header: String, data: Int, version: UInt8 = 1) -> [UInt8] {
        var bytes = NPY.magic + [version, 0]
        if version == 1 { bytes.append(little: UInt16(header.utf8.count)) } else { bytes.append(little: UInt32(header.utf8.count)) }
        return bytes + Array(header.utf8) + [UInt8](repeating: 0, count: data)
    }

    func testNPYCorpus() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
        for version: UInt8 in 1...3 { XCTAssertNoThrow(try NPY.read(write(npy(good, data: 8, version: version), "npy"))) }
        func check(_ from: String, _ to: String, _ words: String, data: Int = 8, line: UInt = #line) {
            refused(npy(good.replacingOccurrences(of: from, with: to), data: data), "npy", words, line: line)
        }
        refused(Array("PK\u{3}\u{4}nothing".utf8), "npy", "begins with \\x93NUMPY")
        refused(npy(good, data: 8, version: 4), "npy", "version")
        refused(npy(good, data: 7), "npy", "truncated")
        refused(npy(good, data: 9), "npy", "trailing bytes")
        check("(2,)", "(2)", "expected ','")
        check("(2,)", "(-2,)", "whole number")
        check("(2,)", "(2,, )", "whole number")
        check("(2,)", "[2]", "expected '('")
        check("(2,)", "(4294967296, 4294967296)", "more elements")
        check("(2,)", "(99999999999999999999,)", "64 bits")
        check("(2,)", "(1+1,)", "expected ','")
        check("False", "false", "True or False")
        check("False", "0", "True or False")
        check("'shape'", "'size'", "unknown key 'size'")
        check("'fortran_order': False, ", "", "expected the keys")
        check("'fortran_order': False", "'descr': '<f4'", "twice")
        check("'<f4'", "'<f3'", "dtype <f3")
        check("'<f4'", "'|f4'", "dtype |f4")
        check("'<f4'", "'|O'", "Python objects")
        check("'<f4'", "'<\\x664'", "escape")
        check("'<f4'", "__import__('os')", "expected a string")
        check("}\n", "} + 1\n", "expected its end")
        check("}\n", "\n", "expected a string")
        check("{", "", "expected '{'")
        var huge = NPY.magic + [2, 0]
        huge.append(little: UInt32.max)
        refused(huge, "npy", "header of at most")
    }

    func testNPZCorpus() throws {
        let good = try sample("npz")
        func find(_ signature: UInt32, in bytes: [UInt8]) throws -> Int {
            try XCTUnwrap((0..<bytes.count - 4).first { bytes.little(UInt32.self, at: $0) == signature })
        }
        let directory = try find(0x0201_4b50, in: good)
        let second = try XCTUnwrap((directory + 4..<good.count - 4).first { good.little(UInt32.self, at: $0) == 0x0201_4b50 })
        let end = try find(0x0605_4b50, in: good)
        func check(_ at: Int, _ values: [UInt8], _ words: String, line: UInt = #line) {
            var bytes = good
            bytes.replaceSubrange(at..<at + values.count, with: values)
            refused(bytes, "npz", words, line: line)
        }
        check(directory + 8, [1], "encrypted")
        check(directory + 10, [12], "compression method 12")
        check(directory + 16, [0, 0], "checksum")
        check(directory + 24, [0xff], "expected")
        check(second + 42, [0, 0], "does not match the directory")
        check(second + 46, Array("a".utf8), "twice")
        check(directory + 46, Array("c".utf8), "does not match the directory")
        check(end + 10, [9], "entries in a directory")
        check(end + 10, [1], "unexplained bytes")
        check(end + 16, [0xff, 0xff, 0xff, 0x7f], "outside the file")
        check(end + 16, [0xff, 0xff, 0xff, 0xff], "ZIP64")
        check(end + 4, [1], "several files")
        check(directory + 20, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "ZIP64")
        refused([], "npz", "only 0 bytes")
    }

    func testABombIsRefusedBeforeItExpands() throws {
        var bytes = try Files.contents(FileFixtureTests.fixture("deflated.npz"))
        let record = try XCTUnwrap((0..<bytes.count - 4).first { bytes.little(UInt32.self, at: $0) == 0x0201_4b50 })
        bytes.replaceSubrange(record + 24..<record + 28, with: [0xfe, 0xff, 0xff, 0xff])
        refused(bytes, "npz", "more than deflate can")
    }

    func testOverlappingEntriesAreRefused() throws {
        // The second entry's record names the first one's bytes under the first one's name: caught as a duplicate. With
        // both local headers naming different entries the stretch of the first is enlarged over the second.
        var bytes = try sample("npz")
        let record = try XCTUnwrap((0..<bytes.count - 4).first { bytes.little(UInt32.self, at: $0) == 0x0201_4b50 })
        let size = bytes.little(UInt32.self, at: record + 20) + 40
        var field: [UInt8] = []
        for _ in 0..<2 { field.append(little: size) }
        bytes.replaceSubrange(record + 20..<record + 28, with: field)
        refused(bytes, "npz", "overlaps")
    }
}
