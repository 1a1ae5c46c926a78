import Base
import Foundation
import Tensors
import XCTest
@testable import Search

/// A stock strategy as trials use it.
private final class Stock: TrialPolicy {
    let strategy: StockStrategy
    init(_ strategy: StockStrategy) { self.strategy = strategy }

    func ask() throws -> (proposal: Assignment, steps: Int?)? {
        let request = try strategy.ask()
        return (request.assignment, request.steps)
    }
    func tell(_ proposal: Assignment, _ result: TrialResult) throws { try strategy.tell(proposal, result) }
    func report(_ proposal: Assignment, _ result: TrialResult) throws -> Bool { try strategy.report(proposal, result) }
    func drop(_ proposal: Assignment) throws { try strategy.drop(proposal) }
    func json(_ proposal: Assignment) throws -> JSONValue { try strategy.decisions.json(proposal) }
    var state: JSONValue { get throws { try strategy.state } }
    func load(_ state: JSONValue) throws { try strategy.load(state) }
}

/// Trials that several share: here two or three runs with journals of their own in one process, each as another process would be.
final class TrialRunTests: XCTestCase {
    private var directory = ""

    override func setUp() {
        directory = NSTemporaryDirectory() + "trellis-trials-\(UUID().uuidString)"
        // The words about what was damaged are tested where they are said.
        let before = Notice.listen { _ in }
        addTeardownBlock { [directory] in
            Notice.listen(before)
            try? FileManager.default.removeItem(atPath: directory)
        }
    }

    private func list() throws -> DecisionList {
        var builder = DecisionListBuilder()
        for i in 0..<4 { try builder.meet("d\(i)", .number(Number(low: 0, high: 4))) }
        return builder.list()
    }

    private func evolution(seed: UInt64 = 1) throws -> Stock { Stock(try .evolution(list(), population: 6, sample: 3, seed: seed)) }

    /// A run as a process of its own would have it.
    private func run(_ policy: Stock, _ count: Int) throws -> TrialRun<Stock> {
        try TrialRun(policy, count: count, journal: TrialJournal(directory, lease: 60, isOnly: false))
    }

    private func score(_ assignment: Assignment) -> Double { Double(abs(assignment.hashValueOfText % 1000)) / 1000 }

    private func work(_ run: TrialRun<Stock>) throws -> Bool {
        guard let number = try run.next() else { return false }
        try run.finish(number, TrialResult(score: score(run.proposal(number))))
        return true
    }

    func testProcessesInTurnComeToOneState() throws {
        let (a, b) = (try evolution(), try evolution())
        let (first, second) = (try run(a, 40), try run(b, 40))
        for i in 0..<40 { XCTAssertTrue(try work(i % 3 == 0 ? first : second)) }
        XCTAssertFalse(try work(first))
        XCTAssertFalse(try work(second))
        XCTAssertEqual(try a.state, try b.state)
        XCTAssertEqual(a.strategy.told, 40)
        // The same as alone, as no two were out at once.
        let alone = try evolution()
        let own = try TrialRun(alone, count: 40)
        while try work(own) {}
        XCTAssertEqual(try alone.state, try a.state)
        // One that comes later hears it all.
        let late = try evolution()
        XCTAssertFalse(try work(run(late, 40)))
        XCTAssertEqual(try late.state, try a.state)
    }

    func testWhatIsOutAtOnceIsHeardInOneOrder() throws {
        let (a, b) = (try evolution(), try evolution())
        let (first, second) = (try run(a, 30), try run(b, 30))
        for _ in 0..<15 {
            guard let one = try first.next(), let other = try second.next() else { return XCTFail("too few") }
            XCTAssertNotEqual(one, other)
            XCTAssertTrue(try second.report(other, step: 1, score: 0.5))
            try second.finish(other, TrialResult(score: score(second.proposal(other))))
            one % 4 == 0 ? try first.fail(one, "no") : try first.finish(one, TrialResult(score: score(first.proposal(one))))
        }
        XCTAssertNil(try first.next())
        XCTAssertNil(try second.next())
        XCTAssertEqual(try a.state, try b.state)
        XCTAssertEqual(first.records.map(\.ending), second.records.map(\.ending))
        XCTAssertEqual(second.records[1].reports.map(\.step), [1])
    }

