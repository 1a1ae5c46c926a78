/// An image with the class of each of its pixels.
public struct Sample: Sendable {
    public var image: Image
    public var labels: LabelMap

    public init(image: Image, labels: LabelMap) {
        self.image = image
        self.labels = labels
    }
}

/// Images with labels. Labels are the data set's own class numbers from 0, and `LabelMap.ignore` (255) where a pixel
/// counts nowhere; a data set with other void labels maps them to that.
///
/// Samples are made or decoded when asked for, the same ones each time, from any thread.
public protocol DataSet: Sendable {
    var name: String { get }
    /// The classes; label `i` is `classes[i]`.
    var classes: [ClassInfo] { get }
    /// Number of samples.
    var count: Int { get }
    /// What sample `index` came from, for messages: a file, or the generator and number.
    func source(_ index: Int) -> String
    /// Height and width of sample `index` without making or decoding it.
    func size(_ index: Int) throws -> Size
    /// Sample `index`, its labels checked.
    /// - Throws: `FileError` or `DataError` naming the file.
    func sample(_ index: Int) throws -> Sample
    /// The labels of sample `index` alone.
    func labels(_ index: Int) throws -> LabelMap
    /// Decodes the image of sample `index` to its end, without need to keep it: finds a damaged one.
    /// - Throws: what `sample` would.
    func verifyImage(_ index: Int) throws
    /// Whether there are labels. The samples of a set without (a test split) have `LabelMap.ignore` everywhere: they can be segmented, but
    /// nothing can be trained on them or measured.
    var isLabelled: Bool { get }
    /// Over which classes this data set's evaluation averages.
    var meanRule: MeanRule { get }
    /// A name for what is written about sample `index`, without ending and directory; no two samples of the set share one.
    func outputName(_ index: Int) -> String
}

extension DataSet {
    public func labels(_ index: Int) throws -> LabelMap { try sample(index).labels }
    public func verifyImage(_ index: Int) throws { _ = try sample(index) }
    public var isLabelled: Bool { true }
    public var meanRule: MeanRule { .present }
    public func outputName(_ index: Int) -> String { "\(name.replacing(" ", with: "-"))-\(index + 1)" }

    public var classNames: [String] { classes.map(\.name) }

    /// - Throws: `DataError` when there are no labels, for `purpose` ("training", "evaluation").
    public func requireLabels(for purpose: String) throws(DataError) {
        guard isLabelled else {
            throw DataError("\(name) has no labels, which \(purpose) needs", remedy: "use a split that has labels, such as val")
        }
    }

    /// One line for people: name, number of samples and classes.
    public var description: String { "\(name): \(count) images, \(classes.count) classes" }
}
