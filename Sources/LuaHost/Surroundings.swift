import Base

/// What calls of scripts go by beside their arguments.
struct Surroundings: DynamicScope {
    nonisolated(unsafe) static var now = Surroundings()

    /// Modules written in Lua whose function runs, outermost first: what they call is part of the path in error messages.
    var modules: [ScriptedModule] = []
    /// Scripts that run until they have made a space, outermost first.
    var spaceScripts: [SpaceScripts.Run] = []
}
