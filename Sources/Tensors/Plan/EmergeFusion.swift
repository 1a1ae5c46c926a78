/// Values that leave their region are computed where they are to stand; what is left to do is to write zeros in runs that do not compute them.
enum EmergeFusion {
    static func run(_ graph: inout PlanGraph) {
        for i in graph.works.indices where !graph.works[i].isDead {
            let work = graph.works[i]
            guard case .emerge(_, otherwise: false) = work.operation, !work.accumulate, let producer = graph.soleProducer(work.inputs[0]) else { continue }
            let value = work.inputs[0], layout = graph.values[work.output].layout
            guard graph.values[value].base == value, !graph.works[producer].accumulate, graph.works[producer].canWrite(layout), graph.canLie(value, layout)
            else { continue }
            graph.share(value, with: work.output)
            graph.works[i].clears = true
        }
    }
}
