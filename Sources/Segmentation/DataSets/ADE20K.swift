/// ADE20K for scene parsing (Zhou et al. 2017, ADEChallengeData2016): `images/SPLIT/*.jpg` and `annotations/SPLIT/*.png`, whose 0 (other) is
/// ignore and whose 1 to 150 are the classes (SPLIT is training, validation or testing). Predictions are written with the same numbers.
public struct ADE20K: DataSet, FileDataSet {
    /// Directory of each split.
    private static let folders = ["train": "training", "val": "validation", "test": "testing"]

    /// "train", "val" or "test".
    public let split: String
    let files: LabelledFiles

    /// The labels of test are not published.
    /// - Parameter directory: the one that has images/, or the one above it.
    /// - Throws: `FileError` when a directory is missing, `DataError` when images and labels do not pair up or differ in size.
    public init(_ directory: String, split: String) throws {
        guard let folder = ADE20K.folders[split] else { throw DataError("expected the split train, val or test of ADE20K, got \(split)") }
        self.split = split
        let isLabelled = split != "test"
        let layout = "expected ADE20K's scene parsing data as it is unpacked (ADEChallengeData2016): DIR/images/\(folder)/*.jpg"
            + (isLabelled ? " and DIR/annotations/\(folder)/*.png" : "")
        let root = DirectoryListing.first([directory, directory + "/ADEChallengeData2016"], having: "images") ?? directory
        let pairs = try FilePairs(
            images: "\(root)/images/\(folder)", labels: isLabelled ? "\(root)/annotations/\(folder)" : nil, imageEndings: [".jpg"],
            layout: layout)
        let table = LabelTable(
            ids: ADE20K.classList.outputIds, ignored: [0], expected: "0 (other) or classes 1 to 150",
            remedy: "the annotations of the scene parsing challenge are read, not those of the full data set")
        files = try LabelledFiles(images: pairs.images, labels: pairs.labels, stems: pairs.stems, table: table)
    }

    public var name: String { "ade20k " + split }
    public var classes: [ClassInfo] { ADE20K.classList }
    /// The challenge's evaluation averages over all 150 classes.
    public var meanRule: MeanRule { .all }
}
