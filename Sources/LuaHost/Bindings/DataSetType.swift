import Base
import Glibc
import Segmentation
import Tensors

/// A data set as Lua holds it.
public final class DataSetObject: LuaObject {
    public let base: any DataSet
    /// What the labels hold, once they were read.
    private var summary: DataSummary?
    /// Whether all images are known to be whole.
    private var areImagesVerified = false
    private let origin: Origin
    /// Of functions of a script that make its samples.
    let anchors: [LuaAnchor]

    /// Where the samples come from, by which it is known what has to be looked at.
    enum Origin {
        /// Files. Where `saysVoid` is not set, nobody said that 255 counts nowhere in the label images, which is what it is read as.
        case files(saysVoid: Bool)
        /// Samples are made when asked for, and looked at then.
        case generator
    }

    init(_ base: any DataSet, _ origin: Origin, anchors: [LuaAnchor] = []) {
        self.base = base
        self.origin = origin
        self.anchors = anchors
    }

    /// Some of the samples of another set, or all of them in another size; what is known of that one need not be found again.
    private init(_ base: any DataSet, of whole: DataSetObject, summary: DataSummary?) {
        self.base = base
        self.summary = summary
        anchors = whole.anchors
        areImagesVerified = whole.areImagesVerified
        // Of the whole set it is known by now that it does not look like masks; a part may hold one class only.
        if case .files = whole.origin, whole.summary != nil { origin = .files(saysVoid: true) } else { origin = whole.origin }
    }

    func part(_ part: Subset) -> DataSetObject { DataSetObject(part, of: self, summary: summary?.part(part.indices)) }
    func resized(_ scaled: any DataSet) -> DataSetObject { DataSetObject(scaled, of: self, summary: nil) }

    /// What is looked at before work on the set, once: every image is decoded, every label read. A word is said on what is no error.
    /// - Parameter countsClasses: whether the labels are to be learned or measured: then some pixel needs a class, and a class should occur.
    func ensureChecked(_ host: ScriptHost, countsClasses: Bool = true) throws {
        guard case .files = origin else { return }
        try verifyImages(host)
        if countsClasses { try checkLabels(host).forEach(Notice.say) } else if base.isLabelled { _ = try inspected(host) }
    }

    /// The same whatever the set is made of, with the words as a list.
    func check(_ host: ScriptHost) throws -> [String] {
        try verifyImages(host)
        return try checkLabels(host)
    }

    /// Reads all labels, if there are any.
    /// - Returns: words on classes that occur nowhere.
    /// - Throws: what `inspected` does, and when no pixel has a class.
    func checkLabels(_ host: ScriptHost) throws -> [String] {
        guard base.isLabelled, base.hasClasses else { return [] }
        let summary = try inspected(host)
        try summary.requireClasses(base)
        return summary.warnings(base)
    }

    private func verifyImages(_ host: ScriptHost) throws {
        if areImagesVerified { return }
        let bar = LateBar(total: base.count, label: "looking at images of \(base.name)", host: host)
        try base.verifyImages(each: bar.update)
        bar.clear()
        areImagesVerified = true
    }

    /// Reads all labels once.
    /// - Throws: for labels that mean nothing, and for masks whose 255 would be read as void although nobody said so.
    func inspected(_ host: ScriptHost) throws -> DataSummary {
        if let summary { return summary }
        let bar = LateBar(total: base.count, label: "reading labels of \(base.name)", host: host)
        let found = try base.inspect(each: bar.update)
        bar.clear()
        if case .files(saysVoid: false) = origin, found.looksLikeMasks { throw found.masksError(base) }
        summary = found
        return found
    }

    /// Index (from 0) of sample `i` of Lua, negative from the end.
    func index(_ i: Int) throws -> Int {
        let at = i < 0 ? base.count + i : i - 1
        guard i != 0, (0..<base.count).contains(at) else { throw HostError("sample \(i) is outside of 1 to \(base.count) of \(base.name)") }
        return at
    }

