import Base
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

    func loss() throws -> Chart? { try curves([("loss", "weights, half A"), ("arch_loss", run.trellis == nil ? "logits, half B" : "alpha and beta, half B")], "Loss") }
    func validation() throws -> Chart? { try curves([("miou", "mean IoU"), ("accuracy", "pixel accuracy")], "Validation", range: 0...1) }

    /// From the probabilities themselves, so that it begins before the first epoch.
    func entropy() throws -> Chart {
        let x = run.epochs.map(Double.init)
        let curves = try run.trellis.map(trellisEntropy) ?? decisionEntropy()
        let least = min(0.95, curves.flatMap(\.values).min() ?? 0)
        return Chart(
            try curves.map { try Series($0.name, x: x, y: $0.values) }, title: "Relative entropy", x: Axis("epoch"), y: Axis(range: max(0, least - 0.05)...1),
            size: ReportFigures.small)
    }

    private func trellisEntropy(_ trellis: TrellisRun) throws -> [(name: String, values: [Double])] {
        [
            ("alpha (operators)", trellis.alpha.map { trellis.space.cell.entropy(alpha: $0.flatMap { $0 }).relative }),
            ("beta (arrows)", trellis.beta.map { trellis.space.entropy(beta: $0).relative }),
        ]
    }

    /// The decisions by kind: of many each would be a curve that nobody can follow.
    private func decisionEntropy() -> [(name: String, values: [Double])] {
        let byKind = Dictionary(grouping: run.space.decisions.decisions, by: \.domain.kind)
        return byKind.sorted { $0.key < $1.key }.map { kind, decisions in
            let values = run.epochs.indices.map { e in
                decisions.reduce(0.0) { $0 + $1.entropy(of: run.probabilities[$1.name]?[e] ?? []).relative } / Double(decisions.count)
            }
            return (decisions.count == 1 ? decisions[0].name : "\(kind) (mean of \(decisions.count))", values)
        }
    }

    func rate() throws -> Chart? { try curves([("lr", "weights")], "Learning rate") }
}
