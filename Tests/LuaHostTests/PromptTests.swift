import Foundation
import XCTest

/// The prompt as a person meets it, on a terminal.
final class PromptTests: XCTestCase {
    private func session(state: String? = nil, coloured: Bool = false) throws -> TerminalSession {
        let folder = try state ?? Program.temporaryFolder()
        let session = try TerminalSession(environment: ["XDG_STATE_HOME": folder, "HOME": folder, "NO_COLOR": coloured ? "" : "1"])
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
        s.send("#{7, 8, 9}\r")
        s.wait(for: "3\r\n> ")
        s.send("#'ab' + 1\r")
        s.wait(for: "3\r\n> ")
        s.send("#!/bin/sh\r")
        s.wait(for: "unexpected symbol near '#'")
        XCTAssertFalse(s.transcript.contains("\r\n7777"))
        s.settle()
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
        s.send("x = 'ab\\\r")
        s.wait(for: ">> ")
        s.send("cd' .. \"ef\\z\r")
        s.wait(for: ">> ")
        s.send("   gh\"\r")
        s.send("x\r")
        s.wait(for: "ab\r\ncdefgh\r\n> ")
        s.send("y = 'ab\\\r")
        s.wait(for: ">> ")
        s.send("cd\r")
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
        XCTAssertFalse(s.wait(for: "plain\r\n  1 | error('plain')\r\n> ").contains("traceback"))
        s.send("function f() error('boom') end\r")
        s.send("f()\r")
        s.wait(for: "[2]:1: boom\r\n  1 | function f() error('boom') end\r\nstack traceback:\r\n\t[C]: in function 'error'\r\n\t[2]:1: in function 'f'\r\n> ")
        s.send("error({code = 1})\r")
        s.wait(for: "(error object is a table value)\r\n{code = 1}\r\n> ")
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
        s.send("do local t = setmetatable({}, {__tostring = function() while true do end end}) return t end\r")
        s.settle(150)
        s.control("c")
        XCTAssertFalse(s.wait(for: "interrupted\r\n> ").contains("__tostring failed"))
        s.send("debug.sethook(function() end, 'c', 7)\r")
        s.wait(for: "> ")
        s.send("while true do end\r")
        s.settle(150)
        s.control("c")
        s.wait(for: "interrupted\r\n> ")
        s.send("print(select(2, debug.gethook()))\r")
        s.wait(for: "c\t7\r\n> ")
        s.send("debug.sethook()\r")
        s.wait(for: "> ")
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

    /// Functions of Lua's library that work for long within one C function, where no hook is called.
    func testInterruptsEndLibraryFunctions() throws {
        let s = try session()
        s.send("s, t = ('a'):rep(1e6), {}; for i = 1, 3e6 do t[i] = i * 7919 % 3000017 end;\r")
        s.wait(for: "> ", seconds: 30)
        s.settle()
        let work = [
            "s:find('.-.-.-.-b$')", "s:match('.*.*.*.*b')", "s:gsub('.-.-.-b', '')", "for a in s:gmatch('.-.-.-b') do end", "s:match('^(a-)(a-)(a-)(a-)b')",
            "('('):rep(1e6):find('%b()%b()x')", "while true do s:find('b', 1, true) end", "while true do ('x'):rep(1e8) end", "table.move({}, 1, 1 << 50, 2)",
            "while true do table.concat(t) end", "while true do table.sort(t) t[1], t[2] = t[2], t[1] end", "load(('x = 1 '):rep(1e7))",
        ]
        for line in work {
            s.send("print(pcall(function() \(line) end))\r")
            s.settle(400)
            s.control("c")
            XCTAssertFalse(s.wait(for: "interrupted\r\n> ", seconds: 20).contains("false"), line)
        }
        s.send("#t\r")
        s.wait(for: "3000000\r\n> ")
    }

    /// Where nothing looks for an interrupt the second one says so, and only the third one ends the session.
    func testThirdInterruptForcesAnEnd() throws {
        let s = try session()
        s.send("table.insert(setmetatable({}, {__len = function() return 1 << 50 end}), 1, 0)\r")
        s.settle(150)
        s.control("c")
        usleep(400_000)
        s.control("c")
        s.wait(for: "Ctrl-C again ends the program")
        XCTAssertTrue(s.isRunning)
        usleep(400_000)
        s.control("c")
        s.wait(for: "forced to stop")
        XCTAssertEqual(s.exitStatus(), 130)
    }

    /// Ctrl-\ looks into what runs, which goes on; where nothing runs it does nothing.
    func testLooks() throws {
        let s = try session()
        s.send("\u{1c}")
        s.send("n, kept = 0, 1\r")
        s.wait(for: "> ")
        s.send("while true do n = n + 1 end\r")
        s.settle(150)
        s.send("\u{1c}")
        s.wait(for: "look> ")
        s.send("n > 0\r")
        s.wait(for: "true\r\nlook> ")
        s.send("kept = 2\r")
        s.wait(for: "look> ")
        s.send("kept\r")
        s.wait(for: "2\r\nlook> ")
        s.send("nothing.x\r")
        s.wait(for: "global 'nothing'")
        s.send("while true do end\r")
        s.settle(150)
        s.control("c")
        s.wait(for: "interrupted\r\nlook> ")
        s.send("before = n\r")
        s.wait(for: "look> ")
        s.send("\r")
        s.settle(100)
        s.send("\u{1c}")
        s.wait(for: "look> ")
        s.send("n > before\r")
        s.wait(for: "true\r\nlook> ")
        s.control("d")
        s.settle(100)
        s.control("c")
        s.wait(for: "interrupted\r\n> ")
        s.send("kept, before\r")
        s.wait(for: "1\tnil\r\n> ")
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
        s.send("w = {['a key'] = 1, other = 2}\r")
        s.wait(for: "> ")
        completes("w['a", to: "w['a key'")
        completes("w[\"oth", to: "w[\"other\"")
        completes("help \"trellis.mem", to: "help \"trellis.memory")
        let folder = try Program.temporaryFolder()
        _ = FileManager.default.createFile(atPath: folder + "/weights.npz", contents: nil)
        completes("f = io.open('\(folder)/wei", to: "f = io.open('\(folder)/weights.npz'")
        completes("-- trellis.mem", to: "-- trellis.mem")
        completes("t[1] = \"no such fi", to: "t[1] = \"no such fi")
    }

    /// Narrower than readline can draw: from the start, and while a line is typed.
    func testNarrowTerminals() throws {
        for terminal in ["dumb", "xterm"] {
            let s = try TerminalSession(environment: ["TERM": terminal, "XDG_STATE_HOME": try Program.temporaryFolder()])
            s.wait(for: "> ")
            for columns in [2, 1, 9, 3, 30] {
                s.resize(rows: 24, columns: columns)
                s.settle(50)
                s.send("abcdefgh")
                s.control("a")
                s.control("e")
                s.settle(50)
                s.control("u")
                s.send("6 * 7\r")
                s.wait(for: "42\r\n")
                s.settle(50)
            }
        }
    }

    /// What is typed is kept byte by byte, in the value and in the history.
    func testBytesThatAreNotUTF8() throws {
        let state = try Program.temporaryFolder()
        let s = try TerminalSession(environment: ["TERM": "xterm", "XDG_STATE_HOME": state])
        s.wait(for: "> ")
        s.send(bytes: Array("#'".utf8) + [0xff, 0xfe] + Array("'\r".utf8))
        s.wait(for: "\r\n2\r\n[2]> ")
        let kept = try Data(contentsOf: URL(fileURLWithPath: state + "/trellis/history"))
        XCTAssertNotNil(kept.range(of: Data([0x27, 0xff, 0xfe, 0x27])))
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

    /// Ctrl-Z gives the terminal to the shell and fg takes it back: keys that edit do so again, in a line that was begun and in a search.
    func testSuspendAndContinue() throws {
        let folder = try Program.temporaryFolder()
        let s = try TerminalSession(
            ["--norc", "--noprofile", "-i"], program: "/bin/bash", environment: ["XDG_STATE_HOME": folder, "HOME": folder, "NO_COLOR": "1", "PS1": "shell: "])
        s.wait(for: "shell: ")
        s.send("\(Program.path)\r")
        s.wait(for: "Ctrl-D to leave.\r\n> ")
        for _ in 0..<2 {
            s.send("+ 40")
            s.settle(100)
            s.control("z")
            s.wait(for: "Stopped")
            s.wait(for: "shell: ")
            s.send("echo $((20+1))\r")
            s.wait(for: "21\r\nshell: ")
            s.send("fg\r")
            s.wait(for: "> + 40")
            s.send("\u{1}2 \r")  // Home
            s.wait(for: "42\r\n> ")
        }
        s.control("r")
        s.settle(100)
        s.control("z")
        s.wait(for: "shell: ")
        s.send("fg\r")
        s.settle()
        s.control("c")
        s.wait(for: "> ")
        s.send("while true do end\r")
        s.settle(100)
        s.control("z")
        s.wait(for: "shell: ")
        s.send("fg\r")
        s.settle()
        s.control("c")
        s.wait(for: "interrupted\r\n> ")
        s.send("x\u{8}6 * 7\r")
        s.wait(for: "42\r\n> ")
        s.control("d")
        s.wait(for: "shell: ")
    }

    /// Keys in bursts: control characters, sequences, pieces of characters of several bytes, pastes that do not end. The prompt answers afterwards.
    /// TRELLIS_KEYS: how many.
    func testRandomKeys() throws { try randomKeys(coloured: false) }
    func testRandomKeysWhereTheLineIsPainted() throws { try randomKeys(coloured: true) }

    private func randomKeys(coloured: Bool) throws {
        let total = ProcessInfo.processInfo.environment["TRELLIS_KEYS"].flatMap { Int($0) } ?? 6000
        var state: UInt64 = 20
        func draw(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % n
        }
        func pick<T>(_ list: [T]) -> T { list[draw(list.count)] }
        let plain = Array("abx019 =+-*/()[]{}'\"#,.;:\\%<>~^".utf8), wide = Array("äß€漢😀".utf8)
        // Ctrl-D leaves, Ctrl-\ is for those who mean it.
        let controls = (0..<32).filter { $0 != 4 && $0 != 28 }.map { UInt8($0) } + [127]
        let sequences = ["[A", "[B", "[C", "[D", "OA", "[1;5C", "[3~", "[H", "[F", "[200~ab\rcd\u{1b}[201~", "[200~", "[", "O", "[9", "q", "b", ".", "<", "1", "\n", "p", "r", "_"]
        func key() -> [UInt8] {
            switch draw(10) {
            case 0...3: [pick(plain)]
            case 4...6: [pick(controls)]
            case 7: [27] + Array(pick(sequences).utf8)
            case 8:
                Array(wide[draw(wide.count)...].prefix(1 + draw(5)))
            default: [UInt8(128 + draw(128))]
            }
        }
        let s = try session(coloured: coloured)
        s.send(bytes: Array("\u{12}\u{1b}qqqq\rab".utf8))  // in one piece
        s.settle(100)
        var sent = 0
        while sent < total {
            let burst = (0..<pick([1, 2, 3, 8, 20])).flatMap { _ in key() }
            s.send(bytes: burst)
            sent += burst.count
            if draw(8) == 0 { s.resize(rows: 1 + draw(60), columns: 1 + draw(200)) }
            if draw(4) == 0 { usleep(UInt32(draw(3000))) }
            let shown = s.discard()
            guard s.isRunning else { return XCTFail("the session ended with \(s.exitStatus() ?? 0) after \(sent) keys, \(burst): \(shown)") }
        }
        s.resize(rows: 40, columns: 100)
        for _ in 0..<3 {
            s.send("\u{11}\u{1b}[201~\u{7}\u{7}\u{3}")
            s.settle()
        }
        s.discard()
        s.send("1+1\r")
        s.wait(for: coloured ? "2\r\n[" : "2\r\n> ", seconds: 30)
    }

    func testPastedBlockIsOneEntry() throws {
        let s = try session()
        s.send("\u{1b}[200~local a = 20\nlocal b = 22\na + b\u{1b}[201~\r")
        s.wait(for: "42\r\n")
        s.wait(for: "> ")
        s.send("b\r")
        s.wait(for: "22\r\n> ")
    }

    /// What cannot be a history is told, and neither stops the start nor changes.
    func testHistoryThatIsNoFile() throws {
        for make in [{ mkfifo($0, 0o600) }, { mkdir($0, 0o700) }, { symlink("/dev/full", $0) }, { symlink("/dev/zero", $0) }] as [(String) -> Int32] {
            let state = try Program.temporaryFolder()
            mkdir(state + "/trellis", 0o700)
            XCTAssertEqual(make(state + "/trellis/history"), 0)
            let s = try TerminalSession(environment: ["XDG_STATE_HOME": state, "NO_COLOR": "1"])
            XCTAssertTrue(s.wait(for: "> ").contains("the history is not kept: \(state)/trellis/history"))
            s.send("6 * 7\r")
            s.wait(for: "42\r\n> ")
            s.control("p")
            s.send("\r")
            s.wait(for: "42\r\n> ")
        }
        let s = try TerminalSession(environment: ["XDG_STATE_HOME": "/dev/null", "NO_COLOR": "1"])
        s.wait(for: "the history is not kept: /dev/null/trellis/history: ")
        s.wait(for: "> ")
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
            (["TERM": "xterm", "NO_COLOR": ""], true), (["TERM": ""], false),
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
