import CKernels
import CLua
import Foundation
import XCTest

@testable import LuaHost

/// What must never happen: leaks, jumps over Swift frames, interrupts that are held.
final class SafetyTests: XCTestCase {
    func testThousandErrorsLeakNothing() throws {
        let before = Box.alive
        do {
            let host = try TestHost()
            host.expect(
                """
                local count = 0
                for i = 1, 1000 do
                  local b = boxes.new(1)
                  if not pcall(b.fail, b) then count = count + 1 end
                  if not pcall(boxes.map, function(x) error({x}) end, b) then count = count + 1 end
                  if not pcall(boxes.map, function(x) return boxes.map(error, x) end, i) then count = count + 1 end
                  if not pcall(boxes.conv, b, 3) then count = count + 1 end
                end
                return count
                """, "4000")
            host.expect("collectgarbage() collectgarbage()")
            XCTAssertEqual(Box.alive, before)
        }
        XCTAssertEqual(Box.alive, before)
    }

    func testCallsLeakNothing() throws {
        let before = Box.alive
        let host = try TestHost()
        host.expect("local a, b = boxes.new(2), boxes.new(2) for i = 1, 100000 do local c = a:add(b) end")
        host.expect("collectgarbage()")
        XCTAssertEqual(Box.alive, before)
        XCTAssertEqual(clua_host_of(try XCTUnwrap(host.host.state)).pointee.objects, 0)
    }

    func testClosingReleasesEverything() throws {
        let before = Box.alive
        var kept: LuaValue = .nil
        do {
            let host = try TestHost()
            host.expect("keep = boxes.new(1); f = function() return keep end; local g = boxes.echo(f)")
            let L = try XCTUnwrap(host.host.state)
            clua_push_globals(L)
            Stack.rawGet(L, -1, "f")
            kept = try LuaValue.plain(L, -1)
            XCTAssertEqual(Box.alive, before + 1)
            host.host.close()
        }
        XCTAssertEqual(Box.alive, before)
        XCTAssertThrowsError(try XCTUnwrap(kept.function).call())
    }

    func testErrorValuesAndTracebacksPassThroughCallbacks() throws {
        let host = try TestHost()
        host.expect("local e = {} local ok, v = pcall(boxes.map, function() boxes.map(function() error(e) end) end) return ok, v == e",
            "false", "true")
        let error = try XCTUnwrap(host.run("local function deep() error('boom') end boxes.map(function() deep() end)").error)
        XCTAssertEqual(error.message, "[t]:1: boom")
        XCTAssertTrue(try XCTUnwrap(error.traceback).contains("in upvalue 'deep'"), error.traceback ?? "")
        XCTAssertFalse(try XCTUnwrap(error.traceback).hasSuffix("[C]: in ?"))
        let wrapped = try XCTUnwrap(host.run("local function deep() error('co') end coroutine.wrap(function() deep() end)()").error)
        XCTAssertTrue(try XCTUnwrap(wrapped.traceback).contains("in upvalue 'deep'"), wrapped.traceback ?? "")
        let plain = try XCTUnwrap(host.run("pcall(boxes.map, function() error('same', 0) end) error('same', 0)").error)
        XCTAssertTrue(try XCTUnwrap(plain.traceback).contains("[C]: in function 'error'"))
    }

    func testYieldAcrossSwiftIsAnError() throws {
        let host = try TestHost()
        host.expect("return coroutine.resume(coroutine.create(function() boxes.map(coroutine.yield) end))",
            "false", "attempt to yield across a C-call boundary")
        host.expect("return coroutine.wrap(function() return boxes.map(function(x) return x + 1 end, 1) end)()", "2")
        host.expect("local co = coroutine.wrap(function(...) local x = coroutine.yield(...) return x end) return co(1, 2), co(3)", "1", "3")
        host.expect("return coroutine.resume(coroutine.create(error), 'e')", "false", "e")
    }

