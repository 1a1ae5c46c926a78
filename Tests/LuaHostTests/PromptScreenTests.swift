import Foundation
import XCTest

/// The prompt on a terminal with colours, as a person sees its screen: in tmux, which knows what a terminal shows.
final class PromptScreenTests: XCTestCase {
    private func prompt(_ environment: [String: String] = [:], columns: Int = 80, rows: Int = 24) throws -> Screen {
        let screen = try Screen(columns: columns, rows: rows, environment: environment)
        screen.wait { $0.hasSuffix("[1]>") }
        return screen
    }

    func testNumberedPromptsAgreeWithErrors() throws {
        let s = try prompt()
        s.type("1 + 1", "Enter")
        s.wait { $0.contains("2\n[2]>") }
        s.type("error('x')", "Enter")
        s.wait { $0.contains("[2]:1: x") && $0.contains("  1 | error('x')") && $0.hasSuffix("[3]>") }
        s.type("_1 * 21", "Enter")
        s.wait { $0.contains("42\n[4]>") }
    }

    func testColoursWhileTyping() throws {
        let s = try prompt()
        s.type("local x = 'a' .. 12 -- c")
        let line = s.wait(coloured: true) { $0.contains("-- c") && $0.contains("\u{1b}[35mlocal") }
        XCTAssert(line.contains("\u{1b}[32m'a'"), line.debugDescription)
        XCTAssert(line.contains("\u{1b}[36m12"), line.debugDescription)
        XCTAssert(line.contains("\u{1b}[2m-- c"), line.debugDescription)
    }

    func testNoColoursWhereTheyAreNotWanted() throws {
        let state = try Program.temporaryFolder()
        for environment in [["NO_COLOR": "1"], ["TERM": "dumb"]] {
            let s = try Screen(columns: 80, rows: 24, environment: environment.merging(["XDG_STATE_HOME": state]) { $1 })
            s.wait { $0.hasSuffix(">") }
            s.type("local x = 12")
            let text = s.wait(coloured: true) { $0.contains("local x = 12") }
            XCTAssertFalse(text.contains("\u{1b}[35m"), "\(environment)")
            XCTAssertFalse(text.contains("[1]>"), "\(environment)")
        }
    }

    func testSignatureBelow() throws {
        let s = try prompt(columns: 120)
        s.type("nn.conv2d(3, ")
        s.wait { $0.contains("[1]> nn.conv2d(3,\nnn.conv2d(in_channels, out_channels, {kernel, stride = 1") }
        s.type("8, {kernel = 3})")
        s.wait { $0.hasSuffix("[1]> nn.conv2d(3, 8, {kernel = 3})") }
        s.type("Enter")
        s.wait { $0.contains("conv2d(3, 8") && $0.hasSuffix("[2]>") }
        s.type("function area(width, height) return width * height end", "Enter", "area(")
        s.wait { $0.contains("[3]> area(\narea(width, height)") }
    }

    func testSuggestion() throws {
        let s = try prompt()
        s.type("value = 17 + 4", "Enter", "val")
        s.wait { $0.hasSuffix("[2]> value = 17 + 4") }
        XCTAssertEqual(s.cursor.column, "[2]> val".count)
        s.type("Right")
        s.type(" + 1", "Enter")
        s.wait { $0.hasSuffix("[3]>") }
        s.type("value", "Enter")
        s.wait { $0.contains("[3]> value\n22") }
        // What is not taken is not there.
        s.type("val", "Enter")
        s.wait { $0.contains("[4]> val\nnil") || $0.hasSuffix("[4]> val\n[5]>") }
    }

    func testReturnGoesOnInALineThatCanBeEdited() throws {
        let s = try prompt()
        s.type("for i = 1, 2 do", "Enter", "print('row', i)", "Enter", "end")
        s.wait { $0.hasSuffix("[1]> for i = 1, 2 do\n  print('row', i)\n  end") }
        s.type("Up", "Home", "Right", "Right", "YY", "End", "Left", "Left", "Left", "Left", "Left", "X", "Home", "Right", "Right", "Right", "Right", "BSpace", "BSpace", "Down", "End", "Enter")
        s.wait { $0.contains("\nrowX    1\nrowX    2\n[2]>") }
        s.type("Up")
        s.wait { $0.hasSuffix("[2]> for i = 1, 2 do\n  print('rowX', i)\nend") }
    }

