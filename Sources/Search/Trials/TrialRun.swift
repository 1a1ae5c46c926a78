import Base
import Glibc

/// Trials of a strategy: in this process alone, or shared with others by a journal.
///
/// Everything that happens is an event. The strategy hears of it first, then the journal; other processes read it there and let their strategies hear the same. Where the journal
/// cannot be written, or another process wrote at the same time, the strategy is set back to its beginning and hears the journal from there.
public final class TrialRun<Policy: TrialPolicy> {
    private let policy: Policy
    private let count: Int?
    private let journal: TrialJournal?
    /// The strategy's state before the first event; only with a journal.
    private let initial: JSONValue
    private var trials: [TrialRecord] = []
    private var proposals: [Policy.Proposal] = []
    /// The last step that this process reported, by trial.
    private var reported: [Int: Int] = [:]
    /// Whether the strategy heard what is not in the journal, or not all that is.
    private var isAstray = false

    /// - Parameters:
    ///   - count: so many trials, those that fail included; nil: until the strategy asks nothing more.
    ///   - directory: of the journal; nil keeps all in this process.
    ///   - lease: seconds without a sign of life after which workers of other machines count as dead.
    /// - Throws: for a directory of another strategy's trials.
    public convenience init(_ policy: Policy, count: Int?, directory: String? = nil, lease: Double = 60) throws {
        try self.init(policy, count: count, journal: directory.map { try TrialJournal($0, lease: lease) })
    }

    init(_ policy: Policy, count: Int?, journal: TrialJournal?) throws {
        (self.policy, self.count, self.journal) = (policy, count, journal)
        initial = try journal.map { _ in try policy.state } ?? .null
        if journal != nil { try transaction {} }
    }

    // MARK: What is known

    /// In order of their numbers.
    public var records: [TrialRecord] { trials }
    /// Nil for one that the journal lost.
    public func record(_ number: Int) -> TrialRecord? { trials.indices.contains(number - 1) ? trials[number - 1] : nil }
    /// - Precondition: there is such a trial.
    public func proposal(_ number: Int) -> Policy.Proposal { proposals[number - 1] }
    /// A directory for the trial's files; nil without a journal.
    public func directory(of number: Int) -> String? { journal?.directory(of: number) }

    private var worker: String { journal?.worker ?? "" }

    /// A trial that this process has.
    /// - Throws: `TrialError` when it is over, or another's by now.
    private func mine(_ number: Int) throws -> TrialRecord {
        guard trials.indices.contains(number - 1), trials[number - 1].worker == worker else { throw TrialError.lost(number) }
        if let ending = trials[number - 1].ending { throw TrialError.over(number, ending) }
        return trials[number - 1]
    }

    // MARK: What happens

    /// The next trial to work on, for a process that works on none: one whose worker is gone, or what the strategy asks for. While others work on the last ones it waits: one of them
    /// may be given up, or what it comes to may give the strategy something to ask.
    /// - Returns: its number; nil when all are over.
    public func next() throws -> Int? {
        var pause = 0.05
        while true {
            switch try transaction({ try advance() }) {
            case .work(let number): return number
            case .end: return nil
            case .wait:
                try rest(pause)
                pause = min(1, pause * 2)
            }
        }
    }

    private enum Step {
        case work(Int)
        case wait, end
    }

    private func advance() throws -> Step {
        // One of its own runs where the journal lost how it ended.
        if let free = trials.first(where: { $0.status == .running && ($0.worker == worker || journal?.isGone($0.worker) ?? false) }) {
            try write(.claim, free.number)
            if free.worker != worker { journal?.clear(free.worker, trial: free.number) }
            return try begin(free.number)
        }
        if count.map({ trials.count < $0 }) ?? true, let (proposal, steps) = try policy.ask() {
            isAstray = journal != nil
            let architecture = try journal.map { _ in try policy.json(proposal) } ?? .null
            proposals.append(proposal)
            try write(.ask(architecture: architecture, steps: steps), trials.count + 1)
            return try begin(trials.count)
        }
        return trials.contains { $0.status == .running } ? .wait : .end
    }

    private func begin(_ number: Int) throws -> Step {
        reported[number] = nil
        if let directory = directory(of: number) { try Directory.make(directory) }
        return .work(number)
    }

    /// Sleeps so many seconds, or until another process wrote something.
    private func rest(_ seconds: Double) throws {
        let end = monotonicSeconds() + seconds
        while monotonicSeconds() < end, !(journal?.hasChanged ?? true) {
            try checkInterrupt()
            usleep(20_000)
        }
        try checkInterrupt()
    }

    /// A score on the way of a trial that this process has. A step that a worker before it reported already gets the answer that it got.
    /// - Returns: whether the trial is worth going on with.
    public func report(_ number: Int, step: Int, score: Double) throws -> Bool {
        try transaction {
            let trial = try mine(number)
            let result = TrialResult(score: score, step: step)
            try result.check()
            if let before = trial.reports.first(where: { $0.step == step }), trial.attempts > 1, reported[number].map({ step > $0 }) ?? true {
                if before.score != score { Notice.say(differs(trial, before, score)) }
                reported[number] = step
                return before.goesOn
            }
            if let last = trial.reports.last?.step, step <= last {
                throw SpaceError(.result, at: "step", expected: "more than the last report's \(last)", got: "\(step)", remedy: "steps of reports grow")
            }
            let goesOn = try policy.report(proposals[number - 1], result)
            try write(.report(step: step, score: score, goesOn: goesOn), number)
            reported[number] = step
            return goesOn
        }
    }

