/// A batch norm with stored statistics that a convolution's store applies: scale = gamma / sqrt(variance + epsilon), shift = beta - mean · scale. Both
/// are computed at each run, so that a plan follows changed parameters and statistics.
struct FoldedNorm {
    let epsilon: Float
    let gamma, beta: Bool
}

/// The passes for graphs that nothing differentiates: evaluation and inference.
enum NormFolding {
    static func run(_ graph: inout PlanGraph) {
        guard graph.isInference else { return }
        for i in graph.works.indices where !graph.works[i].isDead {
            if case .conv2d(let options) = graph.works[i].operation, options.repeats == 1 { graph.works[i].infers = true }
        }
        foldNorms(&graph)
        rectifyStores(&graph)
    }

    /// Convolution, then batch norm with stored statistics: one convolution with the norm's tensors behind its own inputs.
    private static func foldNorms(_ graph: inout PlanGraph) {
        for i in graph.works.indices where !graph.works[i].isDead {
            guard case .batchNorm(let epsilon, batchStatistics: false, let gamma, let beta) = graph.works[i].operation,
                let producer = graph.soleProducer(graph.works[i].inputs[0]), graph.works[producer].infers, graph.works[producer].folded == nil,
                graph.works[producer].regions == graph.works[i].regions,
                graph.works[i].inputs.dropFirst().allSatisfy({ graph.isKnown($0, before: producer) })
            else { continue }
            graph.works[producer].folded = FoldedNorm(epsilon: epsilon, gamma: gamma, beta: beta)
            graph.works[producer].inputs += graph.works[i].inputs.dropFirst()
            graph.replace(i, by: producer)
        }
    }

    /// A ReLU that alone reads a convolution rides on its store.
    static func rectifyStores(_ graph: inout PlanGraph) {
        for i in graph.works.indices where !graph.works[i].isDead {
            guard case .unary(.relu) = graph.works[i].operation, let producer = graph.soleProducer(graph.works[i].inputs[0]),
                graph.works[producer].infers, !graph.works[producer].rectify, graph.works[producer].regions == graph.works[i].regions
            else { continue }
            graph.works[producer].rectify = true
            graph.replace(i, by: producer)
        }
    }
}

extension PlanGraph {
    /// Whether nothing in it is or computes a derivative.
    var isInference: Bool { !works.contains { $0.operation.traits.isOfDerivative } }

    /// Whether a value stands before work `index` runs.
    func isKnown(_ value: Int, before index: Int) -> Bool {
        let owner = home(value).owner
        guard case .computed = values[owner].source else { return true }
        return values[owner].producer.map { $0 < index } ?? false
    }

    /// Work `producer` makes what work `index` made of its result.
    mutating func replace(_ index: Int, by producer: Int) {
        works[producer].output = works[index].output
        works[index].isDead = true
        setProducer(works[index].output, producer)
    }
}
