import XCTest

@testable import LuaHost

/// Every example of the reference runs, and prints what it says it prints.
final class ExampleTests: ScriptTestCase {
    private static let modules: Set = ["tensor", "nn", "optim", "nas", "trellis", "data", "metrics", "checkpoint", "progress", "plot", "session"]

    func testExamples() throws {
        var count = 0
        for module in Registry.standard.modules where ExampleTests.modules.contains(module.name) {
            for binding in module.bindings + module.types.flatMap({ $0.methods + $0.metamethods }) where !binding.example.isEmpty {
                count += 1
                try check(binding)
            }
        }
        XCTAssertGreaterThan(count, 150)
    }

    /// Everything that is documented says what it does and shows it.
    func testDocumentation() {
        for module in Registry.standard.modules where ExampleTests.modules.contains(module.name) {
            for binding in module.bindings + module.types.flatMap(\.methods) where binding.name != "free" {
                XCTAssertFalse(binding.summary.isEmpty, "\(binding.module).\(binding.name)")
                XCTAssertFalse(binding.example.isEmpty, "\(binding.module).\(binding.name) has no example")
            }
            for field in module.types.flatMap(\.fields) { XCTAssertFalse(field.doc.isEmpty, field.name) }
        }
    }

    private func check(_ binding: Binding) throws {
        let scripting = try Scripting()
        defer { scripting.host.close() }
        let expected = binding.example.split(separator: "\n").compactMap { line -> String? in
            line.range(of: "--> ").map { String(line[$0.upperBound...]) }
        }
        let (lines, error) = inNewDirectory { scripting.output(of: binding.example) }
        let place = "\(binding.module).\(binding.name): \(binding.example)"
        XCTAssertNil(error, place)
        if !expected.isEmpty { XCTAssertEqual(lines, expected, place) }
    }
}
