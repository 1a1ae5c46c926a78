import CKernels
import Glibc

/// That a process is there, for others that share a directory with it, also over a network: a file of its own, which it holds and keeps changing.
///
/// On one machine the kernel says whether the process lives: it holds a lock (`flock`) on the file until it ends, in whatever way. To other machines the file's beat
/// says so, a number that grows: who has seen the same number for a lease, by a clock of its own that cannot be set, takes the process for dead (`PresenceWatch`). No time of
/// day is compared, so clocks may differ and jump. A process that ends in good order takes its file away.
public final class Presence: @unchecked Sendable {
    /// The name of the file, which no other process has or had.
    public let name: String
    public let path: String
    private let descriptor: Int32
    private let beats: Beats

    /// The machine as its kernel calls this run of it; `TRELLIS_MACHINE` calls it otherwise, for tests.
    public static let machine: String = {
        if let name = getenv("TRELLIS_MACHINE") { return String(cString: name) }
        let boot = (try? WholeFile.bytes("/proc/sys/kernel/random/boot_id")).map { String(decoding: $0, as: UTF8.self).filter { !$0.isWhitespace } } ?? ""
        return boot.isEmpty ? host : boot
    }()

    private static let host = String(HostName.mine.map { $0 == "/" ? "_" : $0 }.prefix(64))

    /// The host in the name of a presence.
    public static func host(of name: String) -> Substring { name.split(separator: "-", omittingEmptySubsequences: false).dropLast(2).joined(separator: "-")[...] }

    /// Makes the file in `directory`, which has to be there.
    /// - Parameter lease: seconds after which processes of other machines that see no beat may take this one for dead; it beats four times in that.
    /// - Throws: `FileError` when the file cannot be written.
    public init(in directory: String, lease: Double) throws(FileError) {
        let chance = String(UInt32.random(in: .min ... .max), radix: 36)
        name = "\(Presence.host)-\(getpid())-\(chance)"
        path = directory + "/" + name
        // Held before it has its name: whoever finds it finds it held.
        let unnamed = directory + "/." + name
        descriptor = open(unnamed, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw FileError(unnamed, "cannot write", code: errno, remedy: "choose a directory you may write to") }
        while flock(descriptor, LOCK_EX) != 0, errno == EINTR {}
        let text = Array("beat \(Presence.digits(0))\nmachine \(Presence.machine)\nlease \(lease)\nhost \(Presence.host)\nprocess \(getpid())\n".utf8)
        guard pwrite(descriptor, text, text.count, 0) == text.count, fsync(descriptor) == 0, rename(unnamed, path) == 0 else {
            let code = errno
            unlink(unnamed)
            close(descriptor)
            throw FileError(path, "cannot write", code: code)
        }
        beats = Beats(descriptor, every: lease / 4)
        beats.start()
        Presence.lock.held {
            _ = Presence.atExit
            Presence.all.insert(path)
        }
    }

    deinit { release() }

    /// Leaves: others see it at once. A second time does nothing.
    public func release() {
        guard Presence.lock.held({ Presence.all.remove(path) }) != nil else { return }
        beats.stop()
        unlink(path)
        close(descriptor)
    }

    /// Twelve digits, so that the text keeps its length.
    fileprivate static func digits(_ number: Int) -> String {
        let text = "\(number)"
        return String(repeating: "0", count: max(0, 12 - text.count)) + text
    }

    private static let lock = Lock()
    /// The files of this process, which `exit` takes away: a program that ends so runs no deinitialisers.
    nonisolated(unsafe) private static var all: Set<String> = []
    private static let atExit: Void = { atexit { for path in Presence.all { unlink(path) } } }()
}

/// The thread that lets a file beat.
private final class Beats: @unchecked Sendable {
    private let descriptor: Int32
    private let milliseconds: Int
    private let lock = Lock()
    private var isStopping = false
    private var thread: pthread_t?

    init(_ descriptor: Int32, every seconds: Double) { (self.descriptor, milliseconds) = (descriptor, max(1, Int(seconds * 1000))) }

    /// Where no thread can be made the process counts as there on its own machine only.
    func start() {
        // Signals belong to the thread that talks to the user.
        var before = sigset_t()
        trellis_block_signals(&before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var identity = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(&identity, nil, { context in
            guard let context else { return nil }
            Unmanaged<Beats>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, context.toOpaque())
        if code == 0 { thread = identity } else { context.release() }
    }

    func stop() {
        lock.held {
            isStopping = true
            lock.wake()
        }
        if let thread { pthread_join(thread, nil) }
        thread = nil
    }

    private func run() {
        var count = 0
        lock.held {
            var next = monotonicSeconds() + Double(milliseconds) / 1000
            while !isStopping {
                let left = Int((next - monotonicSeconds()) * 1000)
                if left > 0 {
                    lock.wait(milliseconds: left)
                    continue
                }
                count += 1
                let text = Array("beat \(Presence.digits(count))\n".utf8)
                // In place, so it needs no room on a full disk; one that is lost is made up for by the next.
                _ = pwrite(descriptor, text, text.count, 0)
                fsync(descriptor)
                next = monotonicSeconds() + Double(milliseconds) / 1000
            }
        }
    }
}

/// What a process has seen of the presences of others.
public final class PresenceWatch {
    private struct Sight {
        let beat: Substring
        let since: Double
    }

    private var sights: [String: Sight] = [:]

    public init() {}

    /// Whether the process behind a file of `Presence` is gone, as far as can be told from here.
    /// - Parameters:
    ///   - path: the file, or a link to it.
    ///   - name: of the presence.
    public func isGone(_ path: String, _ name: String) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            sights[name] = nil
            return errno == ENOENT
        }
        defer { close(file) }
        let fields = HeldFile.fields(file)
        if fields["machine"].map(String.init) == Presence.machine, let isHeld = PresenceWatch.isHeld(file) { return !isHeld }
        let (beat, lease) = (fields["beat"] ?? "", fields["lease"].flatMap { Double($0) } ?? 60)
        let now = monotonicSeconds()
        guard let sight = sights[name], sight.beat == beat else {
            sights[name] = Sight(beat: beat, since: now)
            return false
        }
        return now - sight.since > lease
    }

    /// Nil where the file system has no locks.
    private static func isHeld(_ file: Int32) -> Bool? {
        let (isFree, isKnown) = HeldFile.lock(file, LOCK_SH)
        return !isFree ? true : isKnown ? false : nil
    }
}
