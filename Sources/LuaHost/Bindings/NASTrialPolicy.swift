import Base
import CLua
import Search

/// A strategy of any kind as trials use it: an object of the library or a table of the script, by its methods.
final class ScriptStrategy: TrialPolicy {
    private let value: ScriptValue
    private let anchor: LuaAnchor

    /// - Parameter value: kept by the anchor, as what it asks for will be.
    init(_ value: ScriptValue, on anchor: LuaAnchor) { (self.value, self.anchor) = (value, anchor) }

    private func method(_ name: String) throws -> LuaFunction {
        guard let method = try value.method(name) else { throw HostError("the strategy has no function '\(name)' any more") }
        return method
    }

    func ask() throws -> (proposal: ScriptValue, steps: Int?)? {
        try method("ask").callRaw([value]) { L, first, count in
            guard count > 0, !clua_is_none_or_nil(L, first), let architecture = ScriptValue.read(L, first)?.kept(by: anchor) else { return nil }
            guard count > 1, !clua_is_none_or_nil(L, first + 1) else { return (architecture, nil) }
            guard let steps = Int.read(L, first + 1), steps > 0 else {
                throw HostError("the strategy's function 'ask' should return an architecture, and how many steps, 1 or more, or nothing")
            }
            return (architecture, steps)
        }
    }

    func tell(_ architecture: ScriptValue, _ result: TrialResult) throws { try method("tell").call(value, architecture, result.table) }

    func report(_ architecture: ScriptValue, _ result: TrialResult) throws -> Bool {
        guard let report = try value.method("report") else { return true }
        return try report.call(value, architecture, result.table).first?.boolean ?? true
    }

    func drop(_ architecture: ScriptValue) throws { try value.method("drop")?.call(value, architecture) }

    func json(_ architecture: ScriptValue) throws -> JSONValue {
        try architecture.read { L in
            if let object: ArchitectureObject = try LuaValue.plain(L, -1).object() {
                let (assignment, decisions) = try object.decided()
                return try decisions.json(assignment)
            }
            return try ScriptStrategy.plain(L, -1, "architecture", "what the strategy asks for: an architecture, or a plain value")
        }
    }

    /// - Parameter words: what trials with a directory keep.
    private static func plain(_ L: LuaThread, _ index: Int32, _ name: String, _ words: String) throws -> JSONValue {
        do { return try PlainValue.read(L, index)?.json(name) ?? .null } catch { throw HostError("trials in a directory keep \(words); \(error)") }
    }

    var state: JSONValue {
        get throws {
            guard let state = try value.method("state") else { return .null }
            return try state.callRaw([value]) { L, first, count in
                count > 0 ? try ScriptStrategy.plain(L, first, "state", "the strategy's state: a plain value") : .null
            }
        }
    }

    func load(_ state: JSONValue) throws {
        guard let load = try value.method("load_state") else {
            throw HostError("the strategy has to go back to its beginning, as the journal is not what it was, and has no function load_state: start this process again")
        }
        try load.call(value, PlainValue(state))
    }
}
