import Networks
import Search
import Segmentation
import Tensors

/// A confusion matrix as Lua holds it.
public final class ConfusionObject: LuaObject {
    public private(set) var matrix: ConfusionMatrix
    public let names: [String]
    public let ignore: Int32
    /// Over which classes the mean IoU is taken.
    public let rule: MeanRule

    init(classes: Int, names: [String] = [], ignore: Int32 = 255, rule: MeanRule = .present) {
        matrix = ConfusionMatrix(classes: classes)
        self.names = names
        self.ignore = ignore
        self.rule = rule
    }

    /// What was counted elsewhere.
    convenience init(_ matrix: ConfusionMatrix, names: [String], rule: MeanRule) {
        self.init(classes: matrix.classes, names: names, rule: rule)
        self.matrix = matrix
    }

    /// Counts scores [N, C, H, W] or predictions [N, H, W] against labels [N, H, W]; one image may come without N.
    func add(_ given: Tensor, _ labels: Tensor) throws {
        guard labels.dtype == .int32 else { throw DataError("expected int32 labels, got \(labels.dtype)", remedy: "labels:int()") }
        var predictions = given
        if given.rank == labels.rank + 1 {
            let axis = given.rank - 3
            guard axis >= 0, given.shape[axis] == matrix.classes else {
                throw DataError("expected scores of \(matrix.classes) classes, got \(given.shape)", remedy: "count with the number of classes of the scores")
            }
            predictions = try given.dtype == .float32 ? ClassScores.classes(of: given, axis: axis) : ClassScores.pick(given, axis: axis)[0]
        }
        guard predictions.dtype == .int32 else {
            throw DataError("expected scores [N, \(matrix.classes), H, W] or int32 predictions, got \(given.dtype) \(Shape.text(given.shape))", remedy: "predictions:int()")
        }
        guard predictions.shape == labels.shape else {
            throw DataError("expected predictions \(labels.shape) as the labels, got \(predictions.shape)", remedy: "resize the scores to the labels")
        }
        let found = try predictions.detach().contiguous(), truth = try labels.detach().contiguous()
        try found.withBytes { found in
            try truth.withBytes { truth in
                guard let labels = truth.bindMemory(to: Int32.self).baseAddress, let predictions = found.bindMemory(to: Int32.self).baseAddress else { return }
                try matrix.add(labels: labels, predictions: predictions, count: truth.count / 4, ignore: ignore)
            }
        }
    }

    func merge(_ other: ConfusionObject) throws { try matrix.merge(other.matrix) }

    public static let objectType = ObjectType(
        "confusion", of: ConfusionObject.self, summary: "Counts of pixels by label and prediction: the source of all metrics of segmentation.",
        methods: [addBinding, iou, classAccuracy, mergeBinding, counts],
        fields: [
            Field(
                "miou", .number, "Mean intersection over union by the matrix's rule; NaN before anything is counted.",
                of: { (c: ConfusionObject) in c.matrix.meanIoU(c.rule) }),
            Field(
                "rule", .string, "Classes of the mean: 'present' (labelled or predicted somewhere), or 'all' (absent ones count as 0).",
                of: { (c: ConfusionObject) in c.rule.rawValue }),
            Field("accuracy", .number, "Share of pixels predicted as labelled.", of: { (c: ConfusionObject) in c.matrix.pixelAccuracy }),
            Field("mean_accuracy", .number, "Mean over the labelled classes of their accuracy.", of: { (c: ConfusionObject) in c.matrix.meanAccuracy }),
            Field("only_prediction", .integer, "The class that every pixel was taken for, where labels had more than one; nil when predictions differ.", optional: true, get: { call in
                call.push(try call.this(as: ConfusionObject.self).matrix.onlyPrediction)
            }),
            Field("total", .integer, "Pixels counted.", of: { (c: ConfusionObject) in Int(c.matrix.total) }),
            Field("classes", .integer, "Number of classes.", of: { (c: ConfusionObject) in c.matrix.classes }),
            Field("names", .list(.string), "Names of the classes, if they are known.", of: { (c: ConfusionObject) in c.names }),
        ],
        unique: true, rich: { RichTables.confusion($0.matrix, $0.names, $0.rule) }, describe: { $0.matrix.table($0.names, rule: $0.rule) })

    private static let start = "local c = metrics.confusion(3)\nc:add(tensor.from({0, 1, 2, 2}, {dtype = 'int32'}), tensor.from({0, 1, 1, 255}, {dtype = 'int32'}))\n"

    private static let addBinding = Binding(
        module: "confusion", name: "add",
        parameters: [
            Argument("predictions", .tensor, "scores [N, classes, H, W], or class numbers [N, H, W]"), Argument("labels", .tensor, "int32 [N, H, W]"),
        ],
        returns: [Returns(.object("confusion"))], summary: "Counts pixels; those with the ignore label are left out.",
        detail: "A label or prediction that is no class is an error.", example: start + "print(c.total)  --> 3"
    ) { call in
        try call.this(as: ConfusionObject.self).add(call.get(1), call.get(2))
        return call.pushThis()
    }

