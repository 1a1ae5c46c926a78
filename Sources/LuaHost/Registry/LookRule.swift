/// What of the host's functions a look into a job that runs may not call: what changes the state of objects. Numbers of tensors look after themselves
/// (`ReadOnly`).
enum LookRule {
    private static let functions: [String: Set<String>] = [
        "tensor": ["requires_grad_", "free"], "module": ["train", "eval", "advance", "zero_grad", "fit", "load", "load_state"],
        "supernet": ["train", "eval", "at", "step", "gradients", "recalibrate", "load", "load_state"], "parameters": ["zero_grad"],
        "optimiser": ["zero_grad", "step", "load", "load_state"], "loader": ["load_state", "close"], "confusion": ["add", "merge"], "lock": ["release"],
        "strategy": ["ask", "tell", "report", "drop", "load_state"], "trials": ["trials"], "trial": ["report", "finish", "fail"],
        "trellis": ["on_interrupt", "stoppable"], "session": ["edit", "reload"],
    ]

    /// - Parameter owner: the type of a method, property or operator, else the module.
    static func changes(_ owner: String, _ name: String, _ role: RecordingRule.Role) -> Bool {
        switch role {
        case .setter: true
        // Of tensors it is a write like others.
        case .key: name == "newindex" && owner != "tensor"
        case .function: functions[owner]?.contains(name) ?? false
        case .getter, .text: false
        }
    }
}
