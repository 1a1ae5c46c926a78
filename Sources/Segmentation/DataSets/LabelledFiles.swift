import Base
import Tensors

/// Image files with their label files: what the data sets on disk have in common.
struct LabelledFiles: Sendable {
    let images: [String]
    /// In the order of `images`; empty when there are no labels.
    let labelFiles: [String]
    /// Names without suffix and ending, for what is written about a sample.
    let outputNames: [String]
    private let table: LabelTable
    /// When not nil, label images show the classes in these colours, which stand for the labels 0, 1, ...
    private let colours: ColourCoding?

    /// Says a word on images that a camera noted to be turned.
    /// - Parameters:
    ///   - stems: paths or names of the images without suffix and ending, each different.
    ///   - labels: none, or one for each image.
    /// - Throws: `FileError` or `DataError` when a file is missing or not an image, or when an image and its labels differ in size, from the
    ///   files' headers. `Interrupted`.
    init(images: [String], labels: [String], stems: [String], table: LabelTable, colours: ColourCoding? = nil) throws {
        self.images = images
        labelFiles = labels
        outputNames = OutputNames.unique(stems)
        self.table = table
        self.colours = colours
        var turned: [(path: String, orientation: Orientation)] = []
        for (index, image) in images.enumerated() {
            try checkInterrupt()
            let (size, orientation) = try ImageFile.header(image)
            var isCertain = false
            if !labels.isEmpty {
                try LabelledFiles.check(image, size, labels[index], try ImageFile.size(labels[index]), orientation)
                // Labels of the size as it is stored were made for the pixels as they are stored.
                isCertain = size != size.turned && orientation?.isOnItsSide == true
            }
            if let orientation, !isCertain { turned.append((image, orientation)) }
        }
        guard let first = turned.first else { return }
        Notice.say(
            "\(turned.count) of \(images.count) images are to be shown turned, the first is \(first.path): \(first.orientation.description); "
                + "this is not applied, pixels are read as they are stored; \(Orientation.remedy)")
    }

    private static func check(
        _ image: String, _ size: Size, _ labels: String, _ labelSize: Size, _ orientation: Orientation? = nil
    ) throws(DataError) {
        guard size != labelSize else { return }
        if let orientation, orientation.isOnItsSide, size.turned == labelSize {
            throw DataError(
                "\(image) is \(size) as it is stored; its labels \(labels) are \(labelSize), as its \(orientation.description) shows it, which is not applied",
                remedy: Orientation.remedy)
        }
        throw DataError(
            "\(image) is \(size), its labels \(labels) are \(labelSize)", remedy: "label and image need the same height and width")
    }

    func size(_ index: Int) throws -> Size { try ImageFile.size(images[index]) }

    func sample(_ index: Int) throws -> Sample {
        let image = try ImageFile.image(images[index])
        let labels = try labelFiles.isEmpty ? LabelMap(ignored: image.size) : labels(index)
        if !labelFiles.isEmpty { try LabelledFiles.check(images[index], image.size, labelFiles[index], labels.size) }
        return Sample(image: image, labels: labels)
    }

    func labels(_ index: Int) throws -> LabelMap {
        if labelFiles.isEmpty { return try LabelMap(ignored: try size(index)) }
        var map = try ImageFile.labels(labelFiles[index], colours: colours)
        try table.apply(to: &map, source: labelFiles[index])
        return map
    }

    func verifyImage(_ index: Int) throws { try VerifiedFiles.verify(images[index]) }
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
    public func verifyImage(_ index: Int) throws { try files.verifyImage(index) }
}
