import CLua
import XCTest

@testable import LuaHost

/// A state with the test module in it, and comparisons of what pieces of Lua give.
final class TestHost {
    let host: ScriptHost

    init() throws { host = try ScriptHost(Registry([TrellisModule.module, BoxModule.module])) }
    deinit { host.close() }

    /// The results of a chunk as text, or its error.
    func run(_ source: String) -> (values: [String], error: LuaError?) {
        var values: [String] = []
        var options = EvaluationOptions()
        options.returnsExpression = false
        options.keepsLocals = false
        switch host.evaluate(source, name: "=[t]", options: options, results: { L, first, count in
            values = (0..<count).map { Stack.display(L, first + $0) }
        }) {
        case .done: return (values, nil)
        case .failed(let error): return (values, error)
        case .incomplete: return (["<incomplete>"], nil)
        case .interrupted: return (["<interrupted>"], nil)
        }
    }

    func expect(_ source: String, _ expected: String..., file: StaticString = #filePath, line: UInt = #line) {
        let result = run(source)
        XCTAssertNil(result.error?.message, file: file, line: line)
        XCTAssertEqual(result.values, expected, file: file, line: line)
    }

    func expect(_ source: String, error: String, file: StaticString = #filePath, line: UInt = #line) {
        XCTAssertEqual(run(source).error?.message, error, file: file, line: line)
    }
}
