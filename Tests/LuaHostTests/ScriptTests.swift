import CKernels
import XCTest

@testable import LuaHost

/// Runs every script of Tests/Scripts in a state and a directory of its own. A script fails by raising an error; no bytes of tensors may be
/// left when its state is closed.
final class ScriptTests: ScriptTestCase {
    static let prelude = """
        --- Raises unless both are equal: numbers, strings, tensors, or tables of them.
        function same(got, wanted, what)
          local function text(x)
            if type(x) == 'table' then
              local parts = {}
              for i, y in ipairs(x) do parts[i] = text(y) end
              return '{' .. table.concat(parts, ', ') .. '}'
            end
            return getmetatable(x) == 'tensor' and text(x:to_table()) or tostring(x)
          end
          if text(got) ~= text(wanted) then
            error((what or 'value') .. ': expected ' .. text(wanted) .. ', got ' .. text(got), 2)
          end
        end
        --- Raises unless the numbers are within a tolerance of each other.
        function near(got, wanted, tolerance)
          local function number(x) return getmetatable(x) == 'tensor' and x:item() or x end
          if math.abs(number(got) - number(wanted)) > (tolerance or 1e-5) then
            error('expected ' .. number(wanted) .. ', got ' .. number(got), 2)
          end
        end
        --- Raises unless f raises an error whose message contains `text`.
        function fails(text, f)
          local fine, message = pcall(f)
          if fine then error('no error, expected: ' .. text, 2) end
          if not tostring(message):find(text, 1, true) then error('expected: ' .. text .. '\\n     got: ' .. tostring(message), 2) end
        end
        """

    func testScripts() throws {
        let folder = String(#filePath.dropLast("LuaHostTests/ScriptTests.swift".count)) + "Scripts"
        let scripts = files(folder).filter { $0.hasSuffix(".lua") }
        XCTAssertFalse(scripts.isEmpty)
        for script in scripts { try inNewDirectory { try run(script, of: folder) } }
    }

    private func run(_ script: String, of folder: String) throws {
        let before = trellis_memory_live()
        let scripting = try Scripting()
        XCTAssertNil(scripting.run(ScriptTests.prelude))
        XCTAssertNil(scripting.run("scripts = '\(folder)'"))
        switch scripting.host.runFile(folder + "/" + script, arguments: []) {
        case .done: break
        case .failed(let error): XCTFail("\(error.message)\n\(error.traceback ?? "")")
        default: XCTFail("\(script) did not end")
        }
        XCTAssertEqual(scripting.strays, 0, "\(script): Lua values were collected before what needs them")
        scripting.host.close()
        XCTAssertEqual(trellis_memory_live(), before, "\(script) leaves tensors behind")
    }

    /// Scripts that give the library Lua functions to keep, with a collector that never rests: nothing that is still needed may go.
    func testNothingNeededIsCollected() throws {
        let folder = String(#filePath.dropLast("LuaHostTests/ScriptTests.swift".count)) + "Scripts"
        for script in ["networks_in_lua.lua", "module_tables.lua", "branches.lua", "compiled.lua", "nas_operators.lua", "strategies.lua"] {
            let scripting = try Scripting()
            XCTAssertNil(scripting.run(ScriptTests.prelude + "\ncollectgarbage('incremental', 1, 1000)"))
            XCTAssertNil(scripting.run("scripts = '\(folder)'"))
            if case .failed(let error) = scripting.host.runFile(folder + "/" + script, arguments: []) { XCTFail("\(error.message)\n\(error.traceback ?? "")") }
            XCTAssertEqual(scripting.strays, 0, script)
            scripting.host.close()
        }
    }
}
