import Base
import Networks
import Tensors

/// Supernets in files, and what two of them must share for one's file to fit the other.
extension Supernet {
    static let format = "trellis.supernet"

    /// What decides names and shapes of the parameters and what they mean, as a file's metadata holds it: the record of the space, and the classes.
    public var configuration: [String: String] {
        var values = ["format": Supernet.format, "version": "2", SpaceRecord.checkpointName: space.record.json.text(), "seed": "\(seed)"]
        values["classes"] = classes.map { "\($0)" }
        return values
    }

    /// Writes parameters and running statistics with the configuration.
    /// - Parameter path: ends in .safetensors.
    public func save(to path: String) throws {
        try Tensor.save(state(), metadata: configuration, checksums: true, to: path)
    }

    /// Reads what `save` wrote, or the parameters of a golden file (`param.` before the names; edges whose state is absent may be there).
    /// - Throws: `SpaceError` that names the first difference for the supernet of another space; nothing is taken over then.
    @discardableResult
    public func load(_ path: String) throws -> LoadReport {
        let isOurs = try path.lowercased().hasSuffix(".safetensors") && SafeTensors.header(path).metadata["format"] == Supernet.format
        let (list, metadata) = try Tensor.load(path, expectsChecksums: isOurs)
        var values = Dictionary(list.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
        let isGolden = values.keys.contains { $0.hasPrefix("param.") }
        if isGolden {
            values = Dictionary(values.filter { $0.key.hasPrefix("param.") }.map { (String($0.key.dropFirst(6)), $0.value) }, uniquingKeysWith: { $1 })
        } else if metadata["format"] == Supernet.format {
            try compare(metadata, path)
        }
        let forget = try meetBranches(of: values.keys.sorted())
        var isTaken = false
        defer { if !isTaken { forget() } }
        let unused = Set((metadata["unused"] ?? "").split(separator: " ").map(String.init))
        try checkNames(Set(values.keys), path, needsStatistics: !isGolden) { unused.contains($0) || space.family?.mayHold($0) ?? false }
        if let (name, stored, own) = fit(of: values).misfits.first {
            throw SpaceError(
                .misfit, at: "\(path): \(name)", expected: "\(own)", got: "\(stored)", remedy: Supernet.remedy)
        }
        let report = try load(values, strict: false)
        isTaken = true
        return report
    }

    private static let remedy = "the file is of another search space; build that one, or start anew"

    /// Seeds may differ: a file's weights are taken over whatever the initial ones were.
    private func compare(_ metadata: [String: String], _ path: String) throws {
        func require(_ key: String, _ expected: String?) throws {
            guard metadata[key] != expected else { return }
            throw SpaceError(.misfit, at: "\(path): \(key)", expected: expected ?? "nothing", got: metadata[key] ?? "nothing", remedy: Supernet.remedy)
        }
        if let text = metadata[SpaceRecord.checkpointName] {
            let there = try SpaceRecord(json: JSONValue.parse(text.utf8), at: "\(path): space")
            try space.record.require(there, at: path, remedy: Supernet.remedy)
        } else {
            // Version 1.
            for (key, expected) in (space.family?.formerConfiguration ?? ["decisions": decisions.identity]).sorted(by: { $0.key < $1.key }) { try require(key, expected) }
        }
        try require("classes", classes.map { "\($0)" })
    }

    private func checkNames(_ names: Set<String>, _ path: String, needsStatistics: Bool, mayStay: (String) -> Bool) throws {
        let own = (needsStatistics ? state() : parameters()).map(\.name)
        let known = Set(state().map(\.name))
        if let missing = own.first(where: { !names.contains($0) }) {
            throw SpaceError(
                .misfit, at: path, expected: "all \(own.count) tensors of this supernet", got: "none called \(missing)",
                remedy: "the file is of another search space, or no supernet at all")
        }
        if let unknown = names.subtracting(known).sorted().first(where: { !mayStay($0) }) {
            throw SpaceError(
                .misfit, at: path, expected: "only tensors of this supernet", got: "\(unknown) as well", remedy: "the file is of another search space")
        }
    }
}
