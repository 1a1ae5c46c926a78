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
}

extension DataSet {
    public func labels(_ index: Int) throws -> LabelMap { try sample(index).labels }

    /// One line for people: name, number of samples and classes.
    public var description: String { "\(name): \(count) images, \(classes.count) classes" }
}

extension LabelMap {
    /// Maps `ignored` labels to `LabelMap.ignore` and checks that every other one is a class.
    /// - Throws: `DataError` that says which file, which value and where.
    func checked(classes: Int, ignored: Set<UInt16> = [], source: String) throws(DataError) -> LabelMap {
        // What each of the 65,536 values becomes; -1 is refused. A table, because every pixel is looked at.
        var table = [Int32](repeating: -1, count: 1 << 16)
        for label in 0..<classes { table[label] = Int32(label) }
        for label in ignored { table[Int(label)] = Int32(LabelMap.ignore) }
        table[Int(LabelMap.ignore)] = Int32(LabelMap.ignore)
        var result = self
        for index in values.indices {
            let label = table[Int(values[index])]
            guard label >= 0 else {
                throw DataError(
                    "\(source): expected labels 0 to \(classes - 1) or \(LabelMap.ignore) (ignore), got \(values[index]) at row "
                        + "\(index / size.width + 1), column \(index % size.width + 1)",
                    remedy: "give the data set more classes, or list the label among the ignored ones")
            }
            result.values[index] = UInt16(label)
        }
        return result
    }
}

extension Sample {
    /// - Throws: `DataError` when image and labels differ in size.
    func checkedSizes(image imagePath: String, labels labelPath: String) throws(DataError) -> Sample {
        guard image.size == labels.size else {
            throw DataError(
                "\(imagePath) is \(image.size), its labels \(labelPath) are \(labels.size)",
                remedy: "label and image need the same height and width")
        }
        return self
    }
}
