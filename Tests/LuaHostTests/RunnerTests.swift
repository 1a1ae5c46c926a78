import Foundation
import XCTest

@testable import LuaHost

/// Scripts, options, pipes and exit codes, with the real binary.
final class RunnerTests: XCTestCase {
    func testExitCodes() throws {
        XCTAssertEqual(try Program.run(["-e", "x = 1"]).status, 0)
        XCTAssertEqual(try Program.run(["-e", "os.exit(7)"]).status, 7)
        XCTAssertEqual(try Program.run(["-e", "os.exit(true, true)"]).status, 0)
        XCTAssertEqual(try Program.run(["-e", "os.exit(false)"]).status, 1)
        XCTAssertEqual(try Program.run(["-e", "error('x')"]).status, 1)
        XCTAssertEqual(try Program.run(["-e", "x = = 1"]).status, 1)
        XCTAssertEqual(try Program.run(["-l", "no_such_module"]).status, 1)
        XCTAssertEqual(try Program.run(["no_such_script.lua"]).status, 1)
        XCTAssertEqual(try Program.run(["-x"]).status, 2)
        XCTAssertEqual(try Program.run(["-e"]).status, 2)
        XCTAssertEqual(try Program.run(["stubs"]).status, 2)
        XCTAssertEqual(try Program.run(["--help"]).status, 0)
    }

    func testErrorsGoToStandardError() throws {
        let script = try Program.temporaryFile("#!/usr/bin/env trellis\nlocal function f() error('boom') end\nf()\n", suffix: ".lua")
        let result = try Program.run([script.path])
        XCTAssertEqual(result.output, "")
        XCTAssertEqual(
            result.error,
            """
            trellis: \(script.path):2: boom
            stack traceback:
            \t[C]: in function 'error'
            \t\(script.path):2: in local 'f'
            \t\(script.path):3: in main chunk

            """.replacing(script.path, with: shortened(script.path)))
        let broken = try Program.run(["-e", "x = = 1"])
        XCTAssertEqual(broken.error, "trellis: (command line):1: unexpected symbol near '='\n")
        for (source, message) in [
            ("x=", "(command line):1: unexpected symbol near <eof>"), ("x = 'abc", "(command line):1: unfinished string near <eof>"),
            ("for i = 1, 2 do\n", "(command line):2: 'end' expected (to close 'for' at line 1) near <eof>"), ("error({})", "(error object is a table value)"),
            ("error()", "(error object is a nil value)"), ("error(true)", "(error object is a boolean value)"), ("error(1.5)", "1.5"),
            ("error(print)", "(error object is a function value)"), ("error(tensor.zeros(1))", "tensor float32 [1]"),
            ("error(setmetatable({}, {__tostring = function() return 'mine' end}))", "mine"),
            ("error(setmetatable({}, {__tostring = function() return 5 end}))", "(error object is a table value)"),
            ("error(setmetatable({}, {__tostring = function() error('in it', 0) end}))", "(__tostring failed: in it)"),
            ("error(setmetatable({}, {__tostring = function(x) error(x) end}))", "(__tostring failed: table)"),
            // The functions that led to the error are still there when its text is made.
            ("local e = setmetatable({}, {__tostring = function() return 'line ' .. debug.getinfo(4).currentline end})\n\nerror(e)", "line 3"),
            ("nn.lambda(function() error(setmetatable({}, {__tostring = function() return 'far away' end})) end)(1)", "far away"),
        ] {
            let result = try Program.run(["-e", source])
            XCTAssertEqual(result.error.split(separator: "\n").first.map(String.init), "trellis: " + message, source)
            XCTAssertEqual(result.status, 1)
        }
    }

    /// The script gets what `arg` has when it begins: code of -e and -l may have changed it.
    func testArgumentsMayBeAltered() throws {
        XCTAssertEqual(try Program.run(["-e", "arg[1] = 100", "-"], input: "print(...)").output, "100\n")
        XCTAssertEqual(try Program.run(["-e", "arg[#arg + 1] = 'more'", "-", "a"], input: "print(...)").output, "a\tmore\n")
        XCTAssertEqual(try Program.run(["-e", "arg = {7, 8}", "-", "a"], input: "print(...)").output, "7\t8\n")
        let result = try Program.run(["-e", "arg = 1", "-"], input: "print(1)")
        XCTAssertEqual(result.error, "trellis: 'arg' is not a table\n")
        XCTAssertEqual(result.output, "")
        XCTAssertEqual(result.status, 1)
    }

    /// Lua cuts long paths in messages to 60 characters.
    private func shortened(_ path: String) -> String { path.utf8.count < 60 ? path : "..." + path.suffix(56) }

