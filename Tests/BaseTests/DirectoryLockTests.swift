import Base
import Foundation
import XCTest

final class DirectoryLockTests: TemporaryDirectoryTestCase {
    private var said: [String] = []

    override func setUpWithError() throws {
        try super.setUpWithError()
        let before = Notice.listen { [weak self] in self?.said.append($0) }
        addTeardownBlock { Notice.listen(before) }
    }

    private var host: String { ProcessInfo.processInfo.hostName }
    private func leave(_ text: String) throws { try text.write(toFile: path("run.lock"), atomically: false, encoding: .utf8) }

    func testTheHolderIsNamedAndTheFileGoesWithTheLock() throws {
        let lock = try DirectoryLock(directory)
        let text = try XCTUnwrap(contents("run.lock"))
        XCTAssertTrue(text.hasPrefix("process \(getpid())\nhost "), text)
        XCTAssertTrue(text.contains("\nsince 20"), text)
        lock.release()
        XCTAssertEqual(names, [])
        lock.release()
        try DirectoryLock(directory).release()
        XCTAssertEqual(said, [])
    }

    /// A script holds its directory while `fit` does.
    func testWithinAProcessLocksNest() throws {
        let outer = try DirectoryLock(directory)
        let inner = try DirectoryLock(directory + "/.")
        inner.release()
        XCTAssertEqual(names, ["run.lock"])
        outer.release()
        XCTAssertEqual(names, [])
    }

    func testAnotherProcessIsRefused() throws {
        // A process that holds the kernel's lock and says that it is number 1 of this machine.
        let lock = try DirectoryLock(directory)
        let text = try XCTUnwrap(contents("run.lock")).replacingOccurrences(of: "process \(getpid())", with: "process 1")
        lock.release()
        try leave(text)
        let other = Process()
        other.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
        other.arguments = ["-F", path("run.lock"), "sh", "-c", "touch \(path("held")); exec sleep 60"]
        try other.run()
        defer { other.terminate() }
        for _ in 0..<1000 where contents("held") == nil { usleep(10_000) }
        assertThrows("process 1 on this machine writes into it since 20", "wait for it or end it") { try DirectoryLock(directory) }
        XCTAssertEqual(contents("run.lock"), text)
        // When it is dead its lock is taken over, with a word, and its files without names go; those of others stay.
        for name in [".checkpoint.safetensors.1-0.tmp", ".checkpoint.safetensors.12-0.tmp", ".a.1-x.tmp"] {
            XCTAssertTrue(FileManager.default.createFile(atPath: path(name), contents: nil))
        }
        kill(other.processIdentifier, SIGKILL)
        other.waitUntilExit()
        try? FileManager.default.removeItem(atPath: path("held"))
        let mine = try DirectoryLock(directory)
        XCTAssertEqual(said.count, 1)
        XCTAssertTrue(said[0].contains("taken over from process 1"), said[0])
        mine.release()
        XCTAssertEqual(names.sorted(), [".a.1-x.tmp", ".checkpoint.safetensors.12-0.tmp"])
    }

    /// Between locking the file and writing into it.
    func testAProcessThatHasJustBegun() throws {
        let other = Process()
        other.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
        other.arguments = ["-F", path("run.lock"), "sh", "-c", "touch \(path("held")); exec sleep 60"]
        try other.run()
        defer { other.terminate() }
        for _ in 0..<1000 where contents("held") == nil { usleep(10_000) }
        assertThrows("another process has just begun to write into it") { try DirectoryLock(directory) }
    }

    func testAProcessOfAnotherMachineMayBeAlive() throws {
        let text = "process 12\nhost elsewhere-7\nsince 2020-01-02 03:04:05 UTC\n"
        try leave(text)
        assertThrows("process 12 on elsewhere-7 writes into it since 2020-01-02 03:04:05 UTC", "remove \(directory)/run.lock") {
            try DirectoryLock(directory)
        }
        XCTAssertEqual(contents("run.lock"), text)
    }

    /// A kill between making the file and writing into it.
    func testAnEmptyFileIsNoLock() throws {
        try leave("")
        try DirectoryLock(directory).release()
        XCTAssertEqual(said, [])
    }

    func testADirectoryThatIsNotThere() { assertThrows("cannot lock the directory") { try DirectoryLock(path("absent")) } }
}