    private func differs(_ trial: TrialRecord, _ before: TrialRecord.Report, _ score: Double) -> String {
        "trial \(trial.number): at step \(before.step) it came to \(score), and to \(before.score) when another worker had it: it cannot be repeated exactly; the first number counts"
    }

    /// Ends a trial that this process has, and tells the strategy its result.
    /// - Parameter values: what is to be known of it besides; plain.
    public func finish(_ number: Int, _ result: TrialResult, values: JSONValue? = nil) throws {
        try transaction {
            var result = result
            let trial = try mine(number)
            result.step = result.step ?? trial.reports.last?.step ?? trial.steps
            try result.check()
            try policy.tell(proposals[number - 1], result)
            try write(.finish(result, values: values), number)
        }
    }

    /// Ends a trial that this process has without a result.
    public func fail(_ number: Int, _ reason: String?) throws {
        try transaction {
            _ = try mine(number)
            try policy.drop(proposals[number - 1])
            try write(.fail(reason: reason), number)
        }
    }

    // MARK: The journal

    private struct Raced: Error {}

    /// Runs `body` with all that is in the journal heard, while no other process writes into it.
    private func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        guard let journal else { return try body() }
        while true {
            do {
                return try journal.held {
                    try catchUp(journal)
                    return try body()
                }
            } catch is Raced { continue }
        }
    }

    private func catchUp(_ journal: TrialJournal) throws {
        let (events, isAll) = try journal.refresh()
        if isAstray || isAll {
            isAstray = true
            try policy.load(initial)
            (trials, proposals) = ([], [])
            for event in try journal.events { try hear(event) }
        } else {
            isAstray = !events.isEmpty
            for event in events { try hear(event) }
        }
        isAstray = false
        if try journal.events.isEmpty { try write(.begin(strategy: initial), 0) }
    }

    /// Writes what the strategy has heard.
    private func write(_ kind: TrialEvent.Kind, _ trial: Int) throws {
        guard let journal else { return note(TrialEvent(kind, trial: trial, worker: worker, time: 0)) }
        isAstray = true
        guard let event = try journal.append(kind, trial: trial) else { throw Raced() }
        isAstray = false
        note(event)
    }

    /// Lets the strategy hear what stands in the journal.
    private func hear(_ event: TrialEvent) throws {
        switch event.kind {
        case .begin(let strategy):
            guard strategy == initial else { throw other(strategy) }
            return
        case .ask(let architecture, let steps):
            guard event.trial == trials.count + 1 else { throw unknown(event.trial) }
            guard let (proposal, ownSteps) = try policy.ask() else { throw unlike("the architecture of trial \(event.trial)", architecture.text(), "nothing to try") }
            let own = try policy.json(proposal)
            guard own == architecture else { throw unlike("the architecture of trial \(event.trial)", architecture.text(), own.text()) }
            guard ownSteps == steps else { throw unlike("the steps of trial \(event.trial)", words(steps), words(ownSteps)) }
            proposals.append(proposal)
        case _ where !proposals.indices.contains(event.trial - 1): throw unknown(event.trial)
        case .claim: break
        case .report(let step, let score, let goesOn):
            let own = try policy.report(proposals[event.trial - 1], TrialResult(score: score, step: step))
            guard own == goesOn else { throw unlike("whether trial \(event.trial) goes on behind step \(step)", "\(goesOn)", "\(own)") }
        case .finish(let result, _): try policy.tell(proposals[event.trial - 1], result)
        case .fail: try policy.drop(proposals[event.trial - 1])
        }
        note(event)
    }

    private func note(_ event: TrialEvent) {
        let i = event.trial - 1
        switch event.kind {
        case .begin: break
        case .ask(let architecture, let steps): trials.append(TrialRecord(event.trial, architecture, steps: steps, worker: event.worker))
        case .claim:
            trials[i].worker = event.worker
            trials[i].attempts += 1
        case .report(let step, let score, let goesOn): trials[i].reports.append(TrialRecord.Report(step: step, score: score, goesOn: goesOn))
        case .finish(let result, let values): (trials[i].status, trials[i].result, trials[i].values) = (.finished, result, values)
        case .fail(let reason): trials[i].status = .failed(reason: reason)
        }
    }

    // MARK: Errors

    private var place: String { journal?.path ?? "" }

    private func other(_ strategy: JSONValue) -> SpaceError {
        SpaceError(
            .misfit, at: place, expected: "trials of this strategy, which begins with \(initial.text())", got: "trials of one that began with \(strategy.text())",
            remedy: "make the strategy as it was made for these trials and ask it nothing before, or choose another directory")
    }

    private func words(_ steps: Int?) -> String { steps.map { "\($0)" } ?? "none" }

    private func unlike(_ what: String, _ journal: String, _ own: String) -> SpaceError {
        SpaceError(
            .misfit, at: place, expected: "\(what) as the strategy has it, \(own)", got: journal,
            remedy: "processes that share trials make the same strategy, which depends on its settings and on what it is told only: no clock, no math.random, nothing else that the script changes")
    }

    private func unknown(_ trial: Int) -> SpaceError {
        SpaceError(.format, at: place, expected: "trials one after the other", got: "something about trial \(trial) of \(trials.count)", remedy: "it is damaged: begin in another directory")
    }
}

/// Why a trial cannot be gone on with.
public enum TrialError: Error, Equatable, CustomStringConvertible {
    case over(Int, String)
    /// Its worker was taken for dead, or the journal lost it.
    case lost(Int)

    public var description: String {
        switch self {
        case .over(let number, let ending): "trial \(number) is over: \(ending)"
        case .lost(let number): "trial \(number) is another worker's by now: this process gave no sign of life for too long, or the journal lost what it had written"
        }
    }
}
