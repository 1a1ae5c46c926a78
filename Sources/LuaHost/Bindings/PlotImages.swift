import Figures
import Segmentation
import Tensors

/// Images with labels over them.
enum PlotImages {
    static let bindings = [images, overlay]

    private static let options = [
        Option("set", .object("data_set"), "names and colours of the classes"), Option("names", .list(.string), "of the classes, the first for class 0"),
        Option("colours", .list(.list(.integer)), "of the classes, {red, green, blue}"), Option("opacity", .number, default: 0.6, "of labels over an image"),
        Option("legend", .boolean, default: true, "lists the classes that occur"),
        Option("normalised", .boolean, "undo ImageNet's normalisation; when left out, where values lie outside of 0 to 1"),
    ] + PlotValues.labels

    private static let what = "A batch [N, 3, H, W], or a list of: an image [3, H, W] or [H, W] of 0 to 1, labels [H, W] (int32), or {image =, labels =, caption =}"

    private static let images = Binding(
        module: "plot", name: "images", parameters: [Argument("images", .union([.tensor, .list(.any)]), what)],
        options: [
            Option("labels", .tensor, "of a batch, [N, H, W]"), Option("columns", .integer, "pictures in a row"), Option("captions", .list(.string), "of the pictures"),
            Option("tile", .number, "width of a picture in CSS pixels"),
        ] + options,
        returns: [Returns(.object("figure"))], summary: "Pictures in rows, labels over them, with a legend.",
        example: "local set = data.shapes{images = 2, size = {32, 48}, seed = 1}\nlocal x, y = set:sample(1)\n"
            + "plot.images({{image = x, caption = 'scene'}, {image = x, labels = y}, y}, {set = set}):save('scene.png')"
    ) { call in
        let tiles = try tiles(call)
        let columns = try call.option(ifPresent: "columns", as: Int.self) ?? min(4, max(1, tiles.count))
        return try finish(call, tiles, columns: max(1, columns))
    }

    private static let overlay = Binding(
        module: "plot", name: "overlay", parameters: [Argument("image", .tensor, "[3, H, W]"), Argument("labels", .tensor, "[H, W], int32")],
        options: options, returns: [Returns(.object("figure"))], summary: "Labels over an image, with a legend.",
        example: "local set = data.shapes{images = 1, size = {32, 48}}\nlocal x, y = set:sample(1)\nplot.overlay(x, y, {set = set}):save('overlay.svg')"
    ) { call in
        try finish(call, [tile(call, image: call.get(1), labels: call.get(2), caption: "")], columns: 1)
    }

    private static func finish(_ call: Call, _ tiles: [ImageTile], columns: Int) throws -> Int {
        var grid = ImageGrid.wrapped(tiles, columns: columns, title: try call.option(ifPresent: "title"), palette: try palette(call))
        grid.legend = try call.option("legend")
        grid.tileWidth = try call.option(ifPresent: "tile")
        return try PlotValues.push(call, grid)
    }

    private static func palette(_ call: Call) throws -> LabelPalette {
        let set: DataSetObject? = try call.option(ifPresent: "set")
        let names: [String] = try call.option(ifPresent: "names") ?? set?.base.classes.map(\.name) ?? []
        let given: [[Int]]? = try call.option(ifPresent: "colours")
        let colours = try given?.map { c -> Figures.Colour in
            guard c.count == 3, c.allSatisfy({ (0...255).contains($0) }) else { throw call.badOption("colours", "{red, green, blue} of 0 to 255 expected") }
            return Figures.Colour(red: Double(c[0]) / 255, green: Double(c[1]) / 255, blue: Double(c[2]) / 255)
        }
        let own = set?.base.classes.map {
            Figures.Colour(red: Double($0.colour.red) / 255, green: Double($0.colour.green) / 255, blue: Double($0.colour.blue) / 255)
        }
        if let colours = colours ?? own, !colours.isEmpty { return LabelPalette(colours: colours, names: names) }
        return names.isEmpty ? LabelPalette(colours: LabelPalette.distinct(255)) : LabelPalette(names: names)
    }

