/// What a plan depends on besides the shapes and types of its arguments. Everything that a recording reads of the world, and that may be another
/// thing at a later call, stands here and is looked at before each run; where it differs, the function is recorded anew.
///
/// | what was read | noted by | compared |
/// |---|---|---|
/// | gradient mode, optimisation, recomputation | the key of a plan (`Compiled`) | at each call |
/// | memory, and whether a gradient is wanted, of each stored tensor | `tensor` | after `changed()` |
/// | modes of modules, drop path on or off | `depends` | after `changed()` |
/// | numbers of a stored tensor that were looked at while recording | `content` | at each call |
/// | a leaf's gradient of before the call | `depends(atEachCall:)` | at each call |
/// | values of Lua: upvalues, fields, globals; properties of the host's objects | `depends(atEachCall:)` | at each call |
/// | what comes out differently each time: layers made inside, a clock, `math.random` | `isRepeatable` | never: such a plan runs once |
///
/// Learning rates and other settings of an optimiser are read by its step, which is no part of the plan. Random numbers that a plan draws are drawn at
/// each run.
struct Dependences {
    /// A tensor with numbers that the recording met.
    private struct Stored {
        unowned(unsafe) let tensor: Tensor
        let storage: ObjectIdentifier
        let offset: Int
        let requiresGrad: Bool

        var holds: Bool { tensor.requiresGrad == requiresGrad && tensor.offset == offset && tensor.storageIdentity == storage }
        var change: String { tensor.requiresGrad == requiresGrad ? "a tensor's memory was given back or moved" : "requires_grad of a tensor was set" }
    }

    private var stored: [Stored] = []
    private var known = Set<ObjectIdentifier>()
    /// Keeps the tensors of `stored` alive.
    private var tensors: [Tensor] = []
    private var conditions: [Condition] = []
    private var readings: [Condition] = []
    /// Why the recording is good for one run only; nil for one that can be run again.
    private(set) var onlyOnce: String?
    /// `clock` when all that is not compared at each call was found to hold.
    private var checked = Dependences.clock

    /// nil while all is as it was, else what has changed, for people.
    typealias Condition = () -> String?

    /// Counts changes of what is not compared at each call.
    nonisolated(unsafe) private static var clock = 0

    /// Tells that a mode, a tensor's memory or whether it wants a gradient has changed: plans look whether they still hold.
    static func changed() { clock &+= 1 }

    mutating func note(_ tensor: Tensor) {
        guard known.insert(ObjectIdentifier(tensor)).inserted, let storage = tensor.storageIdentity else { return }
        tensors.append(tensor)
        stored.append(Stored(tensor: tensor, storage: storage, offset: tensor.offset, requiresGrad: tensor.requiresGrad))
    }

    mutating func add(_ condition: @escaping Condition, atEachCall: Bool) {
        if atEachCall { readings.append(condition) } else { conditions.append(condition) }
    }

    mutating func mustNotRepeat(_ reason: String) { if onlyOnce == nil { onlyOnce = reason } }

    /// What keeps the plan from being used again: nil where the world is as it was when the recording was made.
    mutating func change() -> String? {
        if let onlyOnce { return onlyOnce }
        for reading in readings { if let change = reading() { return change } }
        if checked == Dependences.clock { return nil }
        if let tensor = stored.first(where: { !$0.holds }) { return tensor.change }
        for condition in conditions { if let change = condition() { return change } }
        checked = Dependences.clock
        return nil
    }
}
