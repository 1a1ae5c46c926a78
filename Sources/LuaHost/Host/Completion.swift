import CLua

/// What can stand at the end of an unfinished piece of Lua: from the registry and from tables as they are. No script code runs.
struct Completer {
    enum Result: Equatable {
        /// Replacements of the word that begins at the byte offset.
        case words(from: Int, [String])
        case files
    }

    private let host: ScriptHost

    init(_ host: ScriptHost) { self.host = host }

    /// - Parameter before: all text before the cursor, earlier lines of the same entry included.
    func complete(_ before: String) -> Result {
        guard let L = host.thread, lua_checkstack(L, 16) != 0 else { return .words(from: before.utf8.count, []) }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        let scan = SourceScan(before)
        let end = scan.bytes.count
        if scan.inComment { return .words(from: end, []) }
        if let quote = scan.openString { return completeString(L, scan, quote) }

        let start = scan.wordStart(end)
        let word = String(decoding: scan.bytes[start...], as: UTF8.self)
        var found: [(name: String, isFunction: Bool)]
        if scan.isSeparator(start - 1) {
            let wantsMethods = scan.bytes[start - 1] == UInt8(ascii: ":")
            found = scan.chain(endingAt: start - 1).flatMap { resolve(L, $0) }.map { members(L, $0, methodsOnly: wantsMethods) } ?? []
        } else {
            if let options = optionNames(L, scan, start) {
                let names = options.filter { $0.hasPrefix(word) }
                if !names.isEmpty { return .words(from: start, names.map { $0 + " = " }) }
            }
            found = globals(L) + keywords.map { ($0, false) }
        }
        found = found.filter { $0.name.hasPrefix(word) && (!$0.name.hasPrefix("_") || word.hasPrefix("_")) }
        let unique = Dictionary(found.map { ($0.name, $0.isFunction) }, uniquingKeysWith: { a, _ in a })
        let names = unique.keys.sorted()
        return .words(from: start, names.count == 1 && unique[names[0]] == true ? [names[0] + "("] : names)
    }

    /// The signature of the function that a chain of names leads to; nil when it leads to none, or to one of which nothing is known.
    func signature(of chain: [SourceScan.Step]) -> String? {
        guard let L = host.thread, lua_checkstack(L, 16) != 0 else { return nil }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        guard let target = resolve(L, chain) else { return nil }
        if let binding = binding(L, target) {
            let isMethod = if case .binding = target { true } else { false }
            return (binding.module.isEmpty ? "" : binding.module + (isMethod ? ":" : ".")) + binding.signatureWithOptions
        }
        guard case .value(let index) = target, lua_type(L, index) == LUA_TFUNCTION else { return nil }
        if lua_iscfunction(L, index) == 0 { return "\(chain[chain.count - 1].name)(\(LuaFunctionInfo.parameters(L, index)))" }
        return LuaLibrary.name(L, index).flatMap(LuaLibrary.signature)
    }

    /// What the value that a chain of names leads to is, as `help` says it; nil when it leads nowhere.
    /// - Parameter columns: see `Help.init`.
    func describe(_ chain: [SourceScan.Step], columns: Int? = nil) -> String? {
        guard let L = host.thread, lua_checkstack(L, 16) != 0 else { return nil }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        let help = Help(host, columns: columns)
        guard let target = resolve(L, chain) else {
            let found = help.exactly(chain.map(\.name).joined(separator: "."))
            return found.isEmpty ? nil : found.joined(separator: "\n")
        }
        switch target {
        case .binding(let binding): return help.text(binding, method: true)
        case .type(let type): return help.text(type)
        case .value(let index): return lua_type(L, index) == LUA_TNIL ? nil : help.about(value: L, index)
        }
    }

    /// A word that can be completed to.
    struct Match {
        let text: String
        /// "function", "table", "keyword" and the like.
        let type: String
        /// "(x [, options])" of a function of the host; empty where it is not known.
        let signature: String
    }

    /// What words are that begin at a byte offset of a text.
    func matches(_ words: [String], _ before: String, from: Int) -> [Match] {
        guard let L = host.thread, lua_checkstack(L, 16) != 0 else { return [] }
        let top = lua_gettop(L)
        let scan = SourceScan(before)
        let chain = scan.isSeparator(from - 1) ? scan.chain(endingAt: from - 1) ?? [] : []
        return words.map { word in
            defer { lua_settop(L, top) }
            let name = word.hasSuffix("(") ? String(word.dropLast()) : word
            if keywords.contains(name) { return Match(text: name, type: "keyword", signature: "") }
            if name.hasSuffix(" = ") { return Match(text: name, type: "option", signature: "") }
            guard scan.openString == nil, let target = resolve(L, chain + [SourceScan.Step(name: name, isCalled: false)]) else {
                return Match(text: name, type: "field", signature: "")
            }
            let signature = binding(L, target).map { String($0.signature.drop { $0 != "(" }) } ?? ""
            switch target {
            case .binding: return Match(text: name, type: "function", signature: signature)
            case .type(let type): return Match(text: name, type: type.name, signature: "")
            case .value(let index): return Match(text: name, type: Stack.typeName(L, index), signature: signature)
            }
        }
    }

