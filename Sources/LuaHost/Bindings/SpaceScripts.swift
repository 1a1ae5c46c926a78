import Base
import CLua
import Search
import Tensors

/// Scripts that make spaces: their texts, which files keep, and spaces made from them again.
enum SpaceScripts {
    /// The largest text that is kept.
    private static let mostBytes = 1 << 20

    // MARK: Texts

    /// The text of the script in which a function is written; nil for one of the prompt, and where the file cannot be read.
    static func script(of function: LuaFunction, _ L: LuaThread) -> SpaceScript? {
        function.push(L)
        var record = lua_Debug()
        guard lua_getinfo(L, ">S", &record) != 0, let pointer = record.source else { return nil }
        let source = String(cString: pointer)
        switch source.first {
        case "@":
            let path = String(source.dropFirst())
            guard let bytes = try? Files.contents(path, limit: mostBytes), let text = String(validating: bytes, as: UTF8.self) else { return nil }
            return SpaceScript(name: path.split(separator: "/").last.map(String.init) ?? path, text: text)
        case "=": return nil
        // A text that was loaded is its own name; a single line may be one of the prompt.
        default: return source.contains("\n") ? SpaceScript(name: Surroundings.now.spaceScripts.last?.script.name ?? "script.lua", text: source) : nil
        }
    }

    // MARK: Running them

    /// A script that runs until it has made a space.
    final class Run {
        let script: SpaceScript
        let wanted: SpaceRecord
        var made: SpaceObject?
        /// The last space that it made and that is another one, and what differs.
        var other: SpaceRecord.Difference?

        init(_ script: SpaceScript, _ wanted: SpaceRecord) { (self.script, self.wanted) = (script, wanted) }
    }

    /// Ends a script that has made its space: what comes after, a search say, is not wanted.
    private struct Made: Error, CustomStringConvertible {
        var description: String { "the space of this script is made" }
    }

    /// A space that a function of a script makes, for the script.
    static func made(_ space: ModuleSpace, by build: LuaFunction, _ anchor: LuaAnchor, _ call: Call) throws -> SpaceObject {
        space.script = script(of: build, call.thread)
        let object = SpaceObject(space, anchors: [anchor])
        try note(object)
        return object
    }

    /// Ends the script that runs where it has made what is wanted.
    private static func note(_ space: SpaceObject) throws {
        guard let run = Surroundings.now.spaceScripts.last, run.made == nil else { return }
        run.other = run.wanted.difference(from: space.space.record, in: .decisions)
        guard run.other == nil else { return }
        run.made = space
        throw Made()
    }

    /// The space of a record, by running its script up to the place where that space is made.
    /// - Parameters:
    ///   - isAllowed: whether the script may run.
    ///   - place: what errors call the file that has the record.
    ///   - how: how to allow it.
    /// - Throws: `HostError` when it may not run, where the record has none, and for a script that makes no such space.
    static func space(_ record: SpaceRecord, isAllowed: Bool, at place: String, how: String, _ L: LuaThread) throws -> SpaceObject {
        guard let script = record.script else {
            throw HostError(
                "\(place): its space was made at the prompt or by a program, so no script is kept that could make it again; make the space in a script, or load the weights into a network that you build")
        }
        guard isAllowed else {
            let lines = script.text.split(separator: "\n", omittingEmptySubsequences: false).count - (script.text.hasSuffix("\n") ? 1 : 0)
            throw HostError(
                "\(place): its network is made by a script, '\(script.name)' of \(lines) lines, which the file keeps; no file runs code unasked: read it, and if you trust it say \(how)")
        }
        let run = Run(script, record)
        Surroundings.now.spaceScripts.append(run)
        defer { Surroundings.now.spaceScripts.removeLast() }
        let ended = result(of: script, L)
        if let made = run.made { return made }
        if let difference = run.other {
            throw HostError("\(place): the script '\(script.name)' makes another space: \(difference.place) is \(difference.got), expected \(difference.expected)")
        }
        if case .failure(let error) = ended { throw error }
        throw HostError("\(place): the script '\(script.name)' made no space")
    }

    /// Runs a text with no arguments.
    private static func result(of script: SpaceScript, _ L: LuaThread) -> Result<Void, any Error> {
        let base = lua_gettop(L)
        defer { lua_settop(L, base) }
        var text = script.text
        // A first line beginning with # is for the shell.
        if text.hasPrefix("#") { text = "--" + text }
        let status = text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { clua_load(L, $0.baseAddress, $0.count, script.text) }
        }
        guard status == LUA_OK else { return .failure(LuaError.take(L, traceback: false)) }
        let function = LuaFunction.read(L, -1)
        return Result { _ = try function?.call() }
    }
}
