import Networks

/// How a network is trained.
public struct TrainingOptions: Sendable {
    /// Steps of the optimiser.
    public var steps: Int
    /// Samples of a step.
    public var batch: Int
    /// Parts that a step's images go through the network in, one after another; their gradients are added up. Less memory, the same
    /// gradient, but for batch norms, which see the images of a part only.
    public var accumulate = 1
    public var schedule: Schedule
    public var momentum = 0.9
    public var nesterov = false
    /// Of kernels and matrices; norms and biases are left alone, as DeepLab's authors do.
    public var weightDecay = 4e-5
    /// Probability with which the last cell drops a path in the end, rising from 0 over the run; nil leaves the network's own.
    public var dropPath: Double?
    /// Largest norm of the gradient; a larger one is scaled down to it.
    public var clip: Double?
    /// Weight of each class in the loss; nil weighs all pixels alike.
    public var classWeights: [Float]?
    public var augmentation: Augmentation
    /// What is made of each sample before it goes into a batch.
    public var transform: SampleTransform?
    /// Decides order and augmentation of the images, and what dropout and drop path drop.
    public var seed: UInt64
    /// Steps from one row of the history (with it the validation and the checkpoint) to the next; nil takes a pass over the data.
    public var every: Int?
    /// Ends the run after so many validations that are no better; nil never does.
    public var patience: Int?

    public init(steps: Int, batch: Int, schedule: Schedule, augmentation: Augmentation = Augmentation(), seed: UInt64 = 0) {
        self.steps = steps
        self.batch = batch
        self.schedule = schedule
        self.augmentation = augmentation
        self.seed = seed
    }

    /// - Parameters:
    ///   - classes: of the data.
    ///   - isValidated: whether there is a data set to validate on.
    /// - Throws: `DataError` that says which setting is out of its range.
    func check(classes: Int, isValidated: Bool) throws(DataError) {
        for (name, value, least) in [("steps", steps, 1), ("batch", batch, 1), ("accumulate", accumulate, 1), ("every", every ?? 1, 1)]
        where value < least { throw DataError("expected \(name) of \(least) or more, got \(value)") }
        guard batch % accumulate == 0 else {
            throw DataError("a batch of \(batch) samples does not come apart into \(accumulate) equal parts", remedy: "make accumulate a divisor of batch")
        }
        for (name, value) in [("momentum", momentum), ("weight_decay", weightDecay)] where !(value >= 0 && value.isFinite) {
            throw DataError("expected a \(name) of 0 or more, got \(value)")
        }
        if let dropPath, !(0..<1).contains(dropPath) { throw DataError("expected a drop path of 0 up to but not 1, got \(dropPath)") }
        if nesterov, momentum == 0 { throw DataError("nesterov needs a momentum above 0") }
        if let clip, !(clip > 0) { throw DataError("expected a clip above 0, got \(clip)") }
        for step in [0, steps / 2, steps - 1] {
            let rate = self.rate(step)
            guard rate >= 0, rate.isFinite else { throw DataError("expected learning rates of 0 or more, got \(rate) at step \(step + 1)") }
        }
        if let classWeights {
            guard classes > 0 else { throw DataError("class weights belong to classes of pixels, which the data has not") }
            guard classWeights.count == classes else {
                throw DataError("expected \(classes) class weights, one for each class, got \(classWeights.count)")
            }
            guard classWeights.allSatisfy({ $0 >= 0 && $0.isFinite }), classWeights.contains(where: { $0 > 0 }) else {
                throw DataError("expected class weights of 0 or more and not all 0, got \(classWeights)")
            }
        }
        if let patience {
            guard patience > 0 else { throw DataError("expected a patience of 1 validation or more, got \(patience)") }
            guard isValidated else { throw DataError("a patience needs validations", remedy: "give a validation set") }
        }
    }

    /// The learning rate of a step, counted from 0.
    func rate(_ step: Int) -> Double {
        // The first step of a warm-up should do something: it counts from 1.
        if case .warmUp(let steps, _) = schedule, step < steps { return schedule(Double(step + 1)) }
        return schedule(Double(step))
    }
}