    func testClosingWordsGoBackToWhereTheirBlockBegan() throws {
        let s = try prompt()
        s.type("for i = 1, 2 do", "Enter", "if i == 1 then", "Enter", "print(i)", "Enter", "end", "Enter", "end")
        s.wait { $0.hasSuffix("[1]> for i = 1, 2 do\n  if i == 1 then\n    print(i)\n  end\n  end") }
        s.type("Enter")
        s.wait { $0.contains("[1]> for i = 1, 2 do\n  if i == 1 then\n    print(i)\n  end\nend\n1\n[2]>") }
    }

    func testUpSearchesByPrefix() throws {
        let s = try prompt()
        s.type("first = 1", "Enter", "second = 2", "Enter", "fir", "Up")
        s.wait { $0.hasSuffix("[3]> first = 1") }
        s.type("C-c", "Up")
        s.wait { $0.hasSuffix("[3]> second = 2") }
        s.type("Up")
        s.wait { $0.hasSuffix("[3]> first = 1") }
        s.type("Down")
        s.wait { $0.hasSuffix("[3]> second = 2") }
    }

    func testWrappedAndWideLines() throws {
        let s = try prompt(columns: 40, rows: 12)
        let long = "x = 'aaaaaaaaaa bbbbbbbbbb cccccccccc dddddddddd'"
        s.type(long)
        s.wait { $0.replacingOccurrences(of: "\n", with: "").hasSuffix(long) }
        s.type("Enter", "#x", "Enter")
        s.wait { $0.contains("[2]> #x\n43\n[3]>") }
        s.type("'日本' .. 'é'", "Enter")
        s.wait { $0.contains("日本é\n[4]>") }
        for length in 33...37 {
            s.type(String(repeating: "7", count: length), "C-a", "C-e", "BSpace", "C-u", "1", "Enter")
            s.wait { $0.contains("> 1\n1\n[") && $0.hasSuffix(">") }
            s.type("C-l")
        }
    }

    func testAtTheBottomOfTheScreen() throws {
        let s = try prompt(columns: 60, rows: 6)
        for _ in 0..<8 { s.type("print(1)", "Enter") }
        s.type("nn.linear(")
        s.wait { $0.contains("> nn.linear(\nnn.linear(in_features, out_features") }
        s.type("C-u", "2", "Enter")
        s.wait { $0.contains("> 2\n2\n[") }
    }

    func testSearchAndCompletionLeaveNothingBehind() throws {
        let s = try prompt(columns: 100)
        s.type("print('needle')", "Enter", "nn.linear(")
        s.wait { $0.contains("nn.linear(in_features") }
        s.type("C-r", "needle")
        s.wait { $0.contains("needle") && $0.contains("i-search") && !$0.contains("in_features") }
        s.type("Enter")
        s.wait { $0.hasSuffix("needle\n[3]>") }
        s.type("optim.", "Tab", "Tab")
        s.wait { $0.contains("adamw") && $0.hasSuffix("[3]> optim.") }
    }

    func testInterruptClearsWhatWasShown() throws {
        let s = try prompt(columns: 100)
        s.type("nn.linear(")
        s.wait { $0.contains("nn.linear(in_features") }
        s.type("C-c")
        s.wait { $0.contains("nn.linear(^C\n[1]>") && !$0.contains("in_features") }
    }

    // MARK: Short forms and what is behind them

    func testHelpAndSource() throws {
        let s = try prompt(columns: 100)
        s.type("-- Twice.", "M-Enter", "function twice(x) return 2 * x end", "Enter", "twice?", "Enter")
        s.wait { $0.contains("function(x)\n    Twice.\n    defined in [1], line 2") }
        s.type("??twice", "Enter")
        s.wait { $0.contains("-- [1], line 2\n-- Twice.\nfunction twice(x) return 2 * x end") }
        s.type("?string.format", "Enter")
        s.wait { $0.contains("string.format(format, ...)") }
        s.type("C-l", "x = tensor.zeros(2)", "Enter", "x:mean?", "Enter")
        s.wait { $0.contains("tensor:mean([dimensions] [, options])") }
    }

