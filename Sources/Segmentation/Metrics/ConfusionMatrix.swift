/// Over which classes a mean IoU is taken.
public enum MeanRule: String, Codable, Sendable {
    /// Those that are labelled or predicted somewhere; a class absent from both says nothing (Cityscapes' scripts).
    case present
    /// All of them; a class absent from labels and predictions counts as 0 (the VOC development kit, ADE20K's scene parsing).
    case all
}

/// Counts of pixels by their label and what was predicted; all metrics of segmentation come from it.
public struct ConfusionMatrix: Equatable, Codable, Sendable {
    public let classes: Int
    /// `counts[label * classes + prediction]`.
    public private(set) var counts: [Int64]

    public init(classes: Int) {
        precondition(classes > 0, "a confusion matrix of no classes")
        self.classes = classes
        counts = [Int64](repeating: 0, count: classes * classes)
    }

    /// Pixels labelled `label` that were predicted as `prediction`.
    public subscript(label: Int, prediction: Int) -> Int64 { counts[label * classes + prediction] }

    /// Counts pixels; those labelled `ignore` are left out, whatever was predicted there.
    /// - Throws: `DataError` at the first label or prediction that is no class; pixels before it have been counted.
    public mutating func add(
        labels: UnsafePointer<Int32>, predictions: UnsafePointer<Int32>, count: Int, ignore: Int32 = Int32(LabelMap.ignore)
    ) throws(DataError) {
        for index in 0..<count {
            let (label, prediction) = (labels[index], predictions[index])
            if label == ignore { continue }
            guard label >= 0, label < classes, prediction >= 0, prediction < classes else {
                let what = label >= 0 && label < classes ? "predictions 0 to \(classes - 1), got \(prediction)"
                    : "labels 0 to \(classes - 1) or \(ignore) (ignore), got \(label)"
                throw DataError("expected \(what) at pixel \(index + 1)", remedy: "count with the number of classes of the data")
            }
            counts[Int(label) * classes + Int(prediction)] += 1
        }
    }

    /// Counts a label map against a predicted one.
    /// - Throws: `DataError` when their sizes differ or a value is no class.
    public mutating func add(labels: LabelMap, predictions: LabelMap) throws(DataError) {
        guard labels.size == predictions.size else {
            throw DataError(
                "expected a prediction of \(labels.size), got \(predictions.size)", remedy: "resize the prediction to its labels")
        }
        try add(labels: labels.values.map(Int32.init), predictions: predictions.values.map(Int32.init), count: labels.values.count)
    }

    /// Adds the counts of another matrix.
    /// - Throws: `DataError` when the numbers of classes differ.
    public mutating func merge(_ other: ConfusionMatrix) throws(DataError) {
        guard other.classes == classes else { throw DataError("expected a confusion matrix of \(classes) classes, got \(other.classes)") }
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    /// The class that every pixel was taken for, where labels had more than one; nil when predictions differ.
    public var onlyPrediction: Int? {
        let rows = (0..<classes).filter { label in (0..<classes).contains { self[label, $0] > 0 } }
        let columns = (0..<classes).filter { prediction in (0..<classes).contains { self[$0, prediction] > 0 } }
        return rows.count > 1 && columns.count == 1 ? columns[0] : nil
    }

    /// Pixels counted.
    public var total: Int64 { counts.reduce(0, +) }

    private func labelled(_ index: Int) -> Int64 { (0..<classes).reduce(0) { $0 + self[index, $1] } }
    private func predicted(_ index: Int) -> Int64 { (0..<classes).reduce(0) { $0 + self[$1, index] } }

    /// Intersection over union of a class; nil when it is neither labelled nor predicted anywhere.
    public func iou(_ index: Int) -> Double? {
        let union = labelled(index) + predicted(index) - self[index, index]
        return union > 0 ? Double(self[index, index]) / Double(union) : nil
    }

    /// Share of a class's pixels that were predicted as it; nil when no pixel is labelled so.
    public func accuracy(_ index: Int) -> Double? {
        let labelled = labelled(index)
        return labelled > 0 ? Double(self[index, index]) / Double(labelled) : nil
    }

    /// Mean IoU over the classes that are labelled or predicted somewhere; a class absent from both says nothing and is
    /// left out, one that is only predicted counts as 0. NaN when nothing was counted.
    public var meanIoU: Double { meanIoU(.present) }

    /// Mean IoU by the rule of a data set. NaN when nothing was counted.
    public func meanIoU(_ rule: MeanRule) -> Double {
        let values = (0..<classes).compactMap(iou)
        guard rule == .all, !values.isEmpty else { return mean(values) }
        return values.reduce(0, +) / Double(classes)
    }

    /// Mean accuracy over the classes that are labelled somewhere. NaN when nothing was counted.
    public var meanAccuracy: Double { mean((0..<classes).compactMap(accuracy)) }

    /// Share of pixels predicted as labelled. NaN when nothing was counted.
    public var pixelAccuracy: Double {
        let right = (0..<classes).reduce(Int64(0)) { $0 + self[$1, $1] }
        return total > 0 ? Double(right) / Double(total) : .nan
    }

    private func mean(_ values: [Double]) -> Double { values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count) }
}
