import Glibc

/// A file that appears whole or not at all: written beside its name, synced, renamed.
///
/// Whatever happens on the way (full disk, error, SIGKILL) leaves the previous file as it was. The half-written file is
/// `.NAME.tmp` in the same directory; the next write of the same name takes it over, so killed runs leave no litter.
/// Writers of the same name, in this process or another, wait for each other.
public final class AtomicFile {
    /// What is written, as the user named it.
    public let path: String
    /// Where it ends up: the target of a symbolic link, not the link.
    private let target: String
    private let temporary: String
    private var descriptor: Int32 = -1
    /// A device or pipe cannot be replaced; it is written directly.
    private var direct = false
    private var pending: [UInt8] = []
    /// Bytes given to `write` so far.
    public private(set) var written = 0

    /// Writes `path` by `body`; the file appears when `body` returns and everything is on the disk.
    /// - Parameter mode: permissions of a new file (the process's umask applies); an existing file keeps its own.
    public static func write<Result>(
        _ path: String, mode: UInt32 = 0o666, _ body: (AtomicFile) throws(FileError) -> Result
    ) throws(FileError) -> Result {
        let file = try AtomicFile(path, mode: mode)
        do {
            let result = try body(file)
            try file.commit()
            return result
        } catch {
            file.abandon()
            throw error
        }
    }

    /// Writes a whole text or small block of bytes.
    public static func write(_ bytes: some Sequence<UInt8>, to path: String, mode: UInt32 = 0o666) throws(FileError) {
        let block = Array(bytes)
        try write(path, mode: mode) { file throws(FileError) in try file.write(block) }
    }

    private init(_ path: String, mode: UInt32) throws(FileError) {
        self.path = path
        var target = path
        if let resolved = realpath(path, nil) {
            target = String(cString: resolved)
            free(resolved)
        }
        self.target = target
        let slash = target.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(target[...$0]) } ?? ""
        let name = slash.map { String(target[target.utf8.index(after: $0)...]) } ?? target
        temporary = directory + "." + name + ".tmp"
        var status = stat()
        let exists = stat(target, &status) == 0
        guard !name.isEmpty, !(exists && status.st_mode & S_IFMT == S_IFDIR) else {
            throw FileError(path, "expected the name of a file, got a directory", remedy: "add a file name")
        }
        if exists, status.st_mode & S_IFMT != S_IFREG {
            direct = true
            descriptor = open(target, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw FileError(path, "cannot write", code: errno) }
            return
        }
        try openTemporary(mode: mode)
        if exists { fchmod(descriptor, status.st_mode & 0o777) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Opens and locks `temporary`. Between opening and locking another writer may have renamed the file away; then it
    /// is no longer what the name means, and we try again.
    private func openTemporary(mode: UInt32) throws(FileError) {
        while true {
            let opened = open(temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode)
            guard opened >= 0 else {
                let code = errno
                throw FileError(
                    path, "cannot write in this directory", code: code,
                    remedy: code == ENOENT ? "create the directory first" : "choose a directory you may write to")
            }
            // A file system without locks (some network mounts) works as before, without the waiting.
            while flock(opened, LOCK_EX) != 0, errno == EINTR {}
            var mine = stat()
            var named = stat()
            if fstat(opened, &mine) == 0, stat(temporary, &named) == 0, mine.st_ino == named.st_ino, mine.st_dev == named.st_dev {
                descriptor = opened
                guard ftruncate(opened, 0) == 0 else { throw FileError(path, "cannot write", code: errno) }
                return
            }
            close(opened)
        }
    }

    /// Appends `count` bytes. Small pieces are gathered; large ones go out without a copy.
    public func write(_ source: UnsafeRawPointer, count: Int) throws(FileError) {
        written += count
        if count < 1 << 16 {
            pending.append(contentsOf: UnsafeRawBufferPointer(start: source, count: count))
            if pending.count >= 1 << 18 { try flush() }
            return
        }
        try flush()
        try put(source, count: count)
    }

    public func write(_ bytes: [UInt8]) throws(FileError) {
        let failure: FileError? = bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return nil }
            do throws(FileError) { try write(base, count: raw.count) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    private func flush() throws(FileError) {
        guard !pending.isEmpty else { return }
        let block = pending
        pending.removeAll(keepingCapacity: true)
        let failure: FileError? = block.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return nil }
            do throws(FileError) { try put(base, count: raw.count) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    private func put(_ source: UnsafeRawPointer, count: Int) throws(FileError) {
        var done = 0
        while done < count {
            let put = Glibc.write(descriptor, source + done, min(count - done, 1 << 30))
            if put < 0, errno == EINTR { continue }
            guard put > 0 else { throw failure("cannot write", put < 0 ? errno : ENOSPC) }
            done += put
        }
    }

    private func failure(_ action: String, _ code: Int32) -> FileError {
        let full = code == ENOSPC || code == EDQUOT || code == EFBIG
        let kept = direct ? "" : access(target, F_OK) == 0 ? "the previous file is unchanged" : "no file was left behind"
        let remedy = full ? "free some space or choose another directory" : ""
        return FileError(path, action, code: code, remedy: [kept, remedy].filter { !$0.isEmpty }.joined(separator: "; "))
    }

    private func commit() throws(FileError) {
        try flush()
        if direct { return }
        // Data before name: without the sync a crash may leave the new name on an empty file.
        guard fsync(descriptor) == 0 else { throw failure("cannot write", errno) }
        guard rename(temporary, target) == 0 else { throw failure("cannot give the file its name", errno) }
        let slash = target.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = open(slash.map { String(target[...$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            // Some file systems refuse to sync a directory; the file itself is safe by now.
            fsync(directory)
            close(directory)
        }
    }

    private func abandon() {
        guard !direct, descriptor >= 0 else { return }
        unlink(temporary)
    }
}
