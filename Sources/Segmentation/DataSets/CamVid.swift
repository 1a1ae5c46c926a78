/// CamVid (Brostow et al. 2009) in the layout of the SegNet authors: `DIR/SPLIT/*.png` and `DIR/SPLITannot/*.png`,
/// 360x480, 11 classes; label 11 (unlabelled) is read as ignore.
public struct CamVid: DataSet {
    /// The 11 classes with the colours of the SegNet authors.
    public static let classList = [
        ClassInfo("sky", Colour(128, 128, 128)), ClassInfo("building", Colour(128, 0, 0)), ClassInfo("pole", Colour(192, 192, 128)),
        ClassInfo("road", Colour(128, 64, 128)), ClassInfo("pavement", Colour(60, 40, 222)), ClassInfo("tree", Colour(128, 128, 0)),
        ClassInfo("sign", Colour(192, 128, 128)), ClassInfo("fence", Colour(64, 64, 128)), ClassInfo("car", Colour(64, 0, 128)),
        ClassInfo("pedestrian", Colour(64, 64, 0)), ClassInfo("bicyclist", Colour(0, 128, 192)),
    ]

    private let folder: Folder
    /// "train", "val" or "test".
    public let split: String

    /// - Throws: `FileError` when a directory is missing, `DataError` when images and labels do not pair up.
    public init(_ directory: String, split: String) throws {
        guard ["train", "val", "test"].contains(split) else {
            throw DataError("expected the split train, val or test of CamVid, got \(split)")
        }
        self.split = split
        folder = try Folder(
            name: "camvid " + split, images: directory + "/" + split, labels: directory + "/" + split + "annot",
            classes: CamVid.classList, ignored: [11])
    }

    public var name: String { folder.name }
    public var classes: [ClassInfo] { folder.classes }
    public var count: Int { folder.count }
    public func source(_ index: Int) -> String { folder.source(index) }
    public func size(_ index: Int) throws -> Size { try folder.size(index) }
    public func sample(_ index: Int) throws -> Sample { try folder.sample(index) }
    public func labels(_ index: Int) throws -> LabelMap { try folder.labels(index) }
}
