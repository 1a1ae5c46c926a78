/// Statistics that are computed by what reads them first, channel by channel, while the channel is in the cache: the moments of a stacked norm by the norm,
/// the sums of its derivative by the gradient of its input.
enum NormFusion {
    static func run(_ graph: inout PlanGraph) {
        let order = graph.readers { graph.home($0).owner }
        for i in graph.works.indices where !graph.works[i].isDead && !graph.works[i].computesStatistics {
            let work = graph.works[i]
            let place: Int
            switch work.operation {
            case .stackedNorm(let options) where options.batchStatistics: place = 1
            case .stackedNormInputGradient(let options) where options.batchStatistics: place = 3
            default: continue
            }
            let statistics = work.inputs[place]
            guard graph.values[statistics].base == statistics, let producer = graph.values[statistics].producer, isSource(graph.works[producer], of: work),
                order[statistics].allSatisfy({ $0 >= i })
            else { continue }
            graph.works[i].computesStatistics = true
            graph.works[producer].isDead = true
            graph.setProducer(statistics, i)
        }
    }

    private static func isSource(_ source: PlanGraph.Work, of work: PlanGraph.Work) -> Bool {
        switch (source.operation, work.operation) {
        case (.stackedMoments(let groups), .stackedNorm(let options)):
            groups == options.groups && source.inputs[0] == work.inputs[0] && source.regions == work.regions
        case (.stackedNormSums, .stackedNormInputGradient):
            source.inputs == Array(work.inputs.prefix(3)) && source.regions == work.regions
        default: false
        }
    }
}
