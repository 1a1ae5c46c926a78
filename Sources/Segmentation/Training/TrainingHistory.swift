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
        /// Of the validation; nil without one.
        public var meanIoU: Double?
        public var accuracy: Double?
    }

    public internal(set) var rows: [Row] = []
    /// Steps that were planned.
    public let steps: Int
    /// Why the run ended before that; nil when it did not.
    public internal(set) var stopped: String?

    public init(steps: Int) { self.steps = steps }

    /// The row of the highest validated mean IoU, the first of equals; nil without validation.
    public var best: Row? {
        rows.reduce(nil) { best, row in
            guard let value = row.meanIoU, !value.isNaN else { return best }
            return value > best?.meanIoU ?? -1 ? row : best
        }
    }

    /// Validations since the best one.
    var validationsSinceBest: Int {
        guard let best else { return rows.count }
        return rows.reduce(0) { $0 + ($1.step > best.step && $1.meanIoU != nil ? 1 : 0) }
    }

    /// Whether there is no step left to do.
    public var isFinished: Bool { stopped != nil || rows.last?.step == steps }

    private static let columns = ["step", "epoch", "lr", "loss", "miou", "accuracy"]

    private static func cells(_ row: Row) -> [Double?] { [Double(row.step), row.epoch, row.rate, row.loss, row.meanIoU, row.accuracy] }

    /// Comma-separated values; a cell is empty where there is no number. No times: the file is the same however often a run was interrupted.
    public var csv: String {
        let lines = rows.map { row in
            TrainingHistory.cells(row).map { $0.flatMap { $0.isFinite ? Decimals.significant($0, 6) : nil } ?? "" }.joined(separator: ",")
        }
        return ([TrainingHistory.columns.joined(separator: ",")] + lines).joined(separator: "\n") + "\n"
    }

    /// A table of at most `most` rows, and a line that sums up.
    public func table(most: Int = 20) -> String {
        let shown = rows.count <= most ? rows : Array(rows.prefix(most / 2)) + Array(rows.suffix(most - most / 2))
        var lines = [TrainingHistory.line(["step", "epoch", "lr", "loss", "mIoU %", "accuracy %"])]
        for (index, row) in shown.enumerated() {
            if rows.count > most, index == most / 2 { lines.append("  ... \(rows.count - most) more") }
            lines.append(TrainingHistory.line([
                String(row.step), Decimals.fixed(row.epoch, 2), Decimals.significant(row.rate, 3), Decimals.fixed(row.loss, 4),
                row.meanIoU.map { Decimals.fixed(100 * $0, 1) } ?? "-", row.accuracy.map { Decimals.fixed(100 * $0, 1) } ?? "-",
            ]))
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
        if let best, let value = best.meanIoU { text += "; best mIoU \(Decimals.fixed(100 * value, 1)) % at step \(best.step)" }
        if let stopped { text += "; ended early: \(stopped)" }
        return text
    }
}

// In checkpoints.
extension TrainingHistory {
    var json: JSONValue {
        let rows = rows.map { row in
            JSONValue.array(TrainingHistory.cells(row).map { $0.map { $0.isFinite ? .number($0) : .string("nan") } ?? .null })
        }
        return .object([.init("steps", .integer(steps)), .init("stopped", stopped.map { .string($0) } ?? .null), .init("rows", .array(rows))])
    }

    init?(_ json: JSONValue?) {
        guard case .integer(let steps)? = json?["steps"], case .array(let list)? = json?["rows"] else { return nil }
        self.init(steps: steps)
        if case .string(let reason)? = json?["stopped"] { stopped = reason }
        for item in list {
            guard case .array(let cells) = item, cells.count == TrainingHistory.columns.count else { return nil }
            let numbers = cells.map { cell -> Double? in
                switch cell {
                case .integer(let value): Double(value)
                case .number(let value): value
                case .string: .nan
                default: nil
                }
            }
            guard let step = numbers[0], let epoch = numbers[1], let rate = numbers[2], let loss = numbers[3] else { return nil }
            rows.append(Row(step: Int(step), epoch: epoch, rate: rate, loss: loss, meanIoU: numbers[4], accuracy: numbers[5]))
        }
    }
}
