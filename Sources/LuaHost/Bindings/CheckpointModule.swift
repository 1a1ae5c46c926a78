import Networks
import Segmentation
import Tensors

extension LoaderObject: Checkpointable {
    private var identity: String { get throws {
        let loader = try open()
        let a = loader.augmentation
        let crop = a.crop.map { "\($0)" } ?? "none"
        return "\(loader.data.description), crop \(crop), scale \(a.scale.lowerBound) to \(a.scale.upperBound), flip \(a.flip), jitter \(a.jitter), "
            + "pad \(a.pad), \(a.focus > 0 ? "focus \(a.focus), " : "")\(loader.batchesPerEpoch) batches an epoch, mean \(a.normalisation.mean), std \(a.normalisation.deviation)"
    } }

    public func checkpointPart() throws -> CheckpointPart {
        let state = try open().state
        return CheckpointPart(
            kind: "loader",
            details: .object([
                .init("epoch", .integer(state.epoch)), .init("batch", .integer(state.batch)), .init("seed", .string(String(state.seed))),
                .init("images", .integer(state.images)), .init("size", .integer(state.size)), .init("data", .string(try identity)),
            ]))
    }

    public func restoration(of part: CheckpointPart) throws -> () throws -> Void {
        try part.require("loader")
        guard case .integer(let epoch)? = part.details["epoch"], case .integer(let batch)? = part.details["batch"],
            case .string(let text)? = part.details["seed"], let seed = UInt64(text), case .integer(let images)? = part.details["images"],
            case .integer(let size)? = part.details["size"]
        else { throw CheckpointError("the checkpoint is damaged: a loader without its place") }
        let loader = try open()
        let now = loader.state
        guard (seed, images, size) == (now.seed, now.images, now.size) else {
            throw CheckpointError(
                "the checkpoint is of another loader: \(images) images in batches of \(size) with seed \(seed) there, "
                    + "\(now.images) in batches of \(now.size) with seed \(now.seed) here")
        }
        guard part.details["data"] == .string(try identity) else {
            guard case .string(let other)? = part.details["data"] else { throw CheckpointError("the checkpoint is damaged: a loader without its data") }
            throw CheckpointError("the checkpoint is of another loader: \(other) there, \(try identity) here")
        }
        guard epoch >= 0, (0..<loader.batchesPerEpoch).contains(batch) else { throw CheckpointError("the checkpoint is damaged: batch \(batch) of a loader") }
        return { try loader.restore(BatchLoader.State(epoch: epoch, batch: batch, seed: seed, images: images, size: size)) }
    }
}

/// A supernet's state is its module's.
extension SupernetObject: Checkpointable {
    public func checkpointPart() throws -> CheckpointPart { try net.checkpointPart() }
    public func restoration(of part: CheckpointPart) throws -> () throws -> Void { try net.restoration(of: part) }
}

enum CheckpointModule {
    static let module = LuaModule(
        "checkpoint", summary: "Saves and continues runs, bit for bit.",
        detail: """
            A checkpoint is one safetensors file: tensors as NAME/PATH, the rest as JSON in its metadata. It holds modules (with running statistics), optimisers \
            (moments, counters, settings), loaders (where they stand), tensors, plain values, and the streams of `tensor.manual_seed` and `math.random`.
            """,
        bindings: [save, load])

    private static let contents = Argument("contents", .table, "objects and plain values by name")

    private static let save = Binding(
        module: "checkpoint", name: "save", parameters: [Argument("path", .string, "ends in .safetensors"), contents],
        summary: "Writes objects and plain values to a file, whole or not at all.",
        detail: "It is written beside the name, synced and renamed: whatever happens, the previous checkpoint stays until the new one is complete. Plain values are "
            + "numbers (every bit kept), strings, booleans and tables of them.",
        example: """
            local net = nn.linear(2, 3)
            local sgd = optim.sgd(net:parameters(), {lr = 0.1, momentum = 0.9})
            checkpoint.save("run.safetensors", {net = net, sgd = sgd, epoch = 3, log = {{1, 0.5}, {2, 0.25}}})
            local values = checkpoint.load("run.safetensors", {net = net, sgd = sgd})
            print(values.epoch, values.log[2][2])  --> 3\t0.25
            """
    ) { call in
        let contents = try table(call, 2)
        var checkpoint = Checkpoint()
        for (name, value) in contents.sorted(by: { $0.key < $1.key }) {
            if case .object(let object) = value {
                try checkpoint.add(name, checkpointable(object, name, call))
            } else {
                checkpoint.values.append(.init(name, try CheckpointValues.json(value, name)))
            }
        }
        try checkpoint.write(to: call.get(1))
        return 0
    }

