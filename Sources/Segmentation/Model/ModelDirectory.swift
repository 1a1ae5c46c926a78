import Base
import Glibc
import Networks
import Tensors

/// A trained network as a directory: `weights.safetensors` and `card.json`.
///
/// The weights' file holds the card too, under its checksum, so that the two belong together by being one file: that card counts.
/// `card.json` is there for people and other programs. After a kill between the two writes it is the card of the weights before; else it
/// may not differ.
public struct ModelDirectory: Sendable {
    public let path: String
    public init(_ path: String) { self.path = path }

    private static let key = "trellis.card"
    public var weightsPath: String { path + "/weights.safetensors" }
    public var cardPath: String { path + "/card.json" }

    /// Writes a network and its card, each file whole or not at all; makes the directory.
    public func write(_ state: [Module.Named], _ card: ModelCard) throws {
        try Directory.make(path)
        try Tensor.save(state, metadata: [ModelDirectory.key: card.json], checksums: true, to: weightsPath)
        try AtomicFile.write(card.json.utf8, to: cardPath)
    }

    /// The card.
    /// - Throws: `FileError` when the directory or one of its files is missing, damaged, or of a later version.
    public func card() throws -> ModelCard {
        guard Directory.isDirectory(path) else {
            throw FileError(path, "there is no such directory", remedy: "name a model directory, which network:save or scripts/retrain.lua writes")
        }
        guard access(cardPath, F_OK) == 0 else {
            throw FileError(path, "this is no model directory: it holds no card.json", remedy: "name one that network:save or scripts/retrain.lua wrote")
        }
        let card = try ModelCard(json: Files.contents(cardPath, limit: 1 << 26), path: cardPath)
        guard let text = try SafeTensors.header(weightsPath).metadata[ModelDirectory.key] else {
            throw FileError(weightsPath, "these weights belong to no model directory: they hold no card", remedy: "write the model again")
        }
        let inner = try ModelCard(json: text.utf8, path: weightsPath)
        guard inner.architecture == card.architecture, inner.network == card.network else {
            throw FileError(path, "the card and the weights are of different networks", remedy: "write the model again")
        }
        guard inner.data == card.data || inner.training != card.training || inner.result != card.result else {
            throw FileError(
                cardPath, "damaged or edited: its data (classes, colours, normalisation) is not what the weights' file says",
                remedy: "write the model again")
        }
        return inner
    }

    /// Puts the weights into a network that was built by the card.
    /// - Throws: `FileError` for a damaged file, `TensorError` when names or shapes are not the network's.
    public func load(into network: Module) throws {
        let (tensors, _) = try Tensor.load(weightsPath, expectsChecksums: true)
        do {
            try network.load(Dictionary(tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 }))
        } catch let error as TensorError {
            throw FileError(weightsPath, "the weights do not fit the network of the card: \(error.problem)", remedy: "write the model again")
        }
    }
}
