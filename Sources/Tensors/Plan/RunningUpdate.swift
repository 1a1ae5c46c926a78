import Kernels

/// Running statistics that move towards a batch's: done in place after a run, so that a run that is stopped leaves them as they were.
struct RunningUpdate {
    /// The batch's statistics.
    let moments: Tensor
    /// Runs in which they move.
    let regions: Regions
    private let target: TensorLayout
    private let rows: Int
    private let momentum: Float
    private let count: Int

    /// nil where the value assigned to `target` is something else.
    init?(_ target: Tensor, _ value: Tensor) {
        var value = value
        // In a region, they stay in runs where that is closed.
        if let exit = value.node, case .emerge(_, otherwise: true) = exit.operation, exit.inputs[1] === target { value = exit.inputs[0] }
        guard let node = value.node, node.inputs.count == 2, node.inputs[0] === target, RunningUpdate.step(of: target.layout) != nil else { return nil }
        regions = node.regions
        self.target = target.layout
        switch node.operation {
        case .runningStatistics(let m, let n): (rows, momentum, count) = (2, m, n)
        case .stackedRunning(let m, let n): (rows, momentum, count) = (target.shape[0] * 2, m, n)
        default: return nil
        }
        moments = node.inputs[1]
    }

    /// Called with the addresses of the moments and of the running statistics.
    /// - Parameter layout: of the moments.
    func launch(_ layout: TensorLayout) throws -> Launch {
        guard let step = RunningUpdate.step(of: target), let batchStep = RunningUpdate.step(of: layout) else {
            throw TensorError("plan", "expects statistics whose rows lie at equal distances, got strides \(layout.strides) of \(layout.shape)")
        }
        let (rows, wide, narrow, momentum, count) = (rows, target.shape[target.shape.count - 1], layout.shape[layout.shape.count - 1], momentum, count)
        return { p in
            StackedNormalisation.running(rows, wide, narrow, momentum, count, p.floats(1), p.floats(0), p.floats(1), step: step, batchStep: batchStep)
        }
    }

    /// From one row to the next: of statistics of their own, or, where those of several layers lie side by side, of one layer's part.
    private static func step(of layout: TensorLayout) -> Int? {
        guard let width = layout.shape.last, let rows = layout.reshaped(to: [layout.count / max(width, 1), width]), rows.strides[1] == 1 || width == 1,
            rows.strides[0] >= width
        else { return nil }
        return rows.strides[0]
    }
}
