import XCTest

@testable import LuaHost

/// What cells set and use.
final class GlobalUseTests: XCTestCase {
    private func check(_ source: String, writes: Set<String>, reads: Set<String>, line: UInt = #line) {
        let use = GlobalUse(source)
        XCTAssertEqual(use.written, writes, source, line: line)
        XCTAssertEqual(use.read, reads, source, line: line)
    }

    func testNames() {
        check("x = 1", writes: ["x"], reads: [])
        check("local x, y <const> = a, b", writes: ["x", "y"], reads: ["a", "b"])
        check("x = x + 1 y = x", writes: ["x", "y"], reads: ["x"])
        check("a, b = b, c print(a)", writes: ["a", "b"], reads: ["b", "c", "print"])
        check("function f(x, ...) local y = x + z return y end", writes: ["f"], reads: ["z"])
        check("local function f(x) return f(x) end f(1)", writes: ["f"], reads: [])
        check("function t.f(self) end", writes: [], reads: ["t"])
        check("net.bias = 1 net:step(sgd)", writes: [], reads: ["net", "sgd"])
        check("t = {a = 1, b, ['c'] = d, e = function(x) return x end}", writes: ["t"], reads: ["b", "d"])
        check("for i, v in ipairs(list) do print(i, v) local w = v end", writes: [], reads: ["ipairs", "list", "print"])
        check("if a == b then c = 1 elseif d then local e = 1 else f = 2 end g = 3", writes: ["c", "f", "g"], reads: ["a", "b", "d"])
        check("do local x = 1 end local y = 2", writes: ["y"], reads: [])
        check("repeat local x = n until x == m", writes: [], reads: ["n", "m"])
        check("-- x = y\ns = 'a = b' .. [[c = d]]", writes: ["s"], reads: [])
        check("goto on ::on:: while a <= b do end", writes: [], reads: ["a", "b", "on"])
    }

    func testStaleCells() {
        var cells = StaleCells()
        XCTAssertTrue(cells.ran("a", "x = 1", number: 1).isEmpty)
        XCTAssertTrue(cells.ran("b", "print(x)", number: 2).isEmpty)
        XCTAssertTrue(cells.ran("c", "print(y)", number: 3).isEmpty)
        XCTAssertTrue(cells.ran("a", "x = 1", number: 4).isEmpty, "the same text")
        XCTAssertTrue(cells.ran("b", "print(x)", number: 5).isEmpty)
        let stale = cells.ran("a", "x = 2", number: 6)
        XCTAssertEqual(stale.map(\.number), [5])
        XCTAssertEqual(stale.map(\.names), [["x"]])
        XCTAssertTrue(cells.ran("b", "print(x)", number: 7).isEmpty)
        XCTAssertTrue(cells.ran("b", "print(x, 1)", number: 8).isEmpty)
    }
}
