/// The path of the module that is being computed: for errors that do not pass through `located` on their way out (those of a script), and
/// for recordings, which note where each operation was written (profiles, names of exported nodes).
public enum ModulePath {
    struct Names {
        var list: [String] = []
        /// `list` joined; nil until somebody asks.
        fileprivate var joined: String?
    }

    public static var current: [String] { Surroundings.now.path.list }

    /// The path as it is written: `nodes.3.16.block.2.1.sep_conv_3x3`; empty outside of modules.
    public static var text: String {
        if let joined = Surroundings.now.path.joined { return joined }
        let text = current.joined(separator: ".")
        Surroundings.now.path.joined = text
        return text
    }

    /// The error with the whole path in front of its own.
    public static func complete(_ error: TensorError) -> TensorError {
        var error = error
        error.path = (current + (error.path.isEmpty ? [] : [error.path])).joined(separator: ".")
        return error
    }

    static func push(_ name: String) {
        Surroundings.now.path.list.append(name)
        Surroundings.now.path.joined = nil
    }

    static func pop() {
        Surroundings.now.path.list.removeLast()
        Surroundings.now.path.joined = nil
    }

    /// Runs `body` as if it were part of the module at a path: derivatives belong to the module of what they differentiate.
    static func at<T>(_ path: String, _ body: () throws -> T) rethrows -> T {
        try Surroundings.with(\.path, Names(list: path.isEmpty ? [] : [path], joined: path), body)
    }
}

/// Runs `body` for the part of a module called `name`: an error in it is told with its path.
public func located<T>(_ name: String, _ body: () throws -> T) throws -> T {
    ModulePath.push(name)
    defer { ModulePath.pop() }
    do {
        return try body()
    } catch var error as TensorError {
        error.path = error.path.isEmpty ? name : name + "." + error.path
        throw error
    }
}
