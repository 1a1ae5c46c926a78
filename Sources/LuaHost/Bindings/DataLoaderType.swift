import Base
import Segmentation
import Tensors

/// A batch loader as Lua holds it.
public final class LoaderObject: LuaObject {
    private var loader: BatchLoader?
    /// Of functions of scripts that make its samples.
    private let anchors: [LuaAnchor]
    /// Made in a look, which may read it on then: no job does.
    private let isOfLook = ReadOnly.isActive

    init(_ loader: BatchLoader, anchors: [LuaAnchor] = []) { (self.loader, self.anchors) = (loader, anchors) }

    /// - Throws: once it is closed.
    func open() throws -> BatchLoader {
        guard let loader else { throw HostError("the loader is closed") }
        return loader
    }

    /// The next batch as tensors, inputs first.
    func next() throws -> [Tensor] {
        try checkInterrupt()
        if !isOfLook { try ReadOnly.allow("next") }
        return try open().next().tensors
    }

    /// Ends the background thread and lets the prepared batches go.
    func close() { loader = nil }

    public static let objectType = ObjectType(
        "loader", of: LoaderObject.self, summary: "Batches without end from a data set.",
        detail: "`loader:next()` gives images [N, 3, H, W] and labels [N, H, W], or inputs and targets [N, ...] of `data.from`; a background thread prepares the next ones "
            + "meanwhile, unless a function of a script makes or transforms samples. Where it stands is two numbers, which checkpoints keep.",
        methods: [next, pass, state, loadState, close],
        fields: [
            Field("epoch", .integer, "Pass over the data that the next batch belongs to, from 1.", of: { (l: LoaderObject) in try l.open().state.epoch + 1 }),
            Field("position", .integer, "Batches of this pass that are done.", of: { (l: LoaderObject) in try l.open().state.batch }),
            Field("per_epoch", .integer, "Batches of a pass.", of: { (l: LoaderObject) in try l.open().batchesPerEpoch }),
            Field("size", .integer, "Samples in a batch.", of: { (l: LoaderObject) in try l.open().size }),
        ],
        unique: true, anchors: { $0.anchors }, describe: { $0.text })

    private var text: String {
        guard let loader else { return "loader (closed)" }
        let state = loader.state
        return "loader of \(loader.data.description): batches of \(loader.size), \(loader.batchesPerEpoch) an epoch; "
            + "epoch \(state.epoch + 1), \(state.batch) done"
    }

    private static let sample = "local loader = data.shapes{images = 6, size = {16, 16}, classes = 3, seed = 1}:batches{size = 2, seed = 1}\n"

    private static let next = Binding(
        module: "loader", name: "next",
        returns: [Returns(.tensor, "images [N, 3, H, W], or the inputs"), Returns(.tensor, "labels [N, H, W] int32, or the targets")],
        summary: "The next batch; after the last of an epoch the first of the following one.", detail: "Errors of files come here, with the file's name, and those of functions with the sample's number. Augmentation of a script's own that draws from math.random repeats after tensor.manual_seed, and goes on "
            + "from a checkpoint where it stood.",
        example: sample + "local images, labels = loader:next()\nprint(images:size(2), labels:size(1))  --> 3\t2"
    ) { call in
        call.push(all: try call.this(as: LoaderObject.self).next())
    }

    private static let pass = Binding(
        module: "loader", name: "pass", returns: [Returns(.function)], summary: "What is left of this epoch, for a loop: images and labels, or inputs and targets.",
        example: sample + "local n = 0\nfor images, labels in loader:pass() do n = n + 1 end\nprint(n, loader.epoch)  --> 3\t2"
    ) { call in
        let loader: LoaderObject = try call.this()
        let epoch = try loader.open().state.epoch
        return call.push(function: "next", holding: loader) { call in
            guard try loader.open().state.epoch == epoch else { return call.pushNil() }
            return call.push(all: try loader.next())
        }
    }

    private static let state = Binding(
        module: "loader", name: "state", returns: [Returns(.table, "epoch, batch (from 0), seed, images, size")], summary: "Where the loader stands.",
        example: sample + "loader:next()\nprint(loader:state().batch)  --> 1"
    ) { call in
        let state = try call.this(as: LoaderObject.self).open().state
        return call.push([
            "epoch": LuaValue.integer(state.epoch), "batch": .integer(state.batch), "seed": .integer(Int(bitPattern: UInt(state.seed))),
            "images": .integer(state.images), "size": .integer(state.size),
        ])
    }

    private static let loadState = Binding(
        module: "loader", name: "load_state", parameters: [Argument("state", .table, "what `state` returned")], summary: "Goes on where the state was taken.",
        detail: "An error when it belongs to other data, another seed or batch size.",
        example: sample + "local before = loader:state()\nlocal a = loader:next()\nloader:load_state(before)\nprint(a:equal((loader:next())))  --> true"
    ) { call in
        let table = try call.value(1).table ?? LuaTable()
        func number(_ name: String) throws -> Int {
            guard let value = table[name].integer else { throw call.bad(1, "a table with the integer '\(name)' expected") }
            return value
        }
        let state = BatchLoader.State(
            epoch: try number("epoch"), batch: try number("batch"), seed: UInt64(bitPattern: Int64(try number("seed"))), images: try number("images"),
            size: try number("size"))
        try call.this(as: LoaderObject.self).open().restore(state)
        return 0
    }

    private static let close = Binding(
        module: "loader", name: "close", summary: "Ends the background thread and gives its memory back.", detail: "Afterwards the loader cannot be used.",
        example: sample + "loader:close()\nprint(pcall(loader.next, loader))  --> false\tthe loader is closed"
    ) { call in
        try call.this(as: LoaderObject.self).close()
        return 0
    }
}
