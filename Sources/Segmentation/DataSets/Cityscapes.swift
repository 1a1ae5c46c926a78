/// Cityscapes (Cordts et al. 2016) as it is unpacked: `leftImg8bit/SPLIT/CITY/*_leftImg8bit.png` and label ids in
/// `gtFine/SPLIT/CITY/*_gtFine_labelIds.png` or `gtCoarse/SPLIT/CITY/*_gtCoarse_labelIds.png`, 1024x2048.
///
/// The 34 label ids are read as the 19 classes that are evaluated; all others are ignore. Predictions are written as label ids, which the
/// evaluation server wants.
public struct Cityscapes: DataSet, FileDataSet {
    /// What people drew around: 5,000 images finely (train, val, test), 23,473 coarsely (train, train_extra, val).
    public enum Annotation: String, Sendable, CaseIterable {
        case fine, coarse

        public var splits: [String] { self == .fine ? ["train", "val", "test"] : ["train", "train_extra", "val"] }
        fileprivate var name: String { self == .fine ? "gtFine" : "gtCoarse" }
    }

    /// The classes that are evaluated, in the order of their train ids, with their label ids. Source: the data set's own scripts
    /// (cityscapesscripts, helpers/labels.py).
    public static let classList = [
        ClassInfo("road", Colour(128, 64, 128), id: 7), ClassInfo("sidewalk", Colour(244, 35, 232), id: 8),
        ClassInfo("building", Colour(70, 70, 70), id: 11), ClassInfo("wall", Colour(102, 102, 156), id: 12),
        ClassInfo("fence", Colour(190, 153, 153), id: 13), ClassInfo("pole", Colour(153, 153, 153), id: 17),
        ClassInfo("traffic light", Colour(250, 170, 30), id: 19), ClassInfo("traffic sign", Colour(220, 220, 0), id: 20),
        ClassInfo("vegetation", Colour(107, 142, 35), id: 21), ClassInfo("terrain", Colour(152, 251, 152), id: 22),
        ClassInfo("sky", Colour(70, 130, 180), id: 23), ClassInfo("person", Colour(220, 20, 60), id: 24),
        ClassInfo("rider", Colour(255, 0, 0), id: 25), ClassInfo("car", Colour(0, 0, 142), id: 26),
        ClassInfo("truck", Colour(0, 0, 70), id: 27), ClassInfo("bus", Colour(0, 60, 100), id: 28),
        ClassInfo("train", Colour(0, 80, 100), id: 31), ClassInfo("motorcycle", Colour(0, 0, 230), id: 32),
        ClassInfo("bicycle", Colour(119, 11, 32), id: 33),
    ]

    public let split: String
    public let annotation: Annotation
    let files: LabelledFiles

    /// The labels of test are not published (its files hold void only), so that split has none.
    /// - Parameter split: train, val or test; with coarse annotation train, train_extra or val.
    /// - Throws: `FileError` when a directory is missing, `DataError` when images and labels do not pair up or differ in size.
    public init(_ directory: String, split: String, annotation: Annotation = .fine) throws {
        guard annotation.splits.contains(split) else {
            throw DataError("expected the split \(choice(annotation.splits)) of Cityscapes' \(annotation) annotation, got \(split)")
        }
        self.split = split
        self.annotation = annotation
        let kind = annotation.name
        let isLabelled = split != "test"
        let layout = "expected Cityscapes as it is unpacked: DIR/leftImg8bit/\(split)/CITY/*_leftImg8bit.png"
            + (isLabelled ? " and DIR/\(kind)/\(split)/CITY/*_\(kind)_labelIds.png" : "")
        let pairs = try FilePairs(
            images: "\(directory)/leftImg8bit/\(split)", labels: isLabelled ? "\(directory)/\(kind)/\(split)" : nil,
            imageSuffix: "_leftImg8bit", labelSuffix: "_\(kind)_labelIds", imageEndings: [".png"], layout: layout)
        let table = LabelTable(
            ids: Cityscapes.classList.outputIds, ignored: Array(0...33), expected: "label ids 0 to 33",
            remedy: "the files *_labelIds.png are read, neither train ids nor colours")
        files = try LabelledFiles(images: pairs.images, labels: pairs.labels, stems: pairs.stems, table: table)
    }

    public var name: String { "cityscapes " + split + (annotation == .coarse ? " coarse" : "") }
    public var classes: [ClassInfo] { Cityscapes.classList }
}

/// "a, b or c".
func choice(_ words: [String]) -> String {
    words.count < 2 ? words.joined() : words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1]
}