    func testTimes() throws {
        let s = try prompt()
        s.type("%time 20 + 3", "Enter")
        s.wait { $0.contains("processor") && $0.contains("\n23\n[2]>") }
        s.type("timeit(function() return 1 end, {seconds = 0.01})", "Enter")
        s.wait { $0.contains("a call (7 runs of") && $0.hasSuffix("[3]>") }
    }

    func testWho() throws {
        let s = try prompt()
        s.type("weights = tensor.zeros(2, 3); count = 4", "Enter", "%who", "Enter")
        s.wait { $0.contains("count    number  4") && $0.contains("weights  tensor  [2, 3] float32, 24 B") && $0.hasSuffix("[3]>") }
    }

    func testShell() throws {
        let s = try prompt()
        s.type("!echo $((6 * 7))", "Enter")
        s.wait { $0.contains("\n42\n[2]>") }
        s.type("sh 'exit 3'", "Enter")
        s.wait { $0.contains("the command ended by exit 3") }
    }

    func testEdit() throws {
        let folder = try Program.temporaryFolder()
        let editor = folder + "/editor"
        try "#!/bin/sh\nsed -i 's/20/30/' \"$1\"\n".write(toFile: editor, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: editor)
        let s = try prompt(["EDITOR": editor])
        s.type("edited = 20 + 1", "Enter", "%edit", "Enter")
        s.wait { $0.contains("edited = 30 + 1") && $0.hasSuffix("[4]>") }
        s.type("edited", "Enter")
        s.wait { $0.contains("[4]> edited\n31") }
    }

    func testSaveSession() throws {
        let folder = try Program.temporaryFolder()
        let s = try prompt()
        s.type("local half = 21", "Enter", "nonsense +", "C-c", "error('no')", "Enter", "half * 2", "Enter", "%save \(folder)/saved.lua", "Enter")
        s.wait { $0.hasSuffix("[5]>") }
        XCTAssertEqual(try String(contentsOfFile: folder + "/saved.lua", encoding: .utf8), "-- %%\nlocal half = 21\n\n-- %%\nprint(half * 2)\n")
    }

    func testModulesAreReloaded() throws {
        let folder = try Program.temporaryFolder(), path = folder + "/mine.lua"
        try "return {value = 1}".write(toFile: path, atomically: true, encoding: .utf8)
        let s = try prompt(["LUA_PATH": folder + "/?.lua;;"], columns: 200)
        s.type("mine = require 'mine'", "Enter", "mine.value", "Enter")
        s.wait { $0.contains("mine.value\n1\n[3]>") }
        try "return {value = 2, more = 3}".write(toFile: path, atomically: true, encoding: .utf8)
        s.type("mine.value, mine.more", "Enter")
        s.wait { $0.contains("reloaded mine from") && $0.contains("\n2       3\n") }
        try "return {value = }".write(toFile: path, atomically: true, encoding: .utf8)
        s.type("mine.value", "Enter")
        s.wait { $0.contains("mine.lua:1: unexpected symbol near '}'") && $0.contains("\n2\n[5]>") }
    }

    func testDebugShowsFramesAndLocals() throws {
        let s = try prompt(columns: 100)
        s.type("function inner(n) local seen = {n} error('deep') end", "Enter", "function outer() local name = 'x' inner(7) end", "Enter", "outer()", "Enter", "C-l", "debug()", "Enter")
        s.wait {
            $0.contains("1  [1]:1: in inner\n     n = 7\n     seen = {7}") && $0.contains("2  [2]:1: in outer\n     name = \"x\"")
        }
        s.type("debug(1).n + 1", "Enter")
        s.wait { $0.contains("debug(1).n + 1\n8") }
    }