    private static func tiles(_ call: Call) throws -> [ImageTile] {
        let captions: [String] = try call.option(ifPresent: "captions") ?? []
        func caption(_ i: Int) -> String { i < captions.count ? captions[i] : "" }
        let labels: Tensor? = try call.option(ifPresent: "labels")
        if let batch = Tensor.read(call.thread, call.index(1)) {
            guard batch.rank == 4 else {
                return [try tile(call, image: isLabels(batch) ? nil : batch, labels: isLabels(batch) ? batch : labels, caption: caption(0))]
            }
            if let labels, labels.rank != 3 || labels.shape[0] != batch.shape[0] {
                throw call.badOption("labels", "[\(batch.shape[0]), H, W] expected, got \(Shape.text(labels.shape))")
            }
            return try (0..<batch.shape[0]).map { i in
                try tile(call, image: batch.select(0, i), labels: labels?.select(0, i), caption: caption(i))
            }
        }
        let items = try call.value(1).table?.list ?? []
        guard !items.isEmpty else { throw call.bad(1, "at least one picture expected") }
        return try items.enumerated().map { index, item in
            if let tensor: Tensor = item.object() {
                return try tile(call, image: isLabels(tensor) ? nil : tensor, labels: isLabels(tensor) ? tensor : nil, caption: caption(index))
            }
            guard let table = item.table else { throw call.bad(1, "picture \(index + 1): a tensor or {image =, labels =, caption =} expected, got a \(item.typeName)") }
            return try tile(
                call, image: table["image"].object(), labels: table["labels"].object(), caption: table["caption"].string ?? caption(index))
        }
    }

    private static func isLabels(_ tensor: Tensor) -> Bool { tensor.dtype == .int32 && tensor.rank == 2 }

    private static func tile(_ call: Call, image: Tensor?, labels: Tensor?, caption: String) throws -> ImageTile {
        guard image != nil || labels != nil else { throw call.bad(1, "a picture without image and labels") }
        return try ImageTile(
            image: image.map { try picture($0, undo: call.option(ifPresent: "normalised")) }, labels: labels.map(map), caption: caption,
            opacity: call.option("opacity"))
    }

    private static func map(_ labels: Tensor) throws -> Figures.LabelMap {
        guard labels.rank == 2 else { throw HostError("labels [H, W] expected, got \(Shape.text(labels.shape))") }
        return try Figures.LabelMap(
            width: labels.shape[1], height: labels.shape[0], labels: labels.ints().map { (0...255).contains($0) ? UInt8($0) : 255 })
    }

    /// An image [3, H, W], [1, H, W] or [H, W].
    private static func picture(_ image: Tensor, undo: Bool?) throws -> RGBAImage {
        let shape = image.shape
        guard shape.count == 2 || (shape.count == 3 && (shape[0] == 3 || shape[0] == 1)) else {
            throw HostError("an image [3, H, W] or [H, W] expected, got \(Shape.text(shape))")
        }
        let (height, width) = (shape[shape.count - 2], shape[shape.count - 1])
        let values = try image.floats(), plane = height * width
        let colour = shape.count == 3 && shape[0] == 3
        let isNormalised = colour && (undo ?? values.contains { $0 < -0.001 || $0 > 1.001 })
        let (mean, deviation) = isNormalised
            ? (Normalisation.imageNet.mean, Normalisation.imageNet.deviation) : ([0, 0, 0], [1, 1, 1])
        var bytes = [UInt8](repeating: 0, count: 3 * plane)
        for i in 0..<plane {
            for channel in 0..<3 {
                let value = values[colour ? channel * plane + i : i] * deviation[channel] + mean[channel]
                bytes[3 * i + channel] = UInt8(max(0, min(255, (value * 255).rounded())))
            }
        }
        return try RGBAImage(width: width, height: height, bytes: bytes)
    }
}
