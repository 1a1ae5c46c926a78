import Base
import Segmentation

enum DataModule {
    static let module = LuaModule(
        "data", summary: "Images with the class of each pixel: Cityscapes, VOC, ADE20K, CamVid, any folder, generated scenes; samples of any task of one's own; batches.",
        detail: "Class numbers stay as the data set has them, from 0; 255 is a pixel that does not count.",
        types: [DataSetObject.objectType, LoaderObject.objectType], bindings: [camvid, cityscapes, voc, ade20k, folder, shapes, DataFrom.binding])

    private static let scale = Option("scale", .number, default: 1, "fraction of the size, above 0 and at most 1")
    static let cache = Option("cache", .integer, default: 1024, "MiB of decoded images that are kept in memory; 0 keeps none")
    private static let check = Option("check", .boolean, default: true, "read all labels now; else when they are wanted")
    /// Of large sets, whose labels take minutes to read.
    private static let laterCheck = Option("check", .boolean, default: false, "read all labels now; else when they are wanted")
    static let set = [Returns(.object("data_set"))]

    /// The set as the options want it.
    /// - Parameters:
    ///   - anchors: of functions of scripts that make its samples.
    ///   - keeps: whether samples are worth keeping once they were made.
    static func finish(
        _ call: Call, _ base: any DataSet, check: Bool, _ origin: DataSetObject.Origin = .files(saysVoid: true), anchors: [LuaAnchor] = [], keeps: Bool = true
    ) throws -> Int {
        let megabytes: Int = try call.option("cache")
        guard (0...1 << 24).contains(megabytes) else { throw call.badOption("cache", "0 or more MiB expected, got \(megabytes)") }
        var set = base
        if call.hasOption("scale") { set = try set.scaled(call.option("scale")) }
        if megabytes > 0, keeps { set = set.cached(bytes: megabytes << 20) }
        let object = DataSetObject(set, origin, anchors: anchors)
        if check { try object.checkLabels(call.host).forEach(Notice.say) }
        return call.push(object)
    }

    private static let camvid = Binding(
        module: "data", name: "camvid",
        parameters: [
            Argument("directory", .string, "has train, trainannot, val, valannot, test, testannot"),
            Argument("split", .choice(["train", "val", "test"]), default: "train"),
        ],
        options: [scale, cache, check], returns: set, summary: "CamVid (Brostow et al., 2009) in the layout of SegNet's authors.",
        detail: "360x480, 11 classes; label 11 is read as 255.",
        example: "print(select(2, pcall(data.camvid, 'nowhere', 'train')):match('nowhere') ~= nil)  --> true"
    ) { call in try finish(call, CamVid(call.get(1), split: call.get(2)), check: call.option("check")) }

    private static let directory = Argument("directory", .string, "where it was unpacked")

    private static let cityscapes = Binding(
        module: "data", name: "cityscapes",
        parameters: [directory, Argument("split", .choice(["train", "val", "test", "train_extra"]), default: "train")],
        options: [
            Option("annotation", .choice(["fine", "coarse"]), default: "fine", "gtFine (train, val, test) or gtCoarse (train, train_extra, val)"), scale,
            cache, laterCheck,
        ],
        returns: set, summary: "Cityscapes (Cordts et al., 2016): leftImg8bit with gtFine or gtCoarse.",
        detail: "`leftImg8bit/SPLIT/CITY/*_leftImg8bit.png` and `gtFine/SPLIT/CITY/*_gtFine_labelIds.png`, 1024x2048. Label ids are read as the 19 classes that are "
            + "evaluated, all others as 255; `save_labels` writes label ids again. test has no labels. Names and sizes are checked here, from the files' headers.",
        example: "print(select(2, pcall(data.cityscapes, 'nowhere', 'val')):match('expected Cityscapes as it is unpacked') ~= nil)  --> true"
    ) { call in
        let annotation = Cityscapes.Annotation(rawValue: try call.option("annotation")) ?? .fine
        return try finish(call, Cityscapes(call.get(1), split: call.get(2), annotation: annotation), check: call.option("check"))
    }

