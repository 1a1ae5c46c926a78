import Glibc

/// A file that appears whole or not at all: written beside its name, synced, renamed. The one way in which files are written.
///
/// Whatever happens on the way (full disk, error, SIGKILL) leaves the previous file as it was. A symbolic link stays one: what it points
/// to is replaced, or made where it is not there yet. An existing file keeps its permissions. A device or pipe is written directly.
///
/// Where the file system allows it, the file has no name until it is complete, so a killed program leaves nothing behind. Elsewhere it
/// is `.NAME.tmp` in the same directory, which the next write of the same name takes over, and writers of the same name wait for each
/// other. Either way every reader sees a whole file, and the last of several writers wins.
public final class AtomicFile {
    /// What is written, as the user named it.
    public let path: String
    /// Where it ends up: the target of a symbolic link, not the link. A C string, as the other names: above a file, and behind a link, there may
    /// be names that are not UTF-8.
    private let target: [CChar]
    /// Its directory.
    private let directory: [CChar]
    /// `target` with a dot in front of its last name: how the names of unfinished files begin. Not terminated.
    private let hidden: [CChar]
    private let temporary: [CChar]
    private var descriptor: Int32 = -1
    /// How the bytes get to `target`.
    private var way = Way.named

    private enum Way {
        /// Into a file without a name.
        case anonymous
        /// Into `temporary`.
        case named
        /// A device or pipe cannot be replaced.
        case direct
    }

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
        let target = AtomicFile.resolved(path)
        self.target = target
        let name = target.dropLast()
        let start = AtomicFile.nameStart(target)
        let parent: [CChar] = Array(name[..<start])
        directory = start == 0 ? AtomicFile.terminated(".") : parent + [0]
        hidden = parent + AtomicFile.terminated(".").dropLast() + Array(name[start...])
        temporary = hidden + AtomicFile.terminated(".tmp")
        var status = stat()
        let exists = stat(path, &status) == 0
        guard start < name.count, !(exists && status.st_mode & S_IFMT == S_IFDIR) else {
            throw FileError(path, "expected the name of a file, got a directory", remedy: "add a file name")
        }
        if exists, status.st_mode & S_IFMT != S_IFREG {
            way = .direct
            // By its own name: what /dev/stdout links to need not be one.
            descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw FileError(path, "cannot write", code: errno) }
            return
        }
        if !openAnonymous(mode: mode) { try openTemporary(mode: mode) }
        if exists { fchmod(descriptor, status.st_mode & 0o777) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Where a write to `path` goes: through symbolic links, also to a file that is not there yet.
    private static func resolved(_ path: String) -> [CChar] {
        if let real = realpath(path, nil) {
            defer { free(real) }
            return Array(UnsafeBufferPointer(start: real, count: strlen(real) + 1))
        }
        var target = terminated(path)
        // As many links as Linux follows.
        for _ in 0..<40 {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(target, &buffer, buffer.count)
            guard count > 0 else { return target }
            let parent = buffer[0] == slash ? 0 : nameStart(target)
            target = Array(target[..<parent])
            target += buffer[..<count]
            target.append(0)
        }
        return target
    }

    private static let slash = CChar(bitPattern: UInt8(ascii: "/"))
    /// Where the last name of a path begins.
    private static func nameStart(_ path: [CChar]) -> Int { path.lastIndex(of: slash).map { $0 + 1 } ?? 0 }
    private static func terminated(_ text: String) -> [CChar] { Array(text.utf8CString) }

    /// `O_TMPFILE`, a macro that Swift does not import.
    private static let noName: Int32 = 0o20_000_000 | O_DIRECTORY

    /// Whether files without a name are tried at all: tests walk the other way too.
    nonisolated(unsafe) package static var prefersNoName = true

    /// - Returns: false where the file system, or a missing /proc, does not allow it.
    private func openAnonymous(mode: UInt32) -> Bool {
        guard AtomicFile.prefersNoName, access("/proc/self/fd", X_OK) == 0 else { return false }
        descriptor = open(directory, AtomicFile.noName | O_RDWR | O_CLOEXEC, mode)
        guard descriptor >= 0 else { return false }
        way = .anonymous
        return true
    }

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
        let code = writeAll(UnsafeRawBufferPointer(start: source, count: count), to: descriptor)
        if code != 0 { throw failure("cannot write", code) }
    }

    private func failure(_ action: String, _ code: Int32) -> FileError {
        let full = code == ENOSPC || code == EDQUOT || code == EFBIG
        let kept = way == .direct ? "" : access(target, F_OK) == 0 ? "the previous file is unchanged" : "no file was left behind"
        let remedy = full ? "free some space or choose another directory" : ""
        return FileError(path, action, code: code, remedy: [kept, remedy].filter { !$0.isEmpty }.joined(separator: "; "))
    }

    private func commit() throws(FileError) {
        try flush()
        if way == .direct { return }
        // Data before name: without the sync a crash may leave the new name on an empty file.
        guard fsync(descriptor) == 0 else { throw failure("cannot write", errno) }
        if way == .anonymous {
            try nameAnonymous()
        } else {
            guard rename(temporary, target) == 0 else { throw failure("cannot give the file its name", errno) }
        }
        let opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if opened >= 0 {
            // Some file systems refuse to sync a directory; the file itself is safe by now.
            fsync(opened)
            close(opened)
        }
    }

    /// No system call puts a nameless file in the place of another: for a moment it has a name of its own.
    private func nameAnonymous() throws(FileError) {
        for number in 0... {
            let beside = hidden + AtomicFile.terminated(".\(getpid())-\(number).tmp")
            if linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, beside, AT_SYMLINK_FOLLOW) != 0 {
                // Another thread's, or of a process on another machine.
                if errno == EEXIST { continue }
                throw failure("cannot give the file its name", errno)
            }
            if rename(beside, target) == 0 { return removeLeftover() }
            let code = errno
            unlink(beside)
            throw failure("cannot give the file its name", code)
        }
    }

    /// Takes away what a killed writer left that went through `temporary`.
    private func removeLeftover() {
        let left = open(temporary, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard left >= 0 else { return }
        if flock(left, LOCK_EX | LOCK_NB) == 0 { unlink(temporary) }
        close(left)
    }

    private func abandon() {
        guard way == .named, descriptor >= 0 else { return }
        unlink(temporary)
    }
}