    private static let load = Binding(
        module: "checkpoint", name: "load",
        parameters: [Argument("path", .string), Argument("objects", .table, optional: true, "objects to put back, by the names they were saved under")],
        options: [Option("random", .boolean, "whether the streams of tensor.manual_seed and math.random continue too; by default when there are objects")],
        returns: [Returns(.table, "the plain values, and tensors that were not asked for")], summary: "Puts objects back as they were and returns the plain values.",
        detail: "Everything is checked first: a checkpoint of another network, space, optimiser or data is refused and nothing is changed. Objects that are not named stay.",
        example: """
            local w = tensor.from({1, 2})
            checkpoint.save("w.safetensors", {w = w, note = "first"})
            w[1] = 5
            print(checkpoint.load("w.safetensors", {w = w}).note, w[1])  --> first\t1.0
            """
    ) { call in
        let path: String = try call.get(1)
        let wanted = call.has(2) ? try table(call, 2) : [:]
        let objects = try wanted.sorted { $0.key < $1.key }.map { name, value -> (name: String, object: any Checkpointable) in
            guard case .object(let object) = value else { throw call.bad(2, "'\(name)' should be an object to put back, got a \(value.typeName)") }
            return (name, try checkpointable(object, name, call))
        }
        let checkpoint = try Checkpoint(reading: path)
        var values: [String: LuaValue] = [:]
        for member in checkpoint.values { values[member.key] = try CheckpointValues.value(member.value) }
        for (name, part) in checkpoint.parts where part.kind == "tensor" && wanted[name] == nil {
            values[name] = part.tensors.first.map { .object($0.tensor) }
        }
        do { try checkpoint.restore(objects) } catch let error as CheckpointError { throw CheckpointError("\(path): \(error)") }
        if try call.option(ifPresent: "random") ?? !objects.isEmpty { checkpoint.restoreRandom() }
        return call.push(LuaValue.table(LuaTable(fields: values)))
    }

    private static func table(_ call: Call, _ i: Int) throws -> [String: LuaValue] {
        guard let table = try call.value(i).table, table.list.isEmpty, table.others.isEmpty else { throw call.bad(i, "a table with names expected: {net = net, epoch = 3}") }
        return table.fields
    }

    private static func checkpointable(_ object: AnyObject, _ name: String, _ call: Call) throws -> any Checkpointable {
        if let object = object as? any Checkpointable { return object }
        throw call.bad(2, "'\(name)': a \(LuaValue.object(object).typeName) cannot be kept in a checkpoint; modules, optimisers, loaders, tensors and plain values can")
    }
}

/// Plain Lua values as JSON and back: integers stay integers, numbers keep every bit.
enum CheckpointValues {
    /// A member of this name marks what JSON cannot say.
    private static let mark = "$"
    private static let deepest = 40

    static func json(_ value: LuaValue, _ path: String, depth: Int = 0) throws -> JSONValue {
        switch value {
        case .nil: return .null
        case .boolean(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        // Swift prints the shortest digits that read as the same Double.
        case .number(let value): return value.isFinite ? .number(value) : .object([.init(mark, .string(value.isNaN ? "nan" : value > 0 ? "inf" : "-inf"))])
        case .string(let value): return .string(value)
        case .function: throw CheckpointError("'\(path)' is a function, which a checkpoint cannot keep")
        case .object: throw CheckpointError("'\(path)' is a \(value.typeName) inside a table; give it a name of its own")
        case .table(let table):
            guard depth < deepest else { throw CheckpointError("'\(path)' is nested more than \(deepest) deep, or contains itself") }
            let list = try table.list.enumerated().map { try json($1, "\(path)[\($0 + 1)]", depth: depth + 1) }
            let fields = try table.fields.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, try json($0.value, "\(path).\($0.key)", depth: depth + 1)) }
            if table.others.isEmpty, fields.isEmpty, !list.isEmpty { return .array(list) }
            if table.others.isEmpty, list.isEmpty, table.fields[mark] == nil { return .object(fields) }
            let others = try table.others.map { key, value -> JSONValue in
                .array([try json(key, "key of \(path)", depth: depth + 1), try json(value, "\(path)[\(key.source)]", depth: depth + 1)])
            }
            return .object([.init(mark, .string("table")), .init("list", .array(list)), .init("fields", .object(fields)), .init("others", .array(others))])
        }
    }

    static func value(_ json: JSONValue) throws -> LuaValue {
        switch json {
        case .null: return .nil
        case .bool(let value): return .boolean(value)
        case .integer(let value): return .integer(value)
        case .unsigned(let value): return .number(Double(value))
        case .number(let value): return .number(value)
        case .string(let value): return .string(value)
        case .array(let items): return .table(LuaTable(list: try items.map(value)))
        case .object(let members):
            guard case .string(let mark)? = json[mark] else {
                return .table(LuaTable(fields: Dictionary(try members.map { ($0.key, try value($0.value)) }, uniquingKeysWith: { $1 })))
            }
            return try marked(mark, json)
        }
    }

    private static func marked(_ mark: String, _ json: JSONValue) throws -> LuaValue {
        switch mark {
        case "nan": return .number(.nan)
        case "inf": return .number(.infinity)
        case "-inf": return .number(-.infinity)
        default:
            guard case .array(let list)? = json["list"], case .object(let fields)? = json["fields"], case .array(let others)? = json["others"] else {
                throw CheckpointError("the checkpoint is damaged: a value marked '\(mark)'")
            }
            let pairs = try others.compactMap { pair -> (key: LuaValue, value: LuaValue)? in
                guard case .array(let items) = pair, items.count == 2 else { return nil }
                return (try value(items[0]), try value(items[1]))
            }
            return .table(LuaTable(
                list: try list.map(value), fields: Dictionary(try fields.map { ($0.key, try value($0.value)) }, uniquingKeysWith: { $1 }), others: pairs))
        }
    }
}
