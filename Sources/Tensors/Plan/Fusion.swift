/// The passes that make a plan faster than its graph. Each is exact: only the order of additions is kept, work and memory go away.
enum Fusion {
    static func run(_ graph: inout PlanGraph) {
        foldReLU(&graph)
        maskGradients(&graph)
        accumulateInPlace(&graph)
        chainElementwise(&graph)
    }

    /// A convolution takes the ReLU of its input as it loads it; the ReLU itself is then often read by nobody.
    private static func foldReLU(_ graph: inout PlanGraph) {
        for i in graph.works.indices where !graph.works[i].isDead {
            switch graph.works[i].operation {
            case .conv2d, .convWeightGradient: break
            default: continue
            }
            let x = graph.works[i].inputs[0]
            guard let producer = graph.values[x].producer, case .unary(.relu) = graph.works[producer].operation else { continue }
            let source = graph.works[producer].inputs[0]
            guard graph.works[i].operation.accepts(graph.values[source].layout, at: 0) else { continue }
            graph.retain(source)
            graph.works[i].inputs[0] = source
            graph.works[i].relu = true
            graph.release(x)
        }
    }

    /// The derivative of that ReLU rides on the store of the convolution's input gradient.
    private static func maskGradients(_ graph: inout PlanGraph) {
        for i in graph.works.indices where !graph.works[i].isDead {
            guard case .binary(.gate) = graph.works[i].operation, let producer = graph.soleProducer(graph.works[i].inputs[1]),
                case .convInputGradient = graph.works[producer].operation, !graph.works[producer].mask, !graph.works[producer].accumulate,
                graph.values[graph.works[i].inputs[0]].layout == graph.values[graph.works[i].output].layout
            else { continue }
            graph.works[i].operation = graph.works[producer].operation
            graph.works[i].inputs = graph.works[producer].inputs + [graph.works[i].inputs[0]]
            graph.works[i].mask = true
            graph.works[producer].isDead = true
        }
    }

    /// `a + f(...)` where nothing else reads either: f adds to a's buffer.
    private static func accumulateInPlace(_ graph: inout PlanGraph) {
        for i in graph.works.indices where !graph.works[i].isDead {
            guard case .binary(.add) = graph.works[i].operation else { continue }
            let pair = graph.works[i].inputs
            guard pair[0] != pair[1] else { continue }
            for (kept, added) in [(pair[0], pair[1]), (pair[1], pair[0])] {
                guard let keeper = graph.soleProducer(kept), let producer = graph.soleProducer(added), keeper != producer,
                    graph.works[producer].canAccumulate, !graph.works[producer].accumulate,
                    graph.values[kept].layout == graph.values[added].layout
                else { continue }
                var work = graph.works[producer]
                work.accumulate = true
                work.output = graph.works[i].output
                graph.works[producer].isDead = true
                graph.works[i] = work
                graph.share(work.output, with: kept)
                break
            }
        }
    }

    /// Element-wise operations whose result only one other reads become part of it: one pass over memory instead of several.
    private static func chainElementwise(_ graph: inout PlanGraph) {
        for i in graph.works.indices.reversed() where !graph.works[i].isDead {
            let work = graph.works[i]
            guard work.operation.isElementwise, graph.values[work.output].dtype == .float32 else { continue }
            var chain = ElementwiseChain(work.operation, inputs: work.inputs.count)
            var inputs = work.inputs
            let shape = graph.values[work.output].layout.shape
            var next = 0
            while next < inputs.count {
                let input = inputs[next]
                guard chain.length < ElementwiseChain.longest, let producer = graph.soleProducer(input), graph.works[producer].operation.isElementwise,
                    graph.works[producer].chain == nil, !graph.works[producer].accumulate, graph.values[input].layout.shape == shape,
                    inputs.count + graph.works[producer].inputs.count <= ElementwiseChain.mostInputs
                else {
                    next += 1
                    continue
                }
                let inner = graph.works[producer]
                chain.inline(inner.operation, at: next, inputs: inner.inputs.count)
                inputs.replaceSubrange(next...next, with: inner.inputs)
                graph.works[producer].isDead = true
            }
            graph.works[i].inputs = inputs
            graph.works[i].chain = chain
        }
    }
}

extension PlanGraph.Work {
    /// Whether its kernel can add to its output.
    var canAccumulate: Bool {
        switch operation {
        case .conv2d, .convInputGradient, .convWeightGradient, .maxPoolGradient, .averagePoolGradient, .resizeGradient, .batchNorm, .batchNormInputGradient:
            true
        default: false
        }
    }

    func kernel(_ x: [Operand], _ y: Operand) throws -> Launch {
        if let chain { return chain.kernel(x, y) }
        guard relu || mask || accumulate else { return try operation.kernel(x, y) }
        switch operation {
        case .conv2d, .convInputGradient, .convWeightGradient: return operation.convKernel(x, y, relu: relu, mask: mask, accumulate: accumulate)
        case .batchNorm, .batchNormInputGradient: return operation.normKernel(x, y, accumulate: accumulate)
        default: return operation.imageKernel(x, y, accumulate: accumulate)
        }
    }
}
