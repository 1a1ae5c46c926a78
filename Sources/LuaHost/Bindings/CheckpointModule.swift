import CLua
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
                .init("names", .string(try open().data.fingerprint())),
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
        // Checkpoints of before had none.
        if let names = part.details["names"], names != .string(try loader.data.fingerprint()) {
            throw CheckpointError("the checkpoint is of another loader: its images have other names, or another order")
        }
        guard (0..<BatchLoader.mostEpochs).contains(epoch), (0..<loader.batchesPerEpoch).contains(batch) else {
            throw CheckpointError("the checkpoint is damaged: epoch \(epoch), batch \(batch) of a loader")
        }
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
        bindings: [save, load, identity])


    private static let save = Binding(
        module: "checkpoint", name: "save", parameters: [Argument("path", .string, "ends in .safetensors"), Argument("contents", .table, "objects and plain values by name")],
        options: [
            Option("finite", .boolean, default: false, "refuse objects that hold NaN or infinity: the checkpoint before stays, from which the run can go on"),
        ],
        summary: "Writes objects and plain values to a file, whole or not at all.",
        detail: "It is written beside the name, synced and renamed: whatever happens, the previous checkpoint stays until the new one is complete. Plain values are "
            + "numbers (every bit kept), strings (every byte), booleans and tables of them; what would come back as something else (functions, tables with a metatable, "
            + "that contain themselves, or with tables as keys) is an error here. The file holds checksums, which loading checks.",
        example: """
            local net = nn.linear(2, 3)
            local sgd = optim.sgd(net:parameters(), {lr = 0.1, momentum = 0.9})
            checkpoint.save("run.safetensors", {net = net, sgd = sgd, epoch = 3, log = {{1, 0.5}, {2, 0.25}}})
            local values = checkpoint.load("run.safetensors", {net = net, sgd = sgd})
            print(values.epoch, values.log[2][2])  --> 3\t0.25
            """
    ) { call in
        var checkpoint = Checkpoint()
        for (name, value) in try contents(call, 2) {
            switch value {
            case .object(let object): try checkpoint.add(name, checkpointable(object, name, call))
            case .plain(let value, _): checkpoint.values.append(.init(name, try value.json(name)))
            }
        }
        if try call.option("finite") { try checkpoint.requireFinite() }
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
        let objects = try (call.has(2) ? contents(call, 2) : []).map { name, value -> (name: String, object: any Checkpointable) in
            switch value {
            case .object(let object): return (name, try checkpointable(object, name, call))
            case .plain(_, let type): throw call.bad(2, "'\(name)' should be an object to put back, got a \(type)")
            }
        }
        let checkpoint = try Checkpoint(reading: path)
        let values = try checkpoint.values.map { member in
            do { return (member.key, try PlainValue(member.value)) } catch { throw CheckpointError("\(path): \(error)") }
        }
        let wanted = Set(objects.map(\.name))
        let tensors = checkpoint.parts.filter { $0.part.kind == "tensor" && !wanted.contains($0.name) }
        do { try checkpoint.restore(objects) } catch let error as CheckpointError { throw CheckpointError("\(path): \(error)") }
        if try call.option(ifPresent: "random") ?? !objects.isEmpty { checkpoint.restoreRandom() }
        clua_push_table(call.thread, 0, Int32(clamping: values.count + tensors.count))
        func add(_ name: String, _ value: some LuaPushable) {
            value.push(call.thread)
            Stack.rawSet(call.thread, -2, name)
        }
        for (name, value) in values { add(name, value) }
        for (name, part) in tensors { if let tensor = part.tensors.first?.tensor { add(name, tensor) } }
        return 1
    }

    private static let identity = Binding(
        module: "checkpoint", name: "identity", parameters: [Argument("values", .any, "plain values: the settings of a run; or a string")],
        returns: [Returns(.string, "sixteen hexadecimal digits")], summary: "A number that tells a run from others: equal values have the same.",
        detail: "A run makes it when it begins and keeps it in its files, so that files of different runs are not taken together. `fit` does so itself: its checkpoint has it as "
            + "`run`, and its networks' cards.",
        example: "print(checkpoint.identity{seed = 1} == checkpoint.identity{seed = 1}, checkpoint.identity{seed = 1} == checkpoint.identity{seed = 2})  --> true\tfalse"
    ) { call in
        let value: PlainValue = try call.get(1)
        let json = try value.json("values")
        if case .string(let text) = json { return call.push(try RunIdentity.make(text)) }
        return call.push(try RunIdentity.make(json.text()))
    }

    private enum Content {
        case object(AnyObject)
        case plain(PlainValue, type: String)
    }

    /// The members of a table with names, by name.
    private static func contents(_ call: Call, _ i: Int) throws -> [(name: String, value: Content)] {
        let (L, index) = (call.thread, call.index(i))
        func expected() -> any Error { call.bad(i, "a table with names expected: {net = net, epoch = 3}") }
        guard lua_type(L, index) == LUA_TTABLE else { throw expected() }
        var members: [(name: String, value: Content)] = []
        try Stack.forEach(L, index) {
            guard let bytes = Stack.bytes(L, -2) else { throw expected() }
            guard let name = String(validating: bytes, as: UTF8.self), !members.contains(where: { $0.name == name }) else {
                throw CheckpointError("the name '\(String(decoding: bytes, as: UTF8.self))' is not UTF-8, or is there twice but for its accents; choose another")
            }
            if lua_type(L, -1) == LUA_TUSERDATA, case .object(let object) = try LuaValue.value(L, -1) {
                members.append((name, .object(object)))
            } else if let value = PlainValue.read(L, -1) {
                members.append((name, .plain(value, type: Stack.typeName(L, -1))))
            }
        }
        return members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    private static func checkpointable(_ object: AnyObject, _ name: String, _ call: Call) throws -> any Checkpointable {
        if let object = object as? any Checkpointable { return object }
        throw call.bad(2, "'\(name)': a \(LuaValue.object(object).typeName) cannot be kept in a checkpoint; modules, optimisers, loaders, tensors and plain values can")
    }
}
