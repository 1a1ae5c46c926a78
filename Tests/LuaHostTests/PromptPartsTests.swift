import CLua
import XCTest

@testable import LuaHost

/// What the prompt is made of, without a terminal.
final class PromptPartsTests: XCTestCase {
    func testShortForms() {
        let forms = ShortForms(compiles: { !$0.hasPrefix("return x =") }, isUndefined: { $0 == "nowhere" || $0.contains("/") })
        for (text, lua) in [
            ("?nn.conv2d", "help(nn.conv2d)"), ("? nowhere", "help(\"nowhere\")"), ("nn.conv2d?", "help(nn.conv2d)"), ("?tensor:mean", "help(\"tensor:mean\")"), ("?", "help()"), ("?f(x)", "help(f(x))"),
            ("??area", "source(area)"), ("area??", "source(area)"), ("= 1 + 1", " 1 + 1"), ("!ls -l \"a\"", "sh(\"ls -l \\\"a\\\"\")"), ("%time f(2)", "time(function() return f(2) end)"),
            ("%timeit x = 1", "timeit(function() x = 1 end)"), ("%who", "who()"), ("%whos", "who()"), ("%edit", "edit()"), ("%edit area", "edit(area)"), ("%edit a/b.lua", "edit(\"a/b.lua\")"),
            ("%save s.lua", "save_session(\"s.lua\")"), ("%run s.lua 3", "run(\"s.lua\", \"3\")"), ("%reload", "reload()"), ("%debug 1", "debug(1)"),
        ] {
            XCTAssertEqual(forms.lua(text), lua, text)
        }
        XCTAssertTrue(forms.lua("%nothing")?.hasPrefix("error(\"there is no %nothing; there are %time") ?? false)
        for text in ["x = 1", "print(x)", "a % b", "x ~= y", "-- what?", "f()?"] { XCTAssertNil(forms.lua(text), text) }
    }

    func testIndentation() {
        for (text, spaces, dedent) in [
            ("for i = 1, 2 do", 2, 0), ("function f(x)", 2, 0), ("if x then", 2, 0), ("local t = {", 2, 0), ("f(", 2, 0), ("repeat", 2, 0), ("while x do\n  if y then", 4, 0),
            ("if x then\n  f()\n  else", 2, 2), ("if x then\n  f()\n  end", 0, 2), ("for i = 1, 2 do\n  f(function()\n    g()\n    end)", 2, 2), ("x = 1", 0, 0), ("-- do", 0, 0), ("s = 'do'", 0, 0),
            ("if x then\n  f()\n  elseif y then", 2, 2), ("t = {\n  1,\n}", 0, 0),
        ] {
            let next = Indentation.nextLine(text)
            XCTAssertEqual(next.spaces, spaces, text)
            XCTAssertEqual(next.dedent, dedent, text)
        }
    }

    func testTokensHoldAllOfTheText() {
        let source = "local x = 'a\\'b' --[[ long\n ]] + 0x1F.8p-3 .. [==[ ]] ]==] -- é\nif x then return .5e+3 end ö"
        let tokens = LuaTokens.of(source)
        XCTAssertEqual(tokens.map(\.text).joined().filter { !$0.isWhitespace }, source.filter { !$0.isWhitespace })
        XCTAssertEqual(tokens.filter { $0.kind == .keyword }.map(\.text), ["local", "if", "then", "return", "end"])
        XCTAssertEqual(tokens.filter { $0.kind == .string }.map(\.text), ["'a\\'b'", "[==[ ]] ]==]"])
        XCTAssertEqual(tokens.filter { $0.kind == .number }.map(\.text), ["0x1F.8p-3", ".5e+3"])
        XCTAssertEqual(tokens.filter { $0.kind == .comment }.map(\.text), ["--[[ long\n ]]", "-- é"])
        for unfinished in ["'abc", "[[ x", "--[[", "[=", "0x"] {
            XCTAssertEqual(LuaTokens.of(unfinished).map(\.text).joined().filter { $0 != " " }, unfinished.filter { $0 != " " })
        }
    }

    func testTokens() {
        func kinds(_ text: String) -> [String] { LuaTokens.of(text).map { "\($0.kind) \($0.text)" } }
        XCTAssertEqual(kinds("local x=0x1p3 .. 'a\\'b'--c"), ["keyword local", "name x", "symbol =", "number 0x1p3", "symbol ..", "string 'a\\'b'", "comment --c"])
        XCTAssertEqual(kinds("[==[ ]] ]==] --[[\n]] ~="), ["string [==[ ]] ]==]", "comment --[[\n]]", "symbol ~="])
        XCTAssertEqual(kinds("'open\n1"), ["string 'open", "number 1"])
        XCTAssertEqual(kinds("a...b"), ["name a", "symbol ...", "name b"])
        XCTAssertEqual(kinds("x--[[ never closed"), ["name x", "comment --[[ never closed"])
        XCTAssertEqual(LuaTokens.of("a\n\n'b\\\nc'\nd").map(\.line), [1, 3, 5])
    }

    func testSignatures() throws {
        let host = try ScriptHost(.standard)
        defer { host.close() }
        guard case .done = host.evaluate("function area(width, height, ...) end; net = nn.relu()", name: "=[1]") else { return XCTFail("no function") }
        for (text, signature) in [
            ("nn.linear(", "nn.linear(in_features, out_features, {bias = true"), ("x = nn.linear(3, nn.relu(", "nn.relu()"), ("nn.max_pool2d{kernel = ", "nn.max_pool2d({kernel, stride?"),
            ("area(1, {", "area(width, height, ...)"), ("net:train(", "module:train([on])"), ("string.format(", "string.format(format, ...)"), ("print(x):mean(", nil), ("-- nn.linear(", nil),
            ("nn.linear(1, 2)", nil), ("if (", nil), ("unknown(", nil),
        ] as [(String, String?)] {
            let said = Completer(host).signature(text)
            if let signature { XCTAssertTrue(said?.hasPrefix(signature) ?? false, "\(text): \(said ?? "nil")") } else { XCTAssertNil(said, text) }
        }
    }

    func testSuggestions() {
        let history = PromptHistory(path: nil)
        for text in ["value = 1", "values = {1,\n  2}", "other()"] { history.add(text) }
        XCTAssertEqual(history.suggestion(for: "val"), "ues = {1,\n  2}")
        XCTAssertEqual(history.suggestion(for: "value "), "= 1")
        XCTAssertNil(history.suggestion(for: "other()"))
        XCTAssertNil(history.suggestion(for: " "))
    }

    func testSessionAsAScript() {
        let log = SessionLog()
        for (number, text, lua, isDone) in [
            (1, "local x = 1", "local x = 1", true), (2, "x + 1", "x + 1", true), (3, "x +* 1", "x +* 1", false), (4, "!ls", "sh(\"ls\")", true), (5, "?x", "help(x)", true), (6, "print(x)", "print(x)", true),
            (7, "x;", "x;", true),
        ] {
            log.note(SessionLog.Entry(number: number, text: text, lua: lua, isDone: isDone))
        }
        let script = log.script { !$0.hasPrefix("return local") && $0 != "x" }
        XCTAssertEqual(script, "-- %%\nlocal x = 1\n\n-- %%\nprint(x + 1)\n\n-- %%\nsession.sh(\"ls\")\n\n-- %%\nprint(x)\n")
    }
}
