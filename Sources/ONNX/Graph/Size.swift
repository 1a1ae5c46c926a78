/// A number that may grow with the batch: `factor`·N + `offset`.
///
/// Which numbers of a recorded network do is found by recording it for several batches and comparing.
struct Size: Hashable, CustomStringConvertible {
    var factor: Int
    var offset: Int

    init(_ offset: Int) { self.init(factor: 0, offset: offset) }

    init(factor: Int, offset: Int) {
        self.factor = factor
        self.offset = offset
    }

    /// The size that is `values[i]` for a batch of `batches[i]`; nil when there is none.
    init?(_ values: [Int], batches: [Int]) {
        guard let first = values.first, values.count == batches.count else { return nil }
        guard let other = values.indices.first(where: { values[$0] != first }) else {
            self.init(first)
            return
        }
        let step = batches[other] - batches[0]
        guard step != 0, (values[other] - first) % step == 0 else { return nil }
        let factor = (values[other] - first) / step
        let size = Size(factor: factor, offset: first - factor * batches[0])
        guard zip(values, batches).allSatisfy({ size.value(batch: $1) == $0 }) else { return nil }
        self = size
    }

    static let batch = Size(factor: 1, offset: 0)

    /// The number itself when it does not depend on the batch.
    var fixed: Int? { factor == 0 ? offset : nil }

    func value(batch: Int) -> Int { factor * batch + offset }

    static func + (a: Size, b: Size) -> Size { Size(factor: a.factor + b.factor, offset: a.offset + b.offset) }
    static func + (a: Size, b: Int) -> Size { a + Size(b) }
    static func * (a: Size, b: Int) -> Size { Size(factor: a.factor * b, offset: a.offset * b) }

    /// `batch`, `2*batch`, `batch+1`; a fixed one is its number.
    var description: String {
        if factor == 0 { return "\(offset)" }
        let product = factor == 1 ? "batch" : "\(factor)*batch"
        return offset == 0 ? product : offset > 0 ? "\(product)+\(offset)" : "\(product)\(offset)"
    }
}
