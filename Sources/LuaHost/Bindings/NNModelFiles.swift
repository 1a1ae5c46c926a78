import Base
import Networks
import Segmentation
import Tensors

/// Networks in files: weights alone, or a model directory with all that is needed to build the network again.
enum ModelFileBindings {
    static let methods = [save, load, card]

    private static let save = Binding(
        module: "module", name: "save", parameters: [Argument("path", .string, "ends in .safetensors or .npz; or a directory")],
        summary: "Writes all parameters and buffers to a file, named by their paths; or a network with its card to a directory.",
        detail: """
            A model directory holds weights.safetensors and card.json: the architecture, the network's options, its counts, the classes and colours it was trained with, the \
            last result of fit or evaluate. `nas.network(DIR)` builds the network again. Only networks of architectures can be told by a card, those of nas.space by \
            the text of the script that makes the space; of others (nn.sequential) a file keeps the weights. Each file appears whole or not at all.
            """,
        example: "nn.linear(2, 3):save('linear.safetensors')\nprint(tensor.load('linear.safetensors').weight:size(2))  --> 2"
    ) { call in
        let network: Module = try call.this()
        let path: String = try call.get(1)
        if isFile(path) {
            try Tensor.save(network.state(), checksums: true, to: path)
        } else {
            guard let card = try ModelCards.card(of: network) else {
                throw call.bad(1, "\(ModelCards.missing(network)); save its weights to a file, \(path).safetensors")
            }
            try ModelDirectory(path).write(network.state(), card)
        }
        return 0
    }

    private static func isFile(_ path: String) -> Bool { [".safetensors", ".npz", ".npy"].contains { path.lowercased().hasSuffix($0) } }

    private static let load = Binding(
        module: "module", name: "load", parameters: [Argument("path", .string, "a file, or a model directory, of which the weights are taken")],
        options: [
            LoadReport.strict,
            Option("map", .union([.function, .table]), "names of this network for names of the file: f(name) or by name; nil (of f) and false leave a value out"),
        ], returns: [Returns(.object("module")), LoadReport.returns], summary: "Reads what `save` wrote, or weights from elsewhere.",
        detail: LoadReport.detail + " With `map` files of other programs fit: names that a table does not have stay as they are; two names for one are an error.",
        example: "local net = nn.linear(2, 3)\nnet:save('net.safetensors')\nprint(nn.linear(2, 3):load('net.safetensors').weight:equal(net.weight))  --> true"
    ) { call in
        let path: String = try call.get(1)
        let file = Directory.isDirectory(path) ? ModelDirectory(path).weightsPath : path
        let (tensors, _) = try Tensor.load(file)
        let values = try renamed(tensors, call, file)
        let report = try call.this(as: Module.self).load(values, strict: call.option("strict"))
        return call.pushThis() + call.push(report.value)
    }

    /// The values of a file under the names that the option `map` gives them.
    private static func renamed(_ tensors: [(name: String, tensor: Tensor)], _ call: Call, _ file: String) throws -> [String: Tensor] {
        let rename: (String) throws -> String?
        switch try call.option(ifPresent: "map", as: LuaValue.self) {
        case .function(let function)?:
            rename = { name in
                let result = try function.call(name).first ?? .nil
                guard result.string != nil || result.isNil || result.boolean == false else { throw call.badOption("map", "a name, or nil expected for '\(name)', got \(result.source)") }
                return result.string
            }
        case .table(let table)?:
            if let stray = table.fields.keys.sorted().first(where: { name in !tensors.contains { $0.name == name } }) {
                throw call.badOption("map", "\(file) has no '\(stray)'")
            }
            rename = { name in
                guard let entry = table.fields[name] else { return name }
                guard entry.string != nil || entry.boolean == false else { throw call.badOption("map", "a name, or false expected for '\(name)', got \(entry.source)") }
                return entry.string
            }
        default: rename = { $0 }
        }
        var (values, origins): ([String: Tensor], [String: String]) = ([:], [:])
        for (name, tensor) in tensors {
            guard let own = try rename(name) else { continue }
            if let other = origins.updateValue(name, forKey: own) { throw call.badOption("map", "'\(other)' and '\(name)' both become '\(own)'") }
            values[own] = tensor
        }
        return values
    }

    private static let card = Binding(
        module: "module", name: "card", returns: [Returns(.table, "as card.json has it", optional: true)],
        summary: "What is known of a network: how it is built, on what it was trained, what came out; nil for one without an architecture.",
        example: "local net = nas.trellis{layers = 3}:random{seed = 1}:network{filters = 2, classes = 4, aspp = 8}\nprint(net:card().network.classes)  --> 4"
    ) { call in
        guard let card = try ModelCards.card(of: call.this()) else { return call.pushNil() }
        return call.push(try PlainValue(JSONValue.parse(card.json.utf8)))
    }

    static let network = Binding(
        module: "nas", name: "network", parameters: [Argument("directory", .string, "what network:save or fit wrote")],
        options: [
            Option("run", .boolean, default: false, "let the script run that the card of a network of nas.space keeps"),
            Option("classes", .integer, "another number of classes: the weights that have the same shape are taken, the others are new ones"),
        ], returns: [Returns(.object("module")), Returns(.table, "with classes: what was taken, as module:load says it", optional: true)],
        summary: "The network in a model directory.",
        detail: "Built by its card, with its weights, classes and colours. The card of a network of nas.space keeps the script that makes its space (architecture.space.script.text): it runs only "
            + "with run = true, up to the place where the space is made. A missing directory, a damaged file, a model of a later version, an architecture with an operator that "
            + "is not there (add it with nas.operator first), and weights that do not fit are errors.",
        example: """
            local net = nas.trellis{layers = 3}:random{seed = 1}:network{filters = 2, classes = 4, aspp = 8}
            net:save('found-4')
            print(nas.network('found-4'):count().parameters == net:count().parameters)  --> true
            """
    ) { call in
        let path: String = try call.get(1), run: Bool = try call.option("run")
        guard let classes: Int = try call.option(ifPresent: "classes") else { return call.push(try ModelCards.load(path, run: run, call.thread)) }
        let (network, report) = try ModelCards.load(path, classes: classes, run: run, call.thread)
        return call.push(network) + call.push(report.value)
    }
}
