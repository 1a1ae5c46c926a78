import Glibc

/// A file that could not be read or written: which one, what was expected and what came, and what to do about it.
public struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file, or "" where the reader works on memory and the caller knows the name.
    public var path: String
    /// "expected ..., got ..." or the like, without the path.
    public var problem: String
    /// What the user can do, or "".
    public var remedy: String

    public init(_ path: String, _ problem: String, remedy: String = "") {
        self.path = path
        self.problem = problem
        self.remedy = remedy
    }

    public var description: String {
        (path.isEmpty ? "" : path + ": ") + problem + (remedy.isEmpty ? "" : "; " + remedy)
    }

    /// The same error with `path` where none was known.
    package func at(_ path: String) -> FileError {
        FileError(self.path.isEmpty ? path : self.path, problem, remedy: remedy)
    }

    /// A failed system call: what was tried, and the system's reason for `code`, a value of `errno`.
    public init(_ path: String, _ action: String, code: Int32, remedy: String = "") {
        self.init(path, "\(action): \(FileError.reason(code))", remedy: remedy)
    }

    static func reason(_ code: Int32) -> String {
        var text = [CChar](repeating: 0, count: 256)
        // The XSI form, which writes into the buffer: strerror is not thread safe.
        guard strerror_r(code, &text, text.count) == 0 else { return "error \(code)" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
