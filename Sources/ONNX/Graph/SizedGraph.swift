import Networks
import Tensors

/// A network in evaluation mode as it is for every batch, and where the network allows it for every size of images: recorded several times, with each shape as `Size`s.
struct SizedGraph {
    struct Value {
        /// Its operations are one for each recording.
        let source: ProbedGraph.Source
        let shape: [Size]
        let dtype: DType
    }

    let values: [Value]
    let output: Int
    /// For each value, those that are computed from it.
    let readers: [[Int]]
    /// How many recordings there are.
    let probes: Int

    /// Primes: a size that agrees with one of them by chance disagrees with the others.
    private static let batches = [7, 11, 13, 17, 19]
    /// What is added to the user's height and width: different remainders by every stride, so that sizes which are rounded in other ways differ in some recording.
    private static let larger = [(0, 0), (38, 61), (91, 127), (53, 22), (109, 149)]

    /// - Parameters:
    ///   - image: [C, H, W] of one image.
    ///   - anySize: for images of every size; else for every batch of this one.
    /// - Throws: `TensorError` with the module's path when the network rejects such images, or is another one for others.
    init(_ module: Module, image: [Int], anySize: Bool) throws {
        func run(_ x: Tensor) throws -> Tensor { try Module.inMode(training: false) { try module(x) } }
        // One image first: what it complains about is told with sizes that the user knows.
        _ = try RecordedGraph([[1] + image]) { [try run($0[0])] }
        let shapes = anySize
            ? zip(SizedGraph.batches, SizedGraph.larger).map { [$0, image[0], image[1] + $1.0, image[2] + $1.1] } : SizedGraph.batches.prefix(3).map { [$0] + image }
        let graph = try ProbedGraph(shapes, for: "a file", run)
        values = graph.values.map { value in Value(source: value.source, shape: (0..<value.rank).map { Size(value.size($0)) }, dtype: value.dtype) }
        (output, readers, probes) = (graph.output, graph.readers, shapes.count)
    }
}
