import Base
import Tensors

extension Module: Checkpointable {
    /// What has to agree: for networks that name it, that; else how the network prints.
    private var identity: [(name: String, value: String)] {
        (self as? any CheckpointIdentified)?.checkpointIdentity ?? [("network", describe())]
    }

    public func checkpointPart() throws -> CheckpointPart {
        CheckpointPart(
            kind: "module", details: .object([.init("identity", .object(identity.map { .init($0.name, .string($0.value)) }))]), tensors: state())
    }

    public func restoration(of part: CheckpointPart) throws -> () throws -> Void {
        try part.require("module")
        let identified = self as? any CheckpointIdentified
        var identity = identity
        if let former = identified?.formerIdentity, !former.isEmpty, let first = identity.first, part.details["identity"]?[first.name] == nil { identity = former }
        for (name, value) in identity {
            guard let stored = part.details["identity"]?[name] else { throw CheckpointError("the checkpoint is of another network: it says nothing of its \(name)") }
            guard stored != .string(value) else { continue }
            guard case .string(let other) = stored else { throw CheckpointError("the checkpoint is damaged: \(name) is \(stored.kind)") }
            guard let difference = identified?.checkpointDifference(name, there: other, here: value) ?? (identified == nil ? Module.difference(name, other, value) : nil) else { continue }
            throw CheckpointError("the checkpoint is of another network: " + difference)
        }
        if case .object(let members)? = part.details["identity"], let more = members.first(where: { member in !identity.contains { $0.name == member.key } }) {
            throw CheckpointError("the checkpoint is of another network: its \(more.key) is \(Module.text(more.value)) there, this one has the usual one")
        }
        try requireFits(part)
        let part = asNamedHere(part)
        let stored = part.named
        return { [self] in
            _ = try meetBranches(of: part.tensors.map(\.name))
            let own = state()
            try GradientMode.disabled {
                for (name, tensor) in own { if let value = stored[name] { try tensor.assign(value) } }
            }
        }
    }

    private static func text(_ value: JSONValue) -> String {
        if case .string(let text) = value { return text }
        return value.text()
    }

    /// The first line in which two descriptions differ.
    public static func difference(_ name: String, _ there: String, _ here: String) -> String {
        let a = there.split(separator: "\n"), b = here.split(separator: "\n")
        let at = zip(a, b).enumerated().first { $1.0 != $1.1 }?.offset ?? min(a.count, b.count)
        func line(_ lines: [Substring]) -> String {
            guard at < lines.count else { return "nothing more" }
            return String(lines[at].drop { $0 == " " })
        }
        return "\(name) is \(line(a)) there, \(line(b)) here"
    }
}

extension Optimiser: Checkpointable {
    public func checkpointPart() throws -> CheckpointPart {
        let state = state()
        let names = parameters.map(\.name)
        guard Set(names).count == names.count else {
            throw CheckpointError("an optimiser with two parameters of one name cannot be kept: give parameters of one module, or a table with names")
        }
        let groups = groups.map { group -> JSONValue in
            .object([
                .init("parameters", .array(group.parameters.map { .string($0.name) })), .init("lr", .number(group.rate)),
                .init("weight_decay", .number(group.weightDecay)), .init("momentum", .number(group.momentum)), .init("nesterov", .bool(group.nesterov)),
                .init("betas", .array([.number(group.betas.0), .number(group.betas.1)])), .init("eps", .number(group.epsilon)),
            ])
        }
        return CheckpointPart(
            kind: "optimiser",
            details: .object([
                .init("rule", .string(rule.rawValue)), .init("steps", .integer(state.steps)),
                .init("counts", .object(state.counts.sorted { $0.key < $1.key }.map { .init($0.key, .integer($0.value)) })),
                .init("clip", clip.map { .number($0) } ?? .null), .init("groups", .array(groups)),
            ]), tensors: state.tensors)
    }

    public func restoration(of part: CheckpointPart) throws -> () throws -> Void {
        try part.require("optimiser")
        guard part.details["rule"] == .string(rule.rawValue) else {
            throw CheckpointError("the checkpoint is of another optimiser: its rule is not \(rule.rawValue)")
        }
        guard case .array(let stored)? = part.details["groups"], stored.count == groups.count else {
            throw CheckpointError("the checkpoint is of another optimiser: its number of parameter groups is not \(groups.count)")
        }
        let settings = try zip(stored, groups).map { try GroupSettings($0, $1) }
        guard case .integer(let steps)? = part.details["steps"], case .object(let seen)? = part.details["counts"] else {
            throw CheckpointError("the checkpoint is damaged: an optimiser without steps or counts")
        }
        var counts: [String: Int] = [:]
        for member in seen { if case .integer(let count) = member.value { counts[member.key] = count } }
        let state = OptimiserState(rule: rule, parameters: parameters.map(\.name), tensors: part.tensors, counts: counts, steps: steps)
        do { try state.check(self) } catch { throw CheckpointError("the checkpoint is of another optimiser: \(error)") }
        let clip = part.details["clip"]?.double
        return { [self] in
            try restore(state)
            self.clip = clip
            for (setting, group) in zip(settings, groups) { setting.apply(group) }
        }
    }
}

/// Settings of a parameter group, which a schedule may have changed since it was made.
private struct GroupSettings {
    private let numbers: [Double]
    private let nesterov: Bool

    init(_ stored: JSONValue, _ group: ParameterGroup) throws {
        guard stored["parameters"] == .array(group.parameters.map { .string($0.name) }) else {
            throw CheckpointError("the checkpoint is of another optimiser: its parameters have other names or another order")
        }
        guard case .array(let betas)? = stored["betas"], betas.count == 2, case .bool(let nesterov)? = stored["nesterov"] else {
            throw CheckpointError("the checkpoint is damaged: a parameter group without its settings")
        }
        numbers = try [stored["lr"], stored["weight_decay"], stored["momentum"], betas[0], betas[1], stored["eps"]].map {
            guard let number = $0?.double else { throw CheckpointError("the checkpoint is damaged: a parameter group without its settings") }
            return number
        }
        self.nesterov = nesterov
    }

    func apply(_ group: ParameterGroup) {
        group.rate = numbers[0]
        group.weightDecay = numbers[1]
        group.momentum = numbers[2]
        group.betas = (numbers[3], numbers[4])
        group.epsilon = numbers[5]
        group.nesterov = nesterov
    }
}

extension JSONValue {
    fileprivate var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}

extension Tensor: Checkpointable {
    public func checkpointPart() throws -> CheckpointPart { CheckpointPart(kind: "tensor", tensors: [("value", detach())]) }

    public func restoration(of part: CheckpointPart) throws -> () throws -> Void {
        try part.require("tensor")
        try part.requireTensors([("value", self)], of: "tensor")
        let value = part.tensors[0].tensor
        return { try GradientMode.disabled { try self.assign(value) } }
    }
}
