import Notebook
import Segmentation

/// What `network:evaluate` returns, as Lua holds it.
final class EvaluationObject: LuaObject {
    enum Result {
        /// Classes of pixels.
        case segmentation(EvaluationResult, ConfusionObject)
        /// Metrics of a script.
        case measured(MeasuredValues)
    }

    let result: Result

    init(_ result: EvaluationResult) {
        self.result = .segmentation(result, ConfusionObject(result.confusion, names: result.classes.map(\.name), rule: result.rule))
    }

    init(_ values: MeasuredValues) { result = .measured(values) }

    /// A field of the segmentation; nil where metrics were measured.
    private static func field<V: LuaPushable>(_ name: String, _ kind: Kind, _ doc: String, of get: @escaping (EvaluationResult) -> V) -> Field {
        Field(name, kind, doc, optional: true, get: { call in
            guard case .segmentation(let result, _) = try call.this(as: EvaluationObject.self).result else { return call.pushNil() }
            return call.push(get(result))
        })
    }

    static let objectType = ObjectType(
        "evaluation", of: EvaluationObject.self, summary: "What a network got right on a data set.",
        detail: "Printing it shows a table of the classes, or the metrics. `plot.confusion(result.confusion)` draws what was taken for what. With metrics of your own the fields of "
            + "classes are nil.",
        fields: [
            Field("value", .number, "The metric, or the mean IoU; nil of several metrics.", optional: true, get: { call in
                call.push(try call.this(as: EvaluationObject.self).value)
            }),
            Field("values", .table, "The metrics by name; miou and accuracy of classes.", of: { (e: EvaluationObject) in e.values }),
            field("miou", .number, "Mean intersection over union by the data set's rule, ignored pixels left out.") { $0.meanIoU },
            field("accuracy", .number, "Share of the pixels that were labelled right.") { $0.pixelAccuracy },
            field("mean_accuracy", .number, "Mean over the labelled classes of their accuracy.") { $0.confusion.meanAccuracy },
            field("classes", .list(.table), "For each class {name =, iou =, accuracy =, pixels =}; NaN where a class does not occur.", of: classes),
            Field("confusion", .object("confusion"), "Pixels by label and prediction.", optional: true, get: { call in
                guard case .segmentation(_, let confusion) = try call.this(as: EvaluationObject.self).result else { return call.pushNil() }
                return call.push(confusion)
            }),
            Field("images", .integer, "Samples that were looked at.", of: { (e: EvaluationObject) in e.samples }),
            Field("data", .string, "Name of the data set.", of: { (e: EvaluationObject) in e.data }),
            field("how", .string, "Scales, mirror images and windows.") { $0.options.summary },
        ],
        unique: true, rich: { $0.rich }, describe: { $0.text })

    private var rich: MIMEBundle {
        guard case .segmentation(let result, _) = result else { return MIMEBundle(plain: "") }
        return RichTables.evaluation(result)
    }

    private var text: String {
        switch result {
        case .segmentation(let result, _): result.description
        case .measured(let values): values.description
        }
    }

    private var value: Double? {
        switch result {
        case .segmentation(let result, _): result.meanIoU
        case .measured(let values): values.values.count == 1 ? values.values[0] : nil
        }
    }

    private var values: [String: Double] {
        switch result {
        case .segmentation(let result, _): ["miou": result.meanIoU, "accuracy": result.pixelAccuracy]
        case .measured(let values): Dictionary(zip(values.names, values.values), uniquingKeysWith: { $1 })
        }
    }

    private var samples: Int {
        switch result {
        case .segmentation(let result, _): result.images
        case .measured(let values): values.samples
        }
    }

    private var data: String {
        switch result {
        case .segmentation(let result, _): result.data
        case .measured(let values): values.data
        }
    }

    private static func classes(_ result: EvaluationResult) -> [LuaValue] {
        result.classes.enumerated().map { index, info in
            .table(LuaTable(fields: [
                "name": .string(info.name), "iou": .number(result.confusion.iou(index) ?? .nan), "accuracy": .number(result.confusion.accuracy(index) ?? .nan),
                "pixels": .integer((0..<result.classes.count).reduce(0) { $0 + Int(result.confusion[index, $1]) }),
            ]))
        }
    }
}