    /// One that leaves with a trial on its hands: another has it, with its reports, which it may repeat.
    func testATrialIsTakenUpWithItsReports() throws {
        var first: TrialRun<Stock>? = try run(evolution(), 2)
        let number = try XCTUnwrap(first?.next())
        for step in 1...3 { _ = try first?.report(number, step: step, score: Double(step)) }
        first = nil
        let second = try run(evolution(), 2)
        XCTAssertEqual(try second.next(), number)
        XCTAssertEqual(second.records[0].attempts, 2)
        XCTAssertEqual(second.records[0].reports.map(\.score), [1, 2, 3])
        XCTAssertTrue(try second.report(number, step: 2, score: 2))
        XCTAssertThrowsError(try second.report(number, step: 2, score: 2)) { XCTAssertTrue("\($0)".contains("more than the last report's 3"), "\($0)") }
        XCTAssertTrue(try second.report(number, step: 3, score: 3))
        XCTAssertTrue(try second.report(number, step: 4, score: 4))
        XCTAssertThrowsError(try second.report(number, step: 4, score: 4))
        XCTAssertEqual(second.records[0].reports.map(\.step), [1, 2, 3, 4])
        try second.finish(number, TrialResult(score: 1))
        XCTAssertEqual(second.records[0].result?.step, 4)
        XCTAssertThrowsError(try second.finish(number, TrialResult(score: 1))) { XCTAssertEqual($0 as? TrialError, .over(1, "it was finished")) }
    }

    /// A second run of one process in one directory has the trials, the first none.
    func testWithinAProcessTheLastOneHasTheDirectory() throws {
        let first = try TrialRun(evolution(), count: 3, directory: directory)
        let number = try XCTUnwrap(first.next())
        let second = try TrialRun(evolution(), count: 3, directory: directory + "/.")
        XCTAssertEqual(try second.next(), number)
        XCTAssertThrowsError(try first.next()) { XCTAssertTrue("\($0)".contains("another nas.trials of this process"), "\($0)") }
    }

    func testOtherStrategiesAreRefused() throws {
        let first = try run(evolution(), 3)
        XCTAssertTrue(try work(first))
        XCTAssertThrowsError(try run(evolution(seed: 2), 3)) { XCTAssertTrue("\($0)".contains("trials of this strategy"), "\($0)") }
        let other = Stock(.random(try list(), seed: 1))
        XCTAssertThrowsError(try run(other, 3)) { XCTAssertTrue("\($0)".contains("trials of this strategy"), "\($0)") }
        // One that has gone on already.
        let gone = try evolution()
        _ = try gone.ask()
        XCTAssertThrowsError(try run(gone, 3))
    }

    /// The journal is cut while two go on: each comes back to what the other has, and in the end all trials are over, once.
    func testCutsWhileTwoGoOn() throws {
        var generator = SplitMix64(seed: 5)
        let a = try evolution()
        let first = try run(a, 60)
        // It leaves before the end: in one thread the first would wait for it for ever.
        var second: TrialRun<Stock>? = try run(evolution(), 60)
        let path = directory + "/journal.jsonl"
        func end(_ run: TrialRun<Stock>, _ number: Int) throws {
            do { try run.finish(number, TrialResult(score: score(run.proposal(number)))) } catch TrialError.lost {}
        }
        for step in 1... {
            if step == 26 { second = nil }
            let (one, other) = (try first.next(), try second?.next())
            guard one != nil || other != nil else { break }
            if step % 5 == 0 {
                let size = try Data(contentsOf: URL(fileURLWithPath: path)).count
                XCTAssertEqual(truncate(path, off_t(SplitMix64.below(size, using: &generator))), 0)
            }
            // Who comes first after a cut writes again what it knows, which may be less than the other does.
            if step % 2 == 0, let one { try end(first, one) }
            if let second, let other { try end(second, other) }
            if step % 2 == 1, let one { try end(first, one) }
            XCTAssertLessThan(step, 1000)
        }
        XCTAssertEqual(first.records.map(\.status), [TrialRecord.Status](repeating: .finished, count: 60))
        let late = try evolution()
        XCTAssertNil(try run(late, 60).next())
        XCTAssertEqual(try late.state, try a.state)
        XCTAssertEqual(late.strategy.told, 60)
    }

    /// A strategy that draws from elsewhere is found out, not followed.
    func testAStrategyThatIsNotRepeatedIsAnError() throws {
        let first = try run(evolution(), 10)
        XCTAssertTrue(try work(first))
        XCTAssertTrue(try work(first))
        let path = directory + "/journal.jsonl"
        let odd = ChainedFile(directory + "/odd.jsonl")
        for text in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map({ String($0.dropFirst(17)) }) {
            try odd.append(text.contains("\"trial\":2") ? text.replacingOccurrences(of: "\"d0\":", with: "\"d0\":9") : text)
        }
        unlink(path)
        XCTAssertEqual(rename(odd.path, path), 0)
        XCTAssertThrowsError(try run(evolution(), 10)) { XCTAssertTrue("\($0)".contains("no math.random"), "\($0)") }
    }
}

extension Assignment {
    /// The same in every process.
    fileprivate var hashValueOfText: Int { Int(truncatingIfNeeded: UInt64(Fingerprint.of("\(values.sorted { $0.key < $1.key })"), radix: 16) ?? 0) }
}
