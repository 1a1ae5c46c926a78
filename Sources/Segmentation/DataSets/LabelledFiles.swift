import Tensors

/// Image files with their label files: what the data sets on disk have in common.
struct LabelledFiles: Sendable {
    let images: [String]
    /// In the order of `images`; empty when there are no labels.
    let labelFiles: [String]
    /// Names without suffix and ending, for what is written about a sample.
    let outputNames: [String]
    private let table: LabelTable
    /// When not empty, label images may be RGB in these colours, which stand for the labels 0, 1, ...
    private let colours: [Colour]

    /// - Parameters:
    ///   - stems: paths or names of the images without suffix and ending, each different.
    ///   - labels: none, or one for each image.
    /// - Throws: `FileError` or `DataError` when a file is missing or not an image, or when an image and its labels differ in size, from the
    ///   files' headers.
    init(images: [String], labels: [String], stems: [String], table: LabelTable, colours: [Colour] = []) throws {
        self.images = images
        labelFiles = labels
        outputNames = OutputNames.unique(stems)
        self.table = table
        self.colours = colours
        for (image, label) in zip(images, labels) {
            try LabelledFiles.check(image, try ImageFile.size(image), label, try ImageFile.size(label))
        }
    }

    private static func check(_ image: String, _ size: Size, _ labels: String, _ labelSize: Size) throws(DataError) {
        guard size == labelSize else {
            throw DataError(
                "\(image) is \(size), its labels \(labels) are \(labelSize)", remedy: "label and image need the same height and width")
        }
    }

    func size(_ index: Int) throws -> Size { try ImageFile.size(images[index]) }

    func sample(_ index: Int) throws -> Sample {
        let image = try ImageFile.image(images[index])
        let labels = try labelFiles.isEmpty ? LabelMap(ignored: image.size) : labels(index)
        if !labelFiles.isEmpty { try LabelledFiles.check(images[index], image.size, labelFiles[index], labels.size) }
        return Sample(image: image, labels: labels)
    }

    func labels(_ index: Int) throws -> LabelMap {
        if labelFiles.isEmpty { return LabelMap(ignored: try size(index)) }
        let map = try ImageFile.labels(labelFiles[index], colours: colours)
        return try table.classes(of: map, source: labelFiles[index])
    }
}

/// A data set that reads image files with label files of its own layout.
protocol FileDataSet: DataSet {
    var files: LabelledFiles { get }
}

extension FileDataSet {
    public var count: Int { files.images.count }
    public var isLabelled: Bool { !files.labelFiles.isEmpty }
    public func source(_ index: Int) -> String { files.images[index] }
    public func outputName(_ index: Int) -> String { files.outputNames[index] }
    public func size(_ index: Int) throws -> Size { try files.size(index) }
    public func sample(_ index: Int) throws -> Sample { try files.sample(index) }
    public func labels(_ index: Int) throws -> LabelMap { try files.labels(index) }
}