    private static let iou = Binding(
        module: "confusion", name: "iou", returns: [Returns(.list(.number))],
        summary: "Intersection over union of each class, the first for class 0; NaN for a class that occurs nowhere.", example: start + "print(c:iou()[1], c:iou()[2])  --> 1.0\t0.5"
    ) { call in
        let matrix = try call.this(as: ConfusionObject.self).matrix
        return call.push((0..<matrix.classes).map { matrix.iou($0) ?? .nan })
    }

    private static let classAccuracy = Binding(
        module: "confusion", name: "class_accuracy", returns: [Returns(.list(.number))],
        summary: "Share of each class's pixels that were predicted as it; NaN where no pixel is labelled so.", example: start + "print(c:class_accuracy()[2])  --> 0.5"
    ) { call in
        let matrix = try call.this(as: ConfusionObject.self).matrix
        return call.push((0..<matrix.classes).map { matrix.accuracy($0) ?? .nan })
    }

    private static let mergeBinding = Binding(
        module: "confusion", name: "merge", parameters: [Argument("other", .object("confusion"))], returns: [Returns(.object("confusion"))],
        summary: "Adds the counts of another matrix.", example: start + "print(metrics.confusion(3):merge(c):merge(c).total)  --> 6"
    ) { call in
        try call.this(as: ConfusionObject.self).merge(call.get(1))
        return call.pushThis()
    }

    private static let counts = Binding(
        module: "confusion", name: "counts", returns: [Returns(.list(.list(.integer)))], summary: "The matrix: a row for each label, a column for each prediction.",
        example: start + "print(c:counts()[2][3])  --> 1"
    ) { call in
        let matrix = try call.this(as: ConfusionObject.self).matrix
        return call.push((0..<matrix.classes).map { label in (0..<matrix.classes).map { Int(matrix[label, $0]) } })
    }
}

enum MetricsModule {
    static let module = LuaModule(
        "metrics", summary: "How good a result is: confusion matrix, IoU and accuracy of classes; measures of depths, boundaries and key points.",
        types: [ConfusionObject.objectType], bindings: [confusion, evaluate] + MeasureBindings.all)

    private static let confusion = Binding(
        module: "metrics", name: "confusion", parameters: [Argument("classes", .union([.integer, .list(.string)]), "their number, or their names")],
        options: [
            Option("ignore", .integer, default: 255, "label that does not count; to be said with more than 255 classes"),
            Option("rule", .choice(["present", "all"]), default: "present", "classes of the mean IoU"),
        ],
        returns: [Returns(.object("confusion"))], summary: "An empty confusion matrix.",
        detail: "The rule 'present' averages over classes that are labelled or predicted somewhere, as Cityscapes' scripts do; 'all' counts absent ones as 0, as "
            + "those of VOC and ADE20K do.", example: "print(metrics.confusion{'sky', 'road'}.classes)  --> 2"
    ) { call in
        let rule = MeanRule(rawValue: try call.option("rule")) ?? .present
        if let names: [String] = try call.value(1).table?.list.compactMap(\.string), !names.isEmpty {
            return call.push(ConfusionObject(classes: names.count, names: names, ignore: try call.ignoredLabel(of: names.count), rule: rule))
        }
        let classes: Int = try call.get(1)
        guard (1...4096).contains(classes) else { throw call.bad(1, "1 to 4096 classes expected, got \(classes)") }
        return call.push(ConfusionObject(classes: classes, ignore: try call.ignoredLabel(of: classes), rule: rule))
    }

    private static let evaluate = Binding(
        module: "metrics", name: "evaluate",
        parameters: [
            Argument("model", .any, "a module, a supernet, or a function of images: computes scores [N, classes, H, W], or class numbers int32 [N, H, W]"),
            Argument("data", .union([.object("data_set"), .object("loader")]), "a loader gives what is left of its epoch"),
        ],
        options: [
            Option("batch", .integer, default: 4, "images at once, where their sizes agree"), Option("ignore", .integer, default: 255, "label that does not count"),
            Option("each", .function, "called after each batch with the images done and their number in all"), DataSetMethods.checkOption,
        ] + DataNormalisation.options,
        returns: [Returns(.object("confusion"))], summary: "Counts what a model predicts on whole images.",
        detail: "In evaluation mode, without history, as a plan (a supernet's is kept from call to call); afterwards every part of the model is in the mode it was in. A function, or "
            + "another value that can be called, runs as it is, without history: whose mode it depends on is its own affair. Images may differ in size; scores of another size "
            + "than the labels are resized to them (bilinear, corners aligned). A model that returns several tensors is an error.",
        example: "local set = data.shapes{images = 4, size = {16, 24}, classes = 3, seed = 1}\n"
            + "print(metrics.evaluate(nn.conv2d(3, 3, {kernel = 1}), set, {batch = 2}).total)  --> 1536"
    ) { call in
        let model = try Evaluation.Model(call, 1)
        let each: LuaFunction? = try call.option(ifPresent: "each")
        // Data sets have at most 255 classes.
        let ignore = try call.ignoredLabel(of: 0)
        let size: Int = try call.option("batch")
        guard size > 0 else { throw call.badOption("batch", "1 image or more expected, got \(size)") }
        if let set = DataSetObject.read(call.thread, call.index(2)) {
            try set.base.requireLabels(for: "evaluation")
            try set.base.requireClasses(for: "the mean IoU", remedy: "use network:evaluate(set, {metric = f}), f a function of network, inputs and targets")
            if try call.option("check") { try set.ensureChecked(call.host) }
            let loader = LoaderObject(try Evaluation.loader(set.base, size, DataNormalisation.read(call, standard: set.base.normalisation)))
            defer { loader.close() }
            return call.push(try Evaluation.run(model, loader, ignore: ignore, each))
        }
        return call.push(try Evaluation.run(model, call.get(2), ignore: ignore, each))
    }
}

