import Base
import Networks
import Tensors

/// Trains a network: one that maps images [N, 3, H, W] to class scores [N, classes, h, w] on images with labels, any network on any samples by a loss
/// of one's own.
///
/// Everything random comes from the seed, so a run is repeated, and continued from its checkpoint, bit for bit, on any number of
/// threads. The network is left with the weights of the last step; `best` has those of the best validation.
public final class Trainer {
    /// Which of a run's weights are to be written.
    public enum Keep: String, Sendable { case best, last }

    public let network: Module
    public let data: any DataSet
    public let validation: (any DataSet)?
    public let options: TrainingOptions
    /// What the run has measured so far.
    public internal(set) var history: TrainingHistory
    /// Copies of parameters and buffers at the best validation.
    public internal(set) var best: [Module.Named]?
    /// Steps done.
    public internal(set) var done = 0
    /// Of the steps since the last row of the history: the sum of their losses and their number.
    var stretch = (sum: 0.0, count: 0)
    /// What tells the run from others, from its first step on; nil before, and of a run that was begun before runs had one.
    public internal(set) var identity: String?

    /// How the run goes on that was to end earlier, in words for its user; nil of one that goes on as it was planned.
    public internal(set) var continuation: String?

    /// Called after each step with the number of steps done and its loss.
    public var onStep: (Int, Double) throws -> Void = { _, _ in }
    /// Called after each row of the history.
    public var onRow: (TrainingHistory.Row) throws -> Void = { _ in }
    /// Called to write weights, after each validation that is the best so far and after each row; before the checkpoint, so that a kill
    /// in between is made good by resuming.
    public var onKeep: (Keep, TrainingHistory.Row) throws -> Void = { _, _ in }
    /// Called when the run ends before its time because it was asked to (`isStopWanted`), with what it takes to go on: the file at `checkpointPath` holds
    /// it, if there is one.
    public var onStop: (Checkpoint) throws -> Void = { _ in }
    /// File that is written after each row, and where the run continues after a kill.
    public var checkpointPath: String?
    /// What else the checkpoint is to keep.
    public var note: JSONValue?
    /// The history as comma-separated values, written after each checkpoint.
    public var logPath: String?

    let optimiser: Optimiser
    let loader: BatchLoader
    /// Fingerprints of the images that it learns from and that it is measured on.
    let images: (training: String, validation: String)
    /// Where the streams of what dropout and the like drop stand, and of what `onRow` draws in a script.
    var random: RandomStreams
    private let step: TrainingStep
    private let validator: Validator?
    /// What decides what is learned and what is best, for the settings.
    let criteria: (loss: String, measures: String)
    /// Whether a word was said about validations that see one class only.
    private var hasRemarked = false

    /// Norm of the gradient at the last step, before clipping.
    public var gradientNorm: Double { optimiser.gradientNorm }
    /// Learning rate of the last step.
    public var rate: Double { optimiser.rate }

    /// Steps from one row of the history to the next.
    public var every: Int { options.every ?? loader.batchesPerEpoch }

