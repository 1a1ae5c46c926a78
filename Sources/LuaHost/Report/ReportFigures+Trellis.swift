import Base
import Figures
import Search

/// Drawings of a stock trellis' alpha and beta over time.
extension ReportFigures {
    // MARK: Beta

    func trellis(_ trellis: TrellisRun, _ position: Int, title: String?) throws -> TrellisFigure {
        let (space, beta) = (trellis.space, trellis.beta[position])
        let path = try trellis.architecture(position, seed: run.seed, data: nil).path
        return TrellisFigure(try PlotSearch.drawing(space, path) { beta[space.betaIndex(of: $0)] }, title: title)
    }

    /// The decoded stride of each layer by epoch.
    func paths(_ trellis: TrellisRun) throws -> ChoiceMap {
        let (space, paths) = (trellis.space, try run.epochs.indices.map { try trellis.architecture($0, seed: run.seed, data: nil).levels })
        var map = try ChoiceMap(
            (0..<space.layers).map { layer in paths.map { $0[layer] } }, rows: (1...space.layers).map { "layer \($0)" },
            columns: run.epochs.map(String.init), choices: space.strides.map { "stride \($0)" }, title: "The most probable path by epoch")
        map.columnTitle = "epoch"
        return map
    }

    // MARK: Alpha

    /// The mean over the edges of each operator's weight.
    func operatorShares(_ trellis: TrellisRun) throws -> StackedAreas {
        let operators = trellis.space.cell.operators
        let series = operators.indices.map { column -> (name: String, values: [Double]) in
            (operators[column], trellis.alpha.map { rows in rows.reduce(0) { $0 + $1[column] } / Double(rows.count) })
        }
        return try StackedAreas(
            series, x: run.epochs.map(Double.init), title: "Share of each operator", xAxis: Axis("epoch"), yAxis: Axis("mean of softmax(α)", range: 0...1),
            size: Figures.Size(500, 330))
    }

    /// The operator that each edge would be decoded to by epoch; `none` never is.
    func edgeChoices(_ trellis: TrellisRun) throws -> ChoiceMap {
        let cell = trellis.space.cell
        let candidates = cell.decodable
        let kept = Set(try trellis.architecture(run.epochs.count - 1, seed: run.seed, data: nil).cell.blocks.enumerated().flatMap { index, block in
            block.branches.compactMap { cell.index(of: CellEdge(block: index + 1, state: $0.state)) }
        })
        func best(_ row: [Double]) -> Int { candidates.dropFirst().reduce(candidates[0]) { row[$1] > row[$0] ? $1 : $0 } }
        let names = CellDrawing.edgeNames(blocks: cell.blocks).enumerated().map { $1 + (kept.contains($0) ? " ●" : "   ") }
        var map = try ChoiceMap(
            (0..<cell.edgeCount).map { edge in trellis.alpha.map { best($0[edge]) } }, rows: names, columns: run.epochs.map(String.init),
            choices: cell.operators, title: "Strongest operator of each edge")
        map.strengths = (0..<cell.edgeCount).map { edge in
            trellis.alpha.map { rows in
                let all = candidates.reduce(0) { $0 + rows[edge][$1] }
                return all > 0 ? rows[edge][best(rows[edge])] / all : 0
            }
        }
        map.columnTitle = "epoch"
        return map
    }

    func alpha(_ trellis: TrellisRun) throws -> HeatMap {
        let cell = trellis.space.cell
        return try HeatMap.alpha(
            trellis.alpha[trellis.alpha.count - 1], edges: CellDrawing.edgeNames(blocks: cell.blocks), operators: cell.operators,
            title: "softmax(α) after epoch \(run.last)")
    }
}
