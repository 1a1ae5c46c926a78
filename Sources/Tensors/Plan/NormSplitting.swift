/// Norms between two chains (`SliceFusion`), as between the two halves of a separable convolution: their statistics, which need all images, are taken
/// by the chain before as it computes them, so that the norm itself is a link of the next chain and what it leaves never lies in memory. Backward
/// likewise: the sums are taken by the chain that computes the gradient, and the gradient of the norm's input is the first link of the next.
///
/// Where no chain computes the gradient, sums in a pass of their own do not pay: 1.01 of a step's time (separable, 321x321), for they read again what the
/// norm's derivative reads.
enum NormSplitting {
    static func run(_ graph: inout PlanGraph) {
        let readers = graph.readers()
        var keys = graph.works.indices.map(Double.init)
        for i in graph.works.indices where !graph.works[i].isDead && graph.works[i].computesStatistics {
            guard let (statistics, producer) = split(i, graph, keys, readers[graph.works[i].output]) else { continue }
            graph.works[i].computesStatistics = false
            graph.setProducer(statistics.output, graph.works.count)
            graph.works.append(statistics)
            keys.append(keys[producer] + 0.5)
        }
        graph.reorder(by: keys)
    }

    /// The work that takes a norm's statistics, and the work that they can follow: the one that computes the last of what they are of. Nil where the norm
    /// does not stand between two chains.
    private static func split(_ i: Int, _ graph: PlanGraph, _ keys: [Double], _ readers: [Int]) -> (statistics: PlanGraph.Work, producer: Int)? {
        let norm = graph.works[i].copy(to: graph.works[i].output)
        norm.computesStatistics = false
        let place: Int
        let operation: Operation
        switch norm.operation {
        case .stackedNorm(let options): (place, operation) = (1, .stackedMoments(groups: options.groups))
        case .stackedNormInputGradient(let options): (place, operation) = (3, .stackedNormSums(options))
        default: return nil
        }
        let output = graph.values[norm.output]
        guard !norm.accumulate, !output.isRoot, output.base == norm.output, output.dependents.isEmpty, let own = graph.slicing(norm), SliceFusion.pays(own, 1)
        else { return nil }
        let statistics = PlanGraph.Work(
            operation, inputs: Array(norm.inputs.prefix(place)), output: norm.inputs[place], module: norm.module, regions: norm.regions)
        guard let source = operation.statisticsSource(statistics.inputs), let producer = graph.values[source].producer,
            isConvolution(producer, of: own.images, graph),
            statistics.inputs.allSatisfy({ graph.values[$0].producer.map { keys[$0] } ?? -1 <= keys[producer] }),
            !readers.isEmpty, readers.allSatisfy({ isConvolution($0, of: own.images, graph) })
        else { return nil }
        return (statistics, producer)
    }

    private static func isConvolution(_ i: Int, of images: Int, _ graph: PlanGraph) -> Bool {
        switch graph.works[i].operation {
        case .conv2d, .convInputGradient, .convWeightGradient: graph.slicing(graph.works[i])?.images == images
        default: false
        }
    }
}
