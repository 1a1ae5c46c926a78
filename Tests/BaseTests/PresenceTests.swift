import Base
import Foundation
import XCTest

final class PresenceTests: TemporaryDirectoryTestCase {
    func testOneThatLeavesIsGoneAtOnce() throws {
        let (presence, watch) = (try Presence(in: directory, lease: 60), PresenceWatch())
        XCTAssertEqual(names, [presence.name])
        XCTAssertFalse(watch.isGone(presence.path, presence.name))
        presence.release()
        XCTAssertEqual(names, [])
        XCTAssertTrue(watch.isGone(presence.path, presence.name))
        presence.release()
    }

    /// What a killed process leaves on this machine: a file that nobody holds.
    func testADeadOneOfThisMachineIsGoneAtOnce() throws {
        let presence = try Presence(in: directory, lease: 60)
        let left = try XCTUnwrap(contents(presence.name))
        presence.release()
        try left.write(toFile: path("left"), atomically: false, encoding: .utf8)
        XCTAssertTrue(PresenceWatch().isGone(path("left"), "left"))
    }

    /// Of another machine only the beat tells, over a lease that its file names.
    func testOneOfAnotherMachineIsGoneWithoutABeat() throws {
        func write(_ beat: Int) throws {
            try "beat \(beat)\nmachine far\nlease 0.2\n".write(toFile: path("far"), atomically: false, encoding: .utf8)
        }
        let watch = PresenceWatch()
        for beat in 0..<3 {
            try write(beat)
            XCTAssertFalse(watch.isGone(path("far"), "far"))
            usleep(150_000)
            XCTAssertFalse(watch.isGone(path("far"), "far"))
        }
        usleep(150_000)
        XCTAssertTrue(watch.isGone(path("far"), "far"))
    }

    func testItBeats() throws {
        let presence = try Presence(in: directory, lease: 0.04)
        let before = contents(presence.name)
        usleep(300_000)
        XCTAssertNotEqual(contents(presence.name), before)
    }

    /// The lock of a holder that is gone is taken away, that of one that is there is waited for.
    func testALockOutlivesNoHolder() throws {
        let (a, b) = (try Presence(in: directory, lease: 60), try Presence(in: directory, lease: 60))
        let (first, second) = (LinkLock(path("lock"), for: a, watch: PresenceWatch()), LinkLock(path("lock"), for: b, watch: PresenceWatch()))
        try first.held { XCTAssertTrue(names.contains("lock")) }
        XCTAssertFalse(names.contains("lock"))
        let dead = try XCTUnwrap(contents(a.name))
        try dead.write(toFile: path("lock"), atomically: false, encoding: .utf8)
        XCTAssertEqual(try second.held { 1 }, 1)
        XCTAssertFalse(names.contains("lock"))
        let isIn = expectation(description: "the second waits")
        isIn.isInverted = true
        try first.held {
            nonisolated(unsafe) let waiting = second
            let thread = Thread {
                try? waiting.held { isIn.fulfill() }
            }
            thread.start()
            wait(for: [isIn], timeout: 0.2)
        }
        XCTAssertEqual(try first.held { 2 }, 2)
    }

    func testHostOfAName() { XCTAssertEqual(Presence.host(of: "node-7-123-abc"), "node-7") }
}
