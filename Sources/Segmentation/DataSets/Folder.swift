import Tensors

/// Any images with label images: pairs by name in two directories.
///
/// An image `a/b.jpg` belongs to the labels `a/b.png`; names may differ by a fixed suffix before the ending, such as
/// Cityscapes' `_leftImg8bit` and `_gtFine_labelIds`. Label images are PNG and hold class numbers (palette indices or grey
/// values), or RGB in the classes' colours when `byColour` is set.
public struct Folder: DataSet {
    public let name: String
    public let classes: [ClassInfo]
    /// Labels read as `LabelMap.ignore`.
    public let ignored: Set<UInt16>
    /// Label images are RGB in the colours of `classes`.
    public let byColour: Bool
    private let images: [String]
    private let labelFiles: [String]

    private static let imageEndings = [".png", ".jpg", ".jpeg"]

    /// - Parameters:
    ///   - images: directory of PNG or JPEG images, searched with its subdirectories.
    ///   - labels: directory of label images.
    ///   - imageSuffix: what the names of images have before the ending; files without it are left out.
    ///   - labelSuffix: the same of label images.
    ///   - classes: 1 to 255 classes.
    /// - Throws: `FileError` or `DataError`; when names do not pair up, with both counts and the first that lack a partner.
    public init(
        name: String = "folder", images: String, labels: String, imageSuffix: String = "", labelSuffix: String = "",
        classes: [ClassInfo], ignored: Set<UInt16> = [], byColour: Bool = false
    ) throws {
        guard (1...Int(LabelMap.ignore)).contains(classes.count) else {
            throw DataError("expected 1 to \(LabelMap.ignore) classes for \(name), got \(classes.count)")
        }
        self.name = name
        self.classes = classes
        self.ignored = ignored
        self.byColour = byColour
        let imageNames = try Folder.names(images, suffix: imageSuffix, endings: Folder.imageEndings)
        let labelNames = try Folder.names(labels, suffix: labelSuffix, endings: [".png"])
        let stems = imageNames.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let lonely = stems.filter { labelNames[$0] == nil }
        let spare = labelNames.keys.filter { imageNames[$0] == nil }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard lonely.isEmpty, spare.isEmpty, !stems.isEmpty else {
            throw DataError(
                "\(images) has \(imageNames.count) images, \(labels) has \(labelNames.count) label images"
                    + Folder.list(lonely, "images without labels") + Folder.list(spare, "labels without image"),
                remedy: "every image needs a label image of the same name, apart from the suffixes of both")
        }
        self.images = stems.compactMap { imageNames[$0] }
        labelFiles = stems.compactMap { labelNames[$0] }
    }

    /// Path by name without suffix and ending.
    private static func names(_ directory: String, suffix: String, endings: [String]) throws -> [String: String] {
        var names: [String: String] = [:]
        for file in try DirectoryListing.files(directory, endings: endings.map { suffix.lowercased() + $0 }) {
            let dot = file.lastIndex(of: ".") ?? file.endIndex
            let stem = String(file[..<dot].dropLast(suffix.count))
            if let other = names.updateValue(directory + "/" + file, forKey: stem) {
                throw DataError("\(other) and \(directory)/\(file) have the same name", remedy: "remove one of them")
            }
        }
        return names
    }

    private static func list(_ names: [String], _ what: String) -> String {
        guard !names.isEmpty else { return "" }
        return "; \(names.count) \(what): " + names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", ..." : "")
    }

    public var count: Int { images.count }
    public func source(_ index: Int) -> String { images[index] }
    public func size(_ index: Int) throws -> Size { try ImageFile.size(images[index]) }

    public func sample(_ index: Int) throws -> Sample {
        let image = try ImageFile.image(images[index])
        return try Sample(image: image, labels: try labels(index)).checkedSizes(image: images[index], labels: labelFiles[index])
    }

    public func labels(_ index: Int) throws -> LabelMap {
        let map = try ImageFile.labels(labelFiles[index], colours: byColour ? classes.map(\.colour) : [])
        return try map.checked(classes: classes.count, ignored: ignored, source: labelFiles[index])
    }
}
