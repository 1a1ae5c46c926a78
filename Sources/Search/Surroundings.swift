import Base

/// What builds and computations of networks with decisions go by beside their arguments.
struct Surroundings: DynamicScope {
    nonisolated(unsafe) static var now = Surroundings()

    /// The network that is being built.
    var construction: Construction?
    /// The measurement of costs under way.
    var measure: CostMeasure?
}
