import Tensors

/// What a function of the host is to a function that calls it while it is recorded (`trellis.compile`, steps of networks with parts in Lua).
enum RecordingRule {
    /// What it does is written down, or depends on nothing that can change.
    case written
    /// It does or reads something that a plan does not repeat: files, data, pictures, a search. The recording is good for one run.
    case once
    /// It reads a property of an object: the recording holds while that is the same.
    case property
    /// It reads one that an optimiser's step changes.
    case stepped
    /// It sets one.
    case setting

    enum Role { case function, getter, setter, key, text }

    /// Types and modules whose functions are written down, but for some.
    private static let exceptions: [String: Set<String>] = [
        "tensor": ["save", "load", "memory", "free"], "nn": [], "module": ["fit", "evaluate", "segment", "save", "load", "export", "count", "advance", "card"],
        "parameters": ["filter"], "compiled": ["plan", "describe"], "trellis": ["threads", "profile", "memory", "stopping"], "schedule": [], "count": [], "help": [],
        "optimiser": ["state", "load_state", "save", "load"], "decision": [], "gate": [],
        "supernet": ["step", "gradients", "scores", "predict", "at", "recalibrate", "sample", "decode", "save", "load", "load_state", "export", "recordings"],
        // Iterators and the like, made by a function that is judged by itself.
        "": [],
    ]
    /// Types whose properties do not change, or take care of it themselves.
    private static let constant: Set<String> = ["tensor", "module", "parameters", "compiled", "count", "schedule", "supernet", "space", "decision", "gate"]

    /// Functions that are written down, of modules whose others are not.
    private static let recorded: [String: Set<String>] = ["nas": ["sum", "price", "when", "expect"], "metrics": MeasureBindings.names]

    /// - Parameters:
    ///   - owner: the type of a method, property or operator, else the module.
    init(_ owner: String, _ name: String, _ role: Role) {
        switch role {
        case .text: self = .written
        case .getter where owner == "optimiser" && ["steps", "gradient_norm"].contains(name): self = .stepped
        case .getter: self = RecordingRule.constant.contains(owner) ? .written : .property
        case .setter: self = owner == "tensor" ? .written : .setting
        case .function where RecordingRule.recorded[owner]?.contains(name) == true: self = .written
        case .function, .key:
            guard let names = RecordingRule.exceptions[owner] else {
                self = .once
                return
            }
            self = names.contains(name) ? .once : .written
        }
    }
}
