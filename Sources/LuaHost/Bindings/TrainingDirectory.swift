import Base
import Glibc
import Networks
import Segmentation
import Tensors

/// Where `fit` keeps a run: `checkpoint.safetensors`, `log.csv`, and the networks `best` and `last`.
enum TrainingDirectory {
    /// Sets a trainer to write into `directory`, and to go on with the run that is there.
    /// - Throws: when there is a run already and it is not to be resumed, or it is another run.
    static func prepare(_ trainer: Trainer, _ directory: String?, resume: Bool) throws {
        guard let directory else {
            guard !resume else { throw HostError("resume needs the directory of the run: out") }
            return
        }
        let path = directory + "/checkpoint.safetensors"
        let exists = access(path, F_OK) == 0
        guard resume || !exists else {
            throw HostError("\(directory) holds a run already: resume = true continues it, another directory starts a new one")
        }
        try Directory.make(directory)
        trainer.checkpointPath = path
        trainer.logPath = directory + "/log.csv"
        if exists { try trainer.resume(from: path) }
        trainer.onKeep = { [unowned trainer] keep, row in
            ModelRecord.of(trainer.network) { $0.note(trainer, row) }
            try write(trainer.network, directory + "/" + keep.rawValue)
        }
    }

    /// A network of an architecture as a model directory, any other one as a file of weights.
    private static func write(_ network: Module, _ path: String) throws {
        if let card = try ModelCards.card(of: network) {
            try ModelDirectory(path).write(network.state(), card)
        } else {
            try Tensor.save(network.state(), checksums: true, to: path + ".safetensors")
        }
    }
}
