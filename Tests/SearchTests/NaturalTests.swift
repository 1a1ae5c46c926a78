import XCTest
@testable import Search

final class NaturalTests: XCTestCase {
    func testArithmeticAgainstMachineIntegers() {
        var generator = SplitMix64(seed: 1)
        for _ in 0..<2000 {
            let shift = SplitMix64.below(33, using: &generator)
            let a = Int(generator.next() >> 33) >> shift
            let b = Int(generator.next() >> 33)
            XCTAssertEqual((Natural(a) + Natural(b)).int, a + b)
            XCTAssertEqual((Natural(a) * Natural(b)).int, a * b)
            XCTAssertEqual((Natural(max(a, b)) - Natural(min(a, b))).int, abs(a - b))
            XCTAssertEqual(Natural(a) < Natural(b), a < b)
            XCTAssertEqual(Natural(a).description, "\(a)")
            XCTAssertEqual(Natural(a).bitWidth, Int.bitWidth - a.leadingZeroBitCount)
            let divisor = UInt32(truncatingIfNeeded: b | 1)
            XCTAssertEqual(Natural(a).dividedBy(divisor).quotient.int, a / Int(divisor))
            XCTAssertEqual(Natural(a).dividedBy(divisor).remainder, UInt32(a % Int(divisor)))
        }
    }

    func testLargeNumbers() {
        // 40! and 2^200, from Python.
        let factorial = (1...40).reduce(Natural(1)) { $0 * Natural($1) }
        XCTAssertEqual(factorial.description, "815915283247897734345611269596115894272000000000")
        XCTAssertEqual(factorial.grouped, "815,915,283,247,897,734,345,611,269,596,115,894,272,000,000,000")
        let power = Natural(1) << 200
        XCTAssertEqual(power.description, "1606938044258990275541962092341162602522202993782792835301376")
        XCTAssertEqual(power.bitWidth, 201)
        XCTAssertNil(power.int)
        XCTAssertEqual(power.double, 0x1p200)
        XCTAssertEqual((power - Natural(1)).bitWidth, 200)
        XCTAssertEqual(power - Natural(1) + Natural(1), power)
        XCTAssertEqual(Natural(5) << 67, Natural(5) * (Natural(1) << 67))
        XCTAssertEqual(Natural(UInt64.max).description, "18446744073709551615")
    }

    func testZero() {
        let zero: Natural = 0
        XCTAssertTrue(zero.isZero)
        XCTAssertEqual(zero.description, "0")
        XCTAssertEqual(zero.bitWidth, 0)
        XCTAssertEqual(zero * Natural(7), 0)
        XCTAssertEqual(zero + zero, 0)
        XCTAssertEqual(Natural(7) - Natural(7), 0)
        XCTAssertEqual(zero << 40, 0)
        XCTAssertEqual(zero.int, 0)
    }

    func testRandomIsEvenAndBelow() {
        var generator = SplitMix64(seed: 3)
        var hits = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 { hits[SplitMix64.below(10, using: &generator)] += 1 }
        for count in hits { XCTAssertEqual(Double(count), 1000, accuracy: 150) }
        let large = Natural(1) << 70
        for _ in 0..<100 { XCTAssertLessThan(Natural.random(below: large, using: &generator), large) }
        XCTAssertEqual(Natural.random(below: 1, using: &generator), 0)
    }

    func testExactProducts() {
        func product(_ factors: [Double]) -> ExactProduct {
            var product = ExactProduct()
            for factor in factors { product.multiply(by: factor) }
            return product
        }
        let factors: [Double] = [0.1, 0.7, 1 / 3, 1e-300, .leastNonzeroMagnitude, .leastNormalMagnitude, 1, 0.5]
        XCTAssertEqual(product(factors), product(factors.reversed()))
        XCTAssertEqual(product([0.5, 0.5]), product([0.25, 1]))
        XCTAssertLessThan(product([0.1, 0.1]), product([0.1, 0.1.nextUp]))
        XCTAssertLessThan(product(factors), product([1e-300]))
        XCTAssertLessThan(product([0.25]), product([0.75]))
        // 0.1 is not a tenth.
        XCTAssertNotEqual(product([0.1, 0.1]), product([0.01]))
    }
}