    /// Where the function that a chain of names leads to is written; nil for anything else.
    func definition(_ chain: [SourceScan.Step]) -> LuaFunctionInfo.Place? {
        guard let L = host.thread, lua_checkstack(L, 16) != 0 else { return nil }
        let top = lua_gettop(L)
        defer { lua_settop(L, top) }
        guard case .value(let index)? = resolve(L, chain), lua_type(L, index) == LUA_TFUNCTION, lua_iscfunction(L, index) == 0 else { return nil }
        return LuaFunctionInfo.place(L, index)
    }

    // MARK: Strings and options

    private func completeString(_ L: LuaThread, _ scan: SourceScan, _ quote: Int) -> Result {
        let text = String(decoding: scan.bytes[(quote + 1)...], as: UTF8.self)
        guard let before = scan.lastBefore(quote) else { return .files }
        if scan.bytes[before] == UInt8(ascii: "="), let nameEnd = scan.lastBefore(before) {
            let start = scan.wordStart(nameEnd + 1)
            let name = String(decoding: scan.bytes[start..<(nameEnd + 1)], as: UTF8.self)
            if let binding = optionsBinding(L, scan, start)?.binding, let option = binding.options.first(where: { $0.name == name }) {
                let choices = option.kind.choices.filter { $0.hasPrefix(text) }
                if !choices.isEmpty { return .words(from: quote + 1, choices) }
            }
        }
        if scan.bytes[before] == UInt8(ascii: "["), let holder = scan.lastBefore(before), let chain = scan.chain(endingAt: holder + 1), !chain.isEmpty,
            let target = resolve(L, chain), case .value(let index) = target, let table = tableIndex(L, index)
        {
            return .words(from: quote + 1, keys(L, table).filter { $0.hasPrefix(text) }.sorted())
        }
        let callee = scan.bytes[before] == UInt8(ascii: "(") ? scan.lastBefore(before).map { $0 + 1 } : before + 1
        if let callee, let chain = scan.chain(endingAt: callee), chain.count == 1, chain[0].name == "help" {
            let names = host.registry.modules.flatMap { module in [module.name] + module.bindings.map { module.name + "." + $0.name } }
            return .words(from: quote + 1, names.filter { $0.hasPrefix(text) }.sorted())
        }
        return .files
    }

    private func optionsBinding(_ L: LuaThread, _ scan: SourceScan, _ position: Int) -> (binding: Binding, brace: Int)? {
        guard let callee = scan.optionsCallee(around: position), let target = resolve(L, callee.chain) else { return nil }
        guard let binding = binding(L, target), !binding.options.isEmpty else { return nil }
        return (binding, callee.brace)
    }

