import Base
import Glibc
import Networks
import Tensors

/// A run in a file: network, optimiser, where the loader and the random numbers stand, the history and the best weights so far.
extension Trainer {
    /// What the result depends on, by name: a run goes on with the settings that it began with.
    public var settings: [(name: String, value: String)] {
        let o = options, a = options.augmentation
        return [
            ("data", data.description), ("validation", validation?.description ?? "none"), ("steps", "\(o.steps)"), ("batch", "\(o.batch)"),
            ("accumulate", "\(o.accumulate)"), ("schedule", "\(o.schedule)"), ("momentum", "\(o.momentum)"), ("nesterov", "\(o.nesterov)"),
            ("weight decay", "\(o.weightDecay)"), ("clip", o.clip.map { "\($0)" } ?? "none"),
            ("class weights", o.classWeights.map { "\($0)" } ?? "none"), ("crop", a.crop.map { "\($0)" } ?? "none"),
            ("scale", "\(a.scale.lowerBound) to \(a.scale.upperBound)"), ("flip", "\(a.flip)"), ("jitter", "\(a.jitter)"), ("pad", "\(a.pad)"),
            ("focus", "\(a.focus)"),
            ("mean", "\(a.normalisation.mean)"), ("std", "\(a.normalisation.deviation)"), ("seed", "\(o.seed)"), ("every", "\(every)"),
            ("patience", o.patience.map { "\($0)" } ?? "none"), ("drop path", "\((network as? any DropPathScheduling)?.dropPath ?? 0)"),
            ("images", images.training), ("validation images", images.validation), ("loss", criteria.loss), ("metric", criteria.measures),
            ("transform", o.transform?.text ?? "none"),
        ]
    }

    /// Settings that runs of before did not keep, with what they were then; nil: it is not known.
    private static let later: [String: String?] = ["images": nil, "validation images": nil, "loss": nil, "metric": "none", "transform": "none"]

    /// A setting in a message: of a function's source the beginning.
    private static func short(_ setting: String) -> String {
        let line = setting.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.count > 160 ? line.prefix(150) + " ..." : line
    }

    /// The identity of a run that begins now with these settings and weights.
    func newIdentity() throws -> String {
        let sources = [data.source(0), validation.map { $0.source(0) } ?? "", note?.text() ?? ""]
        return try RunIdentity.make((settings.map { "\($0.name) \($0.value)" } + sources).joined(separator: "\n"), network.state())
    }

    /// The state of the run now.
    public func checkpoint() throws -> Checkpoint {
        var checkpoint = Checkpoint()
        try checkpoint.add("network", network)
        try checkpoint.add("optimiser", optimiser)
        if let best { checkpoint.parts.append(("best", CheckpointPart(kind: "state", tensors: best))) }
        let state = loader.state
        checkpoint.values = [
            .init("settings", .object(settings.map { .init($0.name, .string($0.value)) })), .init("done", .integer(done)),
            .init("epoch", .integer(state.epoch)), .init("position", .integer(state.batch)), .init("history", history.json),
        ]
        if stretch.count > 0 {
            checkpoint.values.append(.init("stretch", .object([.init("sum", .number(stretch.sum)), .init("count", .integer(stretch.count))])))
        }
        if let note { checkpoint.values.append(.init("note", note)) }
        if let identity { checkpoint.values.append(.init("run", .string(identity))) }
        return checkpoint
    }

    /// Goes on where a checkpoint was written. Everything is checked first: an error leaves all as it was.
    /// - Parameters:
    ///   - extends: lets it go on to more steps than it was to have, by the schedule of a run of so many.
    ///   - accepts: looks at the run's identity before anything changes; nil of a run that was begun before runs had one.
    /// - Throws: `FileError`, `CheckpointError` when the file is damaged, or of a run with another network, data or settings.
    public func resume(from path: String, extends: Bool = false, accepts: (String?) throws -> Void = { _ in }) throws {
        try resume(Checkpoint(reading: path), from: path, extends: extends, accepts: accepts)
    }