    private static let voc = Binding(
        module: "data", name: "voc", parameters: [directory, Argument("split", .choice(PascalVOC.splits), default: "train")],
        options: [scale, cache, laterCheck], returns: set, summary: "PASCAL VOC 2012 (Everingham et al.).",
        detail: "`JPEGImages`, `SegmentationClass` and `ImageSets/Segmentation/SPLIT.txt`; trainaug reads the labels of Hariharan et al. (2011) from "
            + "`SegmentationClassAug`. 21 classes with the background; 255 (void) counts nowhere. Images differ in size: give batches a crop, and `pad`. The mean "
            + "IoU is over all classes. test has no labels.",
        example: "print(select(2, pcall(data.voc, 'nowhere', 'trainaug')):match('ImageSets/Segmentation/trainaug.txt') ~= nil)  --> true"
    ) { call in try finish(call, PascalVOC(call.get(1), split: call.get(2)), check: call.option("check")) }

    private static let ade20k = Binding(
        module: "data", name: "ade20k", parameters: [directory, Argument("split", .choice(["train", "val", "test"]), default: "train")],
        options: [scale, cache, laterCheck], returns: set, summary: "ADE20K for scene parsing (Zhou et al., 2017), as in ADEChallengeData2016.",
        detail: "`images/training/*.jpg` and `annotations/training/*.png`; 0 (other) is read as 255, 1 to 150 as the classes 0 to 149; `save_labels` writes 1 to 150 "
            + "again. Images differ in size: give batches a crop, and `pad`. The mean IoU is over all classes. test has no labels.",
        example: "print(select(2, pcall(data.ade20k, 'nowhere', 'val')):match('annotations/validation') ~= nil)  --> true"
    ) { call in try finish(call, ADE20K(call.get(1), split: call.get(2)), check: call.option("check")) }

    private static let folder = Binding(
        module: "data", name: "folder",
        options: [
            Option("images", .string, required: true, "directory of PNG or JPEG images, with its subdirectories"),
            Option("labels", .string, "directory of PNG label images of the same names; without it there are no labels"),
            Option("classes", .union([.integer, .list(.any)]), required: true, "number, names, or {name, {red, green, blue}} each"),
            Option("ignore", .union([.integer, .list(.any)]), "labels that count nowhere, besides 255; by_colour: also colours, {{red, green, blue}, ...}"),
            Option("values", .table, "class of values that are not the class's number, or 255: {[0] = 0, [255] = 1} for masks of 0 and 255"),
            Option("image_suffix", .string, default: "", "what names of images have before the ending, as _leftImg8bit"),
            Option("label_suffix", .string, default: "", "the same of label images"),
            Option("by_colour", .boolean, default: false, "label images show the classes' colours, whatever kind of PNG they are"),
            Option("name", .string, default: "folder", "for messages"), scale, cache, check,
        ],
        returns: set, summary: "Any images with label images: pairs by name in two directories.",
        detail: """
            Labels are class numbers (palette indices or grey values as they are stored), or colours. 255 counts nowhere unless `values` gives it a class; masks of 0 and 255 \
            are an error until `values` or `ignore` says what 255 is. Files that do not pair up, names that are not UTF-8, labels outside of the classes and images of another \
            size than their labels are errors here, with the file's name. The orientation that a camera noted (EXIF) is not applied, as PIL does not; a word says so where it \
            matters. JPEG files may be RGB, grey or CMYK.
            """,
        example: "print(pcall(data.folder, {images = 'nowhere', labels = 'nowhere', classes = 2}))"
    ) { call in
        let (infos, haveColours) = try classes(call)
        let byColour: Bool = try call.option("by_colour")
        guard !byColour || haveColours else { throw call.badOption("by_colour", "classes with a colour each expected, {name, {red, green, blue}}") }
        let labels = try byColour ? colourLabels(call) : numberLabels(call)
        return try finish(
            call,
            Folder(
                name: call.option("name"), images: call.option("images"), labels: call.option(ifPresent: "labels"), imageSuffix: call.option("image_suffix"),
                labelSuffix: call.option("label_suffix"), classes: infos, holding: labels),
            check: call.option("check"), .files(saysVoid: labels.saysVoid))
    }

