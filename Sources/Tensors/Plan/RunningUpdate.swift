import Kernels

/// Running statistics that move towards a batch's: done in place after a run, so that a run that is stopped leaves them as they were.
struct RunningUpdate {
    /// The batch's statistics.
    let moments: Tensor
    /// Runs in which they move.
    let regions: Regions
    /// Called with the addresses of the moments and of the running statistics.
    let launch: Launch

    /// nil where the value assigned to `target` is something else.
    init?(_ target: Tensor, _ value: Tensor) {
        var value = value
        // In a region, they stay in runs where that is closed.
        if let exit = value.node, case .emerge(_, otherwise: true) = exit.operation, exit.inputs[1] === target { value = exit.inputs[0] }
        guard let node = value.node, node.inputs.count == 2, node.inputs[0] === target, let step = RunningUpdate.step(of: target.layout) else { return nil }
        regions = node.regions
        let (rows, momentum, count): (Int, Float, Int)
        switch node.operation {
        case .runningStatistics(let m, let n): (rows, momentum, count) = (2, m, n)
        case .stackedRunning(let m, let n): (rows, momentum, count) = (target.shape[0] * 2, m, n)
        default: return nil
        }
        moments = node.inputs[1]
        let (wide, narrow) = (target.shape[target.rank - 1], moments.shape[moments.rank - 1])
        launch = { p in StackedNormalisation.running(rows, wide, narrow, momentum, count, p.floats(1), p.floats(0), p.floats(1), step: step) }
    }

    /// From one row to the next: of statistics of their own, or, where those of several layers lie side by side, of one layer's part [2, C].
    private static func step(of layout: TensorLayout) -> Int? {
        if layout.isContiguous { return layout.shape.last }
        return layout.shape.count == 2 && layout.strides[1] == 1 && layout.strides[0] >= layout.shape[1] ? layout.strides[0] : nil
    }
}
