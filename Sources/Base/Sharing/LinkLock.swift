import Glibc

/// A lock that processes of several machines take in turn, for moments: a hard link to the holder's `Presence`, which is made in one go on network file systems too.
///
/// The lock of a holder that is gone (`PresenceWatch`) is taken away. In that a living holder's lock can be hit where two processes take it away at once, or where a
/// holder was stopped for longer than its lease: what the lock protects has to bear two holders (`ChainedFile` does).
public final class LinkLock {
    private let path: String
    private let presence: Presence
    private let watch: PresenceWatch

    /// - Parameter path: of the link; its directory is on the file system of the presence's file.
    public init(_ path: String, for presence: Presence, watch: PresenceWatch) { (self.path, self.presence, self.watch) = (path, presence, watch) }

    /// Runs `body` while nobody else holds the lock.
    /// - Throws: `FileError` where the link cannot be made; `Interrupted` while it waits; what `body` throws.
    public func held<Result>(_ body: () throws -> Result) throws -> Result {
        try take()
        defer { if LinkLock.inode(path) == LinkLock.inode(presence.path) { unlink(path) } }
        return try body()
    }

    private func take() throws {
        var pause: UInt32 = 200
        while link(presence.path, path) != 0 {
            let code = errno
            // On a network the answer to a link that was made can be lost.
            if let own = LinkLock.inode(presence.path), LinkLock.inode(path) == own { return }
            guard code == EEXIST || code == EINTR else { throw refused(code) }
            try checkInterrupt()
            if let holder = LinkLock.holder(path), watch.isGone(path, holder) { breakLock() }
            usleep(UInt32.random(in: pause / 2...pause))
            pause = min(50_000, pause * 2)
        }
    }

    private func refused(_ code: Int32) -> FileError {
        if code == ENOENT { return FileError(presence.path, "the file of this process is gone", remedy: "somebody removed it while the process ran: start it again") }
        let remedy = code == EPERM || code == EOPNOTSUPP ? "this file system has no hard links, which processes need that share a directory: choose another one" : ""
        return FileError(path, "cannot take the lock", code: code, remedy: remedy)
    }

    /// What tells holders apart: the file that the link means.
    private static func holder(_ path: String) -> String? { inode(path).map { "lock \($0)" } }

    private static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return lstat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// Moves the lock away and looks at it once more: it may have become another's in between, who gets it back.
    private func breakLock() {
        let aside = presence.path + ".broken"
        guard rename(path, aside) == 0 else { return }
        if let holder = LinkLock.holder(aside), !watch.isGone(aside, holder) { link(aside, path) }
        unlink(aside)
    }
}