    public static let objectType = ObjectType(
        "data_set", of: DataSetObject.self, summary: "Images with the class of each pixel, or inputs and targets of any task.",
        detail: "`#set` is the number of samples. Class numbers count from 0 as label images have them, 255 where a pixel does not count; "
            + "`set.names[1]` is class 0. Samples are made or decoded when asked for.",
        methods: DataSetMethods.all,
        fields: [
            Field("name", .string, "What it is called in messages.", of: { (s: DataSetObject) in s.base.name }),
            Field("inputs", .list(.string), "Names of what networks compute from.", of: { (s: DataSetObject) in s.base.parts.filter(\.isInput).map(\.name) }),
            Field("targets", .list(.string), "Names of what networks are to give.", of: { (s: DataSetObject) in s.base.parts.filter { !$0.isInput }.map(\.name) }),
            Field("classes", .integer, "Number of classes; 0 where the targets are no classes of pixels.", of: { (s: DataSetObject) in s.base.classes.count }),
            Field("names", .list(.string), "Names of the classes; the first is class 0.", of: { (s: DataSetObject) in s.base.classes.map(\.name) }),
            Field(
                "colours", .list(.list(.integer)), "Colours of the classes, {red, green, blue} of 0 to 255.",
                of: { (s: DataSetObject) in s.base.classes.map { [Int($0.colour.red), Int($0.colour.green), Int($0.colour.blue)] } }),
            Field(
                "ids", .list(.integer), "Number of each class in saved label images, as the data set's own files have it.",
                of: { (s: DataSetObject) in s.base.classes.outputIds.map(Int.init) }),
            Field("labelled", .boolean, "Whether there are labels; test splits may have none.", of: { (s: DataSetObject) in s.base.isLabelled }),
            Field(
                "rule", .string, "Classes of the mean IoU by the data set's evaluation: 'present' or 'all'.",
                of: { (s: DataSetObject) in s.base.meanRule.rawValue }),
        ],
        metamethods: [
            Binding(name: "__len", parameters: [Argument("set", .any)], returns: [Returns(.integer)], summary: "Number of samples.") { call in
                call.push(try call.get(1, as: DataSetObject.self).base.count)
            },
        ],
        unique: true, anchors: { $0.anchors }, describe: { set in
            let size = set.base.count > 0 && set.base.parts.contains(where: \.kind.isMap) ? try set.base.size(0) : nil
            return set.base.description + (size.map { ", the first \($0)" } ?? "")
        })
}

enum DataSetMethods {
    static let all = [split, sample, size, source, outputName, saveLabels, frequencies, weights, subset, scaled, check, batches]

