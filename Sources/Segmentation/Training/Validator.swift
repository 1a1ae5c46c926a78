import Networks

/// What is measured of a network while it is trained: classes of pixels, or what a run says itself.
final class Validator {
    private enum Kind {
        case segmentation(Segmenter, batch: Int)
        case own(Measurer, Normalisation)
    }

    let measures: TrainingHistory.Measures
    private let data: any DataSet
    private let kind: Kind

    /// - Parameter training: what the network learns from, whose classes are those of the validation.
    /// - Throws: `DataError` when it cannot be measured so.
    init(
        _ network: Module, _ data: any DataSet, beside training: any DataSet, _ options: TrainingOptions, _ segmentation: SegmentationOptions?, _ own: Measures?
    ) throws {
        self.data = data
        try data.requireLabels(for: "validation")
        guard data.count > 0 else { throw DataError("the validation set \(data.name) has no images") }
        let normalisation = options.augmentation.normalisation
        if let own {
            guard data.parts.map(\.name) == training.parts.map(\.name) else {
                throw DataError("\(training.name) has \(training.parts.map(\.name)), the validation set \(data.name) \(data.parts.map(\.name))")
            }
            measures = TrainingHistory.Measures(own.names, deciding: own.deciding?.index, isLowestBest: own.deciding?.isLowestBest ?? false)
            kind = .own(Measurer(network, own), normalisation)
        } else {
            try data.requireClasses(for: "the mean IoU", remedy: "give a metric: a function of network, inputs and targets")
            guard data.classes.count == training.classes.count else {
                throw DataError("\(training.name) has \(training.classes.count) classes, the validation set \(data.name) has \(data.classes.count)")
            }
            measures = .segmentation
            kind = .segmentation(
                try Segmenter(network, segmentation ?? SegmentationOptions(normalisation: normalisation)), batch: max(1, options.batch / options.accumulate))
        }
    }

    /// The measures now, and the class that every pixel was taken for, if there is one.
    func run() throws -> (measured: [Double?], onlyPrediction: Int?) {
        switch kind {
        case .segmentation(let segmenter, let batch):
            let result = try Evaluator.run(segmenter, data, batch: batch)
            return ([result.meanIoU, result.pixelAccuracy], result.confusion.onlyPrediction)
        case .own(let measurer, let normalisation):
            return (try measurer.run(data, normalisation: normalisation).values, nil)
        }
    }
}