    func testErrorsShowTablesAndHints() throws {
        let s = try prompt(columns: 100)
        s.type("error({code = 7})", "Enter")
        s.wait { $0.contains("(error object is a table value)\n{code = 7}") }
        s.type("tensor.ones(2).shpae", "Enter")
        s.wait { $0.contains("tensor has no 'shpae'; did you mean x.shape?\n  1 | tensor.ones(2).shpae\n                     ^") }
        s.type("x += 1", "Enter")
        s.wait { $0.contains("hint: Lua has no '+=': write x = x + ...") }
        s.type("if tensor.ones(2):gt(0) then end", "Enter")
        s.wait { $0.contains("warning: [4]:1: of a tensor 'tensor.ones(2):gt(0)' is a mask") }
    }
}

/// The program in a window of tmux.
private final class Screen {
    private let socket: String

    /// - Throws: `XCTSkip` without tmux.
    init(columns: Int, rows: Int, environment: [String: String]) throws {
        socket = "trellis-\(UUID().uuidString.prefix(8))"
        let folder = try Program.temporaryFolder()
        guard Screen.tmux(["-V"]) != nil else { throw XCTSkip("tmux is not installed") }
        let terminal = environment["TERM"] ?? "xterm-256color"
        var variables = ["HOME": folder, "XDG_STATE_HOME": folder, "INPUTRC": "/dev/null", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": terminal]
        variables.merge(environment) { $1 }
        let command = "exec env -u NO_COLOR " + variables.sorted { $0.key < $1.key }.map { "\($0.key)='\($0.value)'" }.joined(separator: " ") + " " + Program.path
        let started = Screen.tmux(["-L", socket, "-f", "/dev/null", "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", command])
        guard started != nil else { throw XCTSkip("tmux does not start here") }
    }

    deinit { _ = Screen.tmux(["-L", socket, "kill-server"]) }

    /// The server that the first call leaves behind must not keep what tells Foundation of the end of its child.
    private static let closing = "for fd in /proc/self/fd/*; do n=${fd##*/}; [ $n -gt 2 ] && eval \"exec $n>&-\"; done; exec tmux \"$@\""

    private static func tmux(_ arguments: [String]) -> String? {
        guard let result = try? Program.run(["-c", closing, "tmux"] + arguments, environment: ["TMUX": "", "LC_ALL": "C.UTF-8"], program: "/bin/bash"), result.status == 0
        else { return nil }
        return result.output
    }

    /// Keys by their names in tmux, and texts.
    func type(_ keys: String...) {
        for key in keys {
            let isName = ["Enter", "Up", "Down", "Left", "Right", "Home", "End", "Tab", "BSpace", "M-Enter"].contains(key) || (key.hasPrefix("C-") && key.count == 3)
            _ = Screen.tmux(["-L", socket, "send-keys"] + (isName ? [key] : ["-l", "--", key]))
            if isName { usleep(60_000) }
        }
    }

    var cursor: (column: Int, row: Int) {
        let numbers = (Screen.tmux(["-L", socket, "display-message", "-p", "#{cursor_x} #{cursor_y}"]) ?? "").split { !$0.isNumber }.compactMap { Int($0) }
        return numbers.count == 2 ? (numbers[0], numbers[1]) : (-1, -1)
    }

    /// Waits until the screen, without spaces at the ends of lines and without empty lines below, is as wanted; fails the test after some seconds.
    @discardableResult
    func wait(coloured: Bool = false, file: StaticString = #filePath, line: UInt = #line, _ isWanted: (String) -> Bool) -> String {
        let deadline = Date().addingTimeInterval(15)
        var text = ""
        repeat {
            let lines = (Screen.tmux(["-L", socket, "capture-pane", "-p"] + (coloured ? ["-e"] : [])) ?? "").split(separator: "\n", omittingEmptySubsequences: false)
            text = lines.map { line in String(line.reversed().drop { $0 == " " }.reversed()) }.joined(separator: "\n")
            while text.hasSuffix("\n") { text.removeLast() }
            if isWanted(text) { return text }
            usleep(50_000)
        } while Date() < deadline
        XCTFail("not what was waited for:\n\(text)", file: file, line: line)
        return text
    }
}
