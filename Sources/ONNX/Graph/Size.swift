/// A number of a recorded network that may depend on the images: what it is in each of the recordings (`SizedGraph.probes`).
struct Size: Hashable {
    /// One number where it is the same in all.
    private let values: [Int]

    init(_ fixed: Int) { values = [fixed] }

    /// - Parameter values: by recording.
    init(_ values: [Int]) { self.values = values.allSatisfy { $0 == values[0] } ? [values[0]] : values }

    /// The number itself when it depends on nothing.
    var fixed: Int? { values.count == 1 ? values[0] : nil }

    /// The number in a recording.
    subscript(probe: Int) -> Int { values.count == 1 ? values[0] : values[probe] }

    private static func combine(_ a: Size, _ b: Size, _ body: (Int, Int) -> Int) -> Size {
        Size((0..<max(a.values.count, b.values.count)).map { body(a[$0], b[$0]) })
    }

    static func + (a: Size, b: Size) -> Size { combine(a, b, &+) }
    static func - (a: Size, b: Size) -> Size { combine(a, b, &-) }
    static func * (a: Size, b: Size) -> Size { combine(a, b, &*) }
    static func + (a: Size, b: Int) -> Size { a + Size(b) }
    static func * (a: Size, b: Int) -> Size { a * Size(b) }
    /// Rounded down, of numbers that are not negative.
    static func / (a: Size, b: Int) -> Size { combine(a, Size(b), /) }

    /// "49, 121, 169".
    var text: String { values.map(String.init).joined(separator: ", ") }
}

/// How a size follows from others; it was found by trying, and holds in all recordings.
enum SizeRule: Hashable {
    /// factor·u + offset.
    case linear(factor: Int, offset: Int)
    /// (u + more) / by, rounded down.
    case quotient(by: Int, more: Int)

    /// The first rule that makes `size` of `other`.
    init?(_ size: Size, of other: Size, probes: Int) {
        guard let apart = (1..<probes).first(where: { other[$0] != other[0] }) else { return nil }
        let (rise, run) = (size[apart] - size[0], other[apart] - other[0])
        if run != 0, rise % run == 0, rise != 0 {
            let factor = rise / run, offset = size[0] - factor * other[0]
            if other * factor + offset == size {
                self = .linear(factor: factor, offset: offset)
                return
            }
        }
        for divisor in 2...SizeRule.largestDivisor {
            for more in [0, divisor - 1] where (other + more) / divisor == size {
                self = .quotient(by: divisor, more: more)
                return
            }
        }
        return nil
    }

    /// Strides of networks are powers of 2 up to this one.
    private static let largestDivisor = 64

    /// The size in words, of one in words: `2*batch+1`, `(height+1)/2`.
    func text(of other: String) -> String {
        func plus(_ text: String, _ number: Int) -> String { number == 0 ? text : number > 0 ? "\(text)+\(number)" : "\(text)\(number)" }
        switch self {
        case .linear(let factor, let offset): return plus(factor == 1 ? other : "\(factor)*\(other)", offset)
        case .quotient(let divisor, let more): return more == 0 ? "\(other)/\(divisor)" : "(\(plus(other, more)))/\(divisor)"
        }
    }
}
