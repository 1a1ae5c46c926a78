import Base

/// What happened to the trials of a strategy: a line of their journal.
struct TrialEvent: Equatable {
    enum Kind: Equatable {
        /// The journal begins, with the state in which the strategy is; null where it has none.
        case begin(strategy: JSONValue)
        /// The strategy was asked; the worker takes the trial.
        case ask(architecture: JSONValue, steps: Int?)
        /// A worker takes a trial whose worker is gone.
        case claim
        /// A score on the way, and what the strategy said to it.
        case report(step: Int, score: Double, goesOn: Bool)
        case finish(TrialResult, values: JSONValue?)
        case fail(reason: String?)
    }

    let kind: Kind
    /// From 1; 0 of the beginning.
    let trial: Int
    /// The presence of who wrote it.
    let worker: String
    /// Seconds since 1970 by the writer's clock: for people, nothing is decided by it.
    let time: Int

    static let format = "trellis.trials"
    static let version = 1

    // MARK: JSON

    var json: JSONValue {
        var members: [JSONValue.Member] = [.init("event", .string(name))]
        if trial > 0 { members.append(.init("trial", .integer(trial))) }
        switch kind {
        case .begin(let strategy):
            members += [.init("format", .string(Self.format)), .init("version", .integer(Self.version)), .init("strategy", strategy)]
        case .ask(let architecture, let steps):
            members.append(.init("architecture", architecture))
            if let steps { members.append(.init("steps", .integer(steps))) }
        case .claim: break
        case .report(let step, let score, let goesOn):
            members += [.init("step", .integer(step)), .init("score", .number(score)), .init("goes_on", .bool(goesOn))]
        case .finish(let result, let values):
            members.append(.init("score", .number(result.score)))
            if let cost = result.cost { members.append(.init("cost", .number(cost))) }
            if let step = result.step { members.append(.init("step", .integer(step))) }
            if let loss = result.loss { members.append(.init("loss", .number(loss))) }
            if let values { members.append(.init("values", values)) }
        case .fail(let reason): if let reason { members.append(.init("reason", .string(reason))) }
        }
        return .object(members + [.init("worker", .string(worker)), .init("time", .integer(time))])
    }

    private var name: String {
        switch kind {
        case .begin: "begin"
        case .ask: "ask"
        case .claim: "claim"
        case .report: "report"
        case .finish: "finish"
        case .fail: "fail"
        }
    }

    init(_ kind: Kind, trial: Int, worker: String, time: Int) { (self.kind, self.trial, self.worker, self.time) = (kind, trial, worker, time) }

    /// Reads what `json` gives.
    /// - Throws: `SpaceError` with the member at fault; for a journal of another version.
    init(_ reader: JSONReader) throws {
        let name = try reader.required("event").string()
        (worker, time) = (try reader.required("worker").string(), try reader.required("time").int())
        trial = name == "begin" ? 0 : try reader.required("trial").count()
        switch name {
        case "begin":
            let (format, version) = (try reader.required("format").string(), try reader.required("version").int())
            guard format == Self.format, version == Self.version else {
                throw reader.error("\(Self.format) of version \(Self.version)", got: "\(format) of version \(version)")
            }
            kind = .begin(strategy: try reader.required("strategy").value)
        case "ask": kind = .ask(architecture: try reader.required("architecture").value, steps: try reader.optional("steps")?.count())
        case "claim": kind = .claim
        case "report":
            guard let goesOn = try reader.required("goes_on").boolean else { throw reader.error("goes_on: true or false") }
            kind = .report(step: try reader.required("step").count(), score: try reader.required("score").finite(), goesOn: goesOn)
        case "finish":
            let result = TrialResult(
                score: try reader.required("score").finite(), cost: try reader.optional("cost")?.finite(), step: try reader.optional("step")?.count(),
                loss: try reader.optional("loss")?.finite())
            kind = .finish(result, values: try reader.optional("values")?.value)
        case "fail": kind = .fail(reason: try reader.optional("reason")?.string())
        default: throw reader.error("an event of trials", got: "'\(name)'")
        }
    }
}
