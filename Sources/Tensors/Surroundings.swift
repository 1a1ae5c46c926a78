import Base
import Glibc

/// What operations go by beside their arguments.
struct Surroundings: DynamicScope {
    nonisolated(unsafe) static var now = Surroundings()

    /// The recording that operations go to; nil: they run at once.
    var recording: Recording? {
        didSet { (isRecording, recordingThread) = (recording != nil, pthread_self()) }
    }
    /// Whether there is one: for threads that may not touch `recording`, and where it has to be known fast.
    private(set) var isRecording = false
    /// The thread that has set it.
    private(set) var recordingThread: pthread_t = 0
    /// Whether operations keep what a derivative needs, see `GradientMode`.
    var keepsHistory = true
    /// Whether writes of tensors are errors, see `ReadOnly`.
    var isReadOnly = false
    /// What looks at results for numbers that are not finite.
    var numberCheck: NumberCheck?
    /// What times operations.
    var profile: PlanProfile?
    /// The module that is computed, see `ModulePath`.
    var path = ModulePath.Names()
    /// Values that the derivative rule that runs must not compute with.
    var stale: StaleValues?
}
