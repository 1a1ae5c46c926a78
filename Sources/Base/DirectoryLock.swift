import Glibc

/// A directory that one process at a time writes into: a run's.
///
/// The holder stands in `DIRECTORY/run.lock`: its process, its machine, since when. The file is locked by the kernel too (`flock`), which
/// lets go when the process ends in whatever way; so a lock that a dead process left on this machine is taken over, with a word. Of a
/// process on another machine nobody here can tell whether it still runs: the error says how to remove its lock. Within a process locks
/// nest: a script holds its directory while `fit` does. To be used from one thread.
public final class DirectoryLock {
    public let directory: String
    private let key: FileIdentity
    private var isHeld = true

    private final class Holding {
        let path: String
        let descriptor: Int32
        var count = 1

        init(_ path: String, _ descriptor: Int32) {
            self.path = path
            self.descriptor = descriptor
        }
    }

    /// What this process holds.
    nonisolated(unsafe) private static var held: [FileIdentity: Holding] = [:]
    /// A program that ends by `exit` runs no deinitialisers.
    private static let atExit: Void = { atexit { DirectoryLock.removeAll() } }()

    /// Locks a directory, which has to be there.
    /// - Throws: `FileError` when another process holds it, or it cannot be written.
    public init(_ directory: String) throws(FileError) {
        self.directory = directory
        guard let key = FileIdentity(directory) else { throw FileError(directory, "cannot lock the directory", code: errno) }
        self.key = key
        if let mine = DirectoryLock.held[key] {
            mine.count += 1
            return
        }
        _ = DirectoryLock.atExit
        let path = directory + "/run.lock"
        let descriptor = try DirectoryLock.take(path, directory)
        DirectoryLock.held[key] = Holding(path, descriptor)
    }

    deinit { release() }

    /// Gives the directory back; a second time does nothing.
    public func release() {
        guard isHeld, let holding = DirectoryLock.held[key] else { return }
        isHeld = false
        holding.count -= 1
        guard holding.count == 0 else { return }
        DirectoryLock.held[key] = nil
        DirectoryLock.remove(holding)
    }

    /// Whether some process, this one included, writes into a directory; of one on another machine what its lock says.
    public static func isHeld(_ directory: String) -> Bool {
        let opened = open(directory + "/run.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard opened >= 0 else { return false }
        defer { close(opened) }
        let (isFree, knows) = HeldFile.lock(opened, LOCK_SH)
        guard isFree, let holder = Holder(HeldFile.fields(opened)) else { return !isFree }
        return holder.host == Holder.me.host ? !knows && holder.isAlive : true
    }

    private static func removeAll() {
        for holding in held.values { remove(holding) }
        held = [:]
    }

    /// The name goes while the lock is held: who opens the file afterwards makes a new one.
    private static func remove(_ holding: Holding) {
        unlink(holding.path)
        close(holding.descriptor)
    }

    private static func take(_ path: String, _ directory: String) throws(FileError) -> Int32 {
        while true {
            let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
            guard opened >= 0 else { throw FileError(path, "cannot write", code: errno, remedy: "choose a directory you may write to") }
            let (isLocked, knows) = HeldFile.lock(opened)
            let before = Holder(HeldFile.fields(opened))
            if !isLocked {
                close(opened)
                guard let before else {
                    // It has the lock and is about to write its name.
                    throw FileError(directory, "another process has just begun to write into it", remedy: "wait for it or end it, or choose another directory")
                }
                throw taken(directory, before)
            }
            // The holder may have removed the file between opening and locking.
            var mine = stat()
            var named = stat()
            guard fstat(opened, &mine) == 0, stat(path, &named) == 0, mine.st_ino == named.st_ino, mine.st_dev == named.st_dev else {
                close(opened)
                continue
            }
            if let before {
                guard before.host == Holder.me.host, knows || !before.isAlive else {
                    close(opened)
                    throw taken(directory, before)
                }
                removeTemporaries(in: directory, of: before.process)
                Notice.say("\(directory): taken over from process \(before.process), which wrote into it since \(before.since) and ended without a word")
            }
            write(Holder.me.text, to: opened)
            return opened
        }
    }

    /// Takes away what a dead process left of files that it was about to give their names (`.NAME.PROCESS-NUMBER.tmp`, see `AtomicFile`).
    private static func removeTemporaries(in directory: String, of process: String) {
        guard let list = opendir(directory) else { return }
        defer { closedir(list) }
        while let entry = readdir(list) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            guard name.hasPrefix("."), name.hasSuffix(".tmp") else { continue }
            let parts = name.dropLast(4).split(separator: ".").last?.split(separator: "-", omittingEmptySubsequences: false) ?? []
            if parts.count == 2, parts[0] == process, Int(parts[1]) != nil { unlink(directory + "/" + name) }
        }
    }

    private static func taken(_ directory: String, _ holder: Holder) -> FileError {
        let isHere = holder.host == Holder.me.host
        return FileError(
            directory, "process \(holder.process) on \(isHere ? "this machine" : holder.host) writes into it since \(holder.since)",
            remedy: isHere
                ? "wait for it or end it, or choose another directory"
                : "whether it still runs cannot be seen from here; if it does not, remove \(directory)/run.lock")
    }

    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        ftruncate(descriptor, 0)
        _ = pwrite(descriptor, bytes, bytes.count, 0)
        fsync(descriptor)
    }
}

/// Who holds a lock, as its file says it.
private struct Holder {
    let process: String
    let host: String
    let since: String

    static var me: Holder { Holder(process: "\(getpid())", host: HostName.mine, since: UTCTime.now + " UTC") }

    private init(process: String, host: String, since: String) {
        self.process = process
        self.host = host
        self.since = since
    }

    /// - Returns: nil for a file that says nothing: just made, or given back.
    init?(_ values: [Substring: Substring]) {
        guard let process = values["process"], let host = values["host"], let since = values["since"] else { return nil }
        (self.process, self.host, self.since) = (String(process), String(host), String(since))
    }

    var text: String { "process \(process)\nhost \(host)\nsince \(since)\n" }

    /// Whether there is a process of that number on this machine: it may be another one by now.
    var isAlive: Bool {
        guard let number = Int32(process), number > 0 else { return false }
        return kill(number, 0) == 0 || errno == EPERM
    }
}
