import XCTest
@testable import Tensors

/// Files written by NumPy, safetensors and PyTorch (Fixtures/make.py).
final class FileFixtureTests: XCTestCase {
    static func fixture(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)").path
    }

    private func check(_ array: NamedArray, _ name: String) {
        XCTAssertEqual(array.shape, [2, 3], name)
        let values = array.dtype == .float32 ? array.floats : array.ints.map(Float.init)
        XCTAssertEqual(values, [0, 1, 2, 3, 4, 5], name)
    }

    func testEveryNumPyType() throws {
        for name in ["f8", "f4", "f2", "i8", "u8", "i4", "u4", "i2", "u2", "i1", "u1", "big_f4", "big_i8"] {
            let array = try NPY.read(Self.fixture(name + ".npy"))
            check(array, name)
            XCTAssertEqual(array.dtype, name.contains("f") ? .float32 : .int32, name)
        }
        XCTAssertEqual(try NPY.read(Self.fixture("bool.npy")).ints, [0, 1, 0, 1, 0, 1])
    }

    func testShapes() throws {
        let fortran = try NPY.read(Self.fixture("fortran.npy"))
        XCTAssertEqual(fortran.shape, [2, 3, 4])
        XCTAssertEqual(fortran.floats, (0..<24).map(Float.init))
        let scalar = try NPY.read(Self.fixture("scalar.npy"))
        XCTAssertEqual(scalar.shape, [])
        XCTAssertEqual(scalar.floats, [1.5])
        XCTAssertEqual(try NPY.read(Self.fixture("row.npy")).shape, [3])
        let empty = try NPY.read(Self.fixture("empty.npy"))
        XCTAssertEqual(empty.shape, [0, 3])
        XCTAssertEqual(empty.count, 0)
    }

    func testWhatTensorsCannotHoldIsRefused() {
        for (name, words) in [
            ("too_large", "element 1 is 2147483648, which int32 cannot hold"), ("object", "Python objects"), ("text", "dtype <U4"),
            ("complex", "dtype <c16"), ("records", "structured dtype"),
        ] {
            XCTAssertThrowsError(try NPY.read(Self.fixture(name + ".npy"))) { error in
                XCTAssertTrue("\(error)".contains(words), "\(error)")
                XCTAssertTrue("\(error)".contains(name + ".npy"), "\(error)")
            }
        }
    }

    func testArchives() throws {
        for name in ["stored.npz", "deflated.npz"] {
            let arrays = try NPZ.read(Self.fixture(name))
            let byName = Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, $0) })
            check(try XCTUnwrap(byName["weights"]), name)
            check(try XCTUnwrap(byName["labels"]), name)
            XCTAssertEqual(byName["labels"]?.dtype, .int32)
            XCTAssertEqual(byName["half"]?.floats, [1, -2.5, 65504, 0x1p-24, .infinity])
        }
        let deflated = try NPZ.read(Self.fixture("deflated.npz"))
        XCTAssertEqual(deflated.first { $0.name == "zeros" }?.floats, [Float](repeating: 0, count: 10_000))
        XCTAssertThrowsError(try NPZ.read(Self.fixture("deflated.npz"), limit: 10_000)) {
            XCTAssertTrue("\($0)".contains("limit of 10000 bytes"), "\($0)")
        }
    }

    func testSafeTensors() throws {
        let (arrays, metadata) = try SafeTensors.read(Self.fixture("types.safetensors"))
        XCTAssertEqual(metadata, ["format": "pt", "note": "quote \" and é"])
        XCTAssertEqual(arrays.count, 12)
        for array in arrays {
            switch array.name {
            case "bool": XCTAssertEqual(array.ints, [0, 1, 0, 1, 0, 1])
            case "scalar": XCTAssertEqual(array.floats, [1.5])
            case "empty": XCTAssertEqual(array.shape, [0, 3])
            default: check(array, array.name)
            }
        }
        let some = try SafeTensors.read(Self.fixture("types.safetensors")) { $0 == "bfloat16" }
        XCTAssertEqual(some.arrays.map(\.name), ["bfloat16"])
        XCTAssertEqual(try SafeTensors.header(Self.fixture("types.safetensors")).entries.count, 12)
    }

    func testHalfPrecisionIsExact() {
        for (bits, value): (UInt16, Float) in [
            (0, 0), (0x8000, -0.0), (1, 0x1p-24), (0x03ff, 0x3ffp-24), (0x0400, 0x1p-14), (0x3c00, 1), (0x7bff, 65504),
            (0xfc00, -.infinity),
        ] {
            XCTAssertEqual(ElementConversion.half(bits).bitPattern, value.bitPattern)
        }
        XCTAssertTrue(ElementConversion.half(0x7e00).isNaN)
    }
}
