/// The passes that make a plan faster than its graph. Each is exact up to the order of additions: work and memory go away.
enum Fusion {
    static func run(_ graph: inout PlanGraph) {
        NormFolding.run(&graph)
        foldReLU(&graph)
        maskGradients(&graph)
        SumFusion.run(&graph)
        ConcatFusion.run(&graph)
        NormFusion.run(&graph)
        chainElementwise(&graph)
        EmergeFusion.run(&graph)
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

    /// The derivative of that ReLU rides on the store of the convolution's input gradient: of each, where several convolutions read the ReLU.
    private static func maskGradients(_ graph: inout PlanGraph) {
        for i in graph.works.indices where !graph.works[i].isDead {
            guard case .binary(.gate) = graph.works[i].operation else { continue }
            let (x, sum, output) = (graph.works[i].inputs[0], graph.works[i].inputs[1], graph.works[i].output)
            guard let top = graph.soleProducer(sum), graph.values[x].layout.isBatchContiguous, graph.values[x].layout.shape == graph.values[output].layout.shape,
                let parts = maskable(sum, graph)
            else { continue }
            let ready = graph.values[graph.home(x).owner].producer ?? -1
            guard parts.allSatisfy({ $0 > ready }) else { continue }
            for part in parts {
                graph.works[part].inputs.append(x)
                graph.works[part].mask = true
                graph.retain(x)
            }
            graph.works[top].output = output
            graph.setProducer(output, top)
            graph.works[i].isDead = true
            graph.release(x)
        }
    }

    /// The works of a sum of convolutions' input gradients that nobody else reads; nil if it has any other term.
    private static func maskable(_ value: Int, _ graph: PlanGraph) -> [Int]? {
        guard let producer = graph.soleProducer(value) else { return nil }
        let work = graph.works[producer]
        switch work.operation {
        case .convInputGradient: return work.mask || work.accumulate ? nil : [producer]
        case .emerge(_, otherwise: false): return maskable(work.inputs[0], graph)
        case .binary(.add):
            guard work.inputs[0] != work.inputs[1], let a = maskable(work.inputs[0], graph), let b = maskable(work.inputs[1], graph) else { return nil }
            return a + b
        default: return nil
        }
    }

    /// Element-wise operations whose result only one other reads become part of it: one pass over memory instead of several.
    private static func chainElementwise(_ graph: inout PlanGraph) {
        for i in graph.works.indices.reversed() where !graph.works[i].isDead {
            let work = graph.works[i]
            guard work.operation.traits.isElementwise, graph.values[work.output].dtype == .float32 else { continue }
            var chain = ElementwiseChain(work.operation, inputs: work.inputs.count)
            var inputs = work.inputs
            let shape = graph.values[work.output].layout.shape
            var next = 0
            while next < inputs.count {
                let input = inputs[next]
                guard chain.length < ElementwiseChain.longest, let producer = graph.soleProducer(input), graph.works[producer].operation.traits.isElementwise,
                    graph.works[producer].chain == nil, !graph.works[producer].accumulate, graph.works[producer].regions == work.regions, graph.values[input].layout.shape == shape,
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
    /// Whether it does more than its operation says.
    var isFused: Bool { relu || mask || accumulate || rectify || folded != nil || (chain?.length ?? 1) > 1 }

    /// Whether its kernel can add to its output.
    var canAccumulate: Bool { !rectify && operation.traits.fusions.contains(.accumulate) }

    /// Whether its kernel can write into this layout.
    func canWrite(_ layout: TensorLayout) -> Bool {
        if layout.isContiguous { return true }
        return switch operation.traits.writes {
        case .any: true
        case .images: layout.isBatchContiguous && layout.shape.count == 4
        case .contiguous: false
        }
    }

    /// What its kernel has to do beside.
    var form: KernelForm {
        var parts: KernelForm.Parts = []
        for (part, isWanted) in [
            (KernelForm.Parts.relu, relu), (.mask, mask), (.accumulate, accumulate), (.statistics, computesStatistics), (.clears, clears), (.infers, infers),
            (.rectify, rectify),
        ] where isWanted { parts.insert(part) }
        return KernelForm(parts: parts, folded: folded)
    }

    func kernel(_ x: [Operand], _ y: Operand) throws -> Launch { try chain?.kernel(x, y) ?? operation.kernel(x, y, form) }
}
