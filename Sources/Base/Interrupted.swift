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

/// Throws `Interrupted` when Ctrl-C has been pressed; else lets who wants to look into the job do that. To be called between two steps of a long job, with
/// nothing half done.
public func betweenSteps() throws {
    try checkInterrupt()
    if trellis_look_wanted() { Looks.answer?() }
}

/// Whoever looks into jobs that run.
public enum Looks {
    /// Answers what was asked for.
    nonisolated(unsafe) public static var answer: (() -> Void)?
}

/// Whether the job that runs is to stop at the next place from which it can go on later: what a first Ctrl-C asks of those that can.
public var isStopWanted: Bool { trellis_stop_wanted() }
