import Foundation
import XCTest

@testable import LuaHost

/// Calls everything that is registered with odd arguments, in processes that may die (`Tests/Fuzz/fuzz.lua`): none may end but by itself.
///
/// `TRELLIS_FUZZ_CALLS` (default 2000) and `TRELLIS_FUZZ_SEED` say how many and which calls, `TRELLIS_FUZZ_BINARY` which program runs them.
final class FuzzTests: XCTestCase {
    private static let driver = String(#filePath.dropLast("LuaHostTests/FuzzTests.swift".count)) + "Fuzz/fuzz.lua"
    /// Seconds after which a call is interrupted, and after which it counts as a hang: Ctrl-C did not end it.
    private static let patience = 5.0, hang = 10.0
    /// Kilobytes of address space of a child.
    private static let space = 3_000_000

    private static func variable(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

    func testEveryTypeHasARecipe() throws {
        let folder = try Program.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Registry.standard.fuzzDescription.write(toFile: folder + "/registry.lua", atomically: false, encoding: .utf8)
        let result = try Program.run([Self.driver, "registry.lua", "log", "1", "1", "0"], folder: folder)
        XCTAssertEqual(result.status, 0, result.error)
    }

    func testOddArguments() throws {
        let calls = Int(Self.variable("TRELLIS_FUZZ_CALLS") ?? "") ?? 2000
        let seed = Int(Self.variable("TRELLIS_FUZZ_SEED") ?? "") ?? 1
        let folder = try Program.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Registry.standard.fuzzDescription.write(toFile: folder + "/registry.lua", atomically: false, encoding: .utf8)
        if let keep = Self.variable("TRELLIS_FUZZ_KEEP") { try Registry.standard.fuzzDescription.write(toFile: keep, atomically: false, encoding: .utf8) }
        var first = 1, ends = 0
        while first <= calls, ends < 50 {
            let child = try FuzzChild(folder, [Self.driver, "../registry.lua", "../log", "\(seed)", "\(first)", "\(calls)"], kilobytes: Self.space)
            let end = child.wait(interruptAfter: Self.patience, killAfter: Self.hang)
            guard let call = end.call, !end.isDone else { break }
            if let fault = end.fault {
                ends += 1
                XCTFail("seed \(seed), call \(call.number) \(fault): \(call.text)\n\(child.lastWords)")
            }
            first = call.number + 1
        }
    }
}

/// One run of the driver over a range of calls, in a fresh folder with a limit of memory.
private final class FuzzChild {
    struct End {
        /// The call that was made last.
        var call: (number: Int, text: String)?
        var isDone = false
        /// What went wrong, if it was no interrupt of ours.
        var fault: String?
    }

    private let process = Process()
    private let log: String
    private let output: URL

    init(_ folder: String, _ arguments: [String], kilobytes: Int) throws {
        log = folder + "/log"
        output = URL(fileURLWithPath: folder + "/output")
        let work = folder + "/work"
        try? FileManager.default.removeItem(atPath: work)
        try? FileManager.default.removeItem(atPath: log)
        try FileManager.default.createDirectory(atPath: work + "/dir", withIntermediateDirectories: true)
        try Data().write(to: output)
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        let binary = ProcessInfo.processInfo.environment["TRELLIS_FUZZ_BINARY"] ?? Program.path
        process.arguments = ["-c", "ulimit -v \(kilobytes); ulimit -c 0; exec \"$@\"", "fuzz", binary] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: work)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: output)
        try process.run()
    }

    /// The end of what was written to standard error.
    var lastWords: String { String(decoding: ((try? Data(contentsOf: output)) ?? Data()).suffix(600), as: UTF8.self) }

    private var current: (number: Int, text: String)? {
        guard let line = (try? String(contentsOfFile: log, encoding: .utf8))?.split(separator: "\n").first,
            let gap = line.firstIndex(of: " "), let number = Int(line[..<gap])
        else { return nil }
        return (number, String(line[line.index(after: gap)...]))
    }

    func wait(interruptAfter patience: Double, killAfter hang: Double) -> End {
        var seen = 0, since = Date(), interrupted = false
        while process.isRunning {
            usleep(20_000)
            if let number = current?.number, number != seen { (seen, since, interrupted) = (number, Date(), false) }
            let time = Date().timeIntervalSince(since)
            if time > hang {
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                return End(call: current, fault: "did not end in \(Int(hang)) seconds, nor by an interrupt")
            }
            if time > patience, !interrupted {
                process.interrupt()
                interrupted = true
            }
        }
        process.waitUntilExit()
        let status = process.terminationStatus
        if process.terminationReason == .uncaughtSignal { return End(call: current, fault: "ended the process by signal \(status)") }
        switch status {
        case 0: return End(call: current, isDone: true)
        case 130 where interrupted: return End(call: current)
        default: return End(call: current, fault: "ended the process with status \(status)")
        }
    }
}

extension Registry {
    /// What is registered, as a Lua table: functions, methods, fields and metamethods with the kinds of their arguments.
    fileprivate var fuzzDescription: String {
        var entries: [String] = []
        func add(_ what: String, _ name: String, type: String? = nil, _ parameters: [Argument] = [], _ options: [Option] = [], more: String = "") {
            let list = parameters.map { "{name = \(quoted($0.name)), kind = \($0.kind.lua), optional = \($0.optional), variadic = \($0.variadic)}" }
            let choices = options.map { "{name = \(quoted($0.name)), kind = \($0.kind.lua), required = \($0.required)}" }
            entries.append(
                "{what = \(quoted(what)), name = \(quoted(name)), type = \(type.map(quoted) ?? "nil"), parameters = {\(list.joined(separator: ", "))}, "
                    + "options = {\(choices.joined(separator: ", "))}\(more)}")
        }
        for module in modules {
            for binding in module.bindings { add("function", "\(module.name).\(binding.name)", binding.parameters, binding.options) }
            for constant in module.constants { add("constant", "\(module.name).\(constant.name)") }
            if let call = module.call { add("function", module.name, call.parameters, call.options) }
        }
        for type in allTypes {
            for method in type.methods { add("method", method.name, type: type.name, method.parameters, method.options) }
            for field in type.fields { add("field", field.name, type: type.name, more: ", kind = \(field.kind.lua), writable = \(field.set != nil)") }
            for method in type.metamethods { add("metamethod", method.name, type: type.name, method.parameters, method.options) }
            for name in ["__index", "__newindex", "__eq", "__tostring", "__gc", "__close"] { add("metamethod", name, type: type.name) }
        }
        return "return {\n\(entries.joined(separator: ",\n"))\n}\n"
    }
}

private func quoted(_ text: String) -> String { "\"" + text.replacingOccurrences(of: "\"", with: "\\\"") + "\"" }

extension Kind {
    fileprivate var lua: String {
        switch self {
        case .any: "{\"any\"}"
        case .boolean: "{\"boolean\"}"
        case .number: "{\"number\"}"
        case .integer: "{\"integer\"}"
        case .string: "{\"string\"}"
        case .table: "{\"table\"}"
        case .function: "{\"function\"}"
        case .object(let name): "{\"object\", \(quoted(name))}"
        case .list(let element): "{\"list\", \(element.lua)}"
        case .choice(let names): "{\"choice\", {\(names.map(quoted).joined(separator: ", "))}}"
        case .union(let kinds): "{\"union\", {\(kinds.map(\.lua).joined(separator: ", "))}}"
        }
    }
}
