import Base
import Runs
import Segmentation

/// What a training writes into its directory as it goes, besides checkpoint, log and networks: the card and the event file of a run.
///
/// A script that has begun a run in that directory itself lets `fit` write into it, and ends it; else the run is `fit`'s.
final class TrainingRun {
    private let run: RunDirectory
    private let isOwn: Bool
    private unowned let trainer: Trainer

    /// - Parameter resumes: whether it goes on from a checkpoint.
    init(_ trainer: Trainer, _ directory: String, resumes: Bool) throws {
        self.trainer = trainer
        if let known = RunDirectory.current(at: directory) {
            (run, isOwn) = (known, false)
            return
        }
        isOwn = true
        var card = RunCard(kind: "training")
        (card.numbers, card.seed, card.planned, card.unit) = ("log.csv", Int(exactly: trainer.options.seed), trainer.options.steps, "steps")
        let settings = trainer.settings.map { JSONValue.Member($0.name.replacing(" ", with: "_"), .string($0.value)) }
        run = try RunBinding.begin(directory, card, settings: settings, before: resumes ? .goOn : .replace)
    }

    func step(_ done: Int, loss: Double) throws {
        try run.add(scalars: [("gradient_norm", trainer.gradientNorm), ("loss", loss), ("lr", trainer.rate)], step: done)
    }

    func row(_ row: TrainingHistory.Row) throws {
        let history = trainer.history
        let measured = history.measured(row)
        if !measured.isEmpty { try run.add(scalars: measured.map { ($0.name, $0.value) }, step: row.step) }
        try run.note { card in
            (card.done, card.planned, card.unit, card.identity) = (row.step, trainer.options.steps, "steps", card.identity ?? trainer.identity)
            let shown = history.best ?? row
            card.results = [.init("loss", TrainingRun.number(row.loss))] + history.measured(shown).map { .init($0.name, TrainingRun.number($0.value)) }
        }
    }

    func say(_ text: String) { run.say(text) }

    private static func number(_ value: Double) -> JSONValue { value.isFinite ? .number(value) : .string("\(value)") }

    /// Does the work, and ends the run as that ends.
    func run(_ body: () throws -> Void) throws {
        do { try body() } catch {
            if isOwn { run.close(as: error is Interrupted ? .interrupted : .failed, because: error is Interrupted ? nil : "\(error)") }
            throw error
        }
        if isOwn { try run.finish() }
    }
}
