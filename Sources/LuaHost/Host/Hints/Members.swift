import Base

/// Messages on names that a module or an object does not have: what is meant, if that can be told.
enum Members {
    /// "nn has no 'Conv2d'; it is nn.conv2d(...) here".
    static func missing(_ name: String, of table: ModuleTable) -> String {
        let problem = "\(table.name) has no '\(name)'"
        if let here = counterpart(name, of: table) { return "\(problem); here it is \(here)" }
        if let near = similar(name, among: table.members) { return "\(problem); did you mean \(table.name).\(near)?" }
        return "\(problem); help(\(table.module.name)) lists what is there"
    }

    private static func counterpart(_ name: String, of table: ModuleTable) -> String? {
        switch table.name {
        case "tensor": PyTorchNames.here(.torch, name) ?? PyTorchNames.here(.numpy, name)
        case "nn": PyTorchNames.here(.nn, name) ?? PyTorchNames.here(.functional, name)
        case "nn.functional": PyTorchNames.here(.functional, name)
        case "optim": PyTorchNames.here(.optim, name)
        case "data": PyTorchNames.here(.data, name)
        default: nil
        }
    }

    /// "tensor has no 'numpy'; here it is x:to_table()".
    static func missing(_ name: String, of type: ObjectType) -> String {
        let problem = "\(type.name) has no '\(name)'"
        if let here = counterpart(name, of: type) { return "\(problem); here it is \(here)" }
        let letter = type.name == "tensor" ? "x" : type.name, methods = type.methods.map(\.name)
        if let near = similar(name, among: methods + type.fields.map(\.name)) {
            return "\(problem); did you mean \(letter)\(methods.contains(near) ? ":\(near)()" : "." + near)?"
        }
        return "\(problem); help \"\(type.name)\" lists what it has"
    }

    private static func counterpart(_ name: String, of type: ObjectType) -> String? {
        switch type.name {
        case "tensor": PyTorchNames.here(.tensor, name)
        case "module", "supernet": PyTorchNames.here(.module, name)
        case "optimiser": PyTorchNames.here(.optimiser, name)
        default: nil
        }
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
