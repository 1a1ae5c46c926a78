/// Any images with label images: pairs by name in two directories.
///
/// An image `a/b.jpg` belongs to the labels `a/b.png`; names may differ by a fixed suffix before the ending. Label images are PNG and hold
/// class numbers (palette indices or grey values), or show the classes' colours.
public struct Folder: DataSet, FileDataSet {
    /// What label images hold.
    public enum Labels: Sendable {
        /// Class numbers. `ignored` are read as `LabelMap.ignore`, as 255 is; `values` gives the class, or `LabelMap.ignore`, of values that
        /// stand for another class than the one of that number.
        case numbers(ignored: Set<UInt16> = [], values: [UInt16: UInt16] = [:])
        /// The colours of the classes, whatever kind of PNG shows them. `ignored` are classes that count nowhere, `ignoredColours` colours.
        case colours(ignored: Set<UInt16> = [], ignoredColours: [Colour] = [])

        /// Whether it is said what 255 means, which is read as `LabelMap.ignore` else.
        public var saysVoid: Bool {
            switch self {
            case .numbers(let ignored, let values): ignored.contains(LabelMap.ignore) || values[LabelMap.ignore] != nil
            case .colours: true
            }
        }
    }

    public let name: String
    /// Where a value stands for a class, it is the class's id: predictions are written as the labels were.
    public let classes: [ClassInfo]
    let files: LabelledFiles

    /// - Parameters:
    ///   - images: directory of PNG or JPEG images, searched with its subdirectories.
    ///   - labels: directory of label images; nil when there are none.
    ///   - imageSuffix: what the names of images have before the ending; files without it are left out.
    ///   - labelSuffix: the same of label images.
    ///   - classes: 1 to 255 classes.
    ///   - holding: what the label images hold.
    /// - Throws: `FileError` or `DataError`; when names do not pair up, with both counts and the first that lack a partner, when an image and
    ///   its labels differ in size, when a value stands for no class, and when two classes have one colour by which they are to be told apart.
    public init(
        name: String = "folder", images: String, labels: String?, imageSuffix: String = "", labelSuffix: String = "",
        classes: [ClassInfo], holding: Labels = .numbers()
    ) throws {
        guard (1...Int(LabelMap.ignore)).contains(classes.count) else {
            throw DataError("expected 1 to \(LabelMap.ignore) classes for \(name), got \(classes.count)")
        }
        var table = LabelTable(classes: classes.count)
        var coding: ColourCoding?
        var infos = classes
        switch holding {
        case .numbers(let ignored, let values):
            try Folder.giveIds(&infos, values)
            table = LabelTable(classes: classes.count, ignored: ignored, values: values)
        case .colours(let ignored, let ignoredColours):
            table = LabelTable(classes: classes.count, ignored: ignored)
            coding = try ColourCoding(classes: classes.map(\.colour), ignored: ignoredColours)
        }
        self.name = name
        self.classes = infos
        let pairs = try FilePairs(images: images, labels: labels, imageSuffix: imageSuffix, labelSuffix: labelSuffix)
        files = try LabelledFiles(images: pairs.images, labels: pairs.labels, stems: pairs.stems, table: table, colours: coding)
    }

    /// Gives classes the values that stand for them as ids, where these are no other class's number.
    /// - Throws: `DataError` for a value that is to be no class.
    private static func giveIds(_ classes: inout [ClassInfo], _ values: [UInt16: UInt16]) throws(DataError) {
        let count = classes.count
        for (value, label) in values.sorted(by: { $0.key < $1.key }) where label != LabelMap.ignore {
            guard label < count else {
                throw DataError("the value \(value) is to be class \(label), expected 0 to \(count - 1) or \(LabelMap.ignore) (ignore)")
            }
            let isOwnNumberTaken = values[label].map { $0 != label } ?? false
            guard value != label, classes[Int(label)].id == nil, value >= count || isOwnNumberTaken else { continue }
            classes[Int(label)].id = UInt8(exactly: value)
        }
    }
}
