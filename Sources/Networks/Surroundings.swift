import Base
import Tensors

/// What modules go by beside their arguments.
struct Surroundings: DynamicScope {
    nonisolated(unsafe) static var now = Surroundings()

    /// The mode of every module, whatever its own, see `Module.inMode`.
    var mode: Bool?
    /// The module whose computation runs and is no part of another one's: the whole network.
    var outermost: Module?
    /// The branch of the network that is being computed, see `BatchNorm.inBranch`.
    var branch = BatchNorm.Branch()
    /// Which statistics norms go by.
    var statistics = BatchNorm.Use.own(alone: false)
}
