import Networks
import Tensors

extension ProbedGraph {
    /// A network in evaluation mode, for images of several sizes where it takes them; the first probe is what the user asked for.
    /// - Parameter image: [C, H, W].
    /// - Throws: `TensorError` when the network rejects such images, or does something else for another number of them.
    init(code module: Module, image: [Int]) throws {
        func run(_ x: Tensor) throws -> Tensor { try Module.inMode(training: false) { try module(x) } }
        func probe(_ shapes: [[Int]]) throws -> ProbedGraph {
            let graph = try ProbedGraph(shapes, for: "code", forCode: true, run)
            for value in graph.values {
                if case .filled = value.source { throw TensorError("export", "a constant has another shape for another number or size of images; code holds one only") }
            }
            return graph
        }
        let (channels, height, width) = (image[0], image[1], image[2])
        let first = [2] + image
        // Sizes without a simple relation to each other: what agrees in all of them agrees always.
        let sizes = [(3, height + 38, width + 61), (5, height + 91, width + 127)].map { [$0.0, channels, $0.1, $0.2] }
        // What the network complains about is told for the size that the user knows.
        _ = try RecordedGraph([first], forCode: true) { [try run($0[0])] }
        self = try (try? probe([first] + sizes)) ?? probe([first] + [3, 5].map { [$0] + image })
    }

    /// Whether the network takes images of other sizes.
    var takesAnySize: Bool { probes.contains { $0[2...] != probes[0][2...] } }
}
