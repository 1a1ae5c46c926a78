import Base

/// What a run is and how far it has come: its `run.json`, which is written anew whenever that changes.
public struct RunCard: Equatable, Sendable {
    public enum Status: String, Sendable {
        case running, done
        /// By Ctrl-C.
        case interrupted
        /// By an error.
        case failed
        /// Its program ended before it did.
        case stopped
        /// Its process died without a word: what a card of a running one means whose directory nobody holds.
        case killed
    }

    /// "search", "training", "comparison", ...
    public var kind: String
    public var status = Status.running
    /// Why it failed.
    public var reason: String?
    /// The script that it is a run of, from the root, and what stood behind it on the command line besides options.
    public var script: String?
    public var words: [String] = []
    /// The options with which it was gone on with beyond its end, in order: a repetition does the same.
    public var continuations: [[String]] = []
    /// The file in its directory whose lines a repetition has to give again.
    public var numbers: String?
    public var seed: Int?
    /// What tells it from others, see `checkpoint.identity`.
    public var identity: String?
    /// UTC.
    public var began = UTCTime.now
    /// Computing time of all its starts.
    public var seconds = 0.0
    /// How often it was begun or gone on with.
    public var starts = 1
    /// How far it is, in `unit`s: epochs, steps.
    public var done: Int?
    public var planned: Int?
    public var unit: String?
    /// What it came to by now: numbers, or texts.
    public var results: [JSONValue.Member] = []
    public var versions: [JSONValue.Member] = []
    public var machine: [JSONValue.Member] = []

    public init(kind: String) { self.kind = kind }

    var json: JSONValue {
        var members: [JSONValue.Member] = [.init("kind", .string(kind)), .init("status", .string(status.rawValue))]
        func add(_ name: String, _ value: JSONValue?) { if let value { members.append(.init(name, value)) } }
        add("reason", reason.map { .string($0) })
        add("script", script.map { .string($0) })
        if !words.isEmpty { add("words", .array(words.map { .string($0) })) }
        if !continuations.isEmpty { add("continuations", .array(continuations.map { .array($0.map { .string($0) }) })) }
        add("numbers", numbers.map { .string($0) })
        add("seed", seed.map { .integer($0) })
        add("run", identity.map { .string($0) })
        add("began", .string(began))
        add("seconds", .number(seconds))
        add("starts", .integer(starts))
        add("done", done.map { .integer($0) })
        add("planned", planned.map { .integer($0) })
        add("unit", unit.map { .string($0) })
        add("results", .object(results))
        add("versions", .object(versions))
        add("machine", .object(machine))
        return .object(members)
    }

    /// - Parameter place: the file, for messages.
    /// - Throws: `FileError` where a member is missing or of another type.
    init(_ json: JSONValue, at place: String) throws {
        let reader = JSONReader(json, at: "run.json") { fault in
            FileError(place, "\(fault.place): expected \(fault.expected), got \(fault.got)", remedy: "it is no card of a run, or damaged")
        }
        kind = try reader.required("kind").string()
        let text = try reader.required("status").string()
        guard let status = Status(rawValue: text) else { throw try reader.required("status").error("running, done, interrupted, failed or stopped", got: text) }
        self.status = status
        reason = try reader.optional("reason")?.string()
        script = try reader.optional("script")?.string()
        words = try reader.optional("words")?.items().map { try $0.string() } ?? []
        continuations = try reader.optional("continuations")?.items().map { try $0.items().map { try $0.string() } } ?? []
        numbers = try reader.optional("numbers")?.string()
        seed = try reader.optional("seed")?.int()
        identity = try reader.optional("run")?.string()
        began = try reader.required("began").string()
        seconds = try reader.required("seconds").double()
        starts = try reader.required("starts").int()
        done = try reader.optional("done")?.int()
        planned = try reader.optional("planned")?.int()
        unit = try reader.optional("unit")?.string()
        results = try RunCard.members(reader, "results")
        versions = try RunCard.members(reader, "versions")
        machine = try RunCard.members(reader, "machine")
    }

    private static func members(_ reader: JSONReader, _ name: String) throws -> [JSONValue.Member] {
        let value = try reader.required(name)
        guard case .object(let members) = value.value else { throw value.error("an object") }
        return members
    }

    /// "12 of 30 epochs"; nil where it says nothing of it.
    public var progress: String? {
        guard let done else { return nil }
        return "\(done)" + (planned.map { " of \($0)" } ?? "") + (unit.map { " " + $0 } ?? "")
    }
}
