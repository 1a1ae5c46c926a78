import Glibc

/// Directories for results.
public enum Directory {
    /// Makes a directory and those above it; one that is there already is fine.
    /// - Throws: `FileError` when it cannot be made, or a file of that name is in the way.
    public static func make(_ path: String) throws(FileError) {
        guard !path.isEmpty else { throw FileError("", "expected the name of a directory, got an empty one") }
        var at = path.startIndex
        while at < path.endIndex {
            at = path[path.index(after: at)...].firstIndex(of: "/") ?? path.endIndex
            let part = String(path[..<at])
            guard mkdir(part, 0o777) != 0 else { continue }
            let code = errno
            guard code == EEXIST, isDirectory(part) else {
                throw FileError(path, "cannot make the directory", code: code, remedy: code == EEXIST ? "\(part) is a file" : "")
            }
        }
    }

    public static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