    func testOptionsAsLuaHasThem() throws {
        let script = try Program.temporaryFile("print(#arg, arg[0] ~= nil, arg[1], arg[-1], ...)", suffix: ".lua").path
        XCTAssertEqual(try Program.run(["-e", "a = 1", script, "x", "-y"]).output, "2\ttrue\tx\ta = 1\tx\t-y\n")
        XCTAssertEqual(try Program.run(["-ea=3", "-e", "print(a)"]).output, "3\n")
        XCTAssertEqual(try Program.run(["-l", "m=string", "-e", "print(m.rep('x', 3))"]).output, "xxx\n")
        XCTAssertEqual(try Program.run(["-lmath", "-e", "print(math.pi > 3)"]).output, "true\n")
        XCTAssertEqual(try Program.run(["-", "q"], input: "print(..., arg[0])").output, "q\t-\n")
        XCTAssertEqual(try Program.run([], input: "#!shebang\nprint('piped', ...)").output, "piped\n")
        XCTAssertEqual(try Program.run(["-v"]).output, "Trellis \(TrellisModule.version), \(luaRelease)\n")
        XCTAssertEqual(try Program.run(["-e", "warn('w')"]).error, "")
        XCTAssertEqual(try Program.run(["-W", "-e", "warn('w')"]).error, "Lua warning: w\n")
        XCTAssertEqual(try Program.run(["-e", "print(1)"], environment: ["LUA_INIT": "print(0)"]).output, "0\n1\n")
        XCTAssertEqual(try Program.run(["-E", "-e", "print(1)"], environment: ["LUA_INIT": "print(0)"]).output, "1\n")
        XCTAssertEqual(try Program.run(["--", script]).output, "0\ttrue\tnil\t--\n")
    }

    /// Bytes that are not UTF-8 reach Lua as they are, whichever way they come.
    func testBytesAreKept() throws {
        let folder = try Program.temporaryFolder()
        func shell(_ command: String) throws -> String {
            let result = try Program.run(["-c", command, "sh", Program.path], folder: folder, program: "/bin/bash")
            return result.output + result.error
        }
        let shows = "print((...):byte(1, -1))"
        XCTAssertEqual(try shell("echo '\(shows)' > a.lua; $1 a.lua $'a\\xe9b'"), "97\t233\t98\n")
        XCTAssertEqual(try shell("$1 a.lua $'\\xf4\\x8f\\xbb\\xbf\\xc3\\xa9\\xff'"), "244\t143\t187\t191\t195\t169\t255\n")
        XCTAssertEqual(try shell("$1 -e $'print(#\"\\xff\\xfe\")'"), "2\n")
        XCTAssertEqual(try shell("LUA_INIT=$'print(#\"\\xff\\xfe\")' $1 -e ''"), "2\n")
        XCTAssertEqual(try shell("printf 'x = \"\\xff\\xfe\"\\n#x' | $1 -i"), "2\n")
        XCTAssertEqual(try shell("mkdir $'d\\xe9'; cp a.lua $'d\\xe9/'; echo 'return {7}' > $'d\\xe9/mod.lua'; $1 $'d\\xe9/a.lua' x"), "120\n")
        XCTAssertEqual(try shell("echo 'print(require(\"mod\")[1])' > $'d\\xe9/b.lua'; $1 $'d\\xe9/b.lua'"), "7\n")
        XCTAssertEqual(try shell("cd $'d\\xe9'; for i in 1 2; do $1 -e 'print(pcall(files.write, \"f.txt\", \"x\"))'; done"), "true\ntrue\n")
        XCTAssertTrue(try shell("$1 stubs $'d\\xe9'").contains("d\\xe9"))
        XCTAssertTrue(try shell("$1 profile --save $'\\xe9.svg' a.lua x").contains("'\\xe9.svg' is not UTF-8"))
    }

    /// Every byte and every pair of the bytes that begin and continue characters comes back.
    func testKeptBytesComeBack() {
        let edges: [UInt8] = [0, 0x41, 0x7f, 0x80, 0x8f, 0xba, 0xbb, 0xbf, 0xc2, 0xc3, 0xed, 0xa0, 0xf4, 0xff]
        var state: UInt64 = 1
        var samples = (0...255).map { [UInt8($0)] } + edges.flatMap { a in edges.map { [a, $0] } }
        samples += [Array("é𝄞".utf8), [0xf4, 0x8f, 0xba, 0x80], [0xf4, 0x8f, 0xbb, 0xbf], [0x41, 0xf4, 0x8f, 0xbb]]
        for _ in 0..<5000 {
            samples.append(
                (0..<6).map { _ in
                    state = state &* 6_364_136_223_846_793_005 &+ 1
                    return edges[Int(state >> 33) % edges.count]
                })
        }
        for bytes in samples { XCTAssertEqual(String(keeping: bytes).keptBytes, bytes) }
        XCTAssertEqual(String(keeping: "é𝄞".utf8), "é𝄞")
    }

    func testPipedPromptHasNoPrompt() throws {
        let result = try Program.run(["-i"], input: "1 + 1\nfor i = 1, 2 do\nprint(i)\nend\nerror('x', 0)\n'done'\n")
        XCTAssertEqual(result.output, "2\n1\n2\ndone\n")
        XCTAssertEqual(result.error, "x\n")
    }

    func testRequireBesideScript() throws {
        let folder = try Program.temporaryFolder()
        try "return {value = 42}".write(toFile: folder + "/part.lua", atomically: false, encoding: .utf8)
        try "print(require('part').value)".write(toFile: folder + "/main.lua", atomically: false, encoding: .utf8)
        XCTAssertEqual(try Program.run([folder + "/main.lua"], folder: "/").output, "42\n")
    }

