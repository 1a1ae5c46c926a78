import XCTest
@testable import Kernels

/// Float memory of a test; `data` is what a kernel reads or writes, followed by a guard that no kernel may touch.
final class Floats {
    let data: UnsafeMutablePointer<Float>
    let count: Int
    private static let margin = 64
    private static let mark: Float = -12345.678

    init(_ values: [Float]) {
        count = values.count
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: count + 2 * Floats.margin)
        memory.initialize(repeating: Floats.mark, count: count + 2 * Floats.margin)
        data = memory + Floats.margin
        for (i, v) in values.enumerated() { data[i] = v }
    }

    convenience init(count: Int, _ value: Float = .nan) { self.init(Array(repeating: value, count: count)) }

    deinit { (data - Floats.margin).deallocate() }

    /// The values; fails where a kernel wrote outside.
    func values(file: StaticString = #filePath, line: UInt = #line) -> [Float] {
        for i in 1...Floats.margin {
            XCTAssertEqual(data[-i], Floats.mark, "written before the memory", file: file, line: line)
            XCTAssertEqual(data[count + i - 1], Floats.mark, "written behind the memory", file: file, line: line)
        }
        return (0..<count).map { data[$0] }
    }
}

/// Numbers that look random and are the same in every run.
struct Noise {
    private var generator: Random.Generator

    init(_ seed: UInt64) { generator = Random.Generator(seed: seed, stream: 0) }

    mutating func floats(_ count: Int, scale: Float = 1, shift: Float = 0) -> [Float] {
        (0..<count).map { _ in Float(generator.uniform() * 2 - 1) * scale + shift }
    }

    mutating func integers(_ count: Int, _ bound: Int) -> [Float] { (0..<count).map { _ in Float(generator.below(bound)) } }
}

extension XCTestCase {
    /// Runs `body` on every instruction-set level that this machine has, with 1, 2 and 3 threads; what it returns must be
    /// the same bits for any number of threads.
    func onEveryLevel(file: StaticString = #filePath, line: UInt = #line, _ body: (String) -> [[Float]]) {
        let best = InstructionSet.current
        defer {
            InstructionSet.current = best
            ThreadPool.threads = 2
        }
        for level in [InstructionSet.v2, .v3, .v4] where level.rawValue <= best.rawValue {
            InstructionSet.current = level
            ThreadPool.threads = 1
            let alone = body("level \(level)").map { $0.map(\.bitPattern) }
            for threads in [2, 3] {
                ThreadPool.threads = threads
                let shared = body("level \(level), \(threads) threads").map { $0.map(\.bitPattern) }
                XCTAssertEqual(alone, shared, "level \(level): \(threads) threads give other bits than one", file: file, line: line)
            }
        }
    }

    /// Every element within `tolerance` of the expected, relative to the largest expected magnitude (at least 1).
    func assertClose(
        _ got: [Float], _ expected: [Double], _ tolerance: Double, _ message: String, file: StaticString = #filePath,
        line: UInt = #line
    ) {
        guard got.count == expected.count else {
            return XCTFail("\(message): \(got.count) elements instead of \(expected.count)", file: file, line: line)
        }
        let size = max(1, expected.filter { $0.isFinite }.map(abs).max() ?? 1)
        for i in got.indices {
            let same = expected[i].isFinite
                ? abs(Double(got[i] - Float(expected[i]))) <= tolerance * size
                : (expected[i].isNaN ? got[i].isNaN : Double(got[i]) == expected[i])
            if !same {
                return XCTFail("\(message): element \(i) is \(got[i]) instead of \(expected[i])", file: file, line: line)
            }
        }
    }
}
