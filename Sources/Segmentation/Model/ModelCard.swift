import Base

/// What people and programs should know of a trained network: how it is built, on what it was trained, what came out. JSON.
///
/// Members: `format`, `version`, `architecture` (a document of `trellis.architecture`), `network` (its options: filters, classes, ...),
/// `counts`, `data` (name, classes with colours, normalisation, size of an image), `result`, `training`, `seed`, `versions`. What is unknown is left out;
/// members of later versions that an older one can do without are passed over.
public struct ModelCard: Equatable, Sendable {
    public static let format = "trellis.model"
    public static let version = 1

    /// The document that an architecture's file holds.
    public var architecture: JSONValue
    /// Options of the network, an object.
    public var network: JSONValue
    /// Numbers by name: parameters, multiply_adds, height, width.
    public var counts: [JSONValue.Member] = []
    public var data: Data
    /// What was measured: an object of numbers, or nothing yet.
    public var result: [JSONValue.Member] = []
    /// How it was trained: steps, settings.
    public var training: [JSONValue.Member] = []
    public var seed: UInt64?
    /// Of the programs that made it, by name.
    public var versions: [JSONValue.Member] = []

    /// What the network was trained on.
    public struct Data: Equatable, Sendable {
        public var name: String
        public var classes: [ClassInfo]
        public var normalisation: Normalisation
        /// Of the first image, as a whole; nil when unknown.
        public var size: Size?

        public init(name: String, classes: [ClassInfo], normalisation: Normalisation = .imageNet, size: Size? = nil) {
            self.name = name
            self.classes = classes
            self.normalisation = normalisation
            self.size = size
        }
    }

    public init(architecture: JSONValue, network: JSONValue, data: Data) {
        self.architecture = architecture
        self.network = network
        self.data = data
    }

    /// The card as indented text.
    public var json: String { document.text(indented: true) + "\n" }

    private var document: JSONValue {
        var members: [JSONValue.Member] = [
            .init("format", .string(ModelCard.format)), .init("version", .integer(ModelCard.version)), .init("network", network),
            .init("counts", .object(counts)), .init("data", data.json),
        ]
        if !result.isEmpty { members.append(.init("result", .object(result))) }
        if !training.isEmpty { members.append(.init("training", .object(training))) }
        if let seed { members.append(.init("seed", .string(String(seed)))) }
        members.append(.init("versions", .object(versions)))
        members.append(.init("architecture", architecture))
        return .object(members)
    }

    /// Reads what `json` gives.
    /// - Parameter path: the file, for messages.
    /// - Throws: `FileError` when it is no card, damaged, or of a later version.
    public init(json text: some Sequence<UInt8>, path: String) throws(FileError) {
        let document: JSONValue
        do { document = try JSONValue.parse(text) } catch {
            throw FileError(path, "the card is damaged: \(error.problem)", remedy: "write the model again")
        }
        guard document["format"] == .string(ModelCard.format) else {
            throw FileError(path, "this is no card of a model: expected the format \"\(ModelCard.format)\"", remedy: "name a directory that network:save wrote")
        }
        guard case .integer(let version)? = document["version"] else { throw FileError(path, "the card has no version") }
        guard version <= ModelCard.version else {
            throw FileError(path, "a model of version \(version), this program reads up to \(ModelCard.version)", remedy: "use a newer program")
        }
        func object(_ name: String) -> [JSONValue.Member] {
            guard case .object(let members)? = document[name] else { return [] }
            return members
        }
        guard let network = document["network"], case .object = network, let architecture = document["architecture"], case .object = architecture else {
            throw FileError(path, "the card is damaged: it has no network or no architecture", remedy: "write the model again")
        }
        guard let data = Data(document["data"]) else {
            throw FileError(path, "the card is damaged: its data has no name, classes with colours or normalisation", remedy: "write the model again")
        }
        self.init(architecture: architecture, network: network, data: data)
        counts = object("counts")
        result = object("result")
        training = object("training")
        versions = object("versions")
        if case .string(let seed)? = document["seed"] { self.seed = UInt64(seed) }
    }
}

extension ModelCard.Data {
    var json: JSONValue {
        var members: [JSONValue.Member] = [.init("name", .string(name))]
        if let size { members += [.init("height", .integer(size.height)), .init("width", .integer(size.width))] }
        return .object(members + [
            .init("normalisation", .object([
                .init("mean", ModelCard.Data.numbers(normalisation.mean)), .init("std", ModelCard.Data.numbers(normalisation.deviation)),
            ])),
            .init("classes", .array(classes.map { info in
                var members: [JSONValue.Member] = [
                    .init("name", .string(info.name)),
                    .init("colour", .array([info.colour.red, info.colour.green, info.colour.blue].map { .integer(Int($0)) })),
                ]
                if let id = info.id { members.append(.init("id", .integer(Int(id)))) }
                return .object(members)
            })),
        ])
    }

    init?(_ json: JSONValue?) {
        guard case .string(let name)? = json?["name"], case .array(let list)? = json?["classes"], !list.isEmpty,
            let mean = ModelCard.Data.numbers(json?["normalisation"]?["mean"]), let deviation = ModelCard.Data.numbers(json?["normalisation"]?["std"])
        else { return nil }
        var classes: [ClassInfo] = []
        for item in list {
            guard case .string(let name)? = item["name"], case .array(let colour)? = item["colour"] else { return nil }
            let bytes = colour.compactMap(ModelCard.Data.byte)
            guard bytes.count == 3 else { return nil }
            classes.append(ClassInfo(name, Colour(bytes[0], bytes[1], bytes[2]), id: item["id"].flatMap(ModelCard.Data.byte)))
        }
        self.init(name: name, classes: classes, normalisation: Normalisation(mean: mean, deviation: deviation))
        if case .integer(let height)? = json?["height"], case .integer(let width)? = json?["width"] { size = Size(height: height, width: width) }
    }

    private static func byte(_ json: JSONValue) -> UInt8? {
        guard case .integer(let value) = json else { return nil }
        return UInt8(exactly: value)
    }

    /// Float32 numbers with the digits that read as the same.
    private static func numbers(_ values: [Float]) -> JSONValue { .array(values.map { .number(Double("\($0)") ?? Double($0)) }) }

    private static func numbers(_ json: JSONValue?) -> [Float]? {
        guard case .array(let items)? = json, items.count == 3 else { return nil }
        let values = items.compactMap { item -> Float? in
            switch item {
            case .integer(let value): Float(value)
            case .number(let value): Float(value)
            default: nil
            }
        }
        return values.count == 3 ? values : nil
    }
}
