import Base
import Glibc

/// The files below a directory.
enum DirectoryListing {
    /// Paths relative to `directory` of the files whose name ends in one of `endings` (lower case), sorted by bytes so that
    /// the order does not depend on the file system or the language of the user. Hidden files are left out.
    /// - Throws: `FileError` when a directory cannot be read, when a file of such a name cannot be looked at (a link that leads nowhere) or is none, and
    ///   for a name that is no UTF-8: text holds it only with other bytes in it, by which the file is not found. `Interrupted`.
    static func files(_ directory: String, endings: [String]) throws -> [String] {
        var found: [String] = []
        try collect(directory, below: "", endings: endings, depth: 0, into: &found)
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func collect(
        _ root: String, below: String, endings: [String], depth: Int, into found: inout [String]
    ) throws {
        let path = below.isEmpty ? root : root + "/" + below
        guard let stream = opendir(path) else {
            let code = errno
            throw FileError(
                path, "cannot read the directory", code: code,
                remedy: code == ENOENT ? "check its name and where the data was unpacked" : "")
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            try checkInterrupt()
            guard let name = try name(of: entry, in: path, endings: endings) else { continue }
            let relative = below.isEmpty ? name : below + "/" + name
            let isWanted = endings.contains { name.lowercased().hasSuffix($0) }
            var status = stat()
            guard stat(root + "/" + relative, &status) == 0 else {
                if isWanted { throw FileError(root + "/" + relative, "cannot read the file", code: errno, remedy: "remove it, or what links to it") }
                continue
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                // Deeper than any layout of a data set: a loop of links.
                if depth < 8 { try collect(root, below: relative, endings: endings, depth: depth + 1, into: &found) }
            } else if isWanted {
                guard status.st_mode & S_IFMT == S_IFREG else {
                    throw FileError(root + "/" + relative, "expected a regular file, got a device or a pipe", remedy: "remove it")
                }
                found.append(relative)
            }
        }
    }

    /// The name of an entry that may be of use; nil for hidden ones.
    private static func name(of entry: UnsafeMutablePointer<dirent>, in directory: String, endings: [String]) throws(FileError) -> String? {
        let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
        if bytes.first == UInt8(ascii: ".") { return nil }
        if let name = String(validating: bytes, as: UTF8.self) { return name }
        // Other files and directories may be called what they like, as long as they hold nothing that is wanted.
        let isDirectory = entry.pointee.d_type == UInt8(DT_DIR) || entry.pointee.d_type == UInt8(DT_LNK) || entry.pointee.d_type == UInt8(DT_UNKNOWN)
        let shown = FileName.escaped(bytes)
        guard isDirectory || endings.contains(where: { shown.lowercased().hasSuffix($0) }) else { return nil }
        throw FileError(directory + "/" + shown, FileName.problem, remedy: FileName.remedy)
    }

    /// Whether there is a file or directory of that name that can be read.
    static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// The first of some directories that has an entry.
    static func first(_ directories: [String], having name: String) -> String? { directories.first { exists($0 + "/" + name) } }
}