    private static let shapes = "local set = data.shapes{images = 8, size = {32, 48}, classes = 4, seed = 1}\n"

    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "",
        example: String, body: @escaping Body
    ) -> Binding {
        Binding(
            module: "data_set", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
            example: shapes + example, body: body)
    }

    private static let number = Argument("i", .integer, "number of the sample, from 1")

    private static let split = method(
        "split", [Argument("fraction", .number, default: 0.5, "share of the first part, between 0 and 1")],
        options: [Option("seed", .integer, default: 0, "decides which samples go where")],
        returns: [Returns(.object("data_set")), Returns(.object("data_set"))], "Two parts without a common image that together are the whole.",
        "The split depends on the seed alone. An error when either part would be empty.", example: "local a, b = set:split(0.5, {seed = 4})\nprint(#a, #b)  --> 4\t4"
    ) { call in
        let set: DataSetObject = try call.this()
        let (first, second) = try set.base.split(call.get(1), seed: call.option("seed"))
        return call.push(set.part(first)) + call.push(set.part(second))
    }

    private static let sample = method(
        "sample", [number], returns: [Returns(.tensor, "[3, height, width], values 0 to 1; or the inputs"), Returns(.tensor, "[height, width] int32; or the targets")],
        "An image and its labels, or inputs and targets, as they are: neither cut nor normalised.",
        example: "local image, labels = set:sample(1)\nprint(image:size(1), labels.dtype, labels:size(1), labels:size(2))  --> 3\tint32\t32\t48"
    ) { call in
        let set: DataSetObject = try call.this()
        let sample = try set.base.sample(set.index(call.get(1)))
        return call.push(all: try sample.values.map { try $0.tensor() })
    }

    private static let size = method(
        "size", [number], returns: [Returns(.integer, "height"), Returns(.integer, "width")], "Height and width of a sample, from the file's header.",
        example: "print(set:size(1))  --> 32\t48"
    ) { call in
        let set: DataSetObject = try call.this()
        let size = try set.base.size(set.index(call.get(1)))
        return call.push(size.height) + call.push(size.width)
    }

    private static let source = method(
        "source", [number], returns: [Returns(.string)], "What a sample comes from: the file, or generator and number.",
        example: "print(set:source(2))  --> shapes (seed 1) image 2"
    ) { call in
        let set: DataSetObject = try call.this()
        return call.push(try set.base.source(set.index(call.get(1))))
    }

    private static let outputName = method(
        "output_name", [number], returns: [Returns(.string)], "A file name, without ending, for what is written about a sample; no two samples share one.",
        example: "print(set:output_name(2))  --> shapes-2"
    ) { call in
        let set: DataSetObject = try call.this()
        return call.push(try set.base.outputName(set.index(call.get(1))))
    }

    private static let saveLabels = method(
        "save_labels", [Argument("labels", .tensor, "class numbers [height, width], int32; 255 stays"), Argument("path", .string, "ends in .png")],
        returns: [Returns(.object("data_set"))], "Writes labels or a prediction as the data set's evaluation wants it: its ids, with its colours as palette.",
        "Returns the set.", example: "set:save_labels(select(2, set:sample(1)), 'labels.png')"
    ) { call in
        try call.this(as: DataSetObject.self).base.requireClasses(for: "writing labels", remedy: "save the tensor itself: tensor:save(path)")
        let labels: Tensor = try call.get(1)
        guard labels.rank == 2, labels.dtype == .int32 else { throw call.bad(1, "int32 [height, width] expected, got \(labels.dtype) \(labels.shape)") }
        let contiguous = try labels.detach().contiguous()
        guard labels.count > 0 else { throw call.bad(1, "at least one pixel expected, got \(Shape.text(labels.shape))") }
        let map = try LabelMap(contiguous, size: Size(height: labels.shape[0], width: labels.shape[1]))
        try ImageFile.write(map, as: call.this(as: DataSetObject.self).base.classes, to: call.get(2))
        return call.pushThis()
    }

    private static let frequencies = method(
        "frequencies", returns: [Returns(.list(.number))], "Share of each class among the pixels that have one.", "Reads all labels the first time.",
        example: "local sum = 0\nfor _, f in ipairs(set:frequencies()) do sum = sum + f end\nprint(math.abs(sum - 1) < 1e-12)  --> true"
    ) { call in call.push(try call.this(as: DataSetObject.self).inspected(call.host).frequencies) }

    private static let weights = method(
        "weights", returns: [Returns(.tensor, "[classes]")], "Weights of the classes for a loss: the median frequency over the class's own.",
        "Eigen and Fergus, 2015; mean 1 over the classes that occur, 0 for others.", example: "print(set:weights().count)  --> 4"
    ) { call in call.push(try Tensor(call.this(as: DataSetObject.self).inspected(call.host).balancedWeights)) }

    private static let subset = method(
        "subset", [Argument("first", .union([.integer, .list(.integer)]), "number of a sample, or a list of numbers"), Argument("last", .integer, optional: true)],
        returns: [Returns(.object("data_set"))], "Some of the samples.", example: "print(#set:subset(3, 5), #set:subset{1, 8})  --> 3\t2"
    ) { call in
        let set: DataSetObject = try call.this()
        let given = try call.get(1, as: [Int].self)
        var indices = try given.map { try set.index($0) }
        if call.has(2) {
            let last = try set.index(call.get(2))
            guard let first = indices.first, indices.count == 1, first <= last else { throw call.bad(2, "a last sample not before the first expected") }
            indices = Array(first...last)
        }
        guard !indices.isEmpty else { throw call.bad(1, "at least one sample expected") }
        return call.push(set.part(try Subset(set.base, indices)))
    }

    private static let scaled = method(
        "scaled", [Argument("factor", .number, "above 0, at most 1")], returns: [Returns(.object("data_set"))], "The set at a fraction of its size.",
        "Images and depths are averaged over areas, labels taken from the nearest pixel, other parts by their kind (`data.from`).", example: "print(set:scaled(0.5):size(1))  --> 16\t24"
    ) { call in
        let set: DataSetObject = try call.this()
        return call.push(set.resized(try set.base.scaled(call.get(1))))
    }

    private static let check = method(
        "check", returns: [Returns(.object("data_set")), Returns(.list(.string), "words on what is no error")],
        "Decodes every image and reads every label: finds what cannot be read, with its name.",
        """
        An error says which file, and where: images that are damaged or cut short, labels outside of the classes, images of another size than their labels, a set in which no \
        pixel has a class, masks of 0 and 255 whose 255 nobody gave a meaning. Returns the set, and words on classes that occur nowhere. Files that were looked at in this \
        session and have not changed are not decoded again. `fit`, `evaluate` and `batches` do the same by themselves.
        """,
        example: "print(#set:check(), #select(2, set:check()))  --> 8\t0"
    ) { call in
        let words = try call.this(as: DataSetObject.self).check(call.host)
        return call.pushThis() + call.push(words)
    }

    /// Leaves out what is done before work on a set.
    static let checkOption = Option(
        "check", .boolean, default: true, "decode every image and read every label before the work, once for a set: what is wrong is said now")

    private static let batches = method(
        "batches",
        options: [
            Option("size", .integer, required: true, "samples in a batch"), Option("seed", .integer, default: 0, "decides order and augmentation"),
            Option("crop", Kind.integers, "height and width cut out at random; none takes whole images, which then need one size"),
            Option("scale", .union([.number, .list(.number)]), "resize by a random factor of this range, {least, most}"),
            Option("flip", .boolean, default: false, "mirror left and right at random"),
            Option("jitter", .number, default: 0, "random brightness, contrast, saturation by a factor of 1 ± jitter"),
            Option("pad", .boolean, default: false, "fill up with the mean colour where the image is smaller than the crop, labels 255"),
            Option("focus", .number, default: 0, "share of crops laid over a pixel of a class picked evenly from those of the image: more of what is rare"),
            Option("shuffle", .boolean, default: true, "a new order in each epoch"),
            Option("drop_last", .boolean, default: true, "leave out what fills no batch"),
            transformOption,
            Option("ahead", .integer, default: 3, "batches prepared in the background, at most \(BatchLoader.mostAhead); 0: none, no thread"), checkOption,
        ] + DataNormalisation.options,
        returns: [Returns(.object("loader"))], "Batches without end, prepared on a background thread.",
        "Batch k of epoch e depends on the set, the settings and the seed alone. A crop larger than an image, or batches larger than the set, are errors "
            + "here, before any work; so is what `check` finds. Shuffled batches are there to learn from: a word is said on classes that occur nowhere.",
        example: "local loader = set:batches{size = 2, seed = 6, crop = {16, 24}, flip = true}\nlocal images, labels = loader:next()\n"
            + "print(images:size(1), images:size(4), labels:size(3), loader.per_epoch)  --> 2\t24\t24\t4"
    ) { call in
        let set: DataSetObject = try call.this()
        let augmentation = try augmentation(call, set.base)
        let transform = try transform(call, set.base)
        let isShuffled: Bool = try call.option("shuffle")
        let loader = try BatchLoader(
            set.base, size: call.option("size"), augmentation: augmentation, transform: transform?.transform, seed: call.option("seed"),
            shuffle: isShuffled, dropLast: call.option("drop_last"), ahead: call.option("ahead"))
        if try call.option("check") { try set.ensureChecked(call.host, countsClasses: isShuffled) }
        return call.push(LoaderObject(loader, anchors: set.anchors + (transform.map { [$0.anchor] } ?? [])))
    }

    private static func augmentation(_ call: Call, _ data: any DataSet) throws -> Augmentation {
        var crop: Size?
        if let (height, width) = try call.pair(ifPresent: "crop") { crop = Size(height: height, width: width) }
        return Augmentation(
            crop: crop, scale: try scaleRange(call), flip: try call.option("flip"), jitter: try call.option("jitter"), pad: try call.option("pad"),
            focus: try call.option("focus"), normalisation: try DataNormalisation.read(call, standard: data.normalisation))
    }
}
