import Base
import Networks
import Tensors

/// Supernets in files, and what two of them must share for one's file to fit the other.
extension Supernet {
    static let format = "trellis.supernet"

    /// What decides names and shapes of the parameters and what they mean, as a file's metadata holds it.
    public var configuration: [String: String] {
        let options = space.options
        var values = [
            "format": Supernet.format, "version": "1", "layers": "\(space.layers)", "strides": Supernet.list(space.strides), "filters": "\(space.filters)",
            "blocks": "\(space.cell.blocks)", "operators": space.cell.operators.joined(separator: " "), "classes": "\(classes)", "seed": "\(seed)",
            "arrows": space.betaMask.map { $0 ? "1" : "0" }.joined(), "stem": options.stem.rawValue, "down": options.down.rawValue,
            "down_kernel": "\(options.downKernel)", "operator_sets": options.operatorSets.rawValue, "affine": "\(options.affine)",
            "eps": "\(options.batchNormEpsilon)", "head_reach": "\(options.headReach)",
        ]
        if let width = options.stemWidth { values["stem_width"] = "\(width)" }
        if let width = options.headWidth { values["head_width"] = "\(width)" }
        return values
    }

    private static func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: " ") }

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
        try checkNames(Set(values.keys), path, needsStatistics: !isGolden) { unused.contains($0) || isAbsent($0) }
        if let (name, stored, own) = fit(of: values).misfits.first {
            throw SpaceError(
                .misfit, at: "\(path): \(name)", expected: "\(own)", got: "\(stored)", remedy: "the file is of another search space; build that one, or start anew")
        }
        let report = try load(values, strict: false)
        isTaken = true
        return report
    }

    /// Seeds may differ: a file's weights are taken over whatever the initial ones were.
    private func compare(_ metadata: [String: String], _ path: String) throws {
        for (key, expected) in configuration.sorted(by: { $0.key < $1.key }) where key != "seed" && metadata[key] != expected {
            throw SpaceError(
                .misfit, at: "\(path): \(key)", expected: expected, got: metadata[key] ?? "nothing",
                remedy: "the file is of another search space; build that one, or start anew")
        }
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

    /// Whether a parameter belongs to an edge from a two-back input that does not exist, which some implementations keep.
    private func isAbsent(_ name: String) -> Bool {
        let parts = name.split(separator: ".")
        guard parts.count > 5, parts[0] == "nodes", let layer = Int(parts[1]), let stride = Int(parts[2]), parts[3].hasPrefix("block"), parts[5] == "1",
            let level = space.level(ofStride: stride)
        else { return false }
        return !space.hasTwoBack(TrellisNode(layer: layer, level: level))
    }
}

extension Supernet {
    /// What it is and how its weights are spread, a line for each layer: the tree itself has thousands of modules.
    var overview: String {
        let weights = weights()
        let count = weights.reduce(0) { $0 + $1.tensor.count }
        var rows = [["", "nodes", "parameters"]]
        for (name, part) in children {
            guard name == "nodes" else {
                rows.append([name, "\(part.children.count)", NumberText.grouped(part.parameterCount)])
                continue
            }
            for (layer, group) in part.children {
                let strides = group.children.map(\.name).joined(separator: " ")
                rows.append(["layer \(layer): stride \(strides)", "\(group.children.count)", NumberText.grouped(group.parameterCount)])
            }
        }
        let operators = space.cell.operators.filter { $0 != OperatorCatalogue.none }.joined(separator: ", ")
        return """
            supernet(\(details)), seed \(seed)\(isTraining ? "" : ", evaluation mode")
            weights       \(NumberText.grouped(count)) in \(NumberText.grouped(weights.count)) tensors
            architecture  alpha \(space.alphaShape), beta \(space.betaShape)
            each node     \(plural(space.cell.blocks, "block")), \(plural(space.cell.edgeCount, "edge")) of \(operators)
            \(alignColumns(rows))
            """
    }

    /// Entropy of the operators of each edge and of the arrows that leave each node.
    public func entropy() throws -> (alpha: TableEntropy, beta: TableEntropy) {
        (try space.cell.entropy(alpha: alpha.floats().map(Double.init)), try space.entropy(beta: beta.floats().map(Double.init)))
    }

    /// The strongest architecture (paper, section 3.4); its provenance names the seed.
    public func decode(_ provenance: Provenance = Provenance()) throws -> Architecture {
        var provenance = provenance
        provenance.seed = provenance.seed ?? seed
        return try space.decode(alpha: alpha.floats().map(Double.init), beta: beta.floats().map(Double.init), provenance: provenance)
    }
}
