import CKernels

/// Thrown between operations after Ctrl-C; what was computed before it stays. Any error thrown while an interrupt is pending counts as one.
public struct Interrupted: Error, CustomStringConvertible, Sendable {
    public init() {}
    public var description: String { "interrupted" }
}

/// Throws `Interrupted` when Ctrl-C has been pressed.
@inline(__always) public func checkInterrupt() throws {
    if trellis_interrupt_pending() { throw Interrupted() }
}
