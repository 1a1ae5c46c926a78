/// CamVid (Brostow et al. 2009) in the layout of the SegNet authors: `DIR/SPLIT/*.png` and `DIR/SPLITannot/*.png`,
/// 360x480, 11 classes; label 11 (unlabelled) is read as ignore.
public struct CamVid: DataSet, FileDataSet {
    /// The 11 classes with the colours of the SegNet authors.
    public static let classList = [
        ClassInfo("sky", Colour(128, 128, 128)), ClassInfo("building", Colour(128, 0, 0)), ClassInfo("pole", Colour(192, 192, 128)),
        ClassInfo("road", Colour(128, 64, 128)), ClassInfo("pavement", Colour(60, 40, 222)), ClassInfo("tree", Colour(128, 128, 0)),
        ClassInfo("sign", Colour(192, 128, 128)), ClassInfo("fence", Colour(64, 64, 128)), ClassInfo("car", Colour(64, 0, 128)),
        ClassInfo("pedestrian", Colour(64, 64, 0)), ClassInfo("bicyclist", Colour(0, 128, 192)),
    ]

    /// "train", "val" or "test".
    public let split: String
    let files: LabelledFiles

    /// - Throws: `FileError` when a directory is missing, `DataError` when images and labels do not pair up or differ in size.
    public init(_ directory: String, split: String) throws {
        guard ["train", "val", "test"].contains(split) else {
            throw DataError("expected the split train, val or test of CamVid, got \(split)")
        }
        self.split = split
        let layout = "expected CamVid as SegNet's authors give it: DIR/\(split)/*.png and DIR/\(split)annot/*.png of the same names"
        let pairs = try FilePairs(
            images: directory + "/" + split, labels: directory + "/" + split + "annot", imageEndings: [".png"], layout: layout)
        files = try LabelledFiles(
            images: pairs.images, labels: pairs.labels, stems: pairs.stems, table: LabelTable(classes: 11, ignored: [11]))
    }

    public var name: String { "camvid " + split }
    public var classes: [ClassInfo] { CamVid.classList }
}
