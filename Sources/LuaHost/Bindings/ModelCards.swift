import Base
import Networks
import Search
import Segmentation
import Tensors

/// Cards of networks, and networks from cards: what `network:save(DIR)`, `nas.network(DIR)` and exports share.
enum ModelCards {
    /// The card of a network with what is known of it; nil when it is no network of an architecture, of which only weights can be kept.
    static func card(of network: Module) throws -> ModelCard? {
        let record = ModelRecord.of(network)
        let architecture: ArchitectureFile, options: JSONValue, classes: Int, seed: UInt64
        if let network = network as? DerivedNetwork {
            (architecture, options, classes, seed) = (try ArchitectureFile(network.architecture), Self.options(network), network.options.classes, network.seed)
        } else if let origin = record?.origin, origin.architecture.space.script != nil {
            (architecture, options, classes, seed) = (origin.architecture, Self.options(origin), origin.classes ?? 1, origin.seed)
        } else {
            return nil
        }
        var data = record?.data ?? ModelCard.Data(name: "unknown", classes: [])
        // A task of one's own has no classes; what the network gives has still to be counted.
        if data.classes.isEmpty { data.classes = ClassInfo.numbered(classes) }
        var card = ModelCard(architecture: architecture.document, network: options, data: data)
        let size = record?.size ?? Size(height: 512, width: 512)
        let work = try? network.count(input: [1, 3, size.height, size.width]).work
        card.counts = [
            .init("parameters", .integer(network.parameterCount)), .init("multiply_adds", .integer(work?.multiplyAdds ?? 0)),
            .init("height", .integer(size.height)), .init("width", .integer(size.width)),
        ]
        card.result = record?.result ?? []
        card.training = record?.training ?? []
        card.seed = record?.seed ?? seed
        card.versions = [.init("trellis", .string(TrellisModule.version)), .init("architecture", .integer(ArchitectureFile.version))]
        return card
    }

    /// What `architecture:network` needs to build the network again, under the names of its options.
    private static func options(_ network: DerivedNetwork) -> JSONValue {
        let o = network.options
        return .object([
            .init("filters", .integer(o.filters)), .init("classes", .integer(o.classes)), .init("stem", .integer(o.widths.stem)),
            .init("stem_output", .integer(o.widths.stemOutput)), .init("aspp", .integer(o.widths.aspp)), .init("low_level", .integer(o.widths.lowLevel)),
            .init("decoder", .integer(o.widths.decoder)), .init("momentum", .number(decimal(o.batchNormMomentum))),
            .init("eps", .number(decimal(o.batchNormEpsilon))), .init("drop_path", .number(network.dropPath)), .init("seed", .string(String(network.seed))),
        ])
    }

    /// What `space:network` needs besides the architecture.
    private static func options(_ origin: NetworkOrigin) -> JSONValue {
        .object((origin.classes.map { [.init("classes", .integer($0))] } ?? []) + [.init("seed", .string(String(origin.seed)))])
    }

    /// Why a network has no card.
    static func missing(_ network: Module) -> String {
        if ModelRecord.of(network)?.origin == nil { return "a \(network.kind) is no network of an architecture, so no directory can tell how to build it" }
        return "the space of this network was made at the prompt, so there is no script that a directory could keep to build it again"
    }

    /// The shortest decimal that reads as the same Float.
    private static func decimal(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }

    /// The network that a card describes, with initial weights.
    /// - Parameter run: lets the script run that makes the space of a network of one's own.
    /// - Throws: `FileError` when the card's options are damaged; `SpaceError` when the architecture does not fit its space, or names an operator
    ///   of a script that is not there.
    private static func network(_ card: ModelCard, path: String, run: Bool, _ directory: String, _ L: LuaThread) throws -> Module {
        let file = try ArchitectureFile(json: card.architecture.text(), file: path + ": architecture")
        guard file.space.trellis == nil else { return try stock(card, path: path) }
        let space = try SpaceScripts.space(file.space, isAllowed: run, at: path, how: "nas.network('\(directory)', {run = true})", L).space
        var (classes, seed): (Int?, UInt64) = (nil, 0)
        if case .integer(let count)? = card.network["classes"] { classes = count }
        if case .string(let text)? = card.network["seed"] { seed = UInt64(text) ?? 0 }
        let network = try space.network(file.assignment, classes: classes, seed: seed)
        ModelRecord.of(network) { $0.origin = NetworkOrigin(file, classes: classes, seed: seed) }
        return network
    }

