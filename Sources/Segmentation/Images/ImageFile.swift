import Base
import Tensors

/// Image files of the formats there are: PNG and JPEG, told apart by their first bytes.
public enum ImageFile {
    /// Largest file that is read, bytes.
    static let maximumBytes = 1 << 30
    /// In which the size of most JPEG files stands.
    private static let headerBytes = 1 << 15

    /// The image of a PNG or JPEG file as RGB.
    /// - Parameter saysTurned: whether to say a word when a camera noted that it is to be turned.
    /// - Throws: `FileError`; `Interrupted`.
    public static func image(_ path: String, saysTurned: Bool = false) throws -> Image {
        let bytes = try Files.contents(path, limit: maximumBytes)
        if saysTurned, let orientation = Orientation(bytes) {
            Notice.say("\(path): \(orientation.description); this is not applied, pixels are read as they are stored; \(Orientation.remedy)")
        }
        return try located(path) { try isPNG(bytes) ? PNG.image(bytes) : JPEG.image(bytes) }
    }

    /// Decodes the image of a file to its end and keeps nothing: finds what `image` would.
    static func verify(_ path: String) throws {
        let bytes = try Files.contents(path, limit: maximumBytes)
        try located(path) { try isPNG(bytes) ? PNG.verify(bytes) : JPEG.verify(bytes) }
    }

    /// The labels of a PNG file.
    ///
    /// - Parameter colours: when nil, class numbers: palette indices or grey values as they are stored. When given, what stands for the colour
    ///   of each pixel, whatever kind of PNG shows it.
    /// - Throws: `FileError`; a JPEG is refused because its compression changes the numbers. `Interrupted`.
    public static func labels(_ path: String, colours: ColourCoding? = nil) throws -> LabelMap {
        let bytes = try Files.contents(path, limit: maximumBytes)
        return try located(path) {
            guard bytes.starts(with: PNG.signature) else {
                let what = bytes.starts(with: JPEG.signature) ? "a JPEG, whose compression changes the numbers" : "something else"
                throw FileError("", "expected a PNG of class numbers, got \(what)", remedy: "save the labels as PNG")
            }
            let png = try PNG.header(bytes)
            let read = try colours.map { try $0.reader(png) } ?? numbers(png)
            return try LabelMap(size: png.size) { target in try PNG.stored(bytes) { y, row in try read(y, row, target(y)) } }
        }
    }

    /// A function that turns a row of stored samples into class numbers.
    private static func numbers(_ png: PNG.Header) throws -> (_ y: Int, _ row: UnsafePointer<UInt8>, _ to: UnsafeMutablePointer<UInt16>) -> Void {
        guard png.channels == 1 else {
            throw FileError(
                "", "expected one class number a pixel (grey or palette), got \(png.kind)",
                remedy: "save the labels as grey or palette PNG, or read them by colour")
        }
        let width = png.size.width
        if png.depth == 16 { return { _, row, to in UnsafeMutableRawPointer(to).copyMemory(from: row, byteCount: width * 2) } }
        return { _, row, to in for x in 0..<width { to[x] = UInt16(row[x]) } }
    }

    /// Height and width of a PNG or JPEG file, without decoding it.
    public static func size(_ path: String) throws -> Size { try header(path).size }

    /// Height and width of a PNG or JPEG file as it is stored, and how it is to be shown where that differs, without decoding it.
    static func header(_ path: String) throws -> (size: Size, orientation: Orientation?) {
        let start = try Files.beginning(path, count: headerBytes)
        return try located(path) {
            if let size = PNG.size(header: start) {
                try size.requireReadable()
                return (size, Orientation(start))
            }
            guard try !isPNG(start) else { throw FileError("", "not a usable PNG: it ends in its header", remedy: "fetch or write the file again") }
            // The header comes first, but may stand behind a thumbnail and other things a camera notes.
            if let size = try? JPEG.size(start) { return (size, Orientation(start)) }
            return (try JPEG.size(try Files.contents(path, limit: maximumBytes)), Orientation(start))
        }
    }

    /// Writes an image as PNG or JPEG by the ending of the name; whole or not at all.
    public static func write(_ image: Image, to path: String) throws {
        let lower = path.lowercased()
        try located(path) {
            if lower.hasSuffix(".png") { return try AtomicFile.write(try PNG.encode(image), to: path) }
            if lower.hasSuffix(".jpg") || lower.hasSuffix(".jpeg") { return try AtomicFile.write(try JPEG.encode(image), to: path) }
            throw FileError("", "expected a name that ends in .png, .jpg or .jpeg")
        }
    }

    /// Writes labels as PNG: with a palette when the classes' colours are given, else grey.
    ///
    /// With colours the palette has 256 entries, those beyond the classes black and 255 (ignore) white.
    public static func write(_ labels: LabelMap, colours: [Colour] = [], to path: String) throws {
        var palette: [(UInt8, UInt8, UInt8)] = []
        if !colours.isEmpty {
            palette = (0..<256).map { $0 < colours.count ? (colours[$0].red, colours[$0].green, colours[$0].blue) : (0, 0, 0) }
            if colours.count < 256 { palette[255] = (255, 255, 255) }
        }
        try located(path) { try AtomicFile.write(try PNG.encode(labels, palette: palette), to: path) }
    }

    /// Writes class numbers as a data set's evaluation wants them: a PNG whose values are the ids of the classes, with their colours as
    /// palette. `LabelMap.ignore` stays as it is.
    /// - Throws: `FileError`; `DataError` when a label is no class, and for more classes than a label image has values for.
    public static func write(_ labels: LabelMap, as classes: [ClassInfo], to path: String) throws {
        guard classes.count <= Int(LabelMap.ignore) else {
            throw DataError("\(path): a label image tells at most \(LabelMap.ignore) classes apart, got \(classes.count)", remedy: "write the labels as a tensor")
        }
        let (table, ids) = (LabelTable(classes: classes.count), classes.outputIds.map(UInt16.init))
        let palette = classes.palette.map { ($0.red, $0.green, $0.blue) }
        try located(path) {
            let bytes = try PNG.encode(labels, depth: 8, palette: palette) { y, row in
                try table.apply(to: row, width: labels.size.width, firstRow: y, source: path)
                for x in row.indices where row[x] < ids.count { row[x] = ids[Int(row[x])] }
            }
            try AtomicFile.write(bytes, to: path)
        }
    }

    /// - Throws: `FileError` without a path for what is neither PNG nor JPEG.
    static func isPNG(_ bytes: [UInt8]) throws -> Bool {
        if bytes.starts(with: PNG.signature) { return true }
        guard bytes.starts(with: JPEG.signature) else { throw FileError("", "expected a PNG or JPEG image, got something else") }
        return false
    }

    /// Runs `body` with the file's name in its errors.
    static func located<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as FileError {
            throw error.path.isEmpty ? FileError(path, error.problem, remedy: error.remedy) : error
        }
    }
}
