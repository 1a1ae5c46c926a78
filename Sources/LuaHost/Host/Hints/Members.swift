import Base

/// Messages on names that a module or an object does not have: what is meant, if that can be told.
enum Members {
    /// "nn has no 'Conv2d'; it is nn.conv2d(...) here".
    static func missing(_ name: String, of table: ModuleTable, in registry: Registry) -> String {
        let problem = "\(table.name) has no '\(name)'", python = PyTorchNames.owners(ofTable: table.name)
        if let here = PyTorchNames.here(python, name) { return "\(problem); here it is \(here)" }
        if let near = similar(name, among: table.members) { return "\(problem); did you mean \(table.name).\(near)?" }
        if let elsewhere = elsewhere(name, registry) { return "\(problem); did you mean \(elsewhere)?" }
        return "\(problem); \(pythonName(like: name, python) ?? "help(\(table.module.name)) lists what is there")"
    }

    /// What has this name in another module or table, or as a method: "tensor.manual_seed", "space:supernet()".
    private static func elsewhere(_ name: String, _ registry: Registry) -> String? {
        for module in registry.modules {
            let members = module.bindings.map(\.name) + module.constants.map(\.name)
            if let found = members.first(where: { $0 == name || $0.hasSuffix("." + name) }) { return "\(module.name).\(found)" }
        }
        let type = registry.allTypes.first { $0.methods.contains { $0.name == name } }
        return type.map { "\($0.name == "tensor" ? "x" : $0.name):\(name)()" }
    }

    /// "tensor has no 'numpy'; here it is x:to_table()".
    static func missing(_ name: String, of type: ObjectType) -> String {
        let problem = "\(type.name) has no '\(name)'", python = PyTorchNames.owners(ofType: type.name)
        if let here = PyTorchNames.here(python, name) { return "\(problem); here it is \(here)" }
        let letter = type.name == "tensor" ? "x" : type.name, methods = type.methods.map(\.name)
        if let near = similar(name, among: methods + type.fields.map(\.name)) {
            return "\(problem); did you mean \(letter)\(methods.contains(near) ? ":\(near)()" : "." + near)?"
        }
        return "\(problem); \(pythonName(like: name, python) ?? "help \"\(type.name)\" lists what it has")"
    }

    /// A name of PyTorch's that was misspelt, and what it is called here.
    private static func pythonName(like name: String, _ owners: [PyTorchNames.Owner]) -> String? {
        guard let near = similar(name, among: PyTorchNames.names(owners)), let here = PyTorchNames.here(owners, near) else { return nil }
        return "did you mean '\(near)'? Here it is \(here)"
    }

    /// The error for an object that has no positions.
    static func noPositions(_ type: ObjectType) -> String {
        let remedy =
            switch type.name {
            case "data_set": "set:sample(i) is a sample, counted from 1, and set:batches{...} gives batches"
            case "loader": "loader:next() is the next batch"
            default: "help \"\(type.name)\" lists what it has"
            }
        return "a \(type.name) is read by name only; \(remedy)"
    }

    /// The name that is meant: the same but for capitals and underscores, or the nearest.
    static func similar(_ name: String, among candidates: [String]) -> String? {
        func plain(_ text: String) -> String { text.lowercased().filter { $0 != "_" } }
        return candidates.first { plain($0) == plain(name) } ?? nearestName(to: name, in: candidates)
    }
}
