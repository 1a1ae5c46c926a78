import CLua

extension Completer {
    /// The function whose arguments stand at the end of an unfinished text, in one line: "nn.conv2d(in_channels, out_channels, {kernel, stride = 1, ...})".
    /// nil outside of all calls. No script code runs.
    func signature(_ before: String) -> String? {
        let scan = SourceScan(before)
        guard !scan.inComment else { return nil }
        for bracket in scan.open.reversed() where scan.bytes[bracket] != UInt8(ascii: "[") {
            guard let end = scan.lastBefore(bracket), let chain = scan.chain(endingAt: end + 1), !keywords.contains(chain[0].name) else { continue }
            if let text = signature(of: chain) { return text }
        }
        return nil
    }
}

extension Binding {
    /// The signature with the options by name: "conv2d(in_channels, out_channels, {kernel, stride = 1})".
    var signatureWithOptions: String {
        guard !options.isEmpty else { return signature }
        let names = options.map { option in option.name + (option.default.map { " = " + $0.source } ?? (option.required ? "" : "?")) }
        let parameters = parameters.map { $0.variadic ? $0.name + ", ..." : $0.name }
        return name + "(" + (parameters + ["{" + names.joined(separator: ", ") + "}"]).joined(separator: ", ") + ")"
    }
}

/// The parameters of a function that is written in Lua.
enum LuaFunctionInfo {
    /// "x, y, ..." of the function at `index`.
    static func parameters(_ L: LuaThread, _ index: Int32) -> String {
        var record = lua_Debug()
        clua_push_copy(L, index)
        lua_getinfo(L, ">u", &record)
        var names: [String] = []
        for i in stride(from: 1, through: Int32(record.nparams), by: 1) {
            clua_push_copy(L, index)
            if let name = lua_getlocal(L, nil, i) { names.append(String(cString: name)) }
            clua_pop(L, 1)
        }
        if record.isvararg != 0 { names.append("...") }
        return names.joined(separator: ", ")
    }

    /// Where a function is written; nil for one of C.
    struct Place {
        /// "[3]", or a path.
        let source: String
        let first: Int, last: Int
    }

    static func place(_ L: LuaThread, _ index: Int32) -> Place? {
        var record = lua_Debug()
        clua_push_copy(L, index)
        lua_getinfo(L, ">S", &record)
        guard record.linedefined > 0 else { return nil }
        // Longer names are cut in `short_src`.
        let name = String(cString: record.source)
        guard let first = name.first, first == "=" || first == "@" else { return nil }
        return Place(source: String(name.dropFirst()), first: Int(record.linedefined), last: Int(record.lastlinedefined))
    }
}
