/// All that the host offers to Lua: modules, their functions, and the userdata types.
public struct Registry: Sendable {
    public let modules: [LuaModule]
    private let types: [String: ObjectType]

    public init(_ modules: [LuaModule]) {
        self.modules = modules
        types = Dictionary(modules.flatMap(\.types).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    public func type(_ name: String) -> ObjectType? { types[name] }
    public var allTypes: [ObjectType] { modules.flatMap(\.types) }
    public func module(_ name: String) -> LuaModule? { modules.first { $0.name == name } }
}