    func testOnlyTextIsLoaded() throws {
        let folder = try Program.temporaryFolder()
        let path = folder + "/binary.lua"
        let source = """
            local code = string.dump(function() return 1 end)
            local f = io.open('\(path)', 'wb') f:write(code) f:close()
            print(select(2, load(code)))
            print(select(2, load(code, 'x', 'b')))
            print(select(2, loadfile('\(path)')))
            print(select(2, pcall(dofile, '\(path)')))
            package.path = '\(folder)/?.lua'
            print((select(2, pcall(require, 'binary')):gsub('.*\\t', '')))
            print(load('return ...', 'n', 't', {})(5), load(function() return nil end) ~= nil)
            """
        let lines = try Program.run(["-e", source]).output.split(separator: "\n")
        XCTAssertEqual(lines.count, 6)
        for line in lines.prefix(5) { XCTAssertTrue(line.contains("attempt to load a binary chunk (mode is 't')"), String(line)) }
        XCTAssertEqual(lines.last, "5\ttrue")
    }

    func testStubsAreLua() throws {
        let folder = try Program.temporaryFolder()
        XCTAssertEqual(try Program.run(["stubs", folder]).status, 0)
        XCTAssertEqual(try Program.run(["-e", "assert(loadfile('\(folder)/library/trellis.lua'))()"]).error, "")
        XCTAssertEqual(try Program.run(["-e", "assert(loadfile('\(folder)/.luacheckrc', 't', {stds = {}}))()"]).error, "")
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: folder + "/.luarc.json"))) as? [String: Any]
        XCTAssertEqual(json?["workspace.library"] as? [String], ["library"])
        XCTAssertTrue(try Program.run(["stubs", folder]).output.contains("left \(folder)/.luarc.json as it is"))
        XCTAssertTrue(try Program.run(["reference"]).output.hasPrefix("# Reference\n"))
        XCTAssertTrue(try Program.run(["doctor"]).output.contains("instructions"))
        XCTAssertEqual(try Program.run(["stubs", "/proc/no"]).status, 1)
    }

    func testProfile() throws {
        let folder = try Program.temporaryFolder()
        let script = folder + "/a.lua"
        try "local net = nn.conv2d(3, 4, {kernel = 3})\nprint(net(tensor.ones(1, 3, 9, 9)).shape[2], ...)".write(toFile: script, atomically: false, encoding: .utf8)
        let result = try Program.run(["profile", "--save", folder + "/p.svg", "--save", folder + "/p.png", "--depth", "2", script, "x"])
        XCTAssertEqual(result.status, 0, result.error)
        let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
        XCTAssertEqual(lines.first, "4\tx")
        XCTAssertTrue(lines.contains { $0.hasPrefix("conv2d ") }, result.output)
        XCTAssertTrue(try String(contentsOfFile: folder + "/p.svg", encoding: .utf8).contains("by operation"))
        XCTAssertEqual(try Data(contentsOf: URL(fileURLWithPath: folder + "/p.png")).prefix(4), Data([0x89, 0x50, 0x4E, 0x47]))

        try "tensor.ones(2):sum()\nerror('boom')".write(toFile: script, atomically: false, encoding: .utf8)
        let failed = try Program.run(["profile", script])
        XCTAssertEqual(failed.status, 1)
        XCTAssertTrue(failed.error.contains("boom"))
        XCTAssertTrue(failed.output.contains("sum "), "what ran before the error is shown")
        XCTAssertEqual(try Program.run(["profile"]).status, 2)
        XCTAssertEqual(try Program.run(["profile", "--depth", "x", script]).status, 2)
        XCTAssertEqual(try Program.run(["profile", "--save", "p.bmp", script]).status, 2)
        XCTAssertEqual(try Program.run(["profile", "--help"]).status, 0)
    }

    func testStateIsClosedAtTheEnd() throws {
        let source = "setmetatable({}, {__gc = function() print('collected') end})"
        XCTAssertEqual(try Program.run(["-e", source]).output, "collected\n")
        XCTAssertEqual(try Program.run(["-e", source + " os.exit(0, true)"]).output, "collected\n")
        XCTAssertEqual(try Program.run(["-e", source + " os.exit(0)"]).output, "")
        // From within calls of the library, whose objects the state still holds.
        for leave in [
            "tensor.no_grad(function() os.exit(3, true) end)", "nn.lambda(function(x) os.exit(3, true) end)(tensor.zeros(1))",
            "coroutine.wrap(function() kept = nn.lambda(print) tensor.no_grad(function() os.exit(3, true) end) end)()",
            "nn.sequential{nn.lambda(function(x) os.exit(3, true) end)}(tensor.zeros(1))",
        ] {
            let result = try Program.run(["-e", source + " self = {} self.m = nn.lambda(function() return self end) " + leave])
            XCTAssertEqual(result.status, 3, leave + result.error)
            XCTAssertEqual(result.output, "collected\n", leave)
        }
    }
}
