import XCTest

@testable import LuaHost

/// What counts as unfinished, what is returned, what stays.
final class EvaluateTests: XCTestCase {
    /// Completion looks at whatever was typed: nothing may trap, and what it replaces lies within the text.
    func testCompletionOfAnything() throws {
        let host = try ScriptHost(.standard)
        defer { host.close() }
        let pieces = [
            "nn", ".", ":", "conv2d", "(", ")", "{", "}", "[", "]", "=", "\"", "'", "\\", "[[", "]]", "[=[", "]=]", "--", "--[[", ",", ";", " ", "\n", "x", "7", "é", "help",
            "padding", "plot", "net", "->", "...", "~", "\t", "local ", "function ", "end", "\0",
        ]
        var state: UInt64 = 5
        for _ in 0..<20_000 {
            var text = ""
            for _ in 0..<12 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text += pieces[Int(state >> 33) % pieces.count]
            }
            guard case .words(let from, let words) = Completer(host).complete(text) else { continue }
            XCTAssertTrue((0...text.utf8.count).contains(from), text)
            XCTAssertFalse(words.contains(""), text)
        }
        XCTAssertEqual(Completer(host).complete("t[1] = \"foo"), .files)
        XCTAssertEqual(Completer(host).complete("f() = 'foo"), .files)
    }

    private func outcome(_ source: String) throws -> String {
        let host = try TestHost()
        var values: [String] = []
        let outcome = host.host.evaluate(source, name: "=[1]") { L, first, count in
            values = (0..<count).map { Stack.display(L, first + $0) }
        }
        switch outcome {
        case .done: return values.joined(separator: " ")
        case .incomplete: return "<more>"
        case .failed(let error): return error.message
        case .interrupted: return "<interrupted>"
        }
    }

    func testIncompleteInput() throws {
        for source in [
            "for i = 1, 2 do", "x = [[abc", "f(", "1 +", "--[[", "t = {1,", "function f()", "if x then", "x =", "return function(",
        ] {
            XCTAssertEqual(try outcome(source), "<more>", source)
        }
        XCTAssertEqual(try outcome("x = 'abc"), "[1]:1: unfinished string near <eof>")
        XCTAssertEqual(try outcome("x = 'abc\n"), "[1]:1: unfinished string near ''abc'")
        XCTAssertEqual(try outcome("goto a"), "[1]:1: no visible label 'a' for <goto> at line 1")
        XCTAssertEqual(try outcome("x = = 1"), "[1]:1: unexpected symbol near '='")
        XCTAssertEqual(try outcome("end"), "[1]:1: <eof> expected near 'end'")
    }

    func testExpressionsAndTrailingExpressions() throws {
        XCTAssertEqual(try outcome("1, 2"), "1 2")
        XCTAssertEqual(try outcome("local x = 2\nlocal y = 3\nx * y"), "6")
        XCTAssertEqual(try outcome("local t = {\n 1,\n 2}\nt[1] +\n t[2]"), "3")
        XCTAssertEqual(try outcome("for i = 1, 3 do\n tostring(i)\nend"), "")
        XCTAssertEqual(try outcome("x = 1\nreturn x"), "1")
        XCTAssertEqual(try outcome("local x = 1; return x"), "1")
        XCTAssertEqual(try outcome(""), "")
        XCTAssertEqual(try outcome("-- a comment"), "")
        XCTAssertEqual(try outcome("local x = 1\n\nerror('here')"), "[1]:3: here")
    }

    func testLocalsStay() throws {
        let host = try TestHost()
        for source in ["local a, b = 1, 2", "local function f() return a + b end", "local c <const> = f() + 1; local d = {c}"] {
            if case .done = host.host.evaluate(source, name: "=[1]") {} else { XCTFail(source) }
        }
        host.expect("return a, b, f(), d[1]", "1", "2", "3", "4")
    }

    func testPretty() throws {
        let host = try TestHost()
        func pretty(_ source: String) -> String {
            var text = ""
            _ = host.host.evaluate(source, name: "=[1]") { L, first, _ in text = Pretty().describe(L, first) }
            return text
        }
        XCTAssertEqual(pretty("{}"), "{}")
        XCTAssertEqual(pretty("{1, 'a\\n\"', [10] = 2.5, ['x y'] = true, z = {}, [true] = 1}"),
            "{1, \"a\\n\\\"\", [10] = 2.5, [\"x y\"] = true, z = {}, [true] = 1}")
        XCTAssertEqual(pretty("local t = {}\nt.t = t\nt"), "{t = {... itself}}")
        XCTAssertEqual(pretty("{{{{{1}}}}}"), "{{{{{...}}}}}")
        XCTAssertTrue(pretty("local t = {}\nfor i = 1, 1000 do t[i] = i end\nt").contains("... 940 more"))
        XCTAssertEqual(pretty("'text'"), "text")
        XCTAssertEqual(pretty("{boxes.new(2)}"), "{box(2)}")
        XCTAssertEqual(pretty("setmetatable({}, {__tostring = function() return 'mine' end})"), "mine")
        XCTAssertEqual(pretty("{setmetatable({}, {__tostring = function() error('x', 0) end})}"), "{(__tostring failed: x)}")
        XCTAssertEqual(pretty("{alpha = ('x'):rep(60), beta = ('y'):rep(30)}").split(separator: "\n").count, 4)
    }

    func testCompletionFromTheRegistry() throws {
        let host = try TestHost()
        func words(_ text: String) -> [String] {
            if case .words(_, let words) = Completer(host.host).complete(text) { words } else { ["<files>"] }
        }
        host.expect("b = boxes.new(1); class = setmetatable({own = 1}, {__index = {base = print}})")
        XCTAssertEqual(words("b:fa"), ["fail("])
        XCTAssertEqual(words("b."), ["add", "fail", "free", "shape", "value"])
        XCTAssertEqual(words("b:"), ["add", "fail", "free"])
        XCTAssertEqual(words("boxes.new(2, 3):ad"), ["add("])
        XCTAssertEqual(words("boxes.new{1}:add(b):fr"), ["free("])
        XCTAssertEqual(words("boxes.unit:fa"), ["fail("])
        XCTAssertEqual(words("boxes.u"), ["unit"])
        XCTAssertEqual(words("class.b"), ["base("])
        XCTAssertEqual(words("boxes.conv(b, b, {ker"), ["kernel = "])
        XCTAssertEqual(words("boxes.conv(b, b, {"), ["kernel = ", "padding = ", "groups = "])
        XCTAssertEqual(words("boxes.conv(b, b, {kernel = 3, "), ["padding = ", "groups = "])
        XCTAssertEqual(words("boxes.new(1, {dtype = \"fl"), ["float32"])
        XCTAssertEqual(words("x = \"fl"), ["<files>"])
        XCTAssertEqual(words("boxes.conv(b, b, {kernel = b.sh"), ["shape"])
        XCTAssertEqual(words("1 .. b.sh"), ["shape"])
        XCTAssertEqual(words("nothing.x"), [])
        XCTAssertEqual(words("b.shape.x"), [])
        XCTAssertEqual(words("help 'boxes.n"), ["boxes.new"])
        XCTAssertEqual(words("retu"), ["return"])
    }

    func testDefinitionsOfTheTestModule() throws {
        let text = Stubs(Registry([BoxModule.module])).definitions
        XCTAssertTrue(text.contains("---@class Box\n---@field shape integer[] Sizes.\n"), text)
        XCTAssertTrue(text.contains("---@operator add(Box|number): any\n"), text)
        XCTAssertTrue(text.contains("function Box:add(other) end\n"), text)
        XCTAssertTrue(text.contains("---@param bias? Box"), text)
        XCTAssertTrue(text.contains("---@param options? { kernel?: integer, padding?: integer, groups?: integer }"), text)
        let host = try TestHost()
        host.expect("return load(\(luaQuoted(text, limit: 1 << 20))) ~= nil", "true")
    }
}
