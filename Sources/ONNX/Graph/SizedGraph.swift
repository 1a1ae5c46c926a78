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
    /// Heights and widths of the other recordings: multiples of 64 beyond the user's, and remainders. One more than a multiple is odd by every stride up to 64, a
    /// multiple is even by all, so that sizes which are rounded in other ways differ in some recording.
    private static let larger = [((1, 1), (2, 0)), ((3, 0), (3, 1)), ((4, 37), (5, 45)), ((6, 23), (6, 27))]

    /// - Parameters:
    ///   - image: [C, H, W] of one image.
    ///   - anySize: for images of every size; else for every batch of this one.
    /// - Throws: `TensorError` with the module's path when the network rejects such images, or is another one for others.
    init(_ module: Module, image: [Int], anySize: Bool) throws {
        func run(_ x: Tensor) throws -> Tensor { try Module.inMode(training: false) { try module(x) } }
        // One image first: what it complains about is told with sizes that the user knows.
        _ = try RecordedGraph([[1] + image]) { [try run($0[0])] }
        let shapes: [[Int]] = anySize ? SizedGraph.sizes(image) : SizedGraph.batches.prefix(3).map { [$0] + image }
        let graph = try ProbedGraph(shapes, for: "a file", run)
        values = graph.values.map { value in Value(source: value.source, shape: (0..<value.rank).map { Size(value.size($0)) }, dtype: value.dtype) }
        (output, readers, probes) = (graph.output, graph.readers, shapes.count)
    }

    /// The user's size, and others, each with a batch of its own.
    private static func sizes(_ image: [Int]) -> [[Int]] {
        var shapes: [[Int]] = [[batches[0]] + image]
        for (batch, size) in zip(batches.dropFirst(), larger) {
            let height = 64 * (image[1] / 64 + size.0.0) + size.0.1, width = 64 * (image[2] / 64 + size.1.0) + size.1.1
            shapes.append([batch, image[0], height, width])
        }
        return shapes
    }
}