    /// Checks everything that can be checked before any work.
    ///
    /// - Parameters:
    ///   - validation: measured after each row of the history, whole images.
    ///   - segmentation: how classes are measured.
    ///   - objective: the loss where it is not the cross entropy; class weights are no part of it then.
    ///   - measures: what is measured where it is not the mean IoU.
    /// - Throws: `DataError` when settings, data and network do not fit each other; `TensorError` when the network cannot take such images.
    public init(
        _ network: Module, _ data: any DataSet, validation: (any DataSet)? = nil, options: TrainingOptions,
        segmentation: SegmentationOptions? = nil, objective: Objective? = nil, measures: Measures? = nil
    ) throws {
        self.network = network
        self.data = data
        self.validation = validation
        self.options = options
        random = RandomStreams.keeping {
            RandomStreams.start(seed: Draw.mix(options.seed &+ 0x7261_6e64))
            return .current
        }
        try options.check(classes: data.classes.count, isValidated: validation != nil)
        try data.requireLabels(for: "training")
        if objective == nil {
            try data.requireClasses(for: "the cross entropy", remedy: "give a loss: a function of network, inputs and targets")
        }
        loader = try BatchLoader(data, size: options.batch, augmentation: options.augmentation, transform: options.transform, seed: options.seed)
        // What a loss makes of the network's results is its own affair.
        let needsScores = objective == nil || data.hasClasses && measures == nil && validation != nil
        if needsScores { try Segmenter.check(network, fits: data.classes, of: data.name, size: options.augmentation.crop ?? data.size(0)) }
        validator = try validation.map { try Validator(network, $0, beside: data, options, segmentation, measures) }
        history = TrainingHistory(steps: options.steps, measures: validator?.measures ?? (data.hasClasses ? .segmentation : .init([])))
        criteria = (objective?.text ?? "cross entropy", measures?.text ?? "none")
        images = (try data.fingerprint(), try validation?.fingerprint() ?? "none")
        if let dropPath = options.dropPath {
            if let scheduled = network as? any DropPathScheduling {
                scheduled.dropPath = dropPath
            } else if dropPath > 0 {
                throw DataError("this network has no paths to drop", remedy: "leave drop path out; networks of architectures have it")
            }
        }
        let trained = network.parameters().filter(\.tensor.requiresGrad)
        guard !trained.isEmpty else { throw DataError("the network has no parameters to train") }
        optimiser = try Trainer.optimiser(trained, options)
        step = try TrainingStep(
            network, targets: trained.map(\.tensor), names: data.parts.map(\.name), classWeights: options.classWeights, parts: options.accumulate, objective: objective)
    }

    private static func optimiser(_ parameters: [Module.Named], _ options: TrainingOptions) throws -> Optimiser {
        func group(_ decay: Double, _ wanted: (Tensor) -> Bool) -> [ParameterGroup] {
            let members = parameters.filter { wanted($0.tensor) }
            guard !members.isEmpty else { return [] }
            return [ParameterGroup(members, rate: options.rate(0), weightDecay: decay, momentum: options.momentum, nesterov: options.nesterov)]
        }
        return try Optimiser(.sgd, group(options.weightDecay) { $0.rank > 1 } + group(0) { $0.rank <= 1 }, clip: options.clip)
    }

    /// Trains until all steps are done, or validations get no better.
    /// - Throws: `DataError` when the loss, its gradient or the weights are not finite any more, with the place where it began; `Interrupted` once
    ///   `isStopWanted` has ended it between two steps; what files and the closures throw.
    @discardableResult
    public func run() throws -> TrainingHistory {
        let outside = RandomStreams.current
        random.resume()
        defer {
            random = .current
            outside.resume()
            optimiser.zeroGrad()
        }
        if done == 0 { identity = try newIdentity() }
        while !history.isFinished {
            if isRowDue {
                try record()
            } else {
                let loss = try oneStep()
                stretch = (stretch.sum + loss, stretch.count + 1)
                try onStep(done, loss)
            }
            if isStopWanted, !history.isFinished { try stop() }
        }
        return history
    }

    /// Whether the steps that are done make a row of the history that is not there yet.
    private var isRowDue: Bool { stretch.count > 0 && (done % every == 0 || done == options.steps) }

    /// Keeps what resuming needs, and ends the run.
    private func stop() throws {
        let checkpoint = try checkpoint()
        if let checkpointPath { try checkpoint.write(to: checkpointPath) }
        try onStop(checkpoint)
        throw Interrupted()
    }

