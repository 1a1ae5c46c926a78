import CLua

/// A failure of the host's own, said to the user as it stands.
public struct HostError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// A bad argument; `Call.bad` makes it.
struct ArgumentError: Error {
    /// Stack index, self included: the trampoline turns it into Lua's number.
    let index: Int32
    let message: String
}

/// An error raised by Lua code, with its value whatever that is.
public struct LuaError: Error, CustomStringConvertible {
    let value: LuaReference
    public let message: String
    /// The user's frames, innermost first; nil for errors of the compiler.
    public let traceback: String?
    public let isInterrupt: Bool

    public var description: String { message }

    /// The message, and below it what an error that is a table holds.
    var shownMessage: String {
        guard let L = value.thread, message.hasPrefix("(error object is a table") else { return message }
        value.push(L)
        defer { clua_pop(L, 1) }
        return lua_type(L, -1) == LUA_TTABLE ? message + "\n" + Pretty().describe(L, lua_gettop(L)) : message
    }

    /// Takes the error value off the top of the stack after a failed clua_pcall.
    static func take(_ L: LuaThread, traceback withTraceback: Bool = true) -> LuaError {
        let isInterrupt = clua_is_interrupt(L, -1)
        var traceback: String?
        if withTraceback {
            clua_push_traceback(L)
            traceback = Stack.string(L, -1)
            clua_pop(L, 1)
        }
        defer { clua_pop(L, 1) }
        return LuaError(value: LuaReference(L, -1), message: text(L), traceback: traceback, isInterrupt: isInterrupt)
    }

    /// The message of the error value on top: as `lua` words it when the value is not text.
    private static func text(_ L: LuaThread) -> String {
        if let text = Stack.string(L, -1) { return text }
        if lua_type(L, -1) == LUA_TNUMBER { return Stack.display(L, -1) }
        clua_push_error_text(L)
        let text = Stack.string(L, -1)
        clua_pop(L, 1)
        if let text { return text }
        return "(error object is a \(Stack.typeName(L, -1)) value)"
    }
}
