import Base

/// Images and label images that belong together by their names.
struct FilePairs {
    var images: [String] = []
    var labels: [String] = []
    /// Names relative to the directory, without suffix and ending, in the order of their bytes.
    var stems: [String] = []

    static let imageEndings = [".png", ".jpg", ".jpeg"]

    /// Files of two directories and their subdirectories.
    /// - Parameters:
    ///   - labels: nil when there are no labels.
    ///   - imageSuffix: what the names of images have before the ending; files without it are left out.
    ///   - labelSuffix: the same of label images.
    ///   - layout: what was expected to be there, appended to errors; "" says nothing.
    /// - Throws: `FileError` or `DataError`; when names do not pair up, with both counts and the first that lack a partner.
    init(
        images: String, labels: String?, imageSuffix: String = "", labelSuffix: String = "", imageEndings: [String] = FilePairs.imageEndings,
        layout: String = ""
    ) throws {
        let imageNames = try FilePairs.names(images, suffix: imageSuffix, endings: imageEndings, layout: layout)
        stems = imageNames.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        self.images = stems.compactMap { imageNames[$0] }
        guard let labels else {
            if stems.isEmpty { throw DataError("\(images) has no images", remedy: layout) }
            return
        }
        let labelNames = try FilePairs.names(labels, suffix: labelSuffix, endings: [".png"], layout: layout)
        let lonely = stems.filter { labelNames[$0] == nil }
        let spare = labelNames.keys.filter { imageNames[$0] == nil }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        guard lonely.isEmpty, spare.isEmpty, !stems.isEmpty else {
            throw DataError(
                "\(images) has \(imageNames.count) images, \(labels) has \(labelNames.count) label images"
                    + FilePairs.list(lonely, "images without labels") + FilePairs.list(spare, "labels without image"),
                remedy: layout.isEmpty ? "every image needs a label image of the same name, apart from the suffixes of both" : layout)
        }
        self.labels = stems.compactMap { labelNames[$0] }
    }

    /// Path by name without suffix and ending.
    private static func names(_ directory: String, suffix: String, endings: [String], layout: String) throws -> [String: String] {
        var names: [String: String] = [:]
        let files: [String]
        do {
            files = try DirectoryListing.files(directory, endings: endings.map { suffix.lowercased() + $0 })
        } catch let error as FileError where error.path == directory && !layout.isEmpty {
            throw FileError(error.path, error.problem, remedy: layout)
        }
        for file in files {
            let dot = file.lastIndex(of: ".") ?? file.endIndex
            let stem = String(file[..<dot].dropLast(suffix.count))
            if let other = names.updateValue(directory + "/" + file, forKey: stem) {
                throw DataError("\(other) and \(directory)/\(file) have the same name", remedy: "remove one of them")
            }
        }
        return names
    }

    static func list(_ names: [String], _ what: String) -> String {
        guard !names.isEmpty else { return "" }
        return "; \(names.count) \(what): " + names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", ..." : "")
    }
}
