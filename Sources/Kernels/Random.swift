import CKernels
import KernelsV2
import KernelsV3
import KernelsV4

/// Random numbers by Philox4x32-10: element i of a (seed, stream) pair is a function of these three alone, so the numbers are
/// the same on every machine, instruction-set level and number of threads, and any part of a stream can be drawn again.
public enum Random {
    /// A multiple of 4, so that a piece begins with a block.
    private static let grain = 4096

    /// `count` numbers of low ..< high, elements `offset` ... of the stream.
    public static func uniform(
        seed: UInt64, stream: UInt64, offset: UInt64 = 0, into: UnsafeMutablePointer<Float>, count: Int, low: Float = 0,
        high: Float = 1
    ) {
        ThreadPool.run((count + grain - 1) / grain) { piece in
            let first = piece * grain
            choose(KernelsV4.randomUniform, KernelsV3.randomUniform, KernelsV2.randomUniform)(
                seed, stream, offset &+ UInt64(first), into + first, min(grain, count - first), low, high)
        }
    }

    /// `count` numbers of the normal distribution, elements `offset` ... of the stream.
    public static func normal(
        seed: UInt64, stream: UInt64, offset: UInt64 = 0, into: UnsafeMutablePointer<Float>, count: Int, mean: Float = 0,
        deviation: Float = 1
    ) {
        ThreadPool.run((count + grain - 1) / grain) { piece in
            let first = piece * grain
            choose(KernelsV4.randomNormal, KernelsV3.randomNormal, KernelsV2.randomNormal)(
                seed, stream, offset &+ UInt64(first), into + first, min(grain, count - first), mean, deviation)
        }
    }

    /// A random order of 0 ..< count (Fisher and Yates); cut short by an interrupt.
    public static func permutation(seed: UInt64, stream: UInt64, count: Int) -> [Int32] {
        var order = (0..<Int32(count)).map { $0 }
        var generator = Generator(seed: seed, stream: stream)
        var i = count - 1
        while i > 0 {
            if i & 0xffff == 0, trellis_interrupt_pending() { break }
            order.swapAt(i, generator.below(i + 1))
            i -= 1
        }
        return order
    }

    /// The four words of block `counter` of a stream.
    public static func block(seed: UInt64, stream: UInt64, counter: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 4) { words in
            guard let words = words.baseAddress else { return (0, 0, 0, 0) }
            KernelsV2.philoxWords(counter, stream, seed, words)
            return (words[0], words[1], words[2], words[3])
        }
    }

    /// A stream read in order, 64 bits at a time; its state can be stored and goes on where it was.
    public struct Generator: RandomNumberGenerator, Codable, Hashable, Sendable {
        public var seed, stream: UInt64
        /// 64-bit words taken so far.
        public var position: UInt64

        public init(seed: UInt64, stream: UInt64, position: UInt64 = 0) {
            self.seed = seed
            self.stream = stream
            self.position = position
        }

        public mutating func next() -> UInt64 {
            let (a, b, c, d) = Random.block(seed: seed, stream: stream, counter: position / 2)
            defer { position &+= 1 }
            return position & 1 == 0 ? UInt64(a) | UInt64(b) << 32 : UInt64(c) | UInt64(d) << 32
        }

        /// A whole number of 0 ..< bound, each as likely (Lemire 2019).
        public mutating func below(_ bound: Int) -> Int {
            precondition(bound > 0, "a random number below \(bound)")
            let n = UInt64(bound)
            var product = next().multipliedFullWidth(by: n)
            if product.low < n {
                let least = (0 &- n) % n
                while product.low < least { product = next().multipliedFullWidth(by: n) }
            }
            return Int(product.high)
        }

        /// A number of 0 ..< 1 with 53 bits.
        public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
    }
}
