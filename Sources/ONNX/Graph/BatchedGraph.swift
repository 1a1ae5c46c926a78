import Networks
import Tensors

/// A network in evaluation mode as it is for every batch: recorded for three batches, with each shape as `Size`s.
struct BatchedGraph {
    /// Primes: a size that agrees with one of them by chance disagrees with the others.
    static let batches = [7, 11, 13]

    /// Its operations are one for each of `batches`.
    private let graph: ProbedGraph
    private let shapes: [[Size]]
    /// For each value, those that are computed from it.
    let readers: [[Int]]

    /// - Parameter image: [C, H, W] of one image.
    /// - Throws: `TensorError` with the module's path when the network rejects such images, or is another one for another batch.
    init(_ module: Module, image: [Int]) throws {
        func run(_ x: Tensor) throws -> Tensor { try Module.inMode(training: false) { try module(x) } }
        // One image first: what it complains about is told with sizes that the user knows.
        _ = try RecordedGraph([[1] + image]) { [try run($0[0])] }
        let graph = try ProbedGraph(BatchedGraph.batches.map { [$0] + image }, for: "a file", run)
        (self.graph, readers) = (graph, graph.readers)
        shapes = try graph.values.map(BatchedGraph.sizes)
    }

    var count: Int { graph.values.count }
    var output: Int { graph.output }
    func source(_ value: Int) -> ProbedGraph.Source { graph.values[value].source }
    func shape(_ value: Int) -> [Size] { shapes[value] }
    func dtype(_ value: Int) -> DType { graph.values[value].dtype }

    private static func sizes(of value: ProbedGraph.Value) throws -> [Size] {
        try (0..<value.rank).map { d in
            if let size = Size(value.size(d), batches: batches) { return size }
            let problem = "dimension \(d + 1) is \(value.size(d).map(String.init).joined(separator: ", ")) for \(batches.map(String.init).joined(separator: ", ")) "
                + "images: only sizes in proportion to the batch can be written"
            guard case .operation(let operations, _, let scope) = value.source else { throw TensorError("export", problem) }
            throw TensorError("export", "\(operations[0].name): \(problem)", path: scope)
        }
    }
}
