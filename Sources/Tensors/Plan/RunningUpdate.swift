import Kernels

/// Running statistics that move towards a batch's: done in place after a run, so that a run that is stopped leaves them as they were.
struct RunningUpdate {
    /// The batch's statistics.
    let moments: Tensor
    /// Called with the addresses of the moments and of the running statistics.
    let launch: Launch

    /// nil where the value assigned to `target` is something else.
    init?(_ target: Tensor, _ value: Tensor) {
        guard let node = value.node, node.inputs.count == 2, node.inputs[0] === target, target.isContiguous else { return nil }
        let (rows, momentum, count): (Int, Float, Int)
        switch node.operation {
        case .runningStatistics(let m, let n): (rows, momentum, count) = (2, m, n)
        case .stackedRunning(let m, let n): (rows, momentum, count) = (target.shape[0] * 2, m, n)
        default: return nil
        }
        moments = node.inputs[1]
        let (wide, narrow) = (target.shape[target.rank - 1], moments.shape[moments.rank - 1])
        launch = { p in StackedNormalisation.running(rows, wide, narrow, momentum, count, p.floats(1), p.floats(0), p.floats(1)) }
    }
}
