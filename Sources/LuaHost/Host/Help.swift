import Base
import CLua

/// help(x), help "name", help.search "word": read from the registry.
enum HelpModule {
    static let module = LuaModule(
        "help", summary: "What things are: help(x), help \"tensor.zeros\", help.search \"word\".",
        bindings: [
            Binding(
                module: "help", name: "search", parameters: [Argument("word", .string, "any part of a name or a description")],
                summary: "Lists what has a word in its name or description.", example: "help.search \"softmax\"",
                body: { call in
                    Terminal.out(Help(ScriptHost.of(call.thread)).search(try call.get(1)))
                    return 0
                }),
        ],
        call: Binding(
            module: "help", name: "help", parameters: [Argument("x", .any, optional: true, "a value, or a name in quotes")],
            summary: "Prints what a function, a type, a module or an option is.",
            body: { call in
                let help = Help(ScriptHost.of(call.thread))
                Terminal.out(call.count == 0 ? help.overview : help.about(call.thread, call.index(1)))
                return 0
            }))
}

/// The texts of help, for prompt, notebook and script alike.
struct Help {
    private let registry: Registry
    private let sources: SourceTexts
    /// What lines are broken at.
    private let columns: Int

    /// - Parameter columns: of the place where the texts are shown; those of the host's output if left out.
    init(_ host: ScriptHost, columns: Int? = nil) {
        (registry, sources) = (host.registry, host.sources)
        self.columns = columns ?? host.output.columns
    }

    /// What help() says.
    var overview: String {
        "Modules, each a global table:\n" + table(registry.modules.map { ($0.name, $0.summary) }) + "\n"
            + table([
                ("help(tensor)", "what is in a module"), ("help(tensor.zeros)", "a function; also help \"tensor.zeros\", and at the prompt ?tensor.zeros"),
                ("help(x)", "any value"), ("help.search \"word\"", "what has a word in its name or description"),
                ("help \"pytorch\"", "for who comes from Python: what is called how here"),
                ("help(string)", "Lua's own; all of it: https://www.lua.org/manual/5.4/"),
            ])
    }

    // MARK: Values

    /// About the value at `index`; a string is a name.
    func about(_ L: LuaThread, _ index: Int32) -> String {
        switch lua_type(L, index) {
        case LUA_TSTRING: return about(name: Stack.string(L, index) ?? "")
        case LUA_TNIL: return "nil: nothing has this name here.\nA name in quotes is looked for everywhere: help \"conv2d\".\n"
        case LUA_TUSERDATA:
            guard let box = clua_to_any_box(L, index) else { return "A userdata of another library (\(Stack.typeName(L, index))).\n" }
            return text(ObjectType.of(box))
        case LUA_TFUNCTION: return aboutFunction(L, index)
        case LUA_TTABLE:
            if let module = registry.modules.first(where: { isModule(L, index, $0) }) { return text(module) }
            if let library = libraries.first(where: { isGlobal(L, index, $0) }) { return text(library: library) }
            return "A table.\n"
        default: return "A \(Stack.typeName(L, index)): \(Stack.display(L, index))\n"
        }
    }

    private func isModule(_ L: LuaThread, _ index: Int32, _ module: LuaModule) -> Bool {
        let address = lua_topointer(L, index)
        Stack.rawGet(L, clua_registry(), LUA_LOADED_TABLE)
        Stack.rawGet(L, -1, module.name)
        defer { clua_pop(L, 2) }
        return lua_topointer(L, -1) == address
    }

    private func aboutFunction(_ L: LuaThread, _ index: Int32) -> String {
        if let function = NativeFunction.at(L, index) { return text(function.binding, method: function.base == 1) }
        if let name = LuaLibrary.name(L, index), let text = text(libraryFunction: name) { return text }
        guard lua_iscfunction(L, index) == 0 else { return "A function of a C module: nothing is known of it.\n" }
        let text = "function(\(LuaFunctionInfo.parameters(L, index)))\n"
        guard let place = LuaFunctionInfo.place(L, index) else { return text }
        return text + indented(comment(above: place)) + "    defined in \(place.source), line \(place.first)\n"
    }

    /// The comment that stands right above a function.
    private func comment(above place: LuaFunctionInfo.Place) -> String {
        var lines: [String] = [], number = place.first - 1
        while let line = sources.line(number, of: place.source)?.trimmingSpaces, line.hasPrefix("--"), lines.count < 40 {
            lines.insert(String(line.drop { $0 == "-" }).trimmingSpaces, at: 0)
            number -= 1
        }
        return lines.joined(separator: "\n")
    }

