import Foundation
import XCTest

/// A directory that is gone after the test.
class TemporaryDirectoryTestCase: XCTestCase {
    private(set) var directory = ""

    override func setUpWithError() throws {
        directory = NSTemporaryDirectory() + "trellis-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    override func tearDown() { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { directory + "/" + name }
    func contents(_ name: String) -> String? { try? String(contentsOfFile: path(name), encoding: .utf8) }
    /// All names in the directory, hidden ones too.
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted() }

    /// Asserts that `body` throws an error that says all of `words`.
    func assertThrows<Result>(_ words: String..., line: UInt = #line, _ body: () throws -> Result) {
        XCTAssertThrowsError(try body(), line: line) { error in
            for word in words { XCTAssertTrue("\(error)".contains(word), "\"\(error)\" does not say \"\(word)\"", line: line) }
        }
    }
}
