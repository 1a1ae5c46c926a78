import Glibc

/// What tells a file or directory from others, whatever it is called.
public struct FileIdentity: Hashable {
    private let device: dev_t
    private let inode: ino_t

    /// - Returns: nil where there is none, with the reason in `errno`.
    public init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (device, inode) = (status.st_dev, status.st_ino)
    }
}
