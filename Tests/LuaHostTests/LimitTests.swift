import Foundation
import XCTest

/// The program under limits of memory and file size, and after a fault of its own.
final class LimitTests: XCTestCase {
    /// Runs a script under a limit that bash sets: "ulimit -v 900000".
    private func run(_ script: String, limit: String = "true", environment: [String: String] = [:]) throws -> Program.Result {
        let folder = try Program.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try script.write(toFile: folder + "/script.lua", atomically: false, encoding: .utf8)
        return try Program.run(
            ["-c", "\(limit); exec \"$@\"", "test", Program.path, "script.lua"], environment: environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }, folder: folder,
            program: "/bin/bash")
    }

    private func expectDone(_ script: String, limit: String, file: StaticString = #filePath, line: UInt = #line) throws {
        let result = try run(script + "\nprint('done')", limit: limit)
        XCTAssertTrue(result.status == 0 && result.output.hasSuffix("done\n"), "\(limit): \(script)\n\(result.status) \(result.output) \(result.error)", file: file, line: line)
    }

    /// What needs more than there is, each in a state of its own; `needs` says that the error is ours and not Lua's.
    private static let scripts = [
        ("needs", "tensor.zeros(20000, 20000)"),
        ("needs", "local t = {} for i = 1, 1000 do t[i] = tensor.ones(1000, 1000) end"),
        ("needs", "local x = tensor.ones(4000, 5000) return x + 1, x:exp(), x * 2, x - 3, x:t():contiguous()"),
        ("needs", "nn.conv2d(10000, 10000, {kernel = 1})"),
        ("needs", "tensor.ones(1, 1, 4, 4):pad({5000, 5000}, {5000, 5000})"),
        // Scratch of a kernel.
        ("needs", "nn.functional.max_pool2d(tensor.ones(1, 1, 4, 4), {kernel = 1000000, padding = 500000})"),
        ("needs", "local f = trellis.compile(function(x) local y = {} for i = 1, 100 do y[i] = (x * i):softmax(2) end return tensor.stack(y):sum(1) end) f(tensor.ones(1000, 1000))"),
        ("needs", "tensor.ones(5000, 5000):to_table()"),
        ("memory", "local s = ('x'):rep(30000000) local t = {} for i = 1, 100 do t[i] = s .. i end"),
        ("memory", "local t = {} for i = 1, 1e9 do t[i] = {i} end"),
        ("needs", "local t = {} for i = 1, 1e9 do t[i] = tensor.zeros(1) end"),
        ("needs", "tensor.permutation(100000000)"),
        ("needs", "tensor.zeros(30000000):sort()"),
        ("bytes: ", "checkpoint.save('c.safetensors', {s = ('x'):rep(60000000)})"),
        ("needs", "data.shapes{images = 8, size = {8000, 8000}}:batches{size = 8}:next()"),
    ]

    /// Each is an error that can be caught, after which as much can be had as before.
    func testAddressSpace() throws { for script in Self.scripts { try check(script, "ulimit -v 450000") } }

    func testData() throws { for i in [0, 1, 3, 9] { try check(Self.scripts[i], "ulimit -d 350000") } }

    private func check(_ script: (words: String, text: String), _ limit: String) throws {
        try expectDone(
            """
            local fine, message = pcall(function() \(script.text) end)
            assert(not fine and tostring(message):find('\(script.words)', 1, true), tostring(message))
            collectgarbage()
            assert(tensor.ones(1000, 1000):sum():item() == 1e6)
            """, limit: limit)
    }

    /// Large products do without the library whose buffers cannot be had.
    func testProducts() throws {
        for limit in [200_000, 250_000, 300_000, 350_000, 400_000, 500_000, 800_000] {
            let result = try run(
                "print(tensor.ones(600, 600):matmul(tensor.ones(600, 600)):sum():item())", limit: "ulimit -v \(limit); set -- timeout 60 \"$@\"", environment: ["TRELLIS_THREADS": "2"])
            XCTAssertEqual(result.output, "216000000.0\n", "\(limit): \(result.error)")
        }
    }

    /// Tensors that nobody holds any more are no reason to refuse one.
    func testGarbageMakesRoom() throws {
        try expectDone("for i = 1, 12 do local x = tensor.ones(7000, 7000) end", limit: "ulimit -v 450000")
        try expectDone("for i = 1, 40 do local x = tensor.ones(1500, 1500 + i):exp() end", limit: "ulimit -v 250000")
    }

    func testMessageNamesTheLimit() throws {
        let script = "print(pcall(tensor.zeros, 30000, 20000))"
        let limited = try run(script, limit: "ulimit -v 450000").output
        XCTAssertTrue(limited.contains("needs 2.4 GB") && limited.contains("ulimit -v") && limited.contains("raise the limit"), limited)
        XCTAssertTrue(try run(script, limit: "ulimit -d 450000").output.contains("ulimit -d"))
    }

    /// A file that may not grow: the write fails and nothing half-written stays.
    func testFileSize() throws {
        let result = try run(
            """
            for _, name in ipairs{'a.npy', 'a.npz', 'a.safetensors'} do
              local fine, message = pcall(function() tensor.randn(100, 100):save(name) end)
              assert(not fine and message:find(name, 1, true), message)
            end
            for _, name in ipairs{'a.svg', 'a.png'} do
              assert(not pcall(function() plot.heatmap(tensor.rand(60, 60)):save(name) end))
            end
            print(#io.popen('ls'):read('a'))
            """, limit: "ulimit -f 4")
        XCTAssertEqual(result.output, "11\n", result.error)  // script.lua
    }

    /// Ended by a signal, the program says which function was at work.
    func testCrashReport() throws {
        let signals = [("SEGV", "SIGSEGV"), ("ABRT", "SIGABRT"), ("ILL", "SIGILL"), ("TRAP", "SIGTRAP"), ("BUS", "SIGBUS"), ("FPE", "SIGFPE")]
        for (signal, name) in signals {
            let result = try run(
                "local x = tensor.rand(8000000) os.execute('(sleep 0.3; kill -\(signal) $PPID) &') x:sort()", limit: "ulimit -c 0", environment: ["TRELLIS_THREADS": "1"])
            XCTAssertEqual(result.error.split(separator: "\n").first.map(String.init), "trellis: \(name) in tensor.sort", result.error)
            XCTAssertTrue(result.error.contains("trellis doctor"), result.error)
            XCTAssertNotEqual(result.status, 0)
        }
    }

    /// Ctrl-C ends the drawing of a large figure.
    func testFigureIsInterrupted() throws {
        let start = Date()
        let result = try run("local many = plot.images(tensor.zeros(100000, 3, 1, 1)) os.execute('(sleep 0.3; kill -INT $PPID) &') many:svg()")
        XCTAssertTrue(result.error.contains("interrupted"), result.error)
        XCTAssertLessThan(Date().timeIntervalSince(start), 30)
    }

    /// As deep as Lua's stack allows, and then as deep as the one of C.
    func testDeepRecursionIsAnError() throws {
        try expectDone(
            """
            collectgarbage('stop')  -- it would walk through the whole stack again and again
            local x = tensor.ones(2)
            local function f() x:dim() return 1 + f() end
            local fine, message = pcall(f)
            assert(not fine and message:find('stack overflow'), message)
            collectgarbage('restart')
            local function g(x) return tensor.no_grad(g, x) end
            fine, message = pcall(g, tensor.ones(1))
            assert(not fine and tostring(message):find('overflow'), message)
            local m
            m = nn.lambda(function(x) return m(x) end)
            assert(not pcall(m, tensor.ones(1)))
            local deep = nn.relu()
            fine, message = pcall(function() for i = 1, 1e5 do deep = nn.sequential{deep} end end)
            assert(not fine and message:find('deep'), message)
            """, limit: "ulimit -s 8192")
    }
}
