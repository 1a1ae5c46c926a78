import CLua

/// A table of a module as scripts see it: the module itself (path ""), or one inside ("gallery").
///
/// Functions stand in the table. Constants are made when first read, so that starting costs nothing for them; the metatable keeps them: in the table
/// itself they would be fields that have changed, to a recorded function that was the first to read them.
struct ModuleTable {
    let module: LuaModule
    /// Names joined by dots.
    let path: String
    /// Constants in this table, by name.
    private let constants: [(name: String, constant: Constant)]

    /// The table of a module and those inside of it.
    static func all(of module: LuaModule) -> [ModuleTable] {
        let named = module.constants.map { (folder: folder($0.name), constant: $0) }
        let paths = Set([""] + module.bindings.map { folder($0.name) } + named.map(\.folder))
        return paths.sorted().map { path in
            ModuleTable(module, path, named.filter { $0.folder == path }.map { (last($0.constant.name), $0.constant) })
        }
    }

    private init(_ module: LuaModule, _ path: String, _ constants: [(name: String, constant: Constant)]) {
        self.module = module
        self.path = path
        self.constants = constants
    }

    private static func folder(_ name: String) -> String { name.lastIndex(of: ".").map { String(name[..<$0]) } ?? "" }
    private static func last(_ name: String) -> String { name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name }

    /// "nas.gallery".
    var name: String { module.name + (path.isEmpty ? "" : "." + path) }

    /// Names of all that is in the table, tables included.
    var members: [String] {
        let prefix = path.isEmpty ? "" : path + "."
        var seen = Set<String>()
        return (module.bindings.map(\.name) + module.constants.map(\.name)).compactMap { name in
            guard name.hasPrefix(prefix) else { return nil }
            let member = String(name.dropFirst(prefix.count).prefix { $0 != "." })
            return seen.insert(member).inserted ? member : nil
        }
    }

    /// What the table prints as.
    var text: String {
        guard path.isEmpty else { return "\(name): \(members.joined(separator: ", "))" }
        return "\(module.name): \(module.summary) " + (module.call == nil ? "help(\(module.name)) lists what is in it." : "help() lists the modules.")
    }

    /// __index: a constant, or the error for a name that nothing has. Names that begin with _ and other keys give nil, as of any table.
    func read(_ call: Call) throws -> Int {
        guard let name = Stack.string(call.thread, 2) else { return call.pushNil() }
        guard let constant = constants.first(where: { $0.name == name })?.constant else {
            if name.hasPrefix("_") { return call.pushNil() }
            throw HostError(Members.missing(name, of: self))
        }
        guard lua_getmetatable(call.thread, 1) != 0 else { return try constant.make(call) }
        let metatable = lua_gettop(call.thread)
        Stack.rawGet(call.thread, metatable, "made." + name)
        guard clua_is_none_or_nil(call.thread, -1) else { return 1 }
        _ = try constant.make(call)
        clua_push_copy(call.thread, -1)
        Stack.rawSet(call.thread, metatable, "made." + name)
        return 1
    }

    var holdsConstantsOnly: Bool { !path.isEmpty && members.count == constants.count }

    /// __pairs of a table of constants.
    func walk(_ call: Call) throws -> Int {
        var next = 0
        return call.push(function: "next") { call in
            guard next < constants.count else { return call.pushNil() }
            next += 1
            return try call.push(constants[next - 1].name) + constants[next - 1].constant.make(call)
        }
    }
}
