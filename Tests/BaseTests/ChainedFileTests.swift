import Base
import Foundation
import XCTest

final class ChainedFileTests: TemporaryDirectoryTestCase {
    private var said: [String] = []

    override func setUpWithError() throws {
        try super.setUpWithError()
        let before = Notice.listen { [weak self] in self?.said.append($0) }
        addTeardownBlock { Notice.listen(before) }
    }

    private func bytes() throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path("log"))) }
    private func put(_ data: Data) throws { try data.write(to: URL(fileURLWithPath: path("log"))) }
    private func file(_ texts: String...) throws -> ChainedFile {
        let file = ChainedFile(path("log"))
        for text in texts { XCTAssertTrue(try file.append(text)) }
        return file
    }

    func testOthersReadWhatWasAppended() throws {
        let (a, b) = (ChainedFile(path("log")), ChainedFile(path("log")))
        XCTAssertEqual(try a.refresh(), .more([]))
        try a.append("one")
        try a.append("two")
        XCTAssertTrue(b.hasChanged)
        XCTAssertEqual(try b.refresh(), .more(["one", "two"]))
        try b.append("three")
        XCTAssertEqual(try a.refresh(), .more(["three"]))
        XCTAssertEqual(try a.refresh(), .more([]))
        XCTAssertFalse(a.hasChanged)
        XCTAssertEqual(a.texts, ["one", "two", "three"])
        XCTAssertEqual(said, [])
    }

    /// Wherever it is cut: what stands whole before the cut counts, and goes on. A line that only lost its newline counts as soon as the next one is written behind it.
    func testACutAnywhereLeavesWholeLines() throws {
        _ = try file("one", "two, which is longer", "three")
        let whole = try bytes()
        let ends = whole.indices.filter { whole[$0] == UInt8(ascii: "\n") }
        for length in 0...whole.count {
            try put(whole.prefix(length))
            let (kept, counted) = (ends.filter { $0 < length }.count, ends.filter { $0 <= length }.count)
            let file = ChainedFile(path("log"))
            XCTAssertEqual(try file.refresh(), .more(Array(["one", "two, which is longer", "three"].prefix(kept))), "\(length)")
            if counted > kept {
                XCTAssertFalse(try file.append("four"))
                XCTAssertEqual(try file.refresh(), .more(Array(["one", "two, which is longer", "three"][kept..<counted])), "\(length)")
            }
            XCTAssertTrue(try file.append("four"))
            XCTAssertEqual(try ChainedFile(path("log")).refresh(), .more(Array(["one", "two, which is longer", "three"].prefix(counted)) + ["four"]), "\(length)")
        }
    }

    /// Who remembers more than the file has writes it again.
    func testLostLinesComeBack() throws {
        for length in 0..<60 {
            let file = try file("one", "two", "three")
            try put(try bytes().prefix(length))
            XCTAssertEqual(try file.refresh(), .more([]), "\(length)")
            XCTAssertEqual(try ChainedFile(path("log")).refresh(), .more(["one", "two", "three"]), "\(length)")
            try FileManager.default.removeItem(atPath: path("log"))
        }
        let file = try file("one")
        try FileManager.default.removeItem(atPath: path("log"))
        XCTAssertEqual(try file.refresh(), .more([]))
        XCTAssertEqual(try ChainedFile(path("log")).refresh(), .more(["one"]))
    }

    /// A flipped bit: nothing from there on counts, for nobody; who remembers otherwise takes the file.
    func testADamagedLineEndsWhatCounts() throws {
        let old = try file("one", "two", "three")
        let whole = try bytes()
        for position in whole.indices.dropLast() {
            var damaged = whole
            damaged[position] ^= 1
            try put(damaged)
            guard case .more(let texts) = try ChainedFile(path("log")).refresh() else { return XCTFail("\(position)") }
            XCTAssertTrue(texts.count < 3 && texts == Array(["one", "two", "three"].prefix(texts.count)), "\(position): \(texts)")
        }
        XCTAssertFalse(said.isEmpty)
        var damaged = whole
        damaged[whole.firstIndex(of: UInt8(ascii: "\n"))! + 5] ^= 1
        try put(damaged)
        let new = ChainedFile(path("log"))
        XCTAssertEqual(try new.refresh(), .more(["one"]))
        try new.append("other")
        XCTAssertEqual(try old.refresh(), .all(["one", "other"]))
        try old.append("last")
        XCTAssertEqual(try new.refresh(), .more(["last"]))
    }

    /// Without a lock: one of two lines counts, and the writer of the other is told.
    func testOfTwoThatAppendAtOnceOneCounts() throws {
        let (a, b) = (try file("one"), ChainedFile(path("log")))
        _ = try b.refresh()
        XCTAssertTrue(try a.append("mine"))
        XCTAssertFalse(try b.append("yours"))
        XCTAssertEqual(try b.refresh(), .more(["mine"]))
        XCTAssertTrue(try b.append("yours"))
        XCTAssertEqual(try a.refresh(), .more(["yours"]))
        XCTAssertEqual(a.texts, ["one", "mine", "yours"])
        XCTAssertEqual(b.texts, a.texts)
    }
}
