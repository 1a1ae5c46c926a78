/// Variables that hold for all that runs inside of a call, and are as they were when it has ended, in whichever way (dynamic scope). A module of this program has one
/// value of such a type, `now`, with all of this kind in it, each by name: what a computation goes by beside its arguments can be seen in one place. They belong to the
/// thread that runs scripts.
public protocol DynamicScope {
    static var now: Self { get set }
}

extension DynamicScope {
    /// Runs `body` with another value of a part.
    @inlinable @inline(__always)
    public static func with<Value, Result>(_ part: WritableKeyPath<Self, Value>, _ value: Value, _ body: () throws -> Result) rethrows -> Result {
        let before = now[keyPath: part]
        now[keyPath: part] = value
        defer { now[keyPath: part] = before }
        return try body()
    }
}