/// An object of Lua that computes scores in a way of its own: in evaluation mode, without history, and with its parts' modes as they were.
protocol EvaluatedNetwork: AnyObject {
    func evaluationScores(_ images: Tensor) throws -> Tensor
}

extension SupernetObject: EvaluatedNetwork {
    func evaluationScores(_ images: Tensor) throws -> Tensor { try net.scores(images, training: false) }
}

/// Inference over a data set.
enum Evaluation {
    /// Whole images in order; one at a time when their sizes differ.
    static func loader(_ set: any DataSet, _ size: Int, _ normalisation: Normalisation) throws -> BatchLoader {
        let first = set.count > 0 ? try set.size(0) : nil
        let uniform = try (0..<set.count).allSatisfy { try set.size($0) == first }
        return try BatchLoader(
            set, size: uniform ? size : 1, augmentation: Augmentation(normalisation: normalisation), seed: 0, shuffle: false, dropLast: false, ahead: 2)
    }

    /// What computes scores of images.
    enum Model {
        case network(any EvaluatedNetwork)
        case module(Module)
        case function(LuaFunction)

        init(_ call: Call, _ i: Int) throws {
            let (L, index) = (call.thread, call.index(i))
            if let network = try call.plain(i).object(as: AnyObject.self) as? any EvaluatedNetwork {
                self = .network(network)
            } else if let module = Module.read(L, index) {
                self = .module(module)
            } else {
                guard LuaFunction.accepts(L, index) else { throw call.mismatch(index, expected: "module, supernet, or a function of images") }
                self = .function(LuaFunction(L, index))
            }
        }

        /// Runs `body` with a function from images to scores.
        func run<T>(_ body: ((Tensor) throws -> Tensor) throws -> T) throws -> T {
            switch self {
            case .network(let network): try body(network.evaluationScores)
            case .module(let module): try Inference.run(module, body)
            case .function(let function):
                try body { images in
                    try GradientMode.disabled { try function.call(images, returning: Tensor.self, expected: .tensor, from: "the model") }
                }
            }
        }
    }

    /// Scores of another size than the labels, in their size.
    private static func sized(_ scores: Tensor, _ labels: Tensor) throws -> Tensor {
        guard scores.rank == 4, labels.rank == 3, scores.dtype == .float32, Array(scores.shape[2...]) != Array(labels.shape[1...]) else { return scores }
        return try GradientMode.disabled { try scores.resize(.bilinearAlignCorners, height: labels.shape[1], width: labels.shape[2]) }
    }

    /// Counts the rest of a loader's epoch.
    static func run(_ model: Model, _ loader: LoaderObject, ignore: Int32, _ each: LuaFunction?) throws -> ConfusionObject {
        let data = try loader.open().data
        try data.requireLabels(for: "evaluation")
        try data.requireClasses(for: "the mean IoU", remedy: "use network:evaluate(set, {metric = f}), f a function of network, inputs and targets")
        let result = ConfusionObject(classes: data.classes.count, names: data.classNames, ignore: ignore, rule: data.meanRule)
        let epoch = try loader.open().state.epoch
        let total = try loader.open().data.count
        var done = 0
        try model.run { scores in
            while try loader.open().state.epoch == epoch {
                let batch = try loader.next()
                try result.add(sized(scores(batch[0]), batch[1]), batch[1])
                done += batch[0].shape[0]
                try each?.call(done, total)
            }
        }
        return result
    }
}

/// A model in evaluation mode for a while.
enum Inference {
    /// Runs `body` with a function from images to scores; every part of the model is put back into the mode it was in.
    static func run<T>(_ model: Module, _ body: ((Tensor) throws -> Tensor) throws -> T) throws -> T {
        // It keeps plans of its own, whatever its mode and the architecture that it is at.
        if let supernet = model as? Supernet { return try body { try supernet.scores($0, training: false) } }
        let training = modules(of: model).map { ($0, $0.isTraining) }
        model.eval()
        defer {
            // Parents first: setting one sets all below it.
            for (module, on) in training where module.isTraining != on { module.train(on) }
        }
        let compiled = Compiled { inputs in [try GradientMode.disabled { try model(inputs[0]) }] }
        return try body { images in try compiled([images])[0] }
    }

    private static func modules(of module: Module) -> [Module] { [module] + module.children.flatMap { modules(of: $0.module) } }
}
