import Foundation
import XCTest

/// The built binary, run with pipes.
enum Program {
    /// The product lies beside the test bundle.
    static var path: String {
        let folder = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL.deletingLastPathComponent()
            ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        return folder.appendingPathComponent("trellis").path
    }

    struct Result {
        let status: Int32
        let output: String
        let error: String
    }

    static func run(
        _ arguments: [String], input: String = "", environment: [String: String] = [:], folder: String? = nil, program: String = path
    ) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
        let input = try temporaryFile(input), output = try temporaryFile(""), error = try temporaryFile("")
        process.standardInput = try FileHandle(forReadingFrom: input)
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: error)
        try process.run()
        process.waitUntilExit()
        defer { [input, output, error].forEach { try? FileManager.default.removeItem(at: $0) } }
        return Result(
            status: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
            error: try String(contentsOf: error, encoding: .utf8))
    }

    static func temporaryFile(_ text: String, suffix: String = "") throws -> URL {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("trellis-test-\(UUID().uuidString)\(suffix)")
        try text.write(to: url, atomically: false, encoding: .utf8)
        return url
    }

    static func temporaryFolder() throws -> String {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("trellis-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url.path
    }
}

/// The built binary on a terminal of its own.
final class TerminalSession {
    private let master: Int32
    private var child = pid_t()
    private(set) var transcript = ""
    private var unread = ""
    private var ended = false
    private var known: Int32?

    init(_ arguments: [String] = [], program: String = Program.path, environment: [String: String] = [:]) throws {
        // posix_openpt and its kin are hidden from Swift; these are the calls that they make.
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var locked: Int32 = 0, number: Int32 = -1
        guard master >= 0, ioctl(master, 0x4004_5431 /* TIOCSPTLCK */, &locked) == 0,
            ioctl(master, 0x8004_5430 /* TIOCGPTN */, &number) == 0
        else { throw POSIXError(.EIO) }
        let name = "/dev/pts/\(number)"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The leader of a new session gets the first terminal that it opens as its controlling one.
        posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        posix_spawn_file_actions_addclose(&actions, master)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, 0x80 /* POSIX_SPAWN_SETSID */)
        var size = winsize(ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
        var variables = ["TERM": "xterm", "PATH": "/usr/bin:/bin", "INPUTRC": "/dev/null", "LANG": "C.UTF-8"]
        variables.merge(environment) { $1 }
        var argv = ([program] + arguments).map { strdup($0) } + [nil]
        var envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        guard posix_spawn(&child, program, &actions, &attributes, &argv, &envp) == 0 else { throw POSIXError(.ENOENT) }
    }

    deinit {
        kill(child, SIGKILL)
        var status: Int32 = 0
        waitpid(child, &status, 0)
        close(master)
    }

    func send(_ text: String) { send(bytes: Array(text.utf8)) }
    func send(bytes: [UInt8]) { _ = write(master, bytes, bytes.count) }

    /// Tells the program of another size of its window.
    func resize(rows: Int, columns: Int) {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    }

    /// Forgets what the program has written until now, and returns it.
    @discardableResult
    func discard() -> String {
        while read(0) {}
        defer { (transcript, unread) = ("", "") }
        return transcript
    }

    var isRunning: Bool { exitStatus(seconds: 0) == nil }

    /// A key such as "C" with control held.
    func control(_ key: Character) { send(String(UnicodeScalar(key.asciiValue! & 31))) }

    /// Reads until `text` has appeared since the last call; fails the test after some seconds.
    @discardableResult
    func wait(for text: String, seconds: Double = 10, file: StaticString = #filePath, line: UInt = #line) -> String {
        let deadline = Date().addingTimeInterval(seconds)
        while Date() < deadline {
            if let range = unread.range(of: text) {
                let before = String(unread[..<range.lowerBound])
                unread = String(unread[range.upperBound...])
                return before
            }
            if !read(100), ended { break }
        }
        if let range = unread.range(of: text) { unread = String(unread[range.upperBound...]) } else {
            XCTFail("no '\(text)' in: \(unread.debugDescription)", file: file, line: line)
        }
        return ""
    }

    /// Lets the program come to rest.
    func settle(_ milliseconds: Int32 = 300) { while read(milliseconds) {} }

    /// Takes what comes within some milliseconds; whether anything did.
    private func read(_ milliseconds: Int32) -> Bool {
        var poll = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard Foundation.poll(&poll, 1, milliseconds) > 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(master, &buffer, buffer.count)
        guard count > 0 else {
            ended = true
            return false
        }
        let text = String(decoding: buffer[..<count], as: UTF8.self)
        transcript += text
        // What readline says about pasted text comes between all lines.
        unread = (unread + text).replacingOccurrences(of: "\u{1b}[?2004l\r", with: "").replacingOccurrences(of: "\u{1b}[?2004l", with: "")
            .replacingOccurrences(of: "\u{1b}[?2004h", with: "")
        return true
    }

    /// The exit status after the program has ended; nil if it has not after some seconds.
    func exitStatus(seconds: Double = 10) -> Int32? {
        if let known { return known }
        let deadline = Date().addingTimeInterval(seconds)
        var status: Int32 = 0
        repeat {
            if waitpid(child, &status, WNOHANG) == child {
                known = status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + status & 0x7f
                return known
            }
            if seconds > 0, !read(50), ended { usleep(20_000) }
        } while Date() < deadline
        return nil
    }
}
