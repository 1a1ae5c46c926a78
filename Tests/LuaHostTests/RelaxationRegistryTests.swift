import XCTest

@testable import LuaHost

/// Every relaxation of the registry has its derivatives, by differences, for every kind of decision: nobody can add one without.
final class RelaxationRegistryTests: ScriptTestCase {
    func testEveryRelaxation() throws {
        let scripting = try Scripting()
        defer { scripting.host.close() }
        XCTAssertNil(scripting.run(ScriptTests.prelude))
        let names = RelaxationBindings.all.map(\.name)
        XCTAssertGreaterThan(names.count, 6)
        XCTAssertNil(scripting.run("registered = {" + names.map { "'\($0)'" }.joined(separator: ", ") + "}"))
        let script = String(#filePath.dropLast("LuaHostTests/RelaxationRegistryTests.swift".count)) + "Scripts/registry/relaxations.lua"
        switch scripting.host.runFile(script, arguments: []) {
        case .done: break
        case .failed(let error): XCTFail("\(error.message)\n\(error.traceback ?? "")")
        default: XCTFail("the script did not end")
        }
    }
}
