import Foundation
import XCTest

/// The prompt as a person meets it, on a terminal.
final class PromptTests: XCTestCase {
    private func session(state: String? = nil) throws -> TerminalSession {
        let folder = try state ?? Program.temporaryFolder()
        let session = try TerminalSession(environment: ["XDG_STATE_HOME": folder, "HOME": folder, "NO_COLOR": "1"])
        session.wait(for: "> ")
        return session
    }

    func testValuesArePrinted() throws {
        let s = try session()
        s.send("1 + 1, nil, 'x'\r")
        s.wait(for: "2\tnil\tx\r\n> ")
        s.send("_ * 21\r")
        s.wait(for: "42\r\n> ")
        s.send("7777;\r")
        XCTAssertFalse(s.wait(for: "\r\n").isEmpty)
        s.settle()
        s.send("local x = 5\r")
        s.send("x + 1\r")
        s.wait(for: "6\r\n> ")
        s.send("{3, 1, b = {c = true}, a = 'z'}\r")
        s.wait(for: "{3, 1, a = \"z\", b = {c = true}}\r\n> ")
        s.send("nil\r")
        s.wait(for: "nil\r\nnil\r\n> ")
        XCTAssertFalse(s.transcript.contains("\r\n7777"))
        s.control("d")
        XCTAssertEqual(s.exitStatus(), 0)
    }

    func testContinuation() throws {
        let s = try session()
        s.send("for i = 1, 2 do\r")
        s.wait(for: ">> ")
        s.send("print('line', i)\r")
        s.send("end\r")
        s.wait(for: "line\t1\r\nline\t2\r\n> ")
        s.send("x = 'abc\r")
        s.wait(for: "unfinished string")
        s.send("x = = 1\r")
        s.wait(for: "unexpected symbol")
        s.send("f(\r")
        s.wait(for: ">> ")
        s.control("d")
        s.wait(for: "unfinished")
        s.send("3\r")
        s.wait(for: "3\r\n> ")
    }

    func testErrorsShowTheUsersFramesOnly() throws {
        let s = try session()
        s.send("error('plain')\r")
        XCTAssertFalse(s.wait(for: "plain\r\n> ").contains("traceback"))
        s.send("function f() error('boom') end\r")
        s.send("f()\r")
        s.wait(for: "[2]:1: boom\r\nstack traceback:\r\n\t[C]: in function 'error'\r\n\t[2]:1: in function 'f'\r\n> ")
        s.send("error({code = 1})\r")
        s.wait(for: "(error object is a table value)\r\n> ")
        s.send("error(setmetatable({}, {__tostring = function() return 'mine' end}))\r")
        s.wait(for: "mine\r\n> ")
    }

    /// The cases that a plain hook misses, and a half-typed line. The session and its variables live on.
    func testInterrupts() throws {
        let s = try session()
        s.send("kept = 41\r")
        s.wait(for: "> ")
        let loops = [
            "while true do end",
            "while true do pcall(function() while true do end end) end",
            "coroutine.wrap(function() while true do end end)()",
            "while true do coroutine.resume(coroutine.create(function() end)) end",
            "while true do local c = coroutine.create(function() coroutine.yield() end) coroutine.resume(c) coroutine.close(c) end",
            "do local x <close> = setmetatable({}, {__close = function() while true do end end}) end",
            "table.sort({3, 1, 2}, function(a, b) while true do end end)",
            "string.gsub('x', 'x', function() while true do end end)",
            "xpcall(function() while true do end end, function() while true do end end)",
            "load(function() while true do end end)",
        ]
        for loop in loops {
            s.send(loop + "\r")
            s.settle(150)
            s.control("c")
            s.wait(for: "interrupted\r\n> ")
            s.send("kept + 1\r")
            s.wait(for: "42\r\n> ")
        }
        s.send("half a li")
        s.settle(100)
        s.control("c")
        s.wait(for: "^C\r\n> ")
        s.send("for i = 1, 2 do\r")
        s.wait(for: ">> ")
        s.control("c")
        s.wait(for: "^C\r\n> ")
        s.send("kept\r")
        s.wait(for: "kept\r\n41\r\n> ")
        s.send("half")
        s.control("r")  // in the middle of a search through the history
        s.send("kep")
        s.settle(100)
        s.control("c")
        s.wait(for: "> ")
        s.send("kept\r")
        s.wait(for: "41\r\n> ")
    }

    func testSecondInterruptForcesAnEnd() throws {
        let s = try session()
        s.send("string.find(('a'):rep(1e5), '.-.-.-.-b$')\r")
        s.settle(150)
        s.control("c")
        usleep(500_000)
        s.control("c")
        s.wait(for: "forced to stop")
        XCTAssertEqual(s.exitStatus(), 130)
    }

