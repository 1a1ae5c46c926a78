import Base
import Networks
import Tensors

/// What a network got right on a data set.
public struct EvaluationResult: Sendable {
    public let confusion: ConfusionMatrix
    public let classes: [ClassInfo]
    /// Over which classes the data set averages.
    public let rule: MeanRule
    /// Name of the data set, and how many of its images were looked at.
    public let data: String
    public let images: Int
    public let options: SegmentationOptions

    /// Mean intersection over union by the data set's rule, pixels labelled "ignore" left out; 0 to 1.
    public var meanIoU: Double { confusion.meanIoU(rule) }
    /// Share of the pixels that were labelled right.
    public var pixelAccuracy: Double { confusion.pixelAccuracy }

    /// The table of the classes under a line that says what was measured.
    public var description: String {
        "\(data): \(images) images, \(options.summary)\n" + confusion.table(classes.map(\.name), rule: rule)
    }
}

/// Measures networks on whole images.
public enum Evaluator {
    /// Counts what a network predicts on every image of a data set, each at its own size.
    ///
    /// - Parameters:
    ///   - batch: images at once, where all of the set have one size.
    ///   - directory: where predictions are written, as the data set's evaluation wants them (its ids, its colours as palette).
    ///   - each: called with the number of images done.
    /// - Throws: `DataError` before any work when the network's classes are not the data's, or there are no labels.
    public static func run(
        _ segmenter: Segmenter, _ data: any DataSet, batch: Int = 1, directory: String? = nil, each: (Int) throws -> Void = { _ in }
    ) throws -> EvaluationResult {
        guard batch > 0 else { throw DataError("expected batches of at least 1 image, got \(batch)") }
        guard data.count > 0 else { throw DataError("\(data.name) has no images") }
        try data.requireLabels(for: "evaluation")
        try data.requireClasses(for: "the mean IoU", remedy: "give a metric: a function of network, inputs and targets")
        try Segmenter.check(segmenter.network, fits: data.classes, of: data.name, size: data.size(0))
        if let directory { try Directory.make(directory) }
        var confusion = ConfusionMatrix(classes: data.classes.count)
        let loader = try loader(data, batch, segmenter.options.normalisation)
        var done = 0
        while done < data.count {
            try betweenSteps()
            let batch = try loader.next()
            let predicted = try segmenter.classify(Tensor(batch.arrays[0])).contiguous()
            let truth = batch.arrays[1].buffer.elements(of: Int32.self)
            try predicted.withBytes { bytes in
                guard let start = truth.baseAddress, let found = bytes.bindMemory(to: Int32.self).baseAddress else { return }
                try confusion.add(labels: start, predictions: found, count: truth.count)
            }
            if let directory { try save(predicted, batch, data, directory) }
            done += batch.indices.count
            try each(done)
        }
        return EvaluationResult(
            confusion: confusion, classes: data.classes, rule: data.meanRule, data: data.name, images: data.count, options: segmenter.options)
    }

    /// Whole images in order, prepared while the network computes; one at a time when their sizes differ.
    private static func loader(_ data: any DataSet, _ size: Int, _ normalisation: Normalisation) throws -> BatchLoader {
        let first = try data.size(0)
        let uniform = try size == 1 || (0..<data.count).allSatisfy { try data.size($0) == first }
        return try BatchLoader(
            data, size: uniform ? size : 1, augmentation: Augmentation(normalisation: normalisation), seed: 0, shuffle: false, dropLast: false,
            ahead: 2)
    }

    /// Writes what was predicted for a batch, int32 [images, height, width].
    private static func save(_ labels: Tensor, _ batch: Batch, _ data: any DataSet, _ directory: String) throws {
        let size = Size(height: labels.shape[1], width: labels.shape[2])
        for (slot, index) in batch.indices.enumerated() {
            let map = try LabelMap(labels.narrow(0, slot, 1), size: size)
            try ImageFile.write(map, as: data.classes, to: directory + "/" + data.outputName(index) + ".png")
        }
    }
}
