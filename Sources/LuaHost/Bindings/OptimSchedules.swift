import Networks

/// A schedule as Lua holds it: called with a step it gives the rate.
public final class ScheduleObject: LuaObject {
    public let schedule: Schedule
    init(_ schedule: Schedule) { self.schedule = schedule }

    public static let objectType = ObjectType(
        "schedule", of: ScheduleObject.self, summary: "A learning rate as a function of the step.", detail: "`sgd.lr = rate(step)` before each step.",
        metamethods: [
            Binding(
                name: "__call", parameters: [Argument("step", .number, "0 or more")], returns: [Returns(.number)], summary: "The rate at a step.",
                example: "print(optim.cosine{from = 1, to = 0, steps = 10}(5))  --> 0.5",
                body: { call in
                    let step: Double = try call.get(1)
                    guard step >= 0, step.isFinite else { throw call.bad(1, "a step of 0 or more expected, got \(step)") }
                    return call.push(try call.this(as: ScheduleObject.self).schedule(step))
                }),
        ],
        unique: true, describe: { text($0.schedule) })

    private static func text(_ schedule: Schedule) -> String {
        switch schedule {
        case .constant(let rate): "constant \(rate)"
        case .cosine(let from, let to, let steps): "cosine from \(from) to \(to) in \(steps) steps"
        case .poly(let from, let to, let steps, let power): "poly from \(from) to \(to) in \(steps) steps, power \(power)"
        case .step(let from, let every, let factor): "step from \(from), times \(factor) every \(every) steps"
        case .warmUp(let steps, let then): "warm-up of \(steps) steps, then \(text(then))"
        }
    }
}

enum ScheduleBindings {
    static let all: [Binding] = [constant, cosine, poly, step, warmUp]

    private static let from = Option("from", .number, required: true, "rate at step 0")
    private static let to = Option("to", .number, default: 0, "rate at the end, and after it")
    private static let steps = Option("steps", .integer, required: true, "number of steps")

    private static func schedule(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], _ summary: String, _ detail: String, example: String,
        body: @escaping (Call) throws -> Schedule
    ) -> Binding {
        Binding(
            module: "optim", name: name, parameters: parameters, options: options, returns: [Returns(.object("schedule"))], summary: summary, detail: detail,
            example: example, body: { call in call.push(ScheduleObject(try body(call))) })
    }

    private static func count(_ call: Call, _ name: String) throws -> Int {
        let value: Int = try call.option(name)
        guard value > 0 else { throw call.badOption(name, "1 step or more expected, got \(value)") }
        return value
    }

    /// A rate, power or factor, as optimisers take it.
    private static func number(_ call: Call, _ name: String) throws -> Double {
        let value: Double = try call.option(name)
        guard value >= 0, value.isFinite else { throw call.badOption(name, "0 or more expected, got \(value)") }
        return value
    }

    private static let constant = schedule(
        "constant", [Argument("rate", .number)], "Always the same rate.", "", example: "print(optim.constant(0.1)(7))  --> 0.1"
    ) { call in
        let rate: Double = try call.get(1)
        guard rate >= 0, rate.isFinite else { throw call.bad(1, "0 or more expected, got \(rate)") }
        return .constant(rate)
    }

    private static let cosine = schedule(
        "cosine", options: [from, to, steps], "Half a cosine (Loshchilov and Hutter, 2017, without restarts).", "to + (from - to)·(1 + cos(π·step/steps)) / 2.",
        example: "local rate = optim.cosine{from = 0.025, to = 0.001, steps = 80}\nprint(rate(0), rate(80))  --> 0.025\t0.001"
    ) { call in .cosine(from: try number(call, "from"), to: try number(call, "to"), steps: try count(call, "steps")) }

    private static let poly = schedule(
        "poly", options: [from, to, steps, Option("power", .number, default: 0.9, "1 is a straight line")], "A falling power, as DeepLab trains.",
        "to + (from - to)·(1 - step/steps)^power.", example: "print(optim.poly{from = 0.05, steps = 10, power = 1}(5))  --> 0.025"
    ) { call in
        .poly(from: try number(call, "from"), to: try number(call, "to"), steps: try count(call, "steps"), power: try number(call, "power"))
    }

    private static let step = schedule(
        "step", options: [from, Option("every", .integer, required: true, "steps between two falls"), Option("factor", .number, default: 0.1, "of each fall")],
        "A staircase.", "from · factor^floor(step / every).", example: "print(optim.step{from = 1, every = 10, factor = 0.5}(25))  --> 0.25"
    ) { call in .step(from: try number(call, "from"), every: try count(call, "every"), factor: try number(call, "factor")) }

    private static let warmUp = schedule(
        "warm_up", options: [steps, Option("next", .object("schedule"), required: true, "what goes on after it, at its own count of steps")],
        "Rises in a straight line to what another schedule has at `steps`, and goes on with that.", "next(steps)·step/steps, then next(step).",
        example: "local rate = optim.warm_up{steps = 10, next = optim.constant(1)}\nprint(rate(5), rate(50))  --> 0.5\t1.0"
    ) { call in .warmUp(steps: try count(call, "steps"), then: try call.option("next", as: ScheduleObject.self).schedule) }
}
