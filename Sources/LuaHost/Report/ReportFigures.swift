import Figures
import Search

/// The drawings of a findings report.
struct ReportFigures {
    let run: RunRecord

    private static let small = Figures.Size(500, 280)

    // MARK: Curves

    /// Columns of the log as curves over the epochs; nil when none of them holds a number.
    private func curves(_ columns: [(column: String, name: String)], _ title: String, range: ClosedRange<Double>? = nil) throws -> Chart? {
        let series = try columns.enumerated().compactMap { index, item -> Series? in
            let points = run.measured(item.column)
            guard !points.isEmpty else { return nil }
            return try Series(
                item.name, x: points.map { Double($0.epoch) }, y: points.map(\.value), style: points.count < 8 ? .both : .line, colourIndex: index)
        }
        guard !series.isEmpty else { return nil }
        return Chart(series, title: title, x: Axis("epoch"), y: Axis(range: range), size: ReportFigures.small)
    }

    func loss() throws -> Chart? { try curves([("loss", "weights, half A"), ("arch_loss", "alpha and beta, half B")], "Loss") }
    func validation() throws -> Chart? { try curves([("miou", "mean IoU"), ("accuracy", "pixel accuracy")], "Validation", range: 0...1) }

    /// From alpha and beta themselves, so that it begins before the first epoch.
    func entropy() throws -> Chart {
        let alpha = try run.alpha.map { try run.space.cell.entropy(alpha: $0.flatMap { $0 }, normalised: true).relative }
        let beta = try run.beta.map { try run.space.entropy(beta: $0, normalised: true).relative }
        let x = run.epochs.map(Double.init)
        let least = min(0.95, (alpha + beta).min() ?? 0)
        return Chart(
            [try Series("alpha (operators)", x: x, y: alpha), try Series("beta (arrows)", x: x, y: beta)], title: "Relative entropy",
            x: Axis("epoch"), y: Axis(range: max(0, least - 0.05)...1), size: ReportFigures.small)
    }

    func rate() throws -> Chart? { try curves([("lr", "weights")], "Learning rate") }

    // MARK: Beta

    func trellis(_ position: Int, title: String?) throws -> TrellisFigure {
        let (space, beta) = (run.space, run.beta[position])
        let path = try run.architecture(position).path
        return TrellisFigure(try PlotSearch.drawing(space, path) { beta[space.betaIndex(of: $0)] }, title: title)
    }

    /// The decoded stride of each layer by epoch.
    func paths() throws -> ChoiceMap {
        let (space, paths) = (run.space, try run.epochs.indices.map { try run.architecture($0).levels })
        var map = try ChoiceMap(
            (0..<space.layers).map { layer in paths.map { $0[layer] } }, rows: (1...space.layers).map { "layer \($0)" },
            columns: run.epochs.map(String.init), choices: space.strides.map { "stride \($0)" }, title: "The most probable path by epoch")
        map.columnTitle = "epoch"
        return map
    }

    // MARK: Alpha

    /// The mean over the edges of each operator's weight.
    func operatorShares() throws -> StackedAreas {
        let operators = run.space.cell.operators
        let series = operators.indices.map { column -> (name: String, values: [Double]) in
            (operators[column], run.alpha.map { rows in rows.reduce(0) { $0 + $1[column] } / Double(rows.count) })
        }
        return try StackedAreas(
            series, x: run.epochs.map(Double.init), title: "Share of each operator", xAxis: Axis("epoch"), yAxis: Axis("mean of softmax(α)", range: 0...1),
            size: Figures.Size(500, 330))
    }

    /// The operator that each edge would be decoded to by epoch; `none` never is.
    func edgeChoices() throws -> ChoiceMap {
        let cell = run.space.cell
        let candidates = cell.decodable
        let kept = Set(try run.architecture(run.epochs.count - 1).cell.blocks.enumerated().flatMap { index, block in
            block.branches.compactMap { cell.index(of: CellEdge(block: index + 1, state: $0.state)) }
        })
        func best(_ row: [Double]) -> Int { candidates.dropFirst().reduce(candidates[0]) { row[$1] > row[$0] ? $1 : $0 } }
        let names = CellDrawing.edgeNames(blocks: cell.blocks).enumerated().map { $1 + (kept.contains($0) ? " ●" : "   ") }
        var map = try ChoiceMap(
            (0..<cell.edgeCount).map { edge in run.alpha.map { best($0[edge]) } }, rows: names, columns: run.epochs.map(String.init),
            choices: cell.operators, title: "Strongest operator of each edge")
        map.strengths = (0..<cell.edgeCount).map { edge in
            run.alpha.map { rows in
                let all = candidates.reduce(0) { $0 + rows[edge][$1] }
                return all > 0 ? rows[edge][best(rows[edge])] / all : 0
            }
        }
        map.columnTitle = "epoch"
        return map
    }

    func alpha() throws -> HeatMap {
        let cell = run.space.cell
        return try HeatMap.alpha(
            run.alpha[run.alpha.count - 1], edges: CellDrawing.edgeNames(blocks: cell.blocks), operators: cell.operators,
            title: "softmax(α) after epoch \(run.last)")
    }
}
