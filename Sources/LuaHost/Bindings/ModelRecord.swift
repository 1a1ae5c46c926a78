import Base
import Networks
import Search
import Segmentation
import Tensors

/// How a network of an architecture was built: what it takes to build it again.
struct NetworkOrigin {
    let architecture: ArchitectureFile
    let classes: Int?
    let seed: UInt64

    init(_ architecture: ArchitectureFile, classes: Int?, seed: UInt64) { (self.architecture, self.classes, self.seed) = (architecture, classes, seed) }
}

/// What is known of a network besides its weights: on what it was trained, and how well. `fit` and `evaluate` note it, `save` writes it,
/// loading brings it back.
final class ModelRecord {
    /// Classes, colours and how pixels became numbers.
    var data: ModelCard.Data?
    var training: [JSONValue.Member] = []
    var result: [JSONValue.Member] = []
    var seed: UInt64?
    /// Of the images it was trained on, for counts.
    var size: Size?
    /// How it is built, of an architecture of a space of decisions.
    var origin: NetworkOrigin?

    /// The training that Ctrl-C stopped, where it writes no files.
    var stopped: Checkpoint?

    private weak var network: Module?

    nonisolated(unsafe) private static var records: [ObjectIdentifier: ModelRecord] = [:]

    private init(_ network: Module) { self.network = network }

    /// The record of a network; nil when nothing is known.
    static func of(_ network: Module) -> ModelRecord? {
        guard let record = records[ObjectIdentifier(network)], record.network === network else { return nil }
        return record
    }

    /// Notes something about a network.
    static func of(_ network: Module, _ change: (ModelRecord) -> Void) {
        let record: ModelRecord
        if let known = of(network) {
            record = known
        } else {
            // Records of networks that are gone: another may have come to stand at their address.
            records = records.filter { $0.value.network != nil }
            record = ModelRecord(network)
            records[ObjectIdentifier(network)] = record
        }
        change(record)
    }

    /// How the network that `trainer` leaves was trained.
    func note(_ trainer: Trainer, best: Bool) {
        guard let row = best ? trainer.history.best : trainer.history.rows.last else { return }
        note(trainer, row)
    }

    func note(_ trainer: Trainer, _ row: TrainingHistory.Row) {
        data = ModelCard.Data(
            name: trainer.data.name, classes: trainer.data.classes, normalisation: trainer.options.augmentation.normalisation, size: try? trainer.data.size(0))
        seed = trainer.options.seed
        size = (try? trainer.options.augmentation.crop ?? trainer.data.size(0)) ?? size
        training = [
            .init("step", .integer(row.step)), .init("steps", .integer(trainer.options.steps)), .init("loss", .number(row.loss)),
            .init("settings", .object(trainer.settings.map { .init($0.name, .string($0.value)) })),
        ]
        if let note = trainer.note { training.append(.init("note", note)) }
        if let identity = trainer.identity { training.append(.init("run", .string(identity))) }
        result = []
        if let validation = trainer.validation, !row.measured.isEmpty {
            result = [.init("data", .string(validation.name))] + trainer.history.measured(row).map { JSONValue.Member($0.name, .number($0.value)) }
        }
    }

    func note(_ measured: MeasuredValues) {
        result = [.init("data", .string(measured.data)), .init("images", .integer(measured.samples))]
            + zip(measured.names, measured.values).map { JSONValue.Member($0, .number($1)) }
    }

    func note(_ evaluation: EvaluationResult) {
        result = [
            .init("data", .string(evaluation.data)), .init("images", .integer(evaluation.images)), .init("how", .string(evaluation.options.summary)),
            .init("miou", .number(evaluation.meanIoU)), .init("accuracy", .number(evaluation.pixelAccuracy)),
            .init("iou", .object(evaluation.classes.enumerated().map { .init($1.name, evaluation.confusion.iou($0).map { .number($0) } ?? .null) })),
        ]
    }
}
