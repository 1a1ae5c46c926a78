import Base
import XCTest
@testable import Tensors

/// What is written is read back, and a failed write leaves what was there.
final class FileRoundTripTests: XCTestCase {
    private var directory = ""

    override func setUpWithError() throws {
        directory = NSTemporaryDirectory() + "trellis-files-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    override func tearDown() { try? FileManager.default.removeItem(atPath: directory) }

    private func path(_ name: String) -> String { directory + "/" + name }

    private func arrays() throws -> [NamedArray] {
        [
            try NamedArray(name: "b.weight", shape: [2, 2], floats: [1, -.infinity, 0.1, -0.0]),
            try NamedArray(name: "labels", shape: [3], ints: [.min, 0, .max]),
            try NamedArray(name: "a", shape: [], floats: [7]),
            try NamedArray(name: "none", shape: [4, 0], floats: []),
            try NamedArray(name: "long", shape: [100_003], floats: (0..<100_003).map(Float.init)),
        ]
    }

    private func bits(_ array: NamedArray) -> [UInt32] { Array(array.buffer.elements(of: UInt32.self)) }

    func testAllFormats() throws {
        for name in ["x.npz", "x.safetensors", "x.SafeTensors"] {
            let written = try arrays()
            try ArrayFile.write(written, metadata: name.hasSuffix("s") ? ["k": "v\n\u{1}"] : [:], to: path(name))
            let (read, metadata) = try ArrayFile.read(path(name))
            XCTAssertEqual(metadata, name.hasSuffix("s") ? ["k": "v\n\u{1}"] : [:])
            XCTAssertEqual(Set(read.map(\.name)), Set(written.map(\.name)))
            for array in written {
                let same = try XCTUnwrap(read.first { $0.name == array.name })
                XCTAssertEqual(same.shape, array.shape)
                XCTAssertEqual(same.dtype, array.dtype)
                XCTAssertEqual(bits(same), bits(array))
            }
        }
        for array in try arrays() {
            try ArrayFile.write([array], to: path("x.npy"))
            let same = try NPY.read(path("x.npy"))
            XCTAssertEqual(same.shape, array.shape)
            XCTAssertEqual(bits(same), bits(array))
        }
    }

    func testSameArraysGiveTheSameBytesInAnyOrder() throws {
        let written = try arrays()
        try SafeTensors.write(written, metadata: ["x": "1", "a": "2"], to: path("1.safetensors"))
        try SafeTensors.write(written.reversed(), metadata: ["a": "2", "x": "1"], to: path("2.safetensors"))
        XCTAssertEqual(try Files.contents(path("1.safetensors")), try Files.contents(path("2.safetensors")))
    }

    func testSafeTensorsBytesAreThoseOfTheReferenceWriter() throws {
        let reference = FileFixtureTests.fixture("same.safetensors")
        let (arrays, metadata) = try SafeTensors.read(reference)
        XCTAssertEqual(arrays.map(\.name), ["a", "z.weight", "labels"])
        try SafeTensors.write(arrays.reversed(), metadata: metadata, to: path("x.safetensors"))
        XCTAssertEqual(try Files.contents(path("x.safetensors")), try Files.contents(reference))
    }

    func testNPYBytesAreThoseOfNumPy() throws {
        for name in ["f4", "i4", "scalar", "row", "empty"] {
            let reference = FileFixtureTests.fixture(name + ".npy")
            try NPY.write(try NPY.read(reference), to: path("x.npy"))
            XCTAssertEqual(try Files.contents(path("x.npy")), try Files.contents(reference), name)
        }
    }

    func testNamesThatCannotBeWritten() throws {
        let one = try NamedArray(name: "a", shape: [1], floats: [1])
        XCTAssertThrowsError(try SafeTensors.write([one, one], to: path("x.safetensors")))
        XCTAssertThrowsError(try NPZ.write([one, one], to: path("x.npz")))
        XCTAssertThrowsError(try NPZ.write([try NamedArray(shape: [1], floats: [1])], to: path("x.npz")))
        XCTAssertThrowsError(try ArrayFile.write([one, one], to: path("x.npy")))
        XCTAssertThrowsError(try ArrayFile.write([one], to: path("x.bin"))) { XCTAssertTrue("\($0)".contains(".safetensors")) }
        XCTAssertThrowsError(try ArrayFile.write([one], metadata: ["a": "b"], to: path("x.npy")))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: directory), [])
    }

    func testAFullDiskSaysSo() throws {
        guard FileManager.default.fileExists(atPath: "/dev/full") else { throw XCTSkip("no /dev/full here") }
        XCTAssertThrowsError(try SafeTensors.write(try arrays(), to: "/dev/full")) {
            XCTAssertTrue("\($0)".contains("No space left on device"), "\($0)")
            XCTAssertTrue("\($0)".contains("free some space"), "\($0)")
        }
    }

    func testAFileBeyondTheSizeLimitLeavesThePreviousOne() throws {
        try AtomicFile.write("before".utf8, to: path("state.safetensors"))
        let big = try NamedArray(name: "big", shape: [1 << 18], floats: [Float](repeating: 1, count: 1 << 18))
        // A limit on the size of files stands in for a small disk: the write stops in the middle.
        var old = rlimit()
        getrlimit(__rlimit_resource_t(1), &old)
        var new = rlimit(rlim_cur: 200_000, rlim_max: old.rlim_max)
        let handler = signal(SIGXFSZ, SIG_IGN)
        setrlimit(__rlimit_resource_t(1), &new)
        defer {
            setrlimit(__rlimit_resource_t(1), &old)
            signal(SIGXFSZ, handler)
        }
        XCTAssertThrowsError(try SafeTensors.write([big], to: path("state.safetensors"))) {
            XCTAssertTrue("\($0)".contains("the previous file is unchanged"), "\($0)")
        }
        XCTAssertEqual(try Files.contents(path("state.safetensors")), Array("before".utf8))
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: directory), ["state.safetensors"])
    }

    func testSymbolicLinksAndPermissionsSurvive() throws {
        try AtomicFile.write("1".utf8, to: path("real"))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path("real"))
        try FileManager.default.createSymbolicLink(atPath: path("link"), withDestinationPath: path("real"))
        try AtomicFile.write("2".utf8, to: path("link"))
        XCTAssertEqual(try Files.contents(path("real")), Array("2".utf8))
        XCTAssertEqual(try FileManager.default.destinationOfSymbolicLink(atPath: path("link")), path("real"))
        XCTAssertEqual(try FileManager.default.attributesOfItem(atPath: path("real"))[.posixPermissions] as? Int, 0o600)
    }

    func testBadPaths() {
        for bad in [directory, path("no/such/x.npy"), path("missing.npy"), "/dev/null"] {
            XCTAssertThrowsError(try NPY.read(bad)) { XCTAssertTrue("\($0)".contains(bad), "\($0)") }
        }
        XCTAssertThrowsError(try AtomicFile.write("x".utf8, to: path("no/such/dir"))) {
            XCTAssertTrue("\($0)".contains("create the directory first"), "\($0)")
        }
        XCTAssertThrowsError(try AtomicFile.write("x".utf8, to: directory))
    }
}
