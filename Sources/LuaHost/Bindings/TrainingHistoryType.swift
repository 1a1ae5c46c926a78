import Figures
import Segmentation

/// A training run's history as Lua holds it.
final class TrainingHistoryObject: LuaObject {
    let history: TrainingHistory
    init(_ history: TrainingHistory) { self.history = history }

    static let objectType = ObjectType(
        "history", of: TrainingHistoryObject.self, summary: "How a training run went.",
        detail: "Printing it shows its rows. A row is {step =, epoch =, lr =, loss =, miou =, accuracy =}: the mean loss over the steps since the row before, and what "
            + "the validation measured, if there was one; with a metric of your own that under its name, or as `metric`.",
        methods: [plot, csv],
        fields: [
            Field("rows", .list(.table), "All rows in order.", of: { (h: TrainingHistoryObject) in h.history.rows.map(h.history.value(of:)) }),
            Field("best", .table, "The row of the best validation; nil without validation.", optional: true, get: { call in
                let history = try call.this(as: TrainingHistoryObject.self).history
                return call.push(history.best.map(history.value(of:)))
            }),
            Field("last", .table, "The last row.", optional: true, get: { call in
                let history = try call.this(as: TrainingHistoryObject.self).history
                return call.push(history.rows.last.map(history.value(of:)))
            }),
            Field("steps", .integer, "Steps done.", of: { (h: TrainingHistoryObject) in h.history.rows.last?.step ?? 0 }),
            Field("stopped", .string, "Why the run ended before its last step; nil when it did not.", optional: true, get: { call in
                call.push(try call.this(as: TrainingHistoryObject.self).history.stopped)
            }),
        ],
        unique: true, describe: { $0.history.table() })

    private static let sample = "local set = data.shapes{images = 4, size = {16, 16}, classes = 2, seed = 1}\n"
        + "local history = nn.conv2d(3, 2, {kernel = 1}):fit(set, {steps = 4, batch = 2, lr = 0.1})\n"

    private static let plot = Binding(
        module: "history", name: "plot", returns: [Returns(.object("figure"))], summary: "Loss, learning rate and validation over the steps.",
        example: sample + "history:plot():save('training.svg')"
    ) { call in
        let history = try call.this(as: TrainingHistoryObject.self).history
        let rows = history.rows
        let steps = rows.map { Double($0.step) }
        func chart(_ title: String, _ series: [(String, (TrainingHistory.Row) -> Double?)], range: ClosedRange<Double>? = nil) throws -> Chart {
            Chart(
                try series.map { name, value in try Series(name, x: steps, y: rows.map { value($0) ?? .nan }, style: rows.count > 1 ? .line : .dots) },
                title: title, x: Axis("step"), y: Axis("", range: range))
        }
        var charts: [any Figure] = [try chart("loss", [("", { $0.loss })]), try chart("learning rate", [("", { $0.rate })])]
        if rows.contains(where: { !$0.measured.isEmpty }) {
            func measure(_ index: Int) -> (TrainingHistory.Row) -> Double? { { $0.measured.indices.contains(index) ? $0.measured[index] : nil } }
            if history.measures == .segmentation {
                charts.append(try chart("validation", [("mIoU", measure(0)), ("accuracy", measure(1))], range: 0...1))
            } else {
                // Each has a unit of its own.
                for (index, name) in history.measures.names.enumerated() { charts.append(try chart(name, [("", measure(index))])) }
            }
        }
        return call.push(FigureObject(FigureGrid(charts.map { [$0] })))
    }

    private static let csv = Binding(
        module: "history", name: "csv", returns: [Returns(.string)], summary: "The rows as comma-separated values.",
        example: sample + "print(history:csv():match('[^\\n]+'))  --> step,epoch,lr,loss,miou,accuracy"
    ) { call in call.push(try call.this(as: TrainingHistoryObject.self).history.csv) }
}

extension TrainingHistory {
    /// A row as a table.
    func value(of row: Row) -> LuaValue {
        var fields: [String: LuaValue] = ["step": .integer(row.step), "epoch": .number(row.epoch), "lr": .number(row.rate), "loss": .number(row.loss)]
        for (name, value) in measured(row) { fields[name] = .number(value) }
        return .table(LuaTable(fields: fields))
    }
}
