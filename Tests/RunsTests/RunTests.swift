import Base
import Foundation
import XCTest

@testable import Runs

/// Directories of runs: what they say while they go on, when they ended, and how they are found, filtered and compared.
final class RunTests: XCTestCase {
    private var directory = ""

    override func setUp() {
        var template = Array("/tmp/trellis-runs-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template))
    }

    override func tearDown() { try? FileManager.default.removeItem(atPath: directory) }

    private func begin(_ name: String, seed: Int = 1, settings: [JSONValue.Member]? = nil, _ known: RunDirectory.Before = .refuse) throws -> RunDirectory {
        var card = RunCard(kind: "training")
        (card.seed, card.planned, card.unit, card.numbers) = (seed, 10, "steps", "log.csv")
        return try RunDirectory(directory + "/" + name, card, settings: settings, before: known)
    }

    private func write(_ text: String, _ path: String) throws { try AtomicFile.write(text.utf8, to: directory + "/" + path) }

    func testLife() throws {
        let run = try begin("a", settings: [.init("lr", .number(0.1))])
        XCTAssertEqual(try Run(run.path).card.status, .running)
        XCTAssertTrue(RunDirectory.current(at: directory + "/./a") === run)
        try run.note { ($0.done, $0.results) = (3, [.init("loss", .number(0.5))]) }
        run.say("two\nlines")
        try run.finish()
        XCTAssertNil(RunDirectory.current(at: run.path))
        let read = try Run(run.path)
        XCTAssertEqual(read.card, run.card)
        XCTAssertEqual(read.card.status, .done)
        XCTAssertEqual(read.card.progress, "3 of 10 steps")
        XCTAssertEqual(try read.settings(), [.init("lr", .number(0.1))])
        XCTAssertEqual(try String(contentsOfFile: run.path + "/run.log", encoding: .utf8).split(separator: "\n").map { $0.dropFirst(21) }, ["two", "lines"])
        XCTAssertThrowsError(try run.note { _ in }) { XCTAssertTrue("\($0)".contains("the run has ended (done)"), "\($0)") }
        XCTAssertThrowsError(try begin("a")) { XCTAssertTrue("\($0)".contains("holds a run already"), "\($0)") }
    }

    func testEndings() throws {
        var run: RunDirectory? = try begin("left")
        run = nil
        _ = run
        XCTAssertEqual(try Run(directory + "/left").card.status, .stopped)
        try begin("failed").close(as: .failed, because: "no memory")
        XCTAssertEqual(try Run(directory + "/failed").card.reason, "no memory")
        // A card that says running, and nobody holds the directory.
        let card = try String(contentsOfFile: directory + "/left/run.json", encoding: .utf8).replacing("stopped", with: "running")
        try write(card, "left/run.json")
        XCTAssertEqual(try Run(directory + "/left").card.status, .killed)
        let again = try begin("left", .goOn)
        XCTAssertEqual(again.card.starts, 2)
        try again.finish()
        let fresh = try begin("left", seed: 5, settings: [], .replace)
        XCTAssertEqual(fresh.card.starts, 1)
        XCTAssertEqual(fresh.card.seed, 5)
    }

    func testListing() throws {
        for i in [2, 10, 1] {
            let run = try begin("run-\(i)", seed: i, settings: [.init("lr", .number(Double(i) / 10)), .init("batch", .integer(4)), .init("crop", .string("64x96"))])
            try run.note { $0.results = [.init("miou", .number(Double(i) / 20))] }
            try run.finish()
        }
        try begin("run-1/inside").finish()
        try FileManager.default.createDirectory(atPath: directory + "/broken", withIntermediateDirectories: true)
        try write("{\"kind\": 3}", "broken/run.json")
        var runs: [Run] = []
        let said = try Notice.gathered { runs = try Run.all(below: directory) }
        XCTAssertEqual(runs.map(\.name), ["run-1", "run-1/inside", "run-2", "run-10"])
        XCTAssertTrue(said.contains { $0.contains("broken/run.json: run.json.kind: expected a string") }, "\(said)")
        func fit(_ condition: String) throws -> [String] { try runs.filter { try RunFilter(condition).matches($0) }.map(\.name) }
        XCTAssertEqual(try fit("seed=10"), ["run-10"])
        XCTAssertEqual(try fit("miou>=0.1"), ["run-2", "run-10"])
        XCTAssertEqual(try fit("miou!=0.1"), ["run-1", "run-1/inside", "run-10"])
        XCTAssertEqual(try fit("settings.crop=64x96").count, 3)
        XCTAssertEqual(try fit("lr<0.2"), ["run-1"])
        XCTAssertThrowsError(try RunFilter("nonsense"))
        XCTAssertEqual(try RunFilter.sorted(runs, by: "miou", largestFirst: true).map(\.name), ["run-10", "run-2", "run-1", "run-1/inside"])
        let table = try RunTable.comparison(Array(runs[2...]))
        XCTAssertEqual(table.columns, ["name", "status", "lr", "miou"])
        XCTAssertEqual(table.rows, [["run-2", "done", "0.2", "0.1"], ["run-10", "done", "1", "0.5"]])
    }

    func testRepetition() throws {
        func make(_ name: String, _ log: String, miou: Double, ends: Bool = true) throws -> Run {
            let run = try begin(name)
            try write(log, name + "/log.csv")
            try run.note { $0.results = [.init("miou", .number(miou))] }
            if ends { try run.finish() } else { run.close(as: .stopped) }
            return try Run(run.path)
        }
        let log = "step,loss\n1,0.5\n2,0.25\n"
        let first = try make("a", log, miou: 0.5)
        XCTAssertEqual(try Repetition(first, make("b", log, miou: 0.5)).text, "the numbers are the same: 2 rows of log.csv, the results miou 0.5")
        XCTAssertEqual(
            try Repetition(first, make("c", "step,loss\n1,0.5\n2,0.26\n", miou: 0.5.nextUp)).text,
            "the numbers differ: line 3 of log.csv: loss 0.26, it was 0.25; miou 0.5000000000000001, it was 0.5")
        XCTAssertFalse(try Repetition(first, make("d", "step,loss\n1,0.5\n", miou: 0.5)).isSame)
        // A run that was killed: what it did is compared.
        let killed = try make("e", "step,loss\n1,0.5\n", miou: 0.4, ends: false)
        XCTAssertEqual(try Repetition(killed, Run(directory + "/b")).text, "the numbers are the same: 1 row of log.csv")
    }

    func testThousandAreListedInASecond() throws {
        var card = RunCard(kind: "training")
        (card.status, card.seed, card.results) = (.done, 7777, [.init("miou", .number(0.25)), .init("loss", .number(0.5))])
        card.machine = (0..<6).map { .init("fact \($0)", .string("a text as long as such facts are")) }
        let parts = card.json.text(width: 120).components(separatedBy: "7777")
        for i in 1...1000 {
            let folder = "\(directory)/many/\(i)"
            try FileManager.default.createDirectory(atPath: folder + "/best", withIntermediateDirectories: true)
            try parts.joined(separator: "\(i)").write(toFile: folder + "/run.json", atomically: false, encoding: .utf8)
        }
        let start = Date()
        let runs = try Run.all(below: directory)
        _ = try RunTable.list(runs).text
        let seconds = Date().timeIntervalSince(start)
        XCTAssertEqual(runs.count, 1000)
        // Ten times as slow in a debug build, beside other work.
        XCTAssertLessThan(seconds, 10)
    }
}
