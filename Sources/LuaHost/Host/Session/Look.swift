import CKernels
import CLua
import Networks
import Tensors

/// Where looks into what runs leave their variables: they read the globals, and what they assign is theirs.
final class LookVariables {
    private let table: LuaReference

    /// nil once the state is closed.
    init?(_ host: ScriptHost) {
        guard let L = host.thread else { return nil }
        clua_push_table(L, 0, 4)
        clua_push_table(L, 0, 1)
        clua_push_globals(L)
        Stack.rawSet(L, -2, "__index")
        lua_setmetatable(L, -2)
        table = LuaReference(L, -1)
        clua_pop(L, 1)
    }

    func push(_ L: LuaThread) { table.push(L) }

    fileprivate func place(on thread: LuaThread) -> EvaluationPlace { EvaluationPlace(thread: thread, environment: table) }
}

extension Session {
    /// Evaluates a text between two steps of what runs, which then goes on as if nothing had been: what would change tensors, networks, optimisers, loaders
    /// is an error, global variables and streams of random numbers are put back. Fields of a script's own tables are not looked after.
    ///
    /// An interrupt ends the look alone.
    /// - Parameter variables: of this look and those before it.
    func look(_ text: String, name: String, number: Int, _ variables: LookVariables, isSilent: Bool = false) -> Ending {
        guard let L = host.thread, lua_checkstack(L, 16) != 0 else { return .done }
        let trimmed = text.trimmingSpaces
        let shows = !isSilent && Session.shows(trimmed)
        let place = variables.place(on: L)
        let before = clua_dispatch_by { L, context in
            guard let L, let context else { return Int32(CLUA_MESSAGE) }
            return dispatchInLook(L, context)
        }
        defer {
            _ = clua_dispatch_by(before)
            trellis_interrupt_set(false)
        }
        let outcome = RandomStreams.keeping {
            ReadOnly.during {
                keepingGlobals(L, variables) {
                    host.evaluate(command(trimmed) ?? text, name: "=" + name, at: place) { [self] L, first, count in
                        if shows { show(L, first, count, number) }
                        guard !isSilent, count > 0, lua_type(L, first) != LUA_TNIL else { return }
                        variables.push(L)
                        clua_push_copy(L, first)
                        Stack.rawSet(L, -2, "_")
                    }
                }
            }
        }
        return ending(outcome, name)
    }

    /// Runs `body`; globals that functions of the script have changed meanwhile are what they were before, and the look has the new ones.
    private func keepingGlobals<T>(_ L: LuaThread, _ variables: LookVariables, _ body: () -> T) -> T {
        let top = lua_gettop(L), copy = top + 1, globals = top + 2, own = top + 3
        defer { lua_settop(L, top) }
        clua_push_table(L, 0, 128)
        clua_push_globals(L)
        variables.push(L)
        Stack.forEach(L, globals) { Stack.setPair(L, copy) }
        let result = body()
        Stack.forEach(L, globals) {
            clua_push_copy(L, -2)
            lua_rawget(L, copy)
            guard lua_rawequal(L, -1, -2) == 0 else { return }
            clua_insert(L, -2)  // the key, what was there, what is there
            clua_push_copy(L, -3)
            clua_insert(L, -2)
            lua_rawset(L, own)
            // An existing key may be set while the table is walked.
            Stack.setPair(L, globals)
        }
        Stack.forEach(L, copy) { Stack.setPair(L, globals) }
        return result
    }
}

extension Stack {
    /// Sets the pair with the key at -2 and the value at -1 in the table at `table`, without metamethods; both stay.
    fileprivate static func setPair(_ L: LuaThread, _ table: Int32) {
        clua_push_copy(L, -2)
        clua_push_copy(L, -2)
        lua_rawset(L, table)
    }
}
