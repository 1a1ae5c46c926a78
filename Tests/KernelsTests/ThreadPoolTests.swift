import Glibc
import Synchronization
import XCTest
@testable import Kernels

final class ThreadPoolTests: XCTestCase {
    override func tearDown() { ThreadPool.threads = 2 }

    func testEveryPieceExactlyOnceForAnyNumberOfThreads() {
        for threads in [1, 2, 3, 7] {
            ThreadPool.threads = threads
            XCTAssertEqual(ThreadPool.threads, threads)
            for pieces in [0, 1, 2, 3, 17, 1000, 300_000] {
                let counts = UnsafeMutablePointer<Int32>.allocate(capacity: pieces + 1)
                counts.initialize(repeating: 0, count: pieces + 1)
                for _ in 0..<20 {
                    nonisolated(unsafe) let counts = counts
                    ThreadPool.run(pieces) { counts[$0] += 1 }
                }
                XCTAssert((0..<pieces).allSatisfy { counts[$0] == 20 }, "\(threads) threads, \(pieces) pieces")
                counts.deallocate()
            }
        }
    }

    /// Short jobs followed by long ones: a worker late with the last ticket of a short job must not take a piece of the long one. (It once
    /// did, in one of some 240,000 rounds.)
    func testShortAndLongJobsInTurn() {
        let before = ThreadPool.threads
        ThreadPool.threads = 3
        defer { ThreadPool.threads = before }
        let hits = UnsafeMutablePointer<Int32>.allocate(capacity: 64)
        defer { hits.deallocate() }
        for round in 0..<150_000 {
            let count = round % 2 == 0 ? 2 + round % 3 : 60
            hits.initialize(repeating: 0, count: 64)
            ThreadPool.run(count) { hits[$0] += 1 }
            for piece in 0..<count where hits[piece] != 1 {
                return XCTFail("round \(round): piece \(piece) of \(count) ran \(hits[piece]) times")
            }
        }
    }

    func testNestedRunsAreSerialAndInOrder() {
        ThreadPool.threads = 2
        let total = Atomic<Int>(0)
        ThreadPool.run(8) { _ in
            var last = -1
            ThreadPool.run(10) { piece in
                XCTAssertEqual(piece, last + 1)
                last = piece
                total.add(1, ordering: .relaxed)
            }
        }
        XCTAssertEqual(total.load(ordering: .relaxed), 80)
    }

    /// Sleeping workers are woken, and short jobs back to back lose no piece to a worker that comes late.
    func testJobsAfterPausesAndBackToBack() {
        ThreadPool.threads = 3
        let total = Atomic<Int>(0)
        for pause in [0, 50, 5000] {
            for _ in 0..<(pause == 0 ? 50_000 : 20) {
                ThreadPool.run(3) { _ in total.add(1, ordering: .relaxed) }
                if pause > 0 { usleep(UInt32(pause)) }
            }
        }
        XCTAssertEqual(total.load(ordering: .relaxed), 3 * 50_040)
    }

    /// A worker that comes late to a small job must not take a piece of the larger one that is about to be announced.
    func testLargerJobsRightAfterSmallerOnes() {
        for threads in [2, 3] {
            ThreadPool.threads = threads
            let counts = UnsafeMutablePointer<Int32>.allocate(capacity: 64)
            defer { counts.deallocate() }
            var wrong = 0
            for round in 0..<150_000 {
                let pieces = [2, 3, 5, 16][round & 3]
                counts.update(repeating: 0, count: 64)
                nonisolated(unsafe) let counts = counts
                ThreadPool.run(pieces) { counts[$0] += 1 }
                for i in 0..<pieces where counts[i] != 1 { wrong += 1 }
            }
            XCTAssertEqual(wrong, 0, "pieces not run exactly once with \(threads) threads")
        }
    }

    func testRunsFromSeveralThreadsAtOnce() {
        ThreadPool.threads = 2
        let total = Atomic<Int>(0)
        let group = (0..<3).map { _ in Thread { for _ in 0..<2000 { ThreadPool.run(4) { _ in total.add(1, ordering: .relaxed) } } } }
        group.forEach { $0.start() }
        while group.contains(where: { !$0.isFinished }) { usleep(1000) }
        XCTAssertEqual(total.load(ordering: .relaxed), 24_000)
    }

    func testClosureIsReleasedWhenTheRunReturns() {
        final class Witness { let number = 1 }
        ThreadPool.threads = 2
        weak var gone: Witness?
        for _ in 0..<1000 {
            let witness = Witness()
            gone = witness
            ThreadPool.run(4) { _ in _ = witness.number }
        }
        XCTAssertNil(gone)
    }

    func testSignalsAreBlockedInWorkers() {
        ThreadPool.threads = 2
        let caller = pthread_self()
        let blocked = Atomic<Int>(0)
        for _ in 0..<200 where blocked.load(ordering: .relaxed) == 0 {
            ThreadPool.run(2) { _ in
                var set = sigset_t()
                pthread_sigmask(SIG_BLOCK, nil, &set)
                if pthread_self() != caller, sigismember(&set, SIGINT) == 1 { blocked.add(1, ordering: .relaxed) }
                usleep(200)
            }
        }
        XCTAssertGreaterThan(blocked.load(ordering: .relaxed), 0)
    }

    func testWorkspaceGrowsAndIsAligned() {
        ThreadPool.run(4) { piece in
            for count in [1, 1000, 100_000] {
                guard let floats = Workspace.floats(count, slot: piece & 3) else { return XCTFail("no memory for \(count) floats") }
                XCTAssertEqual(Int(bitPattern: floats) & 63, 0)
                floats[count - 1] = 1
            }
        }
    }
}
