import XCTest
@testable import Kernels

/// Matrix products against their definition in double precision.
final class MatrixTests: XCTestCase {
    func check(_ m: Int, _ n: Int, _ k: Int, _ ta: Bool, _ tb: Bool, alpha: Float = 1, beta: Float = 0, gap: Int = 0) {
        var numbers = ConvolutionTests.Numbers()
        let lda = (ta ? m : k) + gap, ldb = (tb ? k : n) + gap, ldc = n + gap
        let a = numbers.array((ta ? k : m) * lda), b = numbers.array((tb ? n : k) * ldb), c0 = numbers.array(m * ldc)
        let before = InstructionSet.current, threads = ThreadPool.threads
        defer {
            InstructionSet.current = before
            ThreadPool.threads = threads
        }
        for level in 2...before.rawValue {
            InstructionSet.current = InstructionSet(rawValue: level)!
            var first: [UInt32]?
            for t in [1, 2] {
                ThreadPool.threads = t
                var c = c0
                Matrix.multiply(
                    transposeA: ta, transposeB: tb, m: m, n: n, k: k, alpha: alpha, a: a, lda: lda, b: b, ldb: ldb, beta: beta, c: &c,
                    ldc: ldc)
                let what = "\(m)x\(n)x\(k) \(ta) \(tb) alpha \(alpha) beta \(beta) level \(level) threads \(t)"
                if let first {
                    XCTAssertEqual(first, c.map(\.bitPattern), "differs by threads: \(what)")
                    continue
                }
                first = c.map(\.bitPattern)
                // A sample of rows and columns of a large product is enough.
                for i in stride(from: 0, to: m, by: max(1, m / 40)) {
                    for j in 0..<ldc where j >= n || j % max(1, n / 40) == 0 {
                        var sum = j < n ? Double(beta) * Double(c0[i * ldc + j]) : Double(c0[i * ldc + j]), size = abs(sum) + 1
                        if j < n {
                            for l in 0..<k {
                                let left = ta ? a[l * lda + i] : a[i * lda + l], right = tb ? b[j * ldb + l] : b[l * ldb + j]
                                let p = Double(alpha) * Double(left) * Double(right)
                                sum += p
                                size += abs(p)
                            }
                        }
                        XCTAssertEqual(Double(c[i * ldc + j]), sum, accuracy: 2e-6 * size, what)
                    }
                }
            }
        }
    }

    func testSmall() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (8, 48, 16), (17, 33, 9), (40, 100, 31), (1, 64, 20), (64, 1, 20), (5, 5, 0)] {
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                check(m, n, k, ta, tb)
                check(m, n, k, ta, tb, alpha: -0.5, beta: 1, gap: 3)
                check(m, n, k, ta, tb, alpha: 2, beta: 0.25, gap: 1)
            }
        }
    }

    func testLarge() {
        check(257, 301, 600, false, false)
        check(300, 200, 700, true, true, alpha: 2, beta: 0.5)
    }

    func testNothingIsReadOfCWithBetaZero() {
        let a: [Float] = [1, 2], b: [Float] = [3, 4]
        var c: [Float] = [.nan]
        Matrix.multiply(m: 1, n: 1, k: 2, a: a, lda: 2, b: b, ldb: 1, c: &c, ldc: 1)
        XCTAssertEqual(c, [11])
    }

    func testBatched() {
        var numbers = ConvolutionTests.Numbers()
        let a = numbers.array(9 * 6), b = numbers.array(6)
        var c = [Float](repeating: 0, count: 9 * 4)
        Matrix.multiplyBatched(batch: 9, strideA: 6, strideB: 0, strideC: 4, m: 2, n: 2, k: 3, a: a, lda: 3, b: b, ldb: 2, c: &c, ldc: 2)
        for i in 0..<9 { for r in 0..<2 { for j in 0..<2 {
            let sum = (0..<3).reduce(Float(0)) { $0 + a[i * 6 + r * 3 + $1] * b[$1 * 2 + j] }
            XCTAssertEqual(c[i * 4 + r * 2 + j], sum, accuracy: 1e-5)
        }}}
    }
}
