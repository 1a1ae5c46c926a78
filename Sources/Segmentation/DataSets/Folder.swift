/// Any images with label images: pairs by name in two directories.
///
/// An image `a/b.jpg` belongs to the labels `a/b.png`; names may differ by a fixed suffix before the ending. Label images are PNG and hold
/// class numbers (palette indices or grey values), or RGB in the classes' colours when `byColour` is set.
public struct Folder: DataSet, FileDataSet {
    public let name: String
    public let classes: [ClassInfo]
    let files: LabelledFiles

    /// - Parameters:
    ///   - images: directory of PNG or JPEG images, searched with its subdirectories.
    ///   - labels: directory of label images; nil when there are none.
    ///   - imageSuffix: what the names of images have before the ending; files without it are left out.
    ///   - labelSuffix: the same of label images.
    ///   - classes: 1 to 255 classes.
    ///   - ignored: labels read as `LabelMap.ignore`.
    ///   - byColour: label images are RGB in the colours of `classes`.
    /// - Throws: `FileError` or `DataError`; when names do not pair up, with both counts and the first that lack a partner, and when an
    ///   image and its labels differ in size.
    public init(
        name: String = "folder", images: String, labels: String?, imageSuffix: String = "", labelSuffix: String = "",
        classes: [ClassInfo], ignored: Set<UInt16> = [], byColour: Bool = false
    ) throws {
        guard (1...Int(LabelMap.ignore)).contains(classes.count) else {
            throw DataError("expected 1 to \(LabelMap.ignore) classes for \(name), got \(classes.count)")
        }
        self.name = name
        self.classes = classes
        let pairs = try FilePairs(images: images, labels: labels, imageSuffix: imageSuffix, labelSuffix: labelSuffix)
        files = try LabelledFiles(
            images: pairs.images, labels: pairs.labels, stems: pairs.stems, table: LabelTable(classes: classes.count, ignored: ignored),
            colours: byColour ? classes.map(\.colour) : [])
    }
}
