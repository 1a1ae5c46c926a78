import Glibc
import Tensors

/// The files below a directory.
enum DirectoryListing {
    /// Paths relative to `directory` of the files whose name ends in one of `endings` (lower case), sorted by bytes so that
    /// the order does not depend on the file system or the language of the user. Hidden files are left out.
    /// - Throws: `FileError` when a directory cannot be read.
    static func files(_ directory: String, endings: [String]) throws(FileError) -> [String] {
        var found: [String] = []
        try collect(directory, below: "", endings: endings, depth: 0, into: &found)
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func collect(
        _ root: String, below: String, endings: [String], depth: Int, into found: inout [String]
    ) throws(FileError) {
        let path = below.isEmpty ? root : root + "/" + below
        guard let stream = opendir(path) else {
            let code = errno
            throw FileError(
                path, "cannot read the directory", code: code,
                remedy: code == ENOENT ? "check its name and where the data was unpacked" : "")
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            let relative = below.isEmpty ? name : below + "/" + name
            var status = stat()
            guard stat(root + "/" + relative, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                // Deeper than any layout of a data set: a loop of links.
                if depth < 8 { try collect(root, below: relative, endings: endings, depth: depth + 1, into: &found) }
            } else if endings.contains(where: { name.lowercased().hasSuffix($0) }) {
                found.append(relative)
            }
        }
    }

    /// Whether there is a file or directory of that name that can be read.
    static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// The first of some directories that has an entry.
    static func first(_ directories: [String], having name: String) -> String? { directories.first { exists($0 + "/" + name) } }
}
