import Segmentation

/// What `network:evaluate` returns, as Lua holds it.
final class EvaluationObject: LuaObject {
    let result: EvaluationResult
    let confusion: ConfusionObject

    init(_ result: EvaluationResult) {
        self.result = result
        confusion = ConfusionObject(result.confusion, names: result.classes.map(\.name), rule: result.rule)
    }

    static let objectType = ObjectType(
        "evaluation", of: EvaluationObject.self, summary: "What a network got right on a data set.",
        detail: "Printing it shows a table of the classes. `plot.confusion(result.confusion)` draws what was taken for what.",
        fields: [
            Field("miou", .number, "Mean intersection over union by the data set's rule, ignored pixels left out.", of: { (e: EvaluationObject) in e.result.meanIoU }),
            Field("accuracy", .number, "Share of the pixels that were labelled right.", of: { (e: EvaluationObject) in e.result.pixelAccuracy }),
            Field("mean_accuracy", .number, "Mean over the labelled classes of their accuracy.", of: { (e: EvaluationObject) in e.result.confusion.meanAccuracy }),
            Field(
                "classes", .list(.table), "For each class {name =, iou =, accuracy =, pixels =}; NaN where a class does not occur.",
                of: { (e: EvaluationObject) in e.classes }),
            Field("confusion", .object("confusion"), "Pixels by label and prediction.", of: { (e: EvaluationObject) in e.confusion }),
            Field("images", .integer, "Images that were looked at.", of: { (e: EvaluationObject) in e.result.images }),
            Field("data", .string, "Name of the data set.", of: { (e: EvaluationObject) in e.result.data }),
            Field("how", .string, "Scales, mirror images and windows.", of: { (e: EvaluationObject) in e.result.options.summary }),
        ],
        unique: true, rich: { RichTables.evaluation($0.result) }, describe: { $0.result.description })

    private var classes: [LuaValue] {
        result.classes.enumerated().map { index, info in
            .table(LuaTable(fields: [
                "name": .string(info.name), "iou": .number(result.confusion.iou(index) ?? .nan), "accuracy": .number(result.confusion.accuracy(index) ?? .nan),
                "pixels": .integer((0..<result.classes.count).reduce(0) { $0 + Int(result.confusion[index, $1]) }),
            ]))
        }
    }
}
