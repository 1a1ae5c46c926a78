import Networks
import Segmentation
import Tensors

/// `network:evaluate` and `network:segment`.
enum EvaluateBindings {
    static let all = [evaluate, segment]

    private static let looks = [
        Option("scales", .list(.number), default: [1], "sizes in which an image is looked at; class probabilities are averaged"),
        Option("flip", .boolean, default: false, "look at the mirror image too"),
        Option("window", Kind.integers, "height and width of pieces that larger images are taken apart into"),
        Option("stride", Kind.integers, "pixels from one window to the next; two thirds of the window when left out"),
    ]

    /// How an image is looked at; normalised as the network was trained unless the call says otherwise.
    private static func segmentation(_ call: Call, _ network: Module, _ data: (any DataSet)? = nil) throws -> SegmentationOptions {
        var options = SegmentationOptions(scales: try call.option("scales"), flip: try call.option("flip"))
        if let (height, width) = try call.pair(ifPresent: "window") { options.window = Size(height: height, width: width) }
        if let (height, width) = try call.pair(ifPresent: "stride") { options.stride = Size(height: height, width: width) }
        options.normalisation = try normalisation(call, network, data)
        return options
    }

    private static func normalisation(_ call: Call, _ network: Module, _ data: (any DataSet)?) throws -> Normalisation {
        try DataNormalisation.read(call, standard: ModelRecord.of(network)?.data?.normalisation ?? data?.normalisation ?? .imageNet)
    }

    private static let evaluate = Binding(
        module: "module", name: "evaluate", parameters: [Argument("data", .object("data_set"))],
        options: looks + [
            MetricOptions.metric, Option("batch", .integer, "images at once, where all have one size; 4 when left out, of a metric 1"),
            Option("save", .string, "directory for the predictions: PNG files with the data set's class numbers and colours"),
            Option("progress", .boolean, "a line that says how far it is; when left out, on a terminal and in notebooks"),
            Option("each", .function, "called with the images done and their number"), DataSetMethods.checkOption,
        ] + DataNormalisation.options,
        returns: [Returns(.object("evaluation"))], summary: "Measures the network on whole images: mIoU, accuracy, a table of the classes, the confusion matrix; or metrics of your own.",
        detail: """
            In evaluation mode whatever the network's own, through plans that are kept by the shape of the images, which may differ. Several scales and mirror images are \
            resized back to the image and averaged as probabilities; windows overlap and are averaged as scores, for images that are too large as a whole. The mean is taken \
            by the data set's rule, pixels labelled 255 count nowhere. Pixels are normalised as in `fit`. A network that returns several tensors is an error. \
            A `metric` is a function of network, inputs and targets, recorded once, that gives one number, or a table of such functions by name: `value` and `values` of the result are \
            their means over the samples, each measured by itself (with `batch` so many at once; the mean goes by their number). Scales, mirror images and windows are of classes only.
            """,
        example: """
            local set = data.shapes{images = 2, size = {32, 48}, classes = 3, seed = 1}
            local net = nn.conv2d(3, 3, {kernel = 1})
            local result = net:evaluate(set, {scales = {0.75, 1, 1.25}, flip = true})
            print(result.confusion.total, result.classes[1].name, result.how)  --> 3072	sky	scales 0.75, 1, 1.25, flipped
            """
    ) { call in
        let network: Module = try call.this()
        let set: DataSetObject = try call.get(1)
        if let measures = try MetricOptions.read(call, network) { return try measure(call, network, set, measures) }
        let segmenter = try Segmenter(network, segmentation(call, network, set.base))
        try set.base.requireLabels(for: "evaluation")
        if try call.option("check") { try set.ensureChecked(call.host) }
        let result = try watched(call, set) {
            try Evaluator.run(segmenter, set.base, batch: call.option(ifPresent: "batch") ?? 4, directory: call.option(ifPresent: "save"), each: $0)
        }
        ModelRecord.of(network) { $0.note(result) }
        return call.push(EvaluationObject(result))
    }