    /// The same with a checkpoint that is in memory.
    /// - Parameter path: what messages call it.
    public func resume(_ checkpoint: Checkpoint, from path: String, extends: Bool = false, accepts: (String?) throws -> Void = { _ in }) throws {
        func value(_ name: String) -> JSONValue? { checkpoint.values.first { $0.key == name }?.value }
        guard let stored = value("settings"), case .integer(let done)? = value("done"), case .integer(let epoch)? = value("epoch"),
            case .integer(let position)? = value("position"), let recorded = value("history")
        else { throw CheckpointError("\(path): this is no checkpoint of a training run") }
        guard !extends || done <= options.steps else {
            throw CheckpointError("\(path): the run has done \(done) steps, and is to end after \(options.steps); name a larger number")
        }
        guard (0...options.steps).contains(done), (0..<BatchLoader.mostEpochs).contains(epoch) else {
            throw CheckpointError("\(path): the checkpoint is damaged: it stands at step \(done) of \(options.steps), epoch \(epoch)")
        }
        let planned = extends ? Trainer.steps(stored) : nil
        for (name, given) in settings {
            // The settings that it had, but for its end.
            let now = planned.map { name == "steps" ? "\($0)" : name == "schedule" ? "\(options.schedule.ending(at: $0))" : given } ?? given
            guard stored[name] != .string(now) else { continue }
            if stored[name] == nil, let before = Trainer.later[name], before == nil || before == now { continue }
            guard case .string(let before)? = stored[name] else { throw CheckpointError("\(path): the run says nothing of its \(name)") }
            throw CheckpointError("\(path): the run has \(name) \(Trainer.short(before)), not \(Trainer.short(now)); continue it with the settings that it began with")
        }
        guard var history = TrainingHistory(recorded, measures: self.history.measures) else {
            throw CheckpointError("\(path): the checkpoint is damaged: its history is no table of \(self.history.measures.names)")
        }
        var identity: String?
        if case .string(let run)? = value("run") { identity = run }
        try accepts(identity)
        try checkLog(against: history, of: path)
        let best = checkpoint["best"]?.tensors
        let state = BatchLoader.State(
            epoch: epoch, batch: position, seed: options.seed, images: data.count, size: options.batch)
        do {
            if let best = checkpoint["best"] { try network.requireFits(best) }
            try checkpoint.restore([("network", network), ("optimiser", optimiser)])
            try loader.restore(state)
        } catch let error as CheckpointError {
            throw CheckpointError("\(path): \(error)")
        }
        if let planned, planned != options.steps {
            (history.steps, history.stopped) = (options.steps, nil)
            continuation = continued(from: planned, done: done)
        }
        (self.done, self.history, self.best, random) = (done, history, best, checkpoint.random)
        self.identity = identity
        if case .number(let sum)? = value("stretch")?["sum"], case .integer(let count)? = value("stretch")?["count"] { stretch = (sum, count) }
        // A kill may have come between the two files.
        try writeLog()
    }

    private static func steps(_ stored: JSONValue) -> Int? {
        guard case .string(let text)? = stored["steps"] else { return nil }
        return Int(text)
    }

    /// How the schedule goes on.
    private func continued(from planned: Int, done: Int) -> String {
        let before = options.schedule.ending(at: planned)
        let ends = "goes on from step \(done) to \(options.steps), it was to end at \(planned)"
        guard before != options.schedule, done < options.steps else { return ends + "; the learning rate goes on as it was" }
        let (was, now) = (done == 0 ? options.rate(0) : before(Double(done - 1)), options.rate(done))
        return ends + "; the learning rate is that of a run of \(options.steps) steps: \(Decimals.significant(now, 3)) at step \(done + 1), where it had come to "
            + "\(Decimals.significant(was, 3)), and ends at step \(options.steps) as it did at \(planned)"
    }

    /// The log that is there has to be this run's: as far as both go, its rows are those of the checkpoint's history. It may lack the last
    /// one after a kill, and has more when an earlier checkpoint was put back.
    private func checkLog(against history: TrainingHistory, of path: String) throws {
        guard let logPath, access(logPath, F_OK) == 0 else { return }
        let there = try Files.contents(logPath).split(separator: UInt8(ascii: "\n")), mine = Array(history.csv.utf8).split(separator: UInt8(ascii: "\n"))
        guard let row = zip(there, mine).enumerated().first(where: { $1.0 != $1.1 })?.offset else { return }
        throw CheckpointError(
            "\(logPath) is the log of another run than \(path): they differ in line \(row + 1); move one of them away")
    }
}
