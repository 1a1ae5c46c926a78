import Base
import Glibc
import Networks
import Segmentation
import Tensors

/// What `network:fit` keeps in a directory: checkpoint.safetensors, log.csv, and the networks best and last.
enum TrainingDirectory {
    private static let run = "trellis.run"

    /// Sets a trainer to write into `directory`, and to go on with the run that is there; without one, with the run that was stopped.
    /// - Returns: the lock on the directory, to be held while the trainer runs; nil without a directory.
    /// - Throws: when another process writes into it, when there is a run already and it is not to be resumed, or it is another run.
    static func prepare(_ trainer: Trainer, _ directory: String?, resume: Bool, extends: Bool) throws -> DirectoryLock? {
        guard let directory else {
            guard !extends else { throw HostError("extend needs the directory of the run: out") }
            let record = ModelRecord.of(trainer.network)
            if resume {
                guard let stopped = record?.stopped else { throw HostError("resume needs the directory of the run, out, or a run of this network that Ctrl-C stopped") }
                try trainer.resume(stopped, from: "the run that was stopped")
            } else {
                record?.stopped = nil
            }
            return nil
        }
        let path = directory + "/checkpoint.safetensors"
        trainer.checkpointPath = path
        trainer.logPath = directory + "/log.csv"
        try Directory.make(directory)
        let lock = try DirectoryLock(directory)
        if access(path, F_OK) == 0 {
            guard resume else {
                throw HostError("\(directory) holds a run already: resume = true continues it, another directory starts a new one")
            }
            try trainer.resume(from: path, extends: extends) { try checkNetworks(directory, are: $0) }
        } else if access(directory + "/log.csv", F_OK) == 0 {
            throw HostError("\(directory) holds the log of another run, log.csv, and no checkpoint: move it away, or use another directory")
        }
        trainer.onKeep = { [unowned trainer] keep, row in
            ModelRecord.of(trainer.network) { $0.note(trainer, row) }
            try write(trainer, directory + "/" + keep.rawValue)
        }
        return lock
    }

    /// A network of an architecture as a model directory, any other one as a file of weights.
    private static func write(_ trainer: Trainer, _ path: String) throws {
        if let card = try ModelCards.card(of: trainer.network) {
            try ModelDirectory(path).write(trainer.network.state(), card)
        } else {
            let metadata = trainer.identity.map { [run: $0] } ?? [:]
            try Tensor.save(trainer.network.state(), metadata: metadata, checksums: true, to: path + ".safetensors")
        }
    }

    /// The networks that are there have to be of the run that goes on. Those of before runs had an identity say nothing.
    private static func checkNetworks(_ directory: String, are identity: String?) throws {
        guard let mine = identity else { return }
        for name in [Trainer.Keep.best, .last].map(\.rawValue) {
            var other: String?
            let file = "\(directory)/\(name).safetensors", model = ModelDirectory("\(directory)/\(name)")
            if access(file, F_OK) == 0 {
                other = try SafeTensors.header(file).metadata[run]
            } else if access(model.weightsPath, F_OK) == 0, case .string(let run)? = try model.card().training.first(where: { $0.key == "run" })?.value {
                other = run
            }
            if let other, other != mine {
                throw HostError("\(directory)/\(name) is of another run (\(other)) than the checkpoint (\(mine)): move one of them away")
            }
        }
    }
}
