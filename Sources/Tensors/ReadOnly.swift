/// While somebody looks into a job that runs, nothing that the job stands on may change.
public enum ReadOnly {
    public static var isActive: Bool { Surroundings.now.isReadOnly }

    /// Writes of tensors, backward passes, steps of optimisers and loading are errors while `body` runs.
    public static func during<T>(_ body: () throws -> T) rethrows -> T { try Surroundings.with(\.isReadOnly, true, body) }

    /// - Throws: `TensorError` inside of `during`.
    @inline(__always) public static func allow(_ operation: @autoclosure () -> String) throws {
        if isActive { throw refusal(operation()) }
    }

    @inline(never) public static func refusal(_ operation: String) -> TensorError {
        TensorError(operation, "a look changes nothing: what runs goes on with what it has; look at a clone(), or wait until it has ended")
    }
}
