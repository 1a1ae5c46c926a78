import Base

/// A natural number of any size.
///
/// The counts of a space leave 64 bits at the paper's own size (75,025 paths times 5.6e14 cells is 4.2e19), and the exact
/// products that decide between nearly equal paths need hundreds of bits. What is needed of a big number is little enough
/// that a package for it would be the larger part.
public struct Natural: Hashable, Comparable, Sendable, CustomStringConvertible, ExpressibleByIntegerLiteral {
    /// Least significant limb first, no zero at the end; zero is empty.
    private var limbs: [UInt32]

    public init(_ value: UInt64) {
        limbs = [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
        trim()
    }

    /// - Precondition: `value` is not negative.
    public init(_ value: Int) {
        precondition(value >= 0, "a natural number is not negative")
        self.init(UInt64(value))
    }

    public init(integerLiteral value: UInt64) { self.init(value) }

    private init(limbs: [UInt32]) {
        self.limbs = limbs
        trim()
    }

    private mutating func trim() {
        while limbs.last == 0 { limbs.removeLast() }
    }

    public var isZero: Bool { limbs.isEmpty }

    /// The position of the highest bit that is set, plus one; 0 for zero.
    public var bitWidth: Int {
        limbs.last.map { 32 * limbs.count - $0.leadingZeroBitCount } ?? 0
    }

    /// The number itself where it fits.
    public var int: Int? {
        guard bitWidth <= 63 else { return nil }
        return limbs.reversed().reduce(0) { $0 << 32 | Int($1) }
    }

    /// The nearest double to within a few units in the last place; infinite above the largest.
    public var double: Double {
        limbs.reversed().reduce(0) { $0 * 4_294_967_296 + Double($1) }
    }

    public static func + (a: Natural, b: Natural) -> Natural {
        var sum: [UInt32] = []
        var carry: UInt64 = 0
        for i in 0..<max(a.limbs.count, b.limbs.count) {
            carry += UInt64(i < a.limbs.count ? a.limbs[i] : 0) + UInt64(i < b.limbs.count ? b.limbs[i] : 0)
            sum.append(UInt32(truncatingIfNeeded: carry))
            carry >>= 32
        }
        return Natural(limbs: sum + [UInt32(carry)])
    }

    /// - Precondition: `a >= b`.
    public static func - (a: Natural, b: Natural) -> Natural {
        precondition(a >= b, "the difference of natural numbers must not be negative")
        var rest = a.limbs
        var borrow: Int64 = 0
        for i in rest.indices {
            let digit = Int64(rest[i]) - (i < b.limbs.count ? Int64(b.limbs[i]) : 0) + borrow
            rest[i] = UInt32(truncatingIfNeeded: digit)
            borrow = digit >> 32
        }
        return Natural(limbs: rest)
    }

    public static func * (a: Natural, b: Natural) -> Natural {
        guard !a.isZero, !b.isZero else { return 0 }
        var product = [UInt32](repeating: 0, count: a.limbs.count + b.limbs.count)
        for i in a.limbs.indices {
            var carry: UInt64 = 0
            for j in b.limbs.indices {
                carry += UInt64(a.limbs[i]) * UInt64(b.limbs[j]) + UInt64(product[i + j])
                product[i + j] = UInt32(truncatingIfNeeded: carry)
                carry >>= 32
            }
            product[i + b.limbs.count] = UInt32(carry)
        }
        return Natural(limbs: product)
    }

    public static func += (a: inout Natural, b: Natural) { a = a + b }
    public static func -= (a: inout Natural, b: Natural) { a = a - b }
    public static func *= (a: inout Natural, b: Natural) { a = a * b }

    public static func << (a: Natural, bits: Int) -> Natural {
        guard bits > 0, !a.isZero else { return a }
        var shifted = [UInt32](repeating: 0, count: bits / 32)
        var carry: UInt64 = 0
        for limb in a.limbs {
            carry |= UInt64(limb) << UInt64(bits % 32)
            shifted.append(UInt32(truncatingIfNeeded: carry))
            carry >>= 32
        }
        return Natural(limbs: shifted + [UInt32(carry)])
    }

    /// Quotient and remainder by a small number.
    public func dividedBy(_ divisor: UInt32) -> (quotient: Natural, remainder: UInt32) {
        precondition(divisor > 0, "division by zero")
        var quotient = limbs
        var remainder: UInt64 = 0
        for i in limbs.indices.reversed() {
            let digit = remainder << 32 | UInt64(limbs[i])
            quotient[i] = UInt32(digit / UInt64(divisor))
            remainder = digit % UInt64(divisor)
        }
        return (Natural(limbs: quotient), UInt32(remainder))
    }

    /// Quotient and remainder, bit by bit: the numbers of architectures have some hundreds.
    /// - Precondition: `divisor` is not zero.
    public func quotientAndRemainder(dividingBy divisor: Natural) -> (quotient: Natural, remainder: Natural) {
        precondition(!divisor.isZero, "division by zero")
        if divisor.limbs.count == 1 {
            let (quotient, remainder) = dividedBy(divisor.limbs[0])
            return (quotient, Natural(UInt64(remainder)))
        }
        guard self >= divisor else { return (0, self) }
        var quotient = [UInt32](repeating: 0, count: limbs.count)
        var remainder = self
        for bit in (0...(bitWidth - divisor.bitWidth)).reversed() {
            let part = divisor << bit
            guard part <= remainder else { continue }
            remainder -= part
            quotient[bit / 32] |= 1 << UInt32(bit % 32)
        }
        return (Natural(limbs: quotient), remainder)
    }

    public static func < (a: Natural, b: Natural) -> Bool {
        if a.limbs.count != b.limbs.count { return a.limbs.count < b.limbs.count }
        for i in a.limbs.indices.reversed() where a.limbs[i] != b.limbs[i] { return a.limbs[i] < b.limbs[i] }
        return false
    }

    /// A number below `bound`, each equally likely: bits are drawn until they fall below it.
    public static func random(below bound: Natural, using generator: inout some RandomNumberGenerator) -> Natural {
        precondition(!bound.isZero, "there is no natural number below zero")
        let bits = bound.bitWidth
        while true {
            var drawn = (0..<bound.limbs.count).map { _ in UInt32(truncatingIfNeeded: generator.next() >> 32) }
            if bits % 32 != 0 { drawn[drawn.count - 1] &= UInt32(1) << UInt32(bits % 32) - 1 }
            let number = Natural(limbs: drawn)
            if number < bound { return number }
        }
    }

    /// Decimal digits without grouping.
    public var description: String {
        var groups: [String] = []
        var rest = self
        while !rest.isZero {
            let (quotient, remainder) = rest.dividedBy(1_000_000_000)
            let digits = String(remainder)
            groups.append(quotient.isZero ? digits : String(repeating: "0", count: 9 - digits.count) + digits)
            rest = quotient
        }
        return groups.isEmpty ? "0" : groups.reversed().joined()
    }

    /// Decimal digits in groups of three: `556,627,761,561,600`.
    public var grouped: String { NumberText.grouped(digits: description) }
}
