import Foundation
import Tensors

/// The options of a decision in rows, each of which has one distribution: all options of a choice, the arrows that leave a state, the options of one state of
/// branches.
struct Rows {
    private let count: Int
    private let shape: [Int]
    let rows: [[Int]]

    init(_ rows: [[Int]], shape: [Int]) {
        self.rows = rows
        self.shape = shape
        count = shape.reduce(1, *)
    }

    /// Distributions of a decision.
    init(distributionsOf decision: Decision) {
        switch decision.domain {
        case .choice, .subset, .number: self.init([Array(0..<decision.optionCount)], shape: decision.shape)
        case .paths(let paths):
            let bySource = Dictionary(grouping: paths.arrows.indices) { [paths.arrows[$0].layer, paths.arrows[$0].from] }
            self.init(bySource.keys.sorted { $0.lexicographicallyPrecedes($1) }.map { Array(bySource[$0] ?? []) }, shape: decision.shape)
        case .branches(let branches):
            let width = branches.options.count
            self.init(branches.states.indices.map { row in Array(row * width..<(row + 1) * width) }, shape: decision.shape)
        }
    }

    /// The arrows of each layer.
    init(layersOf decision: Decision) {
        guard case .paths(let paths) = decision.domain else {
            self.init(distributionsOf: decision)
            return
        }
        let byLayer = Dictionary(grouping: paths.arrows.indices) { paths.arrows[$0].layer }
        self.init(byLayer.keys.sorted().map { Array(byLayer[$0] ?? []) }, shape: decision.shape)
    }

    private var width: Int { rows.map(\.count).max() ?? 0 }
    private var isTable: Bool { rows.flatMap { $0 } == Array(0..<count) && rows.allSatisfy { $0.count == width } }

    /// Applies `f` to a table [rows, width] and puts the result back into the decision's shape.
    /// - Parameter fill: what stands where a row is shorter than others.
    func apply(_ x: Tensor, fill: Float, _ f: (Tensor) throws -> Tensor) throws -> Tensor {
        let flat = try x.reshape([count])
        if isTable { return try f(flat.reshape([rows.count, width])).reshape(shape) }
        let padded = rows.map { row in row + [Int](repeating: count, count: width - row.count) }
        let table = try Tensor.concat([flat, Tensor.full([1], fill)], 0).gather(0, Tensor(ints: padded.flatMap { $0 }.map(Int32.init), shape: [rows.count * width]))
        var back = [Int32](repeating: 0, count: count)
        for (i, row) in rows.enumerated() { for (j, option) in row.enumerated() { back[option] = Int32(i * width + j) } }
        return try f(table.reshape([rows.count, width])).reshape([rows.count * width]).gather(0, Tensor(ints: back, shape: [count])).reshape(shape)
    }

    /// softmax(z / τ) of each row as float64 numbers, in the order of the options.
    ///
    /// Decoding compares products of them exactly: rows with the same numbers in another order get the same probabilities to the last bit, and none is 0 but
    /// that of minus infinity.
    func softmax(_ logits: Tensor, temperature: Tensor?) throws -> [Double] {
        let z = try logits.floats().map(Double.init), scale = try temperature.map { Double(try $0.item()) } ?? 1
        var result = [Double](repeating: 0, count: count)
        for row in rows {
            for (option, share) in zip(row, Rows.softmax(row.map { z[$0] / scale })) { result[option] = z[option] == -.infinity ? 0 : max(share, .leastNormalMagnitude) }
        }
        return result
    }

    /// The exponentials are summed in order of size: the order of the row does not matter.
    private static func softmax(_ row: [Double]) -> [Double] {
        guard let largest = row.max() else { return [] }
        let exponentials = row.map { exp($0 - largest) }
        let sum = exponentials.sorted().reduce(0, +)
        return exponentials.map { $0 / sum }
    }

    /// Logits that stand for nothing: their share of a softmax is 0.
    static let nothing: Float = -1e30
}
