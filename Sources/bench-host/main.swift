// Times the host for scripts/bench: what a call from Lua costs before any tensor is touched, and that nothing is left behind.
import Glibc
import LuaHost

/// The least an object can be: the cost measured is the host's.
final class Box: LuaObject {
    nonisolated(unsafe) static var alive = 0
    init() { Box.alive += 1 }
    deinit { Box.alive -= 1 }

    private static let operand: Kind = .union([.object("box"), .number])

    static let objectType = ObjectType(
        "box", of: Box.self, summary: "Nothing.",
        methods: [
            Binding(module: "box", name: "add", parameters: [Argument("other", .object("box"))], summary: "A new one.") { call in
                let _: Box = try call.this(), _: Box = try call.get(1)
                return call.push(Box())
            },
            Binding(module: "box", name: "fail", summary: "Throws.") { _ in throw HostError("no") },
        ],
        metamethods: [
            Binding(name: "__add", parameters: [Argument("a", operand), Argument("b", operand)], summary: "A new one.") { call in
                let _: Box = try call.get(1), _: Box = try call.get(2)
                return call.push(Box())
            },
        ],
        describe: { _ in "box" })
}

let boxes = LuaModule(
    "boxes", summary: "For the benchmark.", types: [Box.objectType],
    bindings: [
        Binding(module: "boxes", name: "new", summary: "A box.") { call in call.push(Box()) },
        Binding(module: "boxes", name: "nothing", summary: "Does nothing.") { _ in 0 },
        Binding(
            module: "boxes", name: "with", parameters: [Argument("x", .number)], options: [Option("k", .integer, default: 1)],
            summary: "Reads an option."
        ) { call in call.push(try call.option("k", as: Int.self)) },
    ])

/// Nanoseconds for each of `count` rounds of a loop body; the empty loop is taken off by the caller.
func time(_ host: ScriptHost, _ body: String, _ count: Int) -> Double {
    let locals = "local a, b, nothing, with, abs = boxes.new(), boxes.new(), boxes.nothing, boxes.with, math.abs"
    let source = "\(locals) for i = 1, \(count) do \(body) end"
    var start = timespec(), end = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start)
    if case .failed(let error) = host.evaluate(source, name: "=bench") {
        Terminal.error("\(error)\n")
        exit(1)
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end)
    return Double((end.tv_sec - start.tv_sec) * 1_000_000_000 + end.tv_nsec - start.tv_nsec) / Double(count)
}

func column(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }

func measure() throws {
    let host = try ScriptHost(Registry([boxes]))
    let calls = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 10_000_000 : 10_000_000
    let rows = [
        ("math.abs(i)", "abs(i)"), ("empty Swift function", "nothing()"), ("number and an option table", "with(i, {k = 2})"),
        ("two objects in, one out: method", "a:add(b)"), ("two objects in, one out: operator", "local c = a + b"),
        ("pcall of a Swift body that throws", "pcall(a.fail, a)"),
    ]
    Terminal.out(column("ns a call (processor time)", 40) + "incremental  generational\n")
    for (name, body) in rows {
        var cells = ""
        for mode in ["incremental", "generational"] {
            _ = host.evaluate("collectgarbage('\(mode)')", name: "=bench")
            let count = calls / 10
            let empty = time(host, "", count)
            let best = (0..<3).map { _ in time(host, body, count) - empty }.min() ?? 0
            cells += column("\(Int(best.rounded()))", 13)
        }
        Terminal.out(column(name, 40) + cells + "\n")
    }
    _ = host.evaluate("collectgarbage('incremental') collectgarbage()", name: "=bench")
    let before = Box.alive
    _ = time(host, "a:add(b)", calls)
    _ = time(host, "pcall(a.fail, a)", calls / 10)
    _ = host.evaluate("collectgarbage() collectgarbage()", name: "=bench")
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    Terminal.out("\(calls) calls and \(calls / 10) errors later: \(Box.alive - before) objects left, peak \(usage.ru_maxrss / 1024) MB\n")
    host.close()
    Terminal.out("after closing: \(Box.alive) objects\n")
    exit(Box.alive == 0 ? 0 : 1)
}

do {
    try measure()
} catch {
    Terminal.error("\(error)\n")
    exit(1)
}
