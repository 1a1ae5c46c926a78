import Base

/// What is known of a trial.
public struct TrialRecord {
    public enum Status: Equatable {
        case running, finished
        case failed(reason: String?)
    }

    public struct Report: Equatable {
        public let step: Int
        public let score: Double
        /// What the strategy said to it: whether the trial is worth going on with.
        public let goesOn: Bool
    }

    /// From 1.
    public let number: Int
    /// As JSON, by which processes tell whether they mean the same.
    let architecture: JSONValue
    /// How far it is to be trained in all, where the strategy says it.
    public let steps: Int?
    /// Whose it is.
    var worker: String
    /// How many workers had it, the one that has it included.
    public internal(set) var attempts = 1
    public internal(set) var reports: [Report] = []
    public internal(set) var status = Status.running
    /// Once it is finished.
    public internal(set) var result: TrialResult?
    /// What was said of it besides, plain values.
    public internal(set) var values: JSONValue?

    init(_ number: Int, _ architecture: JSONValue, steps: Int?, worker: String) {
        (self.number, self.architecture, self.steps, self.worker) = (number, architecture, steps, worker)
    }

    /// "it was finished", "it failed (not enough memory)"; nil while it runs.
    public var ending: String? {
        switch status {
        case .running: nil
        case .finished: "it was finished"
        case .failed(let reason): "it failed" + (reason.map { " (\($0))" } ?? "")
        }
    }
}
