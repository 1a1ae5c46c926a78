import Tensors

/// Image files of the formats there are: PNG and JPEG, told apart by their first bytes.
public enum ImageFile {
    /// Largest file that is read, bytes.
    private static let maximumBytes = 1 << 30
    /// In which the size of most JPEG files stands.
    private static let headerBytes = 1 << 15

    /// The image of a PNG or JPEG file as RGB.
    public static func image(_ path: String) throws(FileError) -> Image {
        let bytes = try Files.contents(path, limit: maximumBytes)
        do throws(FileError) {
            if bytes.starts(with: PNG.signature) { return try PNG.image(bytes) }
            if bytes.starts(with: JPEG.signature) { return try JPEG.image(bytes) }
        } catch {
            throw FileError(path, error.problem, remedy: error.remedy)
        }
        throw FileError(path, "expected a PNG or JPEG image, got something else")
    }

    /// The class numbers of a PNG file: palette indices or grey values as they are stored.
    ///
    /// - Parameter colours: when given, an RGB file is read by looking its colours up here; the label is the index.
    /// - Throws: `FileError`; a JPEG is refused because its compression changes the numbers.
    public static func labels(_ path: String, colours: [Colour] = []) throws(FileError) -> LabelMap {
        let bytes = try Files.contents(path, limit: maximumBytes)
        guard bytes.starts(with: PNG.signature) else {
            let what = bytes.starts(with: JPEG.signature) ? "a JPEG, whose compression changes the numbers" : "something else"
            throw FileError(path, "expected a PNG of class numbers, got \(what)", remedy: "save the labels as PNG")
        }
        do throws(FileError) {
            let raw = try PNG.raw(bytes)
            if raw.channels == 1 { return LabelMap(size: raw.size, values: raw.values) }
            guard raw.channels >= 3, !colours.isEmpty else {
                throw FileError(
                    "", "expected one class number a pixel (grey or palette), got \(raw.channels) channels",
                    remedy: "save the labels as grey or palette PNG, or give the colours of the classes")
            }
            return try lookUp(raw, colours)
        } catch {
            throw FileError(path, error.problem, remedy: error.remedy)
        }
    }

    private static func lookUp(_ raw: PNG.Raw, _ colours: [Colour]) throws(FileError) -> LabelMap {
        var table: [Colour: UInt16] = [:]
        for (label, colour) in colours.enumerated() where table[colour] == nil { table[colour] = UInt16(label) }
        var values = [UInt16](repeating: 0, count: raw.size.count)
        var last: (colour: Colour, label: UInt16)?
        guard raw.depth == 8 else { throw FileError("", "expected class colours of 8 bits a channel, got 16") }
        for index in 0..<raw.size.count {
            let at = index * raw.channels
            let colour = Colour(UInt8(raw.values[at]), UInt8(raw.values[at + 1]), UInt8(raw.values[at + 2]))
            if last?.colour != colour {
                guard let label = table[colour] else {
                    let place = "row \(index / raw.size.width + 1), column \(index % raw.size.width + 1)"
                    throw FileError("", "the colour \(colour) at \(place) belongs to no class", remedy: "give that colour a class")
                }
                last = (colour, label)
            }
            values[index] = last?.label ?? 0
        }
        return LabelMap(size: raw.size, values: values)
    }

    /// Height and width of a PNG or JPEG file, without decoding it.
    public static func size(_ path: String) throws(FileError) -> Size {
        let start = try Files.beginning(path, count: 24)
        if let size = PNG.size(header: start) { return size }
        guard start.starts(with: JPEG.signature) else { throw FileError(path, "expected a PNG or JPEG image, got something else") }
        // The header comes first, but may stand behind a thumbnail and other things a camera notes.
        if let size = try? JPEG.size(Files.beginning(path, count: headerBytes)) { return size }
        let bytes = try Files.contents(path, limit: maximumBytes)
        do throws(FileError) { return try JPEG.size(bytes) } catch { throw FileError(path, error.problem, remedy: error.remedy) }
    }

    /// Writes an image as PNG or JPEG by the ending of the name; whole or not at all.
    public static func write(_ image: Image, to path: String) throws(FileError) {
        let lower = path.lowercased()
        do throws(FileError) {
            if lower.hasSuffix(".png") { return try AtomicFile.write(try PNG.encode(image), to: path) }
            if lower.hasSuffix(".jpg") || lower.hasSuffix(".jpeg") { return try AtomicFile.write(try JPEG.encode(image), to: path) }
        } catch {
            throw FileError(path, error.problem, remedy: error.remedy)
        }
        throw FileError(path, "expected a name that ends in .png, .jpg or .jpeg")
    }

    /// Writes labels as PNG: with a palette when the classes' colours are given, else grey.
    ///
    /// With colours the palette has 256 entries, those beyond the classes black and 255 (ignore) white.
    public static func write(_ labels: LabelMap, colours: [Colour] = [], to path: String) throws(FileError) {
        var palette: [(UInt8, UInt8, UInt8)] = []
        if !colours.isEmpty {
            palette = (0..<256).map { $0 < colours.count ? (colours[$0].red, colours[$0].green, colours[$0].blue) : (0, 0, 0) }
            if colours.count < 256 { palette[255] = (255, 255, 255) }
        }
        do throws(FileError) {
            try AtomicFile.write(try PNG.encode(labels, palette: palette), to: path)
        } catch {
            throw FileError(path, error.problem, remedy: error.remedy)
        }
    }

    /// Writes class numbers as a data set's evaluation wants them: a PNG whose values are the ids of the classes, with their colours as
    /// palette. `LabelMap.ignore` stays as it is.
    /// - Throws: `FileError`; `DataError` when a label is no class.
    public static func write(_ labels: LabelMap, as classes: [ClassInfo], to path: String) throws {
        var ids = classes.outputIds.map(UInt16.init)
        ids += [UInt16](repeating: LabelMap.ignore, count: max(0, Int(LabelMap.ignore) + 1 - ids.count))
        var output = try LabelTable(classes: classes.count).classes(of: labels, source: path)
        for index in output.values.indices { output.values[index] = ids[Int(output.values[index])] }
        try write(output, colours: classes.palette, to: path)
    }
}
