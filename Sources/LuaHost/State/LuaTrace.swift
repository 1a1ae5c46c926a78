import CLua
import Tensors

/// What a recording reads of Lua, and what it writes there: fields, globals, upvalues (CLua/trace.c). The plan is used while they are what they were; what
/// was written is written again after each run, where it is a tensor of the function with that run's numbers.
final class LuaTrace {
    private let trace: OpaquePointer
    private let host: ScriptHost
    /// Writes that are made again as they were.
    private var replays: [Int32] = []

    private init?(_ L: LuaThread) {
        guard let trace = clua_trace_new(L) else { return nil }
        self.trace = trace
        host = ScriptHost.of(L)
    }

    deinit { clua_trace_free(trace, host.thread) }

    /// Runs `body`, which calls Lua. While a function is being recorded, what happens there is noted.
    static func watching<R>(_ L: LuaThread, _ body: () throws -> R) throws -> R {
        guard let recording = Recording.current else { return try body() }
        let trace = try trace(of: recording, L)
        clua_trace_begin(trace.trace, L)
        defer { clua_trace_end(trace.trace, L) }
        return try body()
    }

    private static func trace(of recording: Recording, _ L: LuaThread) throws -> LuaTrace {
        if let known = recording.attachment as? LuaTrace { return known }
        guard let trace = LuaTrace(L) else { throw HostError("not enough memory to record a function") }
        recording.attachment = trace
        recording.atEnd { try trace.finish($0) }
        return trace
    }

    // MARK: At the end of the recording

    private func finish(_ recording: Recording) throws {
        guard let L = host.thread else { return }
        clua_trace_close(trace, L)
        if let reason = clua_trace_reason(trace) { recording.mustNotRepeat(String(cString: reason)) }
        recording.depends(atEachCall: true) { self.change() }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        for i in 0..<clua_trace_count(trace) {
            if clua_trace_is_write(trace, i) {
                clua_trace_push_value(trace, L, i)
                if !deliver(L, i, recording) { replays.append(i) }
            } else if clua_trace_is_mutation(trace, i) {
                clua_trace_push_object(trace, L, i)
                if lua_type(L, -1) == LUA_TTABLE { deliverParts(L, recording, depth: 0) }
            }
            lua_settop(L, top)
        }
        if !replays.isEmpty { recording.sets(self) { self.replay() } }
    }

    /// Has entry `i`, whose value is on top, written after each run where that value is computed by the function; false for all others.
    private func deliver(_ L: LuaThread, _ i: Int32, _ recording: Recording) -> Bool {
        if let tensor = Tensor.read(L, -1) {
            if tensor.isSymbolic {
                deliver(tensor, recording, i)
                return true
            }
            if recording.isMadeInside(tensor) { recording.mustNotRepeat("a tensor that it makes is kept outside") }
        } else if isBorn(L) {
            // Each call makes one of its own.
            recording.mustNotRepeat("a table or function that it makes is kept outside")
            deliverParts(L, recording, depth: 0)
        }
        return false
    }

    /// Whether a table or function that was made meanwhile is on top.
    private func isBorn(_ L: LuaThread) -> Bool {
        (lua_type(L, -1) == LUA_TTABLE || lua_type(L, -1) == LUA_TFUNCTION) && clua_trace_is_born(trace, L, -1)
    }

    /// Delivers what stands in a table or in a new function's upvalues, on top, and in new ones there.
    private func deliverParts(_ L: LuaThread, _ recording: Recording, depth: Int) {
        guard depth < 16, lua_checkstack(L, 8) != 0 else { return }
        if lua_type(L, -1) == LUA_TFUNCTION { return deliverUpvalues(L, recording, depth: depth) }
        Stack.forEach(L, -1) {
            if let tensor = Tensor.read(L, -1), tensor.isSymbolic {
                clua_push_copy(L, -3)
                clua_push_copy(L, -3)
                deliver(tensor, recording, clua_trace_add_write(trace, L))
            } else if isBorn(L) {
                deliverParts(L, recording, depth: depth + 1)
            }
        }
    }

    private func deliverUpvalues(_ L: LuaThread, _ recording: Recording, depth: Int) {
        var n: Int32 = 1
        while lua_getupvalue(L, -1, n) != nil {
            if let tensor = Tensor.read(L, -1), tensor.isSymbolic {
                clua_push_copy(L, -2)
                deliver(tensor, recording, clua_trace_add_upvalue_write(trace, L, n))
            } else if isBorn(L) {
                deliverParts(L, recording, depth: depth + 1)
            }
            clua_pop(L, 1)
            n += 1
        }
    }

    private func deliver(_ tensor: Tensor, _ recording: Recording, _ i: Int32) { recording.deliver(tensor) { [self] in write($0, i) } }

    // MARK: At each call

    private func change() -> String? {
        guard let L = host.thread else { return "the Lua state was closed" }
        let i = clua_trace_first_change(trace, L)
        guard i >= 0 else { return nil }
        clua_trace_describe(trace, L, i)
        defer { clua_pop(L, 1) }
        return (Stack.string(L, -1) ?? "a value") + " has changed"
    }

    private func replay() {
        guard let L = host.thread else { return }
        for i in replays { clua_trace_write(trace, L, i) }
    }

    private func write(_ tensor: Tensor, _ i: Int32) {
        guard let L = host.thread else { return }
        tensor.push(L)
        clua_trace_write_value(trace, L, i)
    }
}