    func testInterruptStopsASwiftStep() throws {
        let host = try TestHost()
        clua_interrupt_install()
        defer { signal(SIGINT, SIG_DFL) }
        for source in ["boxes.spin()", "while true do pcall(boxes.spin) end", "boxes.map(function() while true do end end)"] {
            let thread = Thread {
                usleep(150_000)
                kill(getpid(), SIGINT)
            }
            thread.start()
            guard case .interrupted(let error) = host.host.evaluate(source, name: "=[t]") else { return XCTFail(source) }
            XCTAssertEqual(error?.isInterrupt, true)
        }
        host.expect("return 1", "1")
        XCTAssertFalse(trellis_interrupt_pending())
    }

    func testDroppedObjectsAreCollectedByTheirSize() throws {
        let host = try TestHost()
        trellis_memory_reset_peak()
        host.expect("for i = 1, 20000 do local t = boxes.new(1048576) end")
        XCTAssertLessThan(trellis_memory_peak(), 600 << 20)
        host.expect("local kept = {} for i = 1, 200 do kept[i] = boxes.new(1048576) end for i = 1, 5000 do boxes.new(1048576) end")
        XCTAssertLessThan(trellis_memory_peak(), 2500 << 20)
    }

    func testFreedAndForeignUserdata() throws {
        let host = try TestHost()
        host.expect("local b = boxes.new(1); b:free(); b:free()", error: "[t]:1: calling 'free' on bad self (box used after free)")
        host.expect("local b = boxes.new(1); b:free(); return b.value", error: "[t]:1: box used after free")
        host.expect("local b = boxes.new(1); debug.setmetatable(b, nil); return boxes.conv(b, b)", "3", "false")
        host.expect("local b = boxes.new(1); local gc = debug.getmetatable(b).__gc; gc(b); gc(b); gc(io.stdout); gc(nil); tostring(b)",
            error: "[t]:1: box used after free")
    }

    /// Whatever takes a string takes UTF-8: other bytes are no text, and as a name they would be another file's.
    /// What `session` has is for the prompt and says so first.
    func testStringsThatAreNotUTF8AreRefusedEverywhere() throws {
        let scripting = try Scripting()
        var tried = 0
        for module in scripting.host.registry.modules where module.name != "session" {
            for binding in module.bindings {
                guard let first = binding.parameters.first, case .string = first.kind else { continue }
                let others = binding.parameters.dropFirst().prefix { !$0.optional }.map { switch $0.kind { case .function: ", print"; case .string: ", 'x'"; case .integer, .number: ", 1"; default: ", {}" } }.joined()
                let required = binding.options.filter(\.required).map { "\($0.name) = \($0.kind.acceptsTable ? "{1}" : "1")" }
                let source = """
                    local fine, message = pcall(\(module.name).\(binding.name), '\\xe9.png'\(others)\(required.isEmpty ? "" : ", {\(required.joined(separator: ", "))}"))
                    assert(not fine and tostring(message):find([[\\xe9.png', which is not UTF-8]], 1, true), tostring(message))
                    """
                XCTAssertNil(scripting.run(source), "\(module.name).\(binding.name)")
                tried += 1
            }
        }
        XCTAssertGreaterThan(tried, 8)
        for call in [
            "nn.relu():save('\\xe9')", "nas.gallery.auto_deeplab:save('\\xe9')", "tensor.ones(1):save('\\xe9.npy')",
            "nn.conv2d(3, 2, {kernel = 1}):segment(tensor.rand(3, 2, 2), {overlay = '\\xe9.png'})", "nn.relu():export('\\xe9.onnx', {height = 8, width = 8})",
            "data.folder{images = '\\xe9', classes = 2}", "optim.sgd(nn.linear(1, 1):parameters(), {lr = 1}):save('\\xe9')",
        ] {
            let error = scripting.run(call) ?? "no error"
            XCTAssertTrue(error.contains("which is not UTF-8"), "\(call): \(error)")
        }
    }
}
