/// A data set, image, augmentation or metric that was asked for something it cannot do: what was expected, what came, and
/// what to do about it. Files that cannot be read give a `FileError`.
public struct DataError: Error, Equatable, Sendable, CustomStringConvertible {
    public var problem: String
    public var remedy: String

    public init(_ problem: String, remedy: String = "") {
        self.problem = problem
        self.remedy = remedy
    }

    public var description: String { problem + (remedy.isEmpty ? "" : "; " + remedy) }
}