    func testBlockedReadIsInterrupted() throws {
        let s = try session()
        s.send("io.read()\r")
        s.settle(150)
        s.control("c")
        s.wait(for: "interrupted\r\n> ")
    }

    func testCompletion() throws {
        let s = try session()
        func completes(_ typed: String, to expected: String, line: UInt = #line) {
            s.control("u")
            s.settle(50)
            s.send(typed + "\t")
            s.settle(100)
            s.send("\u{1}print[==[\u{5}]==]\r")  // Home, print[==[ ... ]==]: shows the line as it stands
            s.wait(for: "\r\n\(expected)\r\n> ", seconds: 5, line: line)
        }
        completes("trellis.mem", to: "trellis.memory(")
        completes("string.rev", to: "string.reverse(")
        completes("x = coroutine.wr", to: "x = coroutine.wrap(")
        completes("repe", to: "repeat")
        completes("for k in pai", to: "for k in pairs(")
        s.send("point = {first = 1, method = print}; longname = 'text'\r")
        s.wait(for: "> ")
        completes("point.fi", to: "point.first")
        completes("point:me", to: "point:method(")
        completes("longname:rep", to: "longname:rep(")
        completes("help \"trellis.mem", to: "help \"trellis.memory")
        let folder = try Program.temporaryFolder()
        _ = FileManager.default.createFile(atPath: folder + "/weights.npz", contents: nil)
        completes("f = io.open('\(folder)/wei", to: "f = io.open('\(folder)/weights.npz'")
        completes("-- trellis.mem", to: "-- trellis.mem")
    }

    func testHistoryKeepsEntriesWhole() throws {
        let state = try Program.temporaryFolder()
        do {
            let s = try session(state: state)
            for line in ["for i = 1, 2 do", "  print(i)", "end", " secret = 1", "x = 2", "x = 2"] { s.send(line + "\r") }
            s.settle()
            s.control("d")
            XCTAssertEqual(s.exitStatus(), 0)
        }
        let path = state + "/trellis/history"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        XCTAssertEqual(text.split(separator: "\n").filter { !$0.hasPrefix("#") }, ["for i = 1, 2 do", "  print(i)", "end", "x = 2"])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        XCTAssertEqual(mode, 0o600)
        let s = try session(state: state)
        s.control("p")
        s.control("p")
        s.send("\r")
        s.wait(for: "1\r\n2\r\n> ")
    }

    func testPastedBlockIsOneEntry() throws {
        let s = try session()
        s.send("\u{1b}[200~local a = 20\nlocal b = 22\na + b\u{1b}[201~\r")
        s.wait(for: "42\r\n")
        s.wait(for: "> ")
        s.send("b\r")
        s.wait(for: "22\r\n> ")
    }

    func testHelp() throws {
        let s = try session()
        s.send("? trellis.memory\r")
        s.wait(for: "trellis.memory()\r\n")
        s.wait(for: "Bytes that tensors")
        s.send("help(print)\r")
        s.wait(for: "Lua's library")
        s.send("help.search 'bytes'\r")
        s.wait(for: "trellis.memory ")
        s.send("help 'trelis'\r")
        s.wait(for: "did you mean 'trellis'?")
    }

    func testColour() throws {
        let state = try Program.temporaryFolder()
        for (environment, coloured) in [
            (["TERM": "xterm"], true), (["TERM": "dumb"], false), (["TERM": "xterm", "NO_COLOR": "1"], false),
            (["TERM": "xterm", "NO_COLOR": ""], true),
        ] {
            let s = try TerminalSession(environment: environment.merging(["XDG_STATE_HOME": state]) { a, _ in a })
            s.wait(for: "> ")
            s.send("error('x', 0)\r")
            s.settle()
            XCTAssertEqual(s.transcript.contains("\u{1b}[31mx"), coloured, "\(environment)")
        }
    }

    func testExitWords() throws {
        let s = try session()
        s.send("exit\r")
        XCTAssertEqual(s.exitStatus(), 0)
        let t = try session()
        t.send("os.exit(3)\r")
        XCTAssertEqual(t.exitStatus(), 3)
    }

    func testScriptOnTerminalIsInterrupted() throws {
        let script = try Program.temporaryFile("print('on') while true do pcall(function() while true do end end) end", suffix: ".lua")
        let s = try TerminalSession([script.path])
        s.wait(for: "on")
        s.control("c")
        s.wait(for: "trellis: interrupted")
        XCTAssertEqual(s.exitStatus(), 130)
    }
}
