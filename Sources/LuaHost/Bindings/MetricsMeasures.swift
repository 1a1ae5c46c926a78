import Segmentation
import Tensors

/// Measures of tasks beside classes, as functions of tensors that become part of recordings: for `metric`.
enum MeasureBindings {
    static let all = [
        depth("abs_rel", .absoluteRelative, "Mean of |x - y| / y.", "0.5"), depth("sq_rel", .squaredRelative, "Mean of (x - y)² / y.", "1.0"),
        depth("rmse", .root, "Root of the mean of (x - y)².", "2.0"), depth("rmse_log", .rootOfLogarithms, "Root of the mean of (log x - log y)².", "0.4055"),
        depth("log10", .logarithm, "Mean of |log10 x - log10 y|.", "0.1761"), delta, boundaryIoU, pck,
    ]
    /// For `RecordingRule`.
    static let names = Set(all.map(\.name))

    private static let values = [Argument("values", .tensor, "above 0"), Argument("targets", .tensor, "above 0, of the same shape")]
    private static let mask = Option("mask", .tensor, "0 where a place does not count, whatever stands there; broadcasts")
    private static let number = [Returns(.tensor, "one number")]
    private static let source = "Eigen, Puhrsch and Fergus, 2014. Over all places that count of what is given."

    private static func depth(_ name: String, _ measure: DepthMeasure, _ summary: String, _ result: String) -> Binding {
        let places = result.count > 3 ? 4 : 1
        return Binding(
            module: "metrics", name: name, parameters: values, options: [mask], returns: number, summary: summary, detail: source,
            example: "print(string.format('%.\(places)f', metrics.\(name)(tensor.from{6, 6}, tensor.from{4, 4}):item()))  --> \(result)"
        ) { call in call.push(try measure(call.get(1), call.get(2), mask: call.option(ifPresent: "mask"))) }
    }

    private static let delta = Binding(
        module: "metrics", name: "delta", parameters: values, options: [Option("threshold", .number, default: 1.25, "above 1; 1.25, 1.25^2 and 1.25^3 are usual"), mask], returns: number,
        summary: "Share of the places with max(x / y, y / x) below a threshold.", detail: source,
        example: "print(metrics.delta(tensor.from{1, 2}, tensor.from{1.1, 1}):item())  --> 0.5"
    ) { call in
        let threshold: Double = try call.option("threshold")
        guard threshold > 1, threshold.isFinite else { throw call.badOption("threshold", "more than 1 expected, got \(threshold)") }
        return call.push(try DepthMeasure.within(threshold, call.get(1), call.get(2), mask: call.option(ifPresent: "mask")))
    }

    private static let boundaryIoU = Binding(
        module: "metrics", name: "boundary_iou",
        parameters: [Argument("predictions", .tensor, "scores [N, classes, H, W], or class numbers int32 [N, H, W]"), Argument("labels", .tensor, "int32 [N, H, W]")],
        options: [
            Option("classes", .integer, "their number; needed beside class numbers"),
            Option("distance", .integer, "width of the boundary in pixels; 0.02 of the diagonal when left out"), Option("ignore", .integer, default: 255, "label that does not count"),
        ], returns: number, summary: "Mean over the classes of the IoU of boundaries: pixels of a class near its own edge.",
        detail: "Cheng et al., 2021: where the IoU of large things says little. Over the classes that occur in what is given.",
        example: "local y = tensor.zeros(1, 8, 8, {dtype = 'int32'})\nprint(metrics.boundary_iou(y, y, {classes = 2}):item())  --> 1.0"
    ) { call in
        let given: Tensor = try call.get(1), labels: Tensor = try call.get(2)
        guard labels.rank == 3 else { throw call.bad(2, "int32 [N, H, W] expected, got \(Shape.text(labels.shape))") }
        let isScores = given.rank == 4
        guard let classes: Int = try isScores ? given.shape[1] : call.option(ifPresent: "classes") else { throw call.badOption("classes", "their number expected, beside class numbers") }
        guard (1...4096).contains(classes) else { throw call.badOption("classes", "1 to 4096 expected, got \(classes)") }
        let diagonal = Double(labels.shape[1] * labels.shape[1] + labels.shape[2] * labels.shape[2]).squareRoot()
        let distance: Int = try call.option(ifPresent: "distance") ?? max(1, Int((0.02 * diagonal).rounded()))
        guard (1...1024).contains(distance) else { throw call.badOption("distance", "1 to 1024 pixels expected, got \(distance)") }
        let predictions = try isScores ? given.argmax(1).reshape(labels.shape) : given
        return call.push(try BoundaryIoU.mean(predictions, labels, classes: classes, distance: distance, ignore: call.ignoredLabel(of: classes)))
    }

    private static let pck = Binding(
        module: "metrics", name: "pck",
        parameters: [Argument("points", .tensor, "[..., 2 or more], x and y in front"), Argument("targets", .tensor, "the same")],
        options: [
            Option("distance", .operand, required: true, "within which a point is right: a number, or a tensor that broadcasts to [...]"),
            Option("mask", .tensor, "0 where a point does not count; broadcasts to [...]"),
        ], returns: number, summary: "Share of the key points within a distance of their targets (PCK).", detail: "Yang and Ramanan, 2013.",
        example: "print(metrics.pck(tensor.from{{0, 0}, {3, 4}}, tensor.zeros(2, 2), {distance = 4}):item())  --> 0.5"
    ) { call in
        let given: LuaValue = try call.option("distance")
        let distance = try given.object(as: Tensor.self) ?? Tensor.number(given.number ?? 0, .float32, for: "pck")
        return call.push(try KeypointMeasure.correct(call.get(1), call.get(2), within: distance, mask: call.option(ifPresent: "mask")))
    }
}
