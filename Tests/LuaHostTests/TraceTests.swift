import CLua
import XCTest

@testable import LuaHost
@testable import Tensors

/// What recordings know of Lua.
final class TraceTests: ScriptTestCase {
    private func runWorld(_ before: String) throws {
        let scripting = try Scripting()
        defer { scripting.host.close() }
        XCTAssertNil(scripting.run(ScriptTests.prelude + "\n" + before))
        let script = String(#filePath.dropLast("LuaHostTests/TraceTests.swift".count)) + "Scripts/compiled_world.lua"
        if case .failed(let error) = scripting.host.runFile(script, arguments: []) { XCTFail("\(error.message)\n\(error.traceback ?? "")") }
    }

    /// Where the code of Lua cannot be followed, everything is recorded at each call, and right.
    func testWithoutFollowing() throws {
        clua_trace_follow(false)
        defer { clua_trace_follow(true) }
        try runWorld("unlike = true")
    }

    /// With a collector that never rests: what a trace noted may be gone, and is then no reason to use a plan.
    func testWhileEverythingIsCollected() throws { try runWorld("collectgarbage('incremental', 1, 1000)") }

    /// A number that changes at each call makes a recording each: said once, with its name and what to do.
    func testManyRecordingsAreSaid() throws {
        let result = try Program.run(["-e", """
            local tau = 1
            local f = trellis.compile(function(x) return x * tau end)
            for i = 1, 300 do tau = 1 / i f(tensor.ones(1)) end
            """])
        XCTAssertEqual(result.status, 0, result.error)
        XCTAssertEqual(result.error.components(separatedBy: "pass what changes as a tensor").count, 2, result.error)
        XCTAssertTrue(result.error.contains("(command line):2") && result.error.contains("upvalue 'tau'"), result.error)
    }
}
