import Networks
import Segmentation
import Tensors

/// The options `metric` and `metric_goal`.
enum MetricOptions {
    static let metric = Option(
        "metric", .union([.function, .table]), "of network, inputs and targets, one number: what is measured instead of the mean IoU; or such functions by name")

    /// Columns of a history that are no metrics.
    private static let taken: Set = ["step", "epoch", "lr", "loss"]

    /// - Throws: for what are no functions by name, and a goal that names none of them.
    static func read(_ call: Call, _ network: Module) throws -> Measures? {
        guard let given: LuaValue = try call.option(ifPresent: "metric") else {
            if call.hasOption("metric_goal") { throw call.badOption("metric_goal", "a metric expected, which it is the goal of") }
            return nil
        }
        let functions: [(name: String, function: LuaFunction)]
        if let function = given.function {
            functions = [("metric", function)]
        } else {
            let fields = given.table?.fields ?? [:]
            functions = try fields.sorted { $0.key < $1.key }.map { name, value in
                guard let function = value.function, !taken.contains(name) else {
                    throw call.badOption("metric", "functions by name expected, none of them called \(taken.sorted().joined(separator: ", ")); '\(name)' is a \(value.typeName)")
                }
                return (name, function)
            }
            guard !functions.isEmpty, given.table?.list.isEmpty == true else { throw call.badOption("metric", "a function, or functions by name expected") }
        }
        let names = functions.map(\.name)
        let text = functions.map { "\($0.name): \($0.function.recipe)" }.joined(separator: "\n")
        return Measures(names: names, text: text, deciding: try deciding(call, names)) { inputs in
            try functions.map { try $0.function.call(all: [network] + inputs, returning: Tensor.self, expected: .tensor, from: "the metric '\($0.name)'") }
        }
    }

    /// Which metric decides, and whether its smallest value is best.
    private static func deciding(_ call: Call, _ names: [String]) throws -> (index: Int, isLowestBest: Bool)? {
        guard let goal: LuaValue = try call.option(ifPresent: "metric_goal") else { return nil }
        if let text = goal.string {
            guard names.count == 1 else { throw call.badOption("metric_goal", "the metric that decides expected, as {\(names[0]) = '\(text)'}") }
            return (0, text == "min")
        }
        let fields = goal.table?.fields ?? [:]
        guard fields.count == 1, let (name, value) = fields.first, let index = names.firstIndex(of: name), let text = value.string, ["min", "max"].contains(text) else {
            throw call.badOption("metric_goal", "one of \(names.joined(separator: ", ")) with 'min' or 'max' expected, as {\(names[0]) = 'min'}")
        }
        return (index, text == "min")
    }
}
