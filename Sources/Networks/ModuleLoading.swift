import Tensors

/// How stored values and a network fit each other, by name.
public struct LoadReport: Sendable {
    /// Names of the network that have a stored value of their shape, in the network's order.
    public var taken: [String] = []
    /// Names of the network without one.
    public var missing: [String] = []
    /// Names of stored values that the network does not have.
    public var unknown: [String] = []
    /// Names that both have, with other shapes.
    public var misfits: [(name: String, stored: [Int], own: [Int])] = []
    /// Names that both have with the same shape, with numbers of other types.
    public var mistypes: [(name: String, stored: DType, own: DType)] = []

    /// What differs, in words; nil when everything fits.
    fileprivate var difference: String? {
        guard missing.isEmpty, unknown.isEmpty else {
            return "the file does not fit the network: \(LoadReport.some(missing)) missing, \(LoadReport.some(unknown)) not known; strict = false loads what fits"
        }
        return misfits.first.map { "\($0.name) has shape \($0.stored) in the file, \($0.own) in the network" }
            ?? mistypes.first.map { "\($0.name) is \($0.stored) in the file, \($0.own) in the network" }
    }

    /// Why nothing at all was taken.
    fileprivate var failure: String {
        let shapes = misfits.isEmpty ? "" : ", and \(LoadReport.some(misfits.map(\.name))) with other shapes"
        let types = mistypes.isEmpty ? "" : ", and \(LoadReport.some(mistypes.map(\.name))) of other types"
        let own = missing + misfits.map(\.name) + mistypes.map(\.name)
        return "nothing fits: the file has \(LoadReport.some(unknown))\(shapes)\(types), the network \(LoadReport.some(own))" + (prefix.map { "; " + $0 } ?? "")
    }

    /// Files of networks that were a part of another, or had one around them, differ by what stands in front of all names.
    private var prefix: String? {
        guard let stored = unknown.first else { return nil }
        for (name, isStored) in [(stored, true)] + missing.map({ ($0, false) }) {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            for cut in parts.indices.dropFirst() {
                let front = parts[..<cut].joined(separator: ".") + ".", rest = parts[cut...].joined(separator: ".")
                if isStored, missing.contains(rest) { return "without '\(front)' in front its names are those of the network" }
                if !isStored, rest == stored { return "with '\(front)' in front its names are those of the network" }
            }
        }
        return nil
    }

    static func some(_ names: [String]) -> String {
        names.isEmpty ? "none" : names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
    }
}

extension Module {
    /// What of stored values would fit; nothing changes.
    public func fit(of values: [String: Tensor]) -> LoadReport {
        let own = state()
        let known = Set(own.map(\.name))
        var report = LoadReport()
        report.unknown = values.keys.filter { !known.contains($0) }.sorted()
        for (name, tensor) in own {
            if let value = values[name] {
                if value.shape != tensor.shape {
                    report.misfits.append((name, value.shape, tensor.shape))
                } else if value.dtype != tensor.dtype {
                    report.mistypes.append((name, value.dtype, tensor.dtype))
                } else {
                    report.taken.append(name)
                }
            } else {
                report.missing.append(name)
            }
        }
        return report
    }

    /// Copies stored values in.
    /// - Parameter strict: all names, shapes and types must agree; otherwise what fits is taken.
    /// - Throws: `TensorError` when they do not, or when nothing fits; nothing has changed then.
    @discardableResult
    public func load(_ values: [String: Tensor], strict: Bool = true) throws -> LoadReport {
        try ReadOnly.allow("load")
        let values = asNamedHere(values)
        let forget = try meetBranches(of: values.keys.sorted())
        var isTaken = false
        defer { if !isTaken { forget() } }
        let report = fit(of: values)
        if strict, let difference = report.difference { throw TensorError("load", difference) }
        let nothing = report.taken.isEmpty && !(values.isEmpty && report.missing.isEmpty)
        if nothing { throw TensorError("load", report.failure) }
        let taken = Set(report.taken), own = state()
        try GradientMode.disabled {
            // Values may be this network's own tensors under other names: all are read before the first is written.
            let written = Set(own.compactMap(\.tensor.storageIdentity))
            let overlapping = values.filter { $0.value.storageIdentity.map(written.contains) ?? false }
            let copies = try overlapping.mapValues { try $0.clone() }
            for (name, tensor) in own where taken.contains(name) {
                if let value = copies[name] ?? values[name] { try tensor.assign(value) }
            }
        }
        isTaken = true
        return report
    }

    /// Running statistics are kept for every branch that a batch norm has run in; a network that has not run yet gets those that stored values have.
    /// - Returns: a function that takes them away again.
    public func meetBranches(of names: [String]) throws -> () -> Void {
        var branches: [String: [String]] = [:]
        for name in names {
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count > 1, parts[parts.count - 2] == "running_mean", let branch = parts.last, !branch.isEmpty else { continue }
            branches[parts.dropLast(2).joined(separator: "."), default: []].append(String(branch))
        }
        var met: [(norm: BatchNorm, branches: [String])] = []
        if !branches.isEmpty { try meet(branches, at: "", &met) }
        return { for (norm, branches) in met { norm.forget(branches) } }
    }

    private func meet(_ branches: [String: [String]], at path: String, _ met: inout [(norm: BatchNorm, branches: [String])]) throws {
        if let norm = self as? BatchNorm, let own = branches[path] { met.append((norm, try norm.meet(own))) }
        for (name, child) in children { try child.meet(branches, at: path.isEmpty ? name : path + "." + name, &met) }
    }

    /// Stored values by this network's names: statistics of the one branch that a norm serves, which supernets and earlier files have under the branch's name.
    public func asNamedHere(_ values: [String: Tensor]) -> [String: Tensor] {
        var values = values
        name(&values, at: "")
        return values
    }

    func asNamedHere(_ part: CheckpointPart) -> CheckpointPart {
        CheckpointPart(kind: part.kind, details: part.details, tensors: asNamedHere(part.named).map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 })
    }

    private func name(_ values: inout [String: Tensor], at path: String) {
        if let norm = self as? BatchNorm, let branch = norm.soleBranch {
            for own in ["running_mean", "running_var"].map({ path + $0 }) {
                if let value = values.removeValue(forKey: own + "." + branch) { values[own] = value }
            }
        }
        for (name, child) in children { child.name(&values, at: path + name + ".") }
    }

    /// - Throws: `CheckpointError` for stored values that are not this network's.
    public func requireFits(_ part: CheckpointPart) throws {
        let part = asNamedHere(part)
        let forget = try meetBranches(of: part.tensors.map(\.name))
        defer { forget() }
        try part.requireTensors(state(), of: "network")
    }
}
