/// Samples to learn from and to measure with: images with labels, or inputs and targets of any task.
///
/// Samples are made or decoded when asked for, the same ones each time, from any thread unless `needsCaller`. Labels are the data set's own class
/// numbers from 0, and `LabelMap.ignore` (255) where a pixel counts nowhere; a data set with other void labels maps them to that.
public protocol DataSet: Sendable {
    var name: String { get }
    /// What a sample consists of, inputs first.
    var parts: [SamplePart] { get }
    /// The classes of the labels, `i` is `classes[i]`; none where the task has no classes.
    var classes: [ClassInfo] { get }
    /// Number of samples.
    var count: Int { get }
    /// What sample `index` came from, for messages: a file, or the generator and number.
    func source(_ index: Int) -> String
    /// Height and width of sample `index` without making or decoding it, where that can be known.
    /// - Throws: `DataError` where samples have no height and width.
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
    /// How its images become the numbers that networks see, unless a call says otherwise.
    var normalisation: Normalisation { get }
    /// Whether samples are made by code that runs on one thread only, that which asks for them, and whose sizes are not known before.
    var needsCaller: Bool { get }
    /// Tells what makes the samples from what made others of the same names; empty where the names say it.
    var recipe: String { get }
    /// A name for what is written about sample `index`, without ending and directory; no two samples of the set share one.
    func outputName(_ index: Int) -> String
    /// What becomes of a value of part `part`, whose kind is `own`, in a window on its sample.
    func cut(_ value: SampleValue, part: Int, to window: Augmentation.Window) throws -> SampleValue
}

extension DataSet {
    public var parts: [SamplePart] { SamplePart.labelledImage }
    public func labels(_ index: Int) throws -> LabelMap {
        guard let labels = try sample(index).labelMap else { throw DataError("\(name) has no label for each pixel") }
        return labels
    }
    public func verifyImage(_ index: Int) throws { _ = try sample(index) }
    public var isLabelled: Bool { true }
    public var meanRule: MeanRule { .present }
    public var normalisation: Normalisation { .imageNet }
    public var needsCaller: Bool { false }
    public var recipe: String { "" }
    public func outputName(_ index: Int) -> String { "\(name.replacing(" ", with: "-"))-\(index + 1)" }
    public func cut(_ value: SampleValue, part: Int, to window: Augmentation.Window) throws -> SampleValue { value }

    public var classNames: [String] { classes.map(\.name) }
    /// Whether its targets are classes of pixels, for which there are a loss and measures.
    public var hasClasses: Bool { !classes.isEmpty }

    /// - Throws: `DataError` when there are no labels, for `purpose` ("training", "evaluation").
    public func requireLabels(for purpose: String) throws(DataError) {
        guard isLabelled else {
            throw DataError("\(name) has no labels, which \(purpose) needs", remedy: "use a split that has labels, such as val")
        }
    }

    /// - Parameter remedy: what does the same for a task of one's own.
    /// - Throws: `DataError` when the targets are no classes of pixels.
    public func requireClasses(for purpose: String, remedy: String) throws(DataError) {
        guard hasClasses else { throw DataError("\(name) has no classes, which \(purpose) goes by", remedy: remedy) }
    }

    /// One line for people: name, number of samples, classes or else the parts.
    public var description: String {
        if hasClasses { return "\(name): \(count) images, \(classes.count) classes" }
        func list(_ isInput: Bool) -> String { parts.filter { $0.isInput == isInput }.map(\.name).joined(separator: ", ") }
        return "\(name): \(count) samples, \(list(true)) to \(list(false))"
    }
}

/// A data set made of another one; what it does not say itself is as there.
public protocol DataSetView: DataSet {
    var base: any DataSet { get }
}

extension DataSetView {
    public var name: String { base.name }
    public var parts: [SamplePart] { base.parts }
    public var classes: [ClassInfo] { base.classes }
    public var count: Int { base.count }
    public var isLabelled: Bool { base.isLabelled }
    public var meanRule: MeanRule { base.meanRule }
    public var normalisation: Normalisation { base.normalisation }
    public var needsCaller: Bool { base.needsCaller }
    public var recipe: String { base.recipe }
    public func outputName(_ index: Int) -> String { base.outputName(index) }
    public func source(_ index: Int) -> String { base.source(index) }
    public func size(_ index: Int) throws -> Size { try base.size(index) }
    public func labels(_ index: Int) throws -> LabelMap { try base.labels(index) }
    public func verifyImage(_ index: Int) throws { try base.verifyImage(index) }
    public func cut(_ value: SampleValue, part: Int, to window: Augmentation.Window) throws -> SampleValue { try base.cut(value, part: part, to: window) }
}
