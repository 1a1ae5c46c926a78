import Base
import Tensors

/// What a checkpoint keeps of one object: tensors, and the rest as JSON.
public struct CheckpointPart {
    /// "module", "optimiser", "loader", "tensor": a part is only ever put back into the same kind.
    public var kind: String
    /// Counters, settings, and what tells this object from one of other sizes.
    public var details: JSONValue
    /// Named within the part.
    public var tensors: [Module.Named]

    public init(kind: String, details: JSONValue = .object([]), tensors: [Module.Named] = []) {
        self.kind = kind
        self.details = details
        self.tensors = tensors
    }

    /// The tensors by name.
    public var named: [String: Tensor] { Dictionary(tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first }) }
}

/// Something that a checkpoint can keep and that can go on from one.
public protocol Checkpointable: AnyObject {
    func checkpointPart() throws -> CheckpointPart

    /// Checks that `part` fits this object and changes nothing; what is returned then puts it back.
    /// - Throws: `CheckpointError` that says what differs.
    func restoration(of part: CheckpointPart) throws -> () throws -> Void
}

/// A module that shapes and names of tensors do not tell from all others: the same operators in another order, say.
public protocol CheckpointIdentified {
    /// What has to agree, each under a name for messages.
    var checkpointIdentity: [(name: String, value: String)] { get }

    /// The same as checkpoints of before have it, which lack the first name of `checkpointIdentity`; empty: they have the same.
    var formerIdentity: [(name: String, value: String)] { get }

    /// What differs in the value under a name, in words; nil: nothing that matters.
    func checkpointDifference(_ name: String, there: String, here: String) -> String?
}

extension CheckpointIdentified {
    public var formerIdentity: [(name: String, value: String)] { [] }
    public func checkpointDifference(_ name: String, there: String, here: String) -> String? { there == here ? nil : Module.difference(name, there, here) }
}

/// A checkpoint that cannot be used here.
public struct CheckpointError: Error, CustomStringConvertible, Sendable {
    public var description: String
    public init(_ description: String) { self.description = description }
}

/// All that a run needs to go on bit for bit: objects, plain values, the stream of random numbers. One safetensors file: tensors as
/// `OBJECT/PATH`, the rest as JSON in its metadata.
public struct Checkpoint {
    public static let version = 1
    private static let key = "trellis.checkpoint"

    public var parts: [(name: String, part: CheckpointPart)] = []
    /// Plain data by name.
    public var values: [JSONValue.Member] = []
    /// Where the streams of random numbers stand. A checkpoint of an earlier release says nothing of math.random.
    public var random: RandomStreams

    public init() { random = .current }

    public mutating func add(_ name: String, _ object: any Checkpointable) throws {
        guard !name.contains("/") else { throw CheckpointError("the name '\(name)' contains '/', which separates objects from their tensors") }
        parts.append((name, try object.checkpointPart()))
    }

    /// The same with numbers of its own: what becomes of the objects later does not reach it.
    public func copied() throws -> Checkpoint {
        var copy = self
        for i in copy.parts.indices {
            copy.parts[i].part.tensors = try copy.parts[i].part.tensors.map { ($0.name, try $0.tensor.detach().clone()) }
        }
        return copy
    }

    /// - Throws: `CheckpointError` when an object holds NaN or infinity: from such a checkpoint nothing can go on.
    public func requireFinite() throws {
        for (name, part) in parts {
            for (path, tensor) in part.tensors {
                guard let found = try tensor.nonFinite() else { continue }
                throw CheckpointError("'\(name)': \(path) holds \(found); the checkpoint is not written, one before it stays")
            }
        }
    }

    /// Writes the file whole or not at all: beside its name, synced, renamed.
    public func write(to path: String) throws {
        try requireEnding(path)
        let objects = parts.map { JSONValue.Member($0.name, .object([.init("kind", .string($0.part.kind)), .init("details", $0.part.details)])) }
        let document = JSONValue.object([
            .init("version", .integer(Checkpoint.version)), .init("objects", .object(objects)), .init("values", .object(values)),
            .init("random", random.json),
        ])
        let tensors = parts.flatMap { name, part in part.tensors.map { (name: name + "/" + $0.name, tensor: $0.tensor) } }
        try Tensor.save(tensors, metadata: [Checkpoint.key: document.text()], checksums: true, to: path)
    }

    private func requireEnding(_ path: String) throws {
        guard path.lowercased().hasSuffix(".safetensors") else { throw CheckpointError("\(path): a checkpoint's name has to end in .safetensors") }
    }

