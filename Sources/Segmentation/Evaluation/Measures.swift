import Base
import Networks
import Tensors

/// What a task of one's own measures: numbers of inputs and targets, each a mean over the samples.
public struct Measures {
    public let names: [String]
    /// One number for each name, given inputs and targets in the order of the data set's parts.
    public let body: ([Tensor]) throws -> [Tensor]
    /// Tells measures apart: the functions' sources, say.
    public let text: String
    /// The one that says what is best, and whether the smallest value is; nil where nothing says it.
    public let deciding: (index: Int, isLowestBest: Bool)?

    public init(names: [String], text: String, deciding: (index: Int, isLowestBest: Bool)? = nil, _ body: @escaping ([Tensor]) throws -> [Tensor]) {
        (self.names, self.text, self.deciding, self.body) = (names, text, deciding, body)
    }
}

/// What was measured on a data set.
public struct MeasuredValues: Sendable {
    public let names: [String]
    public let values: [Double]
    /// Name of the data set, and how many of its samples were looked at.
    public let data: String
    public let samples: Int

    /// A line for each measure under one that says what was measured.
    public var description: String {
        let width = names.map(\.count).max() ?? 0
        let lines = zip(names, values).map { name, value in
            "  " + name + String(repeating: " ", count: width - name.count + 2) + Decimals.significant(value, 6)
        }
        return (["\(data): \(samples) samples"] + lines).joined(separator: "\n")
    }
}

/// Measures a network in evaluation mode, by plans that are kept for each shape of the samples.
public final class Measurer {
    private let plan: Compiled
    private let names: [String]

    public init(_ network: Module, _ measures: Measures) {
        names = measures.names
        plan = Compiled { inputs in
            let values = try GradientMode.disabled { try Module.inMode(training: false) { try measures.body(inputs) } }
            return try zip(values, measures.names).map { value, name in
                guard value.count == 1 else {
                    throw DataError("expected a metric that is one number, got \(value.shape) as \(name)", remedy: "reduce it, with mean() say")
                }
                return try value.reshape([]).cast(.float32)
            }
        }
    }

    /// The mean of each measure over all samples, whole and in order.
    /// - Parameters:
    ///   - batch: samples that are measured at once; the mean over batches goes by their samples.
    ///   - each: called with the number of samples done.
    public func run(_ data: any DataSet, batch: Int = 1, normalisation: Normalisation, each: (Int) throws -> Void = { _ in }) throws -> MeasuredValues {
        guard data.count > 0 else { throw DataError("\(data.name) has no samples") }
        let loader = try BatchLoader(
            data, size: batch, augmentation: Augmentation(normalisation: normalisation), seed: 0, shuffle: false, dropLast: false, ahead: 2)
        var sums = [Double](repeating: 0, count: names.count)
        var done = 0
        while done < data.count {
            try betweenSteps()
            let batch = try loader.next()
            for (index, value) in try plan(batch.tensors).enumerated() { sums[index] += try value.item() * Double(batch.indices.count) }
            done += batch.indices.count
            try each(done)
        }
        return MeasuredValues(names: names, values: sums.map { $0 / Double(done) }, data: data.name, samples: done)
    }
}