    /// What `ignore` and `values` say of label images of numbers.
    private static func numberLabels(_ call: Call) throws -> Folder.Labels {
        var ignored: Set<UInt16> = []
        for item in try call.option(ifPresent: "ignore", as: [LuaValue].self) ?? [] {
            guard let label = item.integer.flatMap({ UInt16(exactly: $0) }) else {
                throw call.badOption("ignore", "labels of 0 to 65535 expected, got \(item.source)")
            }
            ignored.insert(label)
        }
        var values: [UInt16: UInt16] = [:]
        let given: LuaTable = try call.option(ifPresent: "values", as: LuaValue.self)?.table ?? LuaTable()
        let pairs = given.list.enumerated().map { (LuaValue.integer($0 + 1), $1) } + given.others + given.fields.map { (LuaValue.string($0), $1) }
        for (key, label) in pairs {
            guard let value = key.integer.flatMap({ UInt16(exactly: $0) }), let label = label.integer.flatMap({ UInt16(exactly: $0) }) else {
                throw call.badOption("values", "{[value] = class} expected, values of 0 to 65535, got [\(key.source)] = \(label.source)")
            }
            values[value] = label
        }
        return .numbers(ignored: ignored, values: values)
    }

    /// What `ignore` says of label images of colours.
    private static func colourLabels(_ call: Call) throws -> Folder.Labels {
        guard !call.hasOption("values") else { throw call.badOption("values", "label images of numbers have values, by_colour reads colours") }
        var ignored: Set<UInt16> = []
        var colours: [Colour] = []
        for item in try call.option(ifPresent: "ignore", as: [LuaValue].self) ?? [] {
            if let label = item.integer.flatMap({ UInt16(exactly: $0) }) {
                ignored.insert(label)
            } else if let colour = colour(item) {
                colours.append(colour)
            } else {
                throw call.badOption("ignore", "labels, or colours {red, green, blue} of 0 to 255 expected, got \(item.source)")
            }
        }
        return .colours(ignored: ignored, ignoredColours: colours)
    }

    private static func colour(_ value: LuaValue) -> Colour? {
        let channels = value.table?.list.compactMap { $0.integer.flatMap { UInt8(exactly: $0) } } ?? []
        return channels.count == 3 ? Colour(channels[0], channels[1], channels[2]) : nil
    }

    /// The option `classes`, and whether it gives each of them a colour.
    private static func classes(_ call: Call) throws -> (infos: [ClassInfo], haveColours: Bool) {
        let given: LuaValue = try call.option("classes")
        if let count = given.integer {
            guard (1...255).contains(count) else { throw call.badOption("classes", "1 to 255 expected, got \(count)") }
            return (ClassInfo.numbered(count), false)
        }
        var haveColours = true
        let infos = try (given.table?.list ?? []).enumerated().map { index, item in
            if let name = item.string {
                haveColours = false
                return ClassInfo(name, .palette(index + 1))
            }
            guard let name = (item.table?[1] ?? .nil).string ?? (item.table?["name"] ?? .nil).string,
                let colour = item.table.flatMap({ colour($0[2]) ?? colour($0["colour"]) })
            else { throw call.badOption("classes", "class \(index + 1): a name or {name, {red, green, blue}} expected, got \(item.source)") }
            return ClassInfo(name, colour)
        }
        return (infos, haveColours)
    }

    private static let shapes = Binding(
        module: "data", name: "shapes",
        options: [
            Option("images", .integer, default: 64, "number of scenes, 1 to \(Shapes.maximumImages)"), Option("size", Kind.integers, default: [96, 128], "height and width, at least 16"),
            Option("classes", .integer, default: 5, "2 to \(Shapes.maximumClasses)"), Option("seed", .integer, default: 0, "decides every pixel"),
            Option("depth", .boolean, default: false, "samples have a second target, depth: metres to what a pixel shows, float32 [H, W], 0 for the sky"), cache,
        ],
        returns: set, summary: "Generated street scenes, which need no download.",
        detail: "Classes cannot be told by colour alone: texture, place and context decide; things hide each other, shrink with distance, and poles and wires are a "
            + "pixel wide.",
        example: "print(data.shapes{images = 4, size = {32, 48}, classes = 5, seed = 3})  --> shapes: 4 images, 5 classes, the first 32x48"
    ) { call in
        let (height, width) = try call.pair("size")
        return try finish(
            call, Shapes(images: call.option("images"), size: Size(height: height, width: width), classes: call.option("classes"), seed: call.option("seed"), hasDepth: call.option("depth")),
            check: false, .generator)
    }
}
