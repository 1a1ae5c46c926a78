/// PASCAL VOC 2012 (Everingham et al.): `JPEGImages/NAME.jpg`, palette images `SegmentationClass/NAME.png` and lists of names
/// `ImageSets/Segmentation/SPLIT.txt`; 21 classes with the background, 255 (void, the borders) is ignore.
///
/// `trainaug` is the list of 10,582 images with the labels that Hariharan et al. (2011) added, which are in `SegmentationClassAug`, as grey
/// or palette images.
public struct PascalVOC: DataSet, FileDataSet {
    public static let splits = ["train", "val", "trainval", "trainaug", "test"]

    /// The classes in the order of the development kit, in the colours of its palette.
    public static let classList = [
        "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
        "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
    ].enumerated().map { ClassInfo($1, .palette($0)) }

    public let split: String
    let files: LabelledFiles

    /// The labels of test are not published.
    /// - Parameter directory: the one that has JPEGImages: VOCdevkit/VOC2012, or one of the two above it.
    /// - Throws: `FileError` when a file or directory is missing; `DataError` when a list is empty or an image and its labels differ in size.
    public init(_ directory: String, split: String) throws {
        guard PascalVOC.splits.contains(split) else {
            throw DataError("expected the split \(choice(PascalVOC.splits)) of PASCAL VOC, got \(split)")
        }
        self.split = split
        let folder = split == "trainaug" ? "SegmentationClassAug" : "SegmentationClass"
        let layout = "expected PASCAL VOC as it is unpacked: DIR/JPEGImages/*.jpg, DIR/ImageSets/Segmentation/\(split).txt"
            + (split == "test" ? "" : " and DIR/\(folder)/*.png")
        let root = DirectoryListing.first(["", "/VOC2012", "/VOCdevkit/VOC2012"].map { directory + $0 }, having: "JPEGImages") ?? directory
        let list = root + "/ImageSets/Segmentation/" + split + ".txt"
        let names = try SampleList(list, layout: layout).names
        let images = names.map { "\(root)/JPEGImages/\($0).jpg" }
        let labels = split == "test" ? [] : names.map { "\(root)/\(folder)/\($0).png" }
        let missing = (images + labels).filter { !DirectoryListing.exists($0) }
        guard missing.isEmpty else {
            throw DataError(
                "\(list) lists \(names.count) images" + FilePairs.list(missing, missing.count == 1 ? "file is missing" : "files are missing"),
                remedy: layout)
        }
        let table = LabelTable(
            ids: Array(0...20), ignored: [255], expected: "classes 0 to 20 or 255 (void)", remedy: "label images hold class numbers")
        files = try LabelledFiles(images: images, labels: labels, stems: names, table: table)
    }

    public var name: String { "voc " + split }
    public var classes: [ClassInfo] { PascalVOC.classList }
    /// The development kit's VOCevalseg counts a class that is nowhere as 0.
    public var meanRule: MeanRule { .all }
}