    /// The source of the function at `index`, with the comment above it; why there is none otherwise.
    func source(_ L: LuaThread, _ index: Int32) -> String {
        guard lua_type(L, index) == LUA_TFUNCTION else { return about(L, index) }
        guard lua_iscfunction(L, index) == 0, let place = LuaFunctionInfo.place(L, index) else {
            return "This function is not written in Lua, so there is no source to show.\n" + about(L, index)
        }
        guard let text = sources.text(of: place) else { return "The source of this function, \(place.source), is gone, or has changed since.\n" }
        return "-- \(place.source), line \(place.first)\n\(text)\n"
    }

    private let libraries = ["coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8"]

    private func isGlobal(_ L: LuaThread, _ index: Int32, _ name: String) -> Bool {
        let address = lua_topointer(L, index)
        clua_push_globals(L)
        Stack.rawGet(L, -1, name)
        defer { clua_pop(L, 2) }
        return lua_topointer(L, -1) == address
    }

    /// nil for a function that is not of Lua's library.
    private func text(libraryFunction name: String) -> String? {
        LuaLibrary.about(name).map { $0.signature + "\n" + indented($0.text) }
    }

    private func text(library: String) -> String {
        "\(library): a library of Lua's own, https://www.lua.org/manual/5.4/\n" + table(LuaLibrary.members(of: library).map { ($0.signature, $0.summary) })
    }

    // MARK: Names

    /// About "tensor", "tensor.zeros", "tensor:backward", "zeros".
    func about(name: String) -> String {
        if ["pytorch", "torch", "python", "numpy"].contains(name.trimmingSpaces.lowercased()) { return pyTorch }
        if let here = PyTorchNames.here(path: name.trimmingSpaces) { return "\(name) is here: \(here)\n" }
        let found = lookUp(name.trimmingSpaces)
        if !found.isEmpty { return found.joined(separator: "\n") }
        if let text = text(libraryFunction: name.trimmingSpaces) { return text }
        if libraries.contains(name.trimmingSpaces) { return text(library: name.trimmingSpaces) }
        let result = search(name)
        if !result.hasPrefix("Nothing") { return "No '\(name)' here. " + result }
        let near = nearestName(to: name, in: allNames)
        return "Nothing is known of '\(name)'" + (near.map { "; did you mean '\($0)'?" } ?? ".") + " help() lists the modules.\n"
    }

    private var allNames: [String] {
        registry.modules.flatMap { module in [module.name] + module.bindings.map { module.name + "." + $0.name } }
            + registry.allTypes.flatMap { type in [type.name] + type.methods.map { type.name + ":" + $0.name } } + LuaLibrary.names
    }

    /// What the registry has under exactly this name.
    func exactly(_ name: String) -> [String] { lookUp(name) }

    /// About the value at `index`; a string is a string. What it is first, and of a table or a number what it holds.
    func about(value L: LuaThread, _ index: Int32) -> String {
        switch lua_type(L, index) {
        case LUA_TSTRING: return "A string: \(luaQuoted(Stack.string(L, index) ?? "", limit: 200))\n"
        case LUA_TTABLE where !registry.modules.contains { isModule(L, index, $0) }:
            var pretty = Pretty()
            pretty.depth = 2
            pretty.items = 20
            return "A table: \(pretty.describe(L, index))\n"
        default: return about(L, index)
        }
    }

    private func lookUp(_ name: String) -> [String] {
        var found: [String] = []
        if let module = registry.module(name) { found.append(text(module)) }
        if let type = registry.type(name) { found.append(text(type)) }
        for module in registry.modules {
            for binding in module.bindings where module.name + "." + binding.name == name { found.append(text(binding)) }
            for constant in module.constants where module.name + "." + constant.name == name {
                found.append("\(name): \(constant.kind.words)\n    \(constant.summary)\n")
            }
        }
        for type in registry.allTypes where found.isEmpty || name.contains(":") {
            for method in type.methods where type.name + ":" + method.name == name || type.name + "." + method.name == name {
                found.append(text(method, method: true, of: type))
            }
            for field in type.fields where type.name + "." + field.name == name { found.append(text(field, of: type)) }
        }
        if !found.isEmpty || name.contains(".") || name.contains(":") { return found }
        for module in registry.modules {
            for binding in module.bindings where binding.name == name { found.append(text(binding)) }
        }
        for type in registry.allTypes {
            for method in type.methods where method.name == name { found.append(text(method, method: true, of: type)) }
            for field in type.fields where field.name == name { found.append(text(field, of: type)) }
        }
        return found
    }