    /// The network of an architecture of a stock trellis.
    private static func stock(_ card: ModelCard, path: String) throws -> DerivedNetwork {
        func number(_ name: String) throws -> Double {
            switch card.network[name] {
            case .integer(let value)?: return Double(value)
            case .number(let value)?: return value
            default: throw FileError(path, "the card is damaged: its network has no number '\(name)'", remedy: "write the model again")
            }
        }
        func integer(_ name: String) throws -> Int {
            guard let value = Int(exactly: try number(name)) else {
                throw FileError(path, "the card is damaged: '\(name)' of its network is no integer", remedy: "write the model again")
            }
            return value
        }
        let architecture = try Architecture(json: card.architecture.text(), file: path + ": architecture", catalogue: ScriptOperators.catalogue)
        var options = DerivedOptions(filters: try integer("filters"), classes: try integer("classes"))
        options.widths = DerivedWidths(
            stem: try integer("stem"), stemOutput: try integer("stem_output"), aspp: try integer("aspp"), lowLevel: try integer("low_level"),
            decoder: try integer("decoder"))
        options.batchNormMomentum = Float(try number("momentum"))
        options.batchNormEpsilon = Float(try number("eps"))
        options.dropPath = try number("drop_path")
        guard options.classes == card.data.classes.count else {
            throw FileError(path, "the card is damaged: its network has \(options.classes) classes, its data \(card.data.classes.count)", remedy: "write the model again")
        }
        var seed: UInt64 = 0
        if case .string(let text)? = card.network["seed"] { seed = UInt64(text) ?? 0 }
        return try DerivedNetwork(architecture, options, seed: seed, catalogue: ScriptOperators.catalogue)
    }

    /// The architecture of the network in a model directory.
    static func architecture(_ path: String) throws -> ArchitectureFile {
        let directory = ModelDirectory(path)
        return try ArchitectureFile(json: directory.card().architecture.text(), file: directory.cardPath + ": architecture")
    }

    /// The network in a model directory for another number of classes, with the weights that have the same shape, and what was taken. It has been trained on nothing yet.
    static func load(_ path: String, classes: Int, run: Bool, _ L: LuaThread) throws -> (network: Module, report: LoadReport) {
        let directory = ModelDirectory(path)
        var card = try directory.card()
        guard case .object(let options) = card.network else { throw FileError(directory.cardPath, "the card is damaged: its network is no object") }
        card.network = .object(options.filter { $0.key != "classes" } + [.init("classes", .integer(classes))])
        card.data.classes = ClassInfo.numbered(classes)
        let network = try network(card, path: directory.cardPath, run: run, path, L)
        let tensors = try Tensor.load(directory.weightsPath).tensors
        return (network, try network.load(Dictionary(tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 }), strict: false))
    }

    /// The network in a model directory, with its weights and what is known of it.
    static func load(_ path: String, run: Bool, _ L: LuaThread) throws -> Module {
        let directory = ModelDirectory(path)
        let card = try directory.card()
        let network = try network(card, path: directory.cardPath, run: run, path, L)
        try directory.load(into: network)
        ModelRecord.of(network) { record in
            (record.data, record.training, record.result, record.seed) = (card.data, card.training, card.result, card.seed)
            if case .integer(let height)? = card.counts.first(where: { $0.key == "height" })?.value,
                case .integer(let width)? = card.counts.first(where: { $0.key == "width" })?.value, (1...65_536).contains(height), (1...65_536).contains(width)
            {
                record.size = Size(height: height, width: width)
            }
        }
        return network
    }
}
