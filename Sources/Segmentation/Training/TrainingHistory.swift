import Base

/// How a training run went, row by row.
public struct TrainingHistory: Equatable, Sendable {
    /// A stretch of steps and what was measured after it.
    public struct Row: Equatable, Sendable {
        /// Steps done.
        public var step: Int
        /// Passes over the data done.
        public var epoch: Double
        /// Learning rate of the last step.
        public var rate: Double
        /// Mean loss over the stretch.
        public var loss: Double
        /// What the validation measured, in the order of the history's measures; empty without one.
        public var measured: [Double?] = []
    }

    /// What validations measure.
    public struct Measures: Equatable, Sendable {
        public var names: [String]
        /// The measure that says which validation is best, and whether the smallest value is; nil where nothing says it.
        public var deciding: Int?
        public var isLowestBest = false

        public init(_ names: [String], deciding: Int? = nil, isLowestBest: Bool = false) {
            (self.names, self.deciding, self.isLowestBest) = (names, deciding, isLowestBest)
        }

        /// Of classes of pixels.
        public static let segmentation = Measures(["miou", "accuracy"], deciding: 0)

        /// How people read a measure, and a value of it: shares in percent.
        func shown(_ index: Int) -> (title: String, text: (Double) -> String) {
            if self == .segmentation { return (["mIoU", "accuracy"][index] + " %", { Decimals.fixed(100 * $0, 1) }) }
            return (names[index], { Decimals.significant($0, 4) })
        }
    }

    public internal(set) var rows: [Row] = []
    /// Steps that were planned.
    public internal(set) var steps: Int
    public let measures: Measures
    /// Why the run ended before that; nil when it did not.
    public internal(set) var stopped: String?

    public init(steps: Int, measures: Measures = .segmentation) { (self.steps, self.measures) = (steps, measures) }

    /// What decides in a row; nil without validation.
    private func score(_ row: Row) -> Double? {
        guard let index = measures.deciding, row.measured.indices.contains(index), let value = row.measured[index], !value.isNaN else { return nil }
        return measures.isLowestBest ? -value : value
    }

    /// The row of the best validation, the first of equals; nil without validation.
    public var best: Row? {
        var best: (row: Row, score: Double)?
        for row in rows {
            guard let score = score(row), score > best?.score ?? -.infinity else { continue }
            best = (row, score)
        }
        return best?.row
    }

    /// The measures of a row that were made, by name.
    public func measured(_ row: Row) -> [(name: String, value: Double)] {
        zip(measures.names, row.measured).compactMap { name, value in value.map { (name, $0) } }
    }

    /// What decided in the best row so far, by name.
    public var bestMeasure: (name: String, value: Double)? {
        guard let best, let index = measures.deciding, let value = best.measured[index] else { return nil }
        return (measures.names[index], value)
    }

    /// Validations since the best one.
    var validationsSinceBest: Int {
        guard let best else { return rows.count }
        return rows.reduce(0) { $0 + ($1.step > best.step && !$1.measured.isEmpty ? 1 : 0) }
    }

    /// Whether there is no step left to do.
    public var isFinished: Bool { stopped != nil || rows.last?.step == steps }

    private var columns: [String] { ["step", "epoch", "lr", "loss"] + measures.names }

    private func cells(_ row: Row) -> [Double?] {
        [Double(row.step), row.epoch, row.rate, row.loss] + measures.names.indices.map { row.measured.indices.contains($0) ? row.measured[$0] : nil }
    }

    /// Comma-separated values; a cell is empty where there is no number. No times: the file is the same however often a run was interrupted.
    public var csv: String {
        let lines = rows.map { row in
            cells(row).map { $0.flatMap { $0.isFinite ? Decimals.significant($0, 6) : nil } ?? "" }.joined(separator: ",")
        }
        return ([columns.joined(separator: ",")] + lines).joined(separator: "\n") + "\n"
    }

    /// A table of at most `most` rows, and a line that sums up.
    public func table(most: Int = 20) -> String {
        let shown = rows.count <= most ? rows : Array(rows.prefix(most / 2)) + Array(rows.suffix(most - most / 2))
        let shownMeasures = measures.names.indices.map { measures.shown($0) }
        var lines = [TrainingHistory.line(["step", "epoch", "lr", "loss"] + shownMeasures.map(\.title))]
        for (index, row) in shown.enumerated() {
            if rows.count > most, index == most / 2 { lines.append("  ... \(rows.count - most) more") }
            lines.append(TrainingHistory.line([
                String(row.step), Decimals.fixed(row.epoch, 2), Decimals.significant(row.rate, 3), Decimals.fixed(row.loss, 4),
            ] + shownMeasures.indices.map { index in row.measured.indices.contains(index) ? row.measured[index].map(shownMeasures[index].text) ?? "-" : "-" }))
        }
        lines.append(summary)
        return lines.joined(separator: "\n")
    }

    private static func line(_ cells: [String]) -> String {
        cells.map { String(repeating: " ", count: max(0, 11 - $0.count)) + $0 }.joined()
    }

    /// "50 steps, loss 1.6094 to 0.7153; best mIoU 41.2 % at step 40".
    public var summary: String {
        guard let first = rows.first, let last = rows.last else { return "nothing done of \(steps) steps" }
        var text = "\(last.step) steps" + (stopped == nil && last.step < steps ? " of \(steps)" : "")
        text += ", loss \(Decimals.fixed(first.loss, 4))" + (rows.count > 1 ? " to \(Decimals.fixed(last.loss, 4))" : "")
        if let best, let index = measures.deciding, let value = best.measured[index] {
            let shown = measures.shown(index)
            text += "; best " + (measures == .segmentation ? "mIoU \(shown.text(value)) %" : "\(shown.title) \(shown.text(value))") + " at step \(best.step)"
        }
        if let stopped { text += "; ended early: \(stopped)" }
        return text
    }
}

// In checkpoints.
extension TrainingHistory {
    var json: JSONValue {
        let rows = rows.map { row in
            JSONValue.array(cells(row).map { $0.map { $0.isFinite ? .number($0) : .string("nan") } ?? .null })
        }
        return .object([.init("steps", .integer(steps)), .init("stopped", stopped.map { .string($0) } ?? .null), .init("rows", .array(rows))])
    }

    /// - Parameter measures: of the run that goes on.
    init?(_ json: JSONValue?, measures: Measures) {
        guard case .integer(let steps)? = json?["steps"], case .array(let list)? = json?["rows"] else { return nil }
        self.init(steps: steps, measures: measures)
        if case .string(let reason)? = json?["stopped"] { stopped = reason }
        for item in list {
            guard case .array(let cells) = item, cells.count == columns.count else { return nil }
            let numbers = cells.map { cell -> Double? in
                switch cell {
                case .integer(let value): Double(value)
                case .number(let value): value
                case .string: .nan
                default: nil
                }
            }
            guard let step = numbers[0], let epoch = numbers[1], let rate = numbers[2], let loss = numbers[3] else { return nil }
            let measured = Array(numbers.dropFirst(4))
            rows.append(Row(step: Int(step), epoch: epoch, rate: rate, loss: loss, measured: measured.allSatisfy { $0 == nil } ? [] : measured))
        }
    }
}
