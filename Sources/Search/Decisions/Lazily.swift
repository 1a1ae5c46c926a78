import Base

/// A value that is made when it is first asked for, once for all threads. A failure is not kept.
final class Lazily<Value: Sendable>: @unchecked Sendable {
    private let lock = Lock()
    private var made: Value?

    func value(_ make: () throws -> Value) rethrows -> Value {
        try lock.held {
            if let made { return made }
            let value = try make()
            made = value
            return value
        }
    }
}