    private func oneStep() throws -> Double {
        try betweenSteps()
        try network.advance(to: Double(done) / Double(options.steps))
        optimiser.rate = options.rate(done)
        optimiser.zeroGrad()
        let batch = try loader.next()
        let tensors = batch.tensors
        let drawn = RandomState.global.draws
        let loss = try step(tensors)
        guard loss.isFinite else { throw try failure("the loss is \(loss.isNaN ? "nan" : "\(loss)")", tensors, drawn) }
        do { try optimiser.step(requiresFinite: true) } catch is NonFiniteGradient {
            throw try failure("the loss is \(Decimals.significant(loss, 4)), its gradient not finite", tensors, drawn)
        }
        done += 1
        return loss
    }

    /// The error of a step that came out NaN or infinite, with the place where it began.
    /// - Parameter drawn: random numbers drawn before the step.
    private func failure(_ what: String, _ batch: [Tensor], _ drawn: UInt64) throws -> DataError {
        optimiser.zeroGrad()
        try step.takeBack()
        let now = RandomState.global.draws
        RandomState.global.draws = drawn
        defer { RandomState.global.draws = now }
        let place = try network.whereNotFinite(given: step.given(batch)) {
            _ = try step(batch)
            optimiser.zeroGrad()
        }
        try step.takeBack()
        return diverged("\(what) at step \(done + 1): \(place)")
    }

    private func diverged(_ what: String) -> DataError {
        let kept = history.rows.last.flatMap { row in checkpointPath.map { "\($0) of step \(row.step) is kept; " } } ?? ""
        return DataError(what, remedy: kept + "lower the learning rate, clip the gradient or warm up")
    }

    /// A network that is not finite any more is not written over one that is: the last step of all may be what spoilt it.
    private func checkFinite() throws {
        for (name, tensor) in network.state() {
            if let numbers = try tensor.nonFinite() { throw diverged("after step \(done) \(name) holds \(numbers)") }
        }
    }

    /// A row of the history, with all that is kept on the occasion.
    private func record() throws {
        try checkFinite()
        let loss = stretch.sum / Double(stretch.count)
        var row = TrainingHistory.Row(
            step: done, epoch: Double(done) / Double(loader.batchesPerEpoch), rate: optimiser.rate, loss: loss)
        if let validator {
            let (measured, onlyPrediction) = try validator.run()
            row.measured = measured
            if let onlyPrediction { remark(onOnly: data.classes[onlyPrediction].name, loss: loss) }
        }
        stretch = (0, 0)
        history.rows.append(row)
        if validation != nil, history.best?.step == done {
            best = try network.state().map { ($0.name, try $0.tensor.detach().clone()) }
            try onKeep(.best, row)
        }
        if let patience = options.patience, done < options.steps, history.validationsSinceBest >= patience {
            history.stopped = "no better in \(patience) validation\(patience == 1 ? "" : "s")"
        }
        try onKeep(.last, row)
        if let checkpointPath { try checkpoint().write(to: checkpointPath) }
        try writeLog()
        let before = RandomStreams.current
        try onRow(row)
        // What a script draws there comes before the next step, after a kill too.
        if let checkpointPath, RandomStreams.current != before { try checkpoint().write(to: checkpointPath) }
    }

    /// A validation that takes every pixel for one class while the training has learnt more: says once where that comes from.
    private func remark(onOnly name: String, loss: Double) {
        guard !hasRemarked, let first = history.rows.first?.loss, loss < 0.9 * first, !network.buffers().isEmpty else { return }
        hasRemarked = true
        Notice.say(
            "after step \(done) the validation takes every pixel for '\(name)', though the loss has fallen: it goes by the running statistics of the batch "
                + "norms, which training does not use, and which have not followed the weights through the layers yet; some 50 steps bring that about")
    }

    func writeLog() throws {
        if let logPath { try AtomicFile.write(history.csv.utf8, to: logPath) }
    }

    /// Puts the weights of the best validation into the network.
    /// - Throws: `DataError` without validation.
    public func useBest() throws {
        guard let best else { throw DataError("no validation says which weights are best", remedy: "give a validation set, and with a metric of your own which value is best") }
        try network.load(Dictionary(best.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 }))
    }
}