    private static func measure(_ call: Call, _ network: Module, _ set: DataSetObject, _ measures: Measures) throws -> Int {
        for name in ["scales", "flip", "window", "stride", "save"] where call.hasOption(name) {
            throw call.badOption(name, "this is for classes; a metric gets the samples as they are")
        }
        if try call.option("check") { try set.ensureChecked(call.host, countsClasses: false) }
        let batch: Int = try call.option(ifPresent: "batch") ?? 1
        let values = try watched(call, set) {
            try Measurer(network, measures).run(set.base, batch: batch, normalisation: normalisation(call, network, set.base), each: $0)
        }
        ModelRecord.of(network) { $0.note(values) }
        return call.push(EvaluationObject(values))
    }

    /// Runs `body` with a function that is told the number of samples done: progress on a terminal, and the script's own function.
    private static func watched<T>(_ call: Call, _ set: DataSetObject, _ body: (@escaping (Int) throws -> Void) throws -> T) throws -> T {
        let each: LuaFunction? = try call.option(ifPresent: "each")
        let shows: Bool = try call.option(ifPresent: "progress") ?? call.output.showsProgress
        let bar = shows ? ProgressBar(total: set.base.count, label: "evaluation", done: 0, host: call.host) : nil
        let result = try body { done in
            bar?.update(done, [])
            try each?.call(done, set.base.count)
        }
        bar?.finish()
        return result
    }

    private static let segment = Binding(
        module: "module", name: "segment", parameters: [Argument("image", .union([.string, .tensor]), "a PNG or JPEG file, or [3, H, W] of 0 to 1")],
        options: looks + [
            Option("labels", .string, "PNG file for the labels, with the class numbers and colours of the data set"),
            Option("overlay", .string, "PNG or JPEG file for the image with the labels over it"),
            Option("opacity", .number, default: 0.6, "of the labels over the image"),
            Option("set", .object("data_set"), "whose classes and colours; when left out, those that the network was trained with"),
        ] + DataNormalisation.options,
        returns: [Returns(.tensor, "int32 [H, W], class numbers from 0")], summary: "The class of each pixel of an image, in the image's size.",
        detail: "Like `evaluate` it looks at several scales, mirror images and windows if asked to. By windows in the image's own size no more than a row of them is "
            + "in memory as floats. The orientation that a camera noted in a file (EXIF) is not applied, and a word says so.",
        example: "local net = nn.conv2d(3, 2, {kernel = 1})\nprint(net:segment(tensor.rand(3, 20, 30)):size(2))  --> 30"
    ) { call in
        let network: Module = try call.this()
        let segmenter = try Segmenter(network, segmentation(call, network))
        let image = try EvaluateBindings.image(call)
        let known: [ClassInfo]
        if let set: DataSetObject = try call.option(ifPresent: "set") {
            known = set.base.classes
        } else {
            let trained = ModelRecord.of(network)?.data?.classes ?? []
            known = try trained.isEmpty ? ClassInfo.numbered(Segmenter.classes(of: network, for: image.size)) : trained
        }
        let labels = try segmenter.classify(image)
        if let path: String = try call.option(ifPresent: "labels") { try ImageFile.write(labels, as: known, to: path) }
        if let path: String = try call.option(ifPresent: "overlay") {
            let opacity: Double = try call.option("opacity")
            guard (0...1).contains(opacity) else { throw call.badOption("opacity", "0 to 1 expected, got \(opacity)") }
            try ImageFile.write(try image.overlaid(labels, known, opacity: opacity), to: path)
        }
        return call.push(try labels.tensor())
    }

    private static func image(_ call: Call) throws -> Image {
        if call.typeName(1) == "string" { return try ImageFile.image(call.get(1), saysTurned: true) }
        let tensor: Tensor = try call.get(1)
        guard tensor.rank == 3, tensor.shape[0] == 3, tensor.count > 0 else { throw call.bad(1, "an image [3, H, W] expected, got \(Shape.text(tensor.shape))") }
        let plain = Normalisation(mean: [0, 0, 0], deviation: [1, 1, 1])
        let source = try tensor.detach().contiguous()
        return try source.withFloats { try plain.image($0, size: Size(height: tensor.shape[1], width: tensor.shape[2])) }
    }
}