    /// Names of options that may be written at `start` and are not there yet.
    private func optionNames(_ L: LuaThread, _ scan: SourceScan, _ start: Int) -> [String]? {
        guard let before = scan.lastBefore(start), [UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: ";")].contains(scan.bytes[before]),
            let found = optionsBinding(L, scan, start)
        else { return nil }
        let written = String(decoding: scan.bytes[found.brace..<start], as: UTF8.self)
        let used = Set(written.split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "=" }.map(String.init))
        let words = written.split(whereSeparator: { " {,;\n\t".contains($0) }).map(String.init)
        return found.binding.options.map(\.name).filter { name in
            !(used.contains(name + "=") || zip(words, words.dropFirst()).contains { $0 == name && $1.hasPrefix("=") })
        }
    }

    // MARK: What a chain of names stands for

    private enum Target {
        /// A value at a stack index.
        case value(Int32)
        case type(ObjectType)
        case binding(Binding)
    }

    private func resolve(_ L: LuaThread, _ chain: [SourceScan.Step]) -> Target? {
        clua_push_globals(L)
        var target: Target? = .value(lua_gettop(L))
        for step in chain {
            guard let holder = target, lua_gettop(L) < 200, lua_checkstack(L, 8) != 0 else { return nil }
            target = member(L, holder, step.name)
            if step.isCalled { target = target.flatMap { result(L, $0) } }
        }
        return target
    }

    private func member(_ L: LuaThread, _ holder: Target, _ name: String) -> Target? {
        switch holder {
        case .binding: return nil
        case .type(let type):
            if let method = type.methods.first(where: { $0.name == name }) { return .binding(method) }
            return type.fields.first { $0.name == name }.flatMap { self.type(of: $0.kind) }
        case .value(let index):
            if let type = boxType(L, index) { return member(L, .type(type), name) }
            if lua_type(L, index) == LUA_TSTRING { return libraryMember(L, "string", name) }
            guard let table = tableIndex(L, index) else { return nil }
            Stack.rawGet(L, table, name)
            if lua_type(L, -1) != LUA_TNIL { return .value(lua_gettop(L)) }
            if let constant = constants(L, table).first(where: { $0.name == name }) { return type(of: constant.kind) }
            return inherited(L, table).flatMap { member(L, .value($0), name) }
        }
    }

    private func libraryMember(_ L: LuaThread, _ library: String, _ name: String) -> Target? {
        clua_push_globals(L)
        Stack.rawGet(L, -1, library)
        return member(L, .value(lua_gettop(L)), name)
    }

    private func binding(_ L: LuaThread, _ target: Target) -> Binding? {
        switch target {
        case .binding(let binding): binding
        case .value(let index): NativeFunction.at(L, index)?.binding ?? boxType(L, index).flatMap { binding(L, .type($0)) }
        case .type(let type): type.metamethods.first { $0.name == "__call" }
        }
    }

    private func result(_ L: LuaThread, _ target: Target) -> Target? {
        binding(L, target)?.returns.first.flatMap { type(of: $0.kind) }
    }

    private func type(of kind: Kind) -> Target? {
        if case .object(let name) = kind { host.registry.type(name).map(Target.type) } else { nil }
    }

    private func boxType(_ L: LuaThread, _ index: Int32) -> ObjectType? { clua_to_any_box(L, index).map { ObjectType.of($0) } }

    private func tableIndex(_ L: LuaThread, _ index: Int32) -> Int32? { lua_type(L, index) == LUA_TTABLE ? index : nil }

    /// Stack index of the table that __index of a table names.
    private func inherited(_ L: LuaThread, _ index: Int32) -> Int32? {
        guard lua_gettop(L) < 200, lua_getmetatable(L, index) != 0 else { return nil }
        Stack.rawGet(L, -1, "__index")
        return tableIndex(L, lua_gettop(L))
    }

    /// Constants of the module whose table is at `index`, if they have not been made yet they are not in it.
    private func constants(_ L: LuaThread, _ index: Int32) -> [Constant] {
        let address = lua_topointer(L, index)
        Stack.rawGet(L, clua_registry(), LUA_LOADED_TABLE)
        defer { clua_pop(L, 1) }
        for module in host.registry.modules where !module.constants.isEmpty {
            Stack.rawGet(L, -1, module.name)
            defer { clua_pop(L, 1) }
            if lua_topointer(L, -1) == address { return module.constants.filter { !$0.name.contains(".") } }
        }
        return []
    }

    // MARK: Members

    private func globals(_ L: LuaThread) -> [(name: String, isFunction: Bool)] {
        clua_push_globals(L)
        return names(L, lua_gettop(L))
    }

    private func members(_ L: LuaThread, _ target: Target, methodsOnly: Bool) -> [(name: String, isFunction: Bool)] {
        switch target {
        case .binding: return []
        case .type(let type):
            return type.methods.map { ($0.name, true) } + (methodsOnly ? [] : type.fields.map { ($0.name, false) })
        case .value(let index):
            if let type = boxType(L, index) { return members(L, .type(type), methodsOnly: methodsOnly) }
            if lua_type(L, index) == LUA_TSTRING, methodsOnly {
                clua_push_globals(L)
                Stack.rawGet(L, -1, "string")
                return lua_type(L, -1) == LUA_TTABLE ? names(L, lua_gettop(L)) : []
            }
            guard let table = tableIndex(L, index) else { return [] }
            var found = names(L, table) + constants(L, table).map { ($0.name, false) }
            if let parent = inherited(L, table) { found += members(L, .value(parent), methodsOnly: methodsOnly) }
            return methodsOnly ? found.filter(\.isFunction) : found
        }
    }

    /// Keys that can stand between quotes as they are.
    private func keys(_ L: LuaThread, _ table: Int32) -> [String] {
        var found: [String] = []
        Stack.forEach(L, table) {
            guard lua_type(L, -2) == LUA_TSTRING, let bytes = Stack.bytes(L, -2), bytes.count < 200 else { return }
            guard let key = String(validating: bytes, as: UTF8.self), bytes.allSatisfy({ $0 >= 32 && $0 != 127 && !"\"'\\".utf8.contains($0) }) else { return }
            found.append(key)
        }
        return found
    }

    private func names(_ L: LuaThread, _ index: Int32) -> [(name: String, isFunction: Bool)] {
        var found: [(String, Bool)] = []
        Stack.forEach(L, index) {
            guard lua_type(L, -2) == LUA_TSTRING, let name = Stack.string(L, -2), isIdentifier(name) else { return }
            found.append((name, lua_type(L, -1) == LUA_TFUNCTION))
        }
        return found
    }
}

extension Kind {
    fileprivate var choices: [String] {
        switch self {
        case .choice(let names): names
        case .union(let kinds): kinds.flatMap(\.choices)
        default: []
        }
    }
}