    /// - Throws: `FileError` for a file that cannot be read, `CheckpointError` for one that is no checkpoint or of a later version.
    public init(reading path: String) throws {
        let (arrays, metadata) = try SafeTensors.read(path, expectsChecksums: true)
        guard let text = metadata[Checkpoint.key] else { throw CheckpointError("\(path): tensors, but no checkpoint: checkpoint.save did not write it") }
        let document: JSONValue
        do { document = try JSONValue.parse(text.utf8) } catch { throw CheckpointError("\(path): the checkpoint is damaged: \(error.problem)") }
        guard case .integer(let version)? = document["version"] else { throw CheckpointError("\(path): the checkpoint has no version") }
        guard version <= Checkpoint.version else {
            throw CheckpointError("\(path): a checkpoint of version \(version), this program reads up to \(Checkpoint.version); use a newer one")
        }
        guard case .object(let objects)? = document["objects"], case .object(let values)? = document["values"],
            let random = document["random"].flatMap(RandomStreams.init)
        else { throw CheckpointError("\(path): the checkpoint is damaged: objects, values or random are missing") }
        var tensors: [String: [Module.Named]] = [:]
        for array in arrays {
            guard let slash = array.name.firstIndex(of: "/") else { throw CheckpointError("\(path): the tensor '\(array.name)' belongs to no object") }
            tensors[String(array.name[..<slash]), default: []].append((String(array.name[array.name.index(after: slash)...]), Tensor(array)))
        }
        self.values = values
        self.random = random
        for member in objects {
            guard case .string(let kind)? = member.value["kind"], let details = member.value["details"] else {
                throw CheckpointError("\(path): the checkpoint is damaged: object '\(member.key)' has no kind")
            }
            parts.append((member.key, CheckpointPart(kind: kind, details: details, tensors: tensors.removeValue(forKey: member.key) ?? [])))
        }
        if let name = tensors.keys.min() { throw CheckpointError("\(path): the tensors '\(name)/...' belong to no object") }
    }

    public subscript(name: String) -> CheckpointPart? { parts.first { $0.name == name }?.part }

    /// Puts parts back into objects: all are checked first, so that an error leaves all as they were.
    public func restore(_ objects: [(name: String, object: any Checkpointable)]) throws {
        let actions = try objects.map { name, object in
            guard let part = self[name] else {
                let known = parts.map { "'" + $0.name + "'" }.joined(separator: ", ")
                throw CheckpointError("the checkpoint has no object '\(name)'; it has \(known.isEmpty ? "none" : known)")
            }
            do { return try object.restoration(of: part) } catch let error as CheckpointError {
                throw CheckpointError("'\(name)': \(error)")
            }
        }
        for action in actions { try action() }
    }

    /// Continues the streams of random numbers where the checkpoint was taken.
    public func restoreRandom() { random.resume() }
}

extension RandomStreams {
    /// 64 bits are text: a number of JSON has 53.
    fileprivate var json: JSONValue {
        let words = script.map { [JSONValue.Member("script", .array($0.map { .string(String($0)) }))] } ?? []
        return .object([.init("seed", .string(String(seed))), .init("draws", .string(String(draws)))] + words)
    }

    fileprivate init?(_ json: JSONValue) {
        func word(_ value: JSONValue?) -> UInt64? {
            guard case .string(let text)? = value else { return nil }
            return UInt64(text)
        }
        guard let seed = word(json["seed"]), let draws = word(json["draws"]) else { return nil }
        self.init(seed: seed, draws: draws, script: nil)
        guard let stored = json["script"] else { return }
        guard case .array(let words) = stored else { return nil }
        let state = words.compactMap(word)
        // All zero is a state that xoshiro256** never leaves.
        guard state.count == 4, words.count == 4, state.contains(where: { $0 != 0 }) else { return nil }
        script = state
    }
}

extension CheckpointPart {
    /// - Throws: when this part was taken from another kind of object.
    public func require(_ kind: String) throws {
        guard self.kind == kind else { throw CheckpointError("the checkpoint has another kind of object under this name: \(self.kind) there, \(kind) here") }
    }

    /// - Throws: when names or shapes are not those of `own`.
    public func requireTensors(_ own: [Module.Named], of what: String) throws {
        let stored = named
        let known = Set(own.map(\.name))
        let missing = own.filter { stored[$0.name] == nil }.map(\.name)
        let unknown = tensors.map(\.name).filter { !known.contains($0) }
        guard missing.isEmpty, unknown.isEmpty else {
            func some(_ names: [String]) -> String {
                names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
            }
            let parts = [missing.isEmpty ? "" : "it lacks \(some(missing))", unknown.isEmpty ? "" : "it has \(some(unknown)), which is not here"]
            throw CheckpointError("the checkpoint is of another \(what): " + parts.filter { !$0.isEmpty }.joined(separator: "; "))
        }
        for (name, tensor) in own {
            guard let other = stored[name], other.shape != tensor.shape || other.dtype != tensor.dtype else { continue }
            throw CheckpointError("the checkpoint is of another \(what): \(name) is \(other.dtype) \(other.shape) there, \(tensor.dtype) \(tensor.shape) here")
        }
    }
}