    /// One line for each function, method or field with the word in its name or description.
    func search(_ word: String) -> String {
        let needle = word.lowercased()
        func has(_ texts: String...) -> Bool { texts.contains { $0.lowercased().contains(needle) } }
        var hits: [(String, String)] = []
        for module in registry.modules {
            for binding in module.bindings {
                let options = binding.options.map { $0.name + " " + $0.doc }.joined(separator: " ")
                if has(module.name + "." + binding.name, binding.summary, binding.detail, options) {
                    hits.append((module.name + "." + binding.name, binding.summary))
                }
            }
            for constant in module.constants where has(module.name + "." + constant.name, constant.summary) {
                hits.append((module.name + "." + constant.name, constant.summary))
            }
        }
        for type in registry.allTypes {
            for method in type.methods where has(type.name + ":" + method.name, method.summary, method.detail) {
                hits.append((type.name + ":" + method.name, method.summary))
            }
            for field in type.fields where has(type.name + "." + field.name, field.doc) {
                hits.append((type.name + "." + field.name, field.doc))
            }
        }
        hits += LuaLibrary.search { has($0) }.map { ($0.name, $0.summary) }
        guard !hits.isEmpty else { return "Nothing has '\(word)' in its name or description.\n" }
        return "With '\(word)':\n" + table(hits)
    }

    // MARK: Texts

    /// Python on the left, what is written here on the right.
    private var pyTorch: String {
        let intro = "Positions and dimensions count from 1, images are [N, C, H, W], and Trellis computes on the CPU: nothing is moved to a device."
        return indented(intro) + PyTorchNames.page.map { page in page.title + "\n" + table(page.rows) }.joined(separator: "\n")
    }

    private func text(_ module: LuaModule) -> String {
        var rows = module.bindings.map { ($0.signature, $0.summary) }
        rows += module.constants.map { ($0.name, $0.summary) }
        let types = module.types.map { "  type " + $0.name + ": " + $0.summary + "\n" }.joined()
        return module.name + ": " + module.summary + "\n" + indented(module.detail) + table(rows) + types
    }

    func text(_ type: ObjectType) -> String {
        let fields = type.fields.map { (".\($0.name)", $0.doc.isEmpty ? $0.kind.words : $0.doc) }
        let methods = type.methods.map { (":" + $0.signature, $0.summary) }
        return "type " + type.name + ": " + type.summary + "\n" + indented(type.detail) + table(fields + methods)
    }

    private func text(_ field: Field, of type: ObjectType) -> String {
        "\(type.name).\(field.name): \(field.kind.words)\(field.set == nil ? ", read only" : "")\n    \(field.doc)\n"
    }

    func text(_ binding: Binding, method: Bool = false, of type: ObjectType? = nil) -> String {
        let owner = type?.name ?? binding.module
        var text = owner.isEmpty ? binding.signature : owner + (method ? ":" : ".") + binding.signature
        text += "\n" + indented(binding.summary)
        let parameters = binding.parameters.map { parameter in
            (parameter.name, describe(parameter.kind, default: parameter.default, parameter.doc))
        }
        let options = binding.options.map { option in
            ("  " + option.name, describe(option.kind, default: option.default, option.doc, required: option.required))
        }
        let returns = binding.returns.map { result in
            ("returns", result.kind.words + (result.optional ? " or nil" : "") + (result.doc.isEmpty ? "" : ": " + result.doc))
        }
        text += table(parameters + (options.isEmpty ? [] : [("options", "a table of")] + options) + returns)
        if !binding.detail.isEmpty { text += indented(binding.detail) }
        if !binding.example.isEmpty { text += "  Example:\n" + verbatim(binding.example) }
        return text
    }

    private func describe(_ kind: Kind, default value: LuaValue?, _ doc: String, required: Bool = false) -> String {
        kind.words + (value.map { ", \($0.source) if left out" } ?? "") + (required ? ", required" : "") + (doc.isEmpty ? "" : ": " + doc)
    }

    private func table(_ rows: [(String, String)]) -> String {
        let width = min(rows.map(\.0.count).max() ?? 0, 28)
        return rows.map { row in
            let gap = row.0.count > width ? "\n" + String(repeating: " ", count: width + 4) : "  "
            let room = max(24, min(columns, 110) - width - 4)
            let lines = broken(row.1[...], room).joined(separator: "\n" + String(repeating: " ", count: width + 4))
            return "  " + pad(row.0, width) + gap + lines + "\n"
        }.joined()
    }

    private func verbatim(_ text: String) -> String {
        text.isEmpty ? "" : text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 + "\n" }.joined()
    }

    /// Paragraphs broken at spaces.
    private func indented(_ text: String) -> String {
        let width = max(20, min(columns, 100) - 4)
        return text.isEmpty ? "" : text.split(separator: "\n", omittingEmptySubsequences: false)
            .flatMap { broken($0, width) }.map { "    " + $0 + "\n" }.joined()
    }

    private func broken(_ paragraph: Substring, _ width: Int) -> [String] {
        var lines: [String] = [], line = ""
        for word in paragraph.split(separator: " ", omittingEmptySubsequences: false) {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [line]
    }
}

func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }

extension StringProtocol {
    var trimmingSpaces: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
