/// What helps with an error of Lua's own, where a Python habit is behind it.
enum ErrorHints {
    /// What helps with an error of a script or of an entry; nil when nothing is known. For a text that does not compile that is what Python has in its place.
    static func hint(for error: LuaError, in host: ScriptHost) -> String? {
        let globals = host.registry.modules.map(\.name)
        guard let place = SourceExcerpt.place(error.message) else { return hint(error.message, row: "", globals: globals) }
        let message = place.rest.trimmingSpaces
        if error.traceback == nil, let text = host.sources.text(place.name) { return SyntaxHints.hint(text, line: place.line, message: message) }
        return hint(message, row: host.sources.line(place.line, of: place.name) ?? "", globals: globals)
    }

    /// - Parameters:
    ///   - message: without the position in front.
    ///   - row: the line of source where it happened, "" when that is not known.
    ///   - globals: names that the host has.
    static func hint(_ message: String, row: String, globals: [String]) -> String? {
        if message.hasPrefix("module '") { return missingModule(message) }
        if let hint = operands(message) ?? fields(message, row) { return hint }
        if message.hasPrefix("attempt to call a"), message.contains("(for iterator") { return iterated(message) }
        if let name = quoted(message, "global") { return global(name, message, row, globals) }
        if message.hasPrefix("attempt to call"), let name = quoted(message, "method") ?? quoted(message, "field") { return called(name, message) }
        if message.hasPrefix("attempt to call a tensor") { return "x[i] reads a tensor by position, counted from 1; x:item() is the number in it" }
        if message.contains("nil value"), row.filter({ $0 != " " }).contains("[0]") { return "lists count from 1: list[1] is the first" }
        return nil
    }

    /// Where an operator, or a function that wants numbers, got something else.
    private static func operands(_ message: String) -> String? {
        if message.hasPrefix("attempt to concatenate a tensor") { return "tostring(x) is its text; string.format(\"%.3f\", x:item()) that of a number in it" }
        if message.hasPrefix("attempt to add a 'string'") || message.hasPrefix("attempt to perform arithmetic on a string") { return joined }
        if message.hasPrefix("attempt to mod a 'string'") { return SyntaxHints.formatted }
        if message.hasPrefix("attempt to mul a 'string'") { return "a text is repeated by: (\"a\"):rep(3)" }
        if message.hasPrefix("bad operand"), message.contains("got string") {
            return message.contains("to '%'") ? SyntaxHints.formatted : message.contains("to '+'") ? joined : nil
        }
        if message.contains("list of tensors expected, got tensor") { return "several tensors go into a list: {x, y}" }
        let wantsTensor = message.contains("tensor expected, got table") || message.contains("tensor or number expected, got table")
        if wantsTensor || message.hasPrefix("attempt to perform arithmetic on a table") { return "a table of numbers becomes a tensor by tensor.from{1, 2, 3}" }
        return nil
    }

    /// Fields that are nil here.
    private static func fields(_ message: String, _ row: String) -> String? {
        guard message.hasPrefix("attempt to index a nil value"), let name = quoted(message, "field") else { return nil }
        switch name {
        case "grad": return "grad is nil until loss:backward(), and for what was made without {requires_grad = true}"
        case "path" where row.contains("os.path"): return "texts are joined by ..; io.open(path) gives nil where there is no file"
        case "environ" where row.contains("os.environ"): return "Lua writes os.getenv(name)"
        default: return nil
        }
    }

    private static let joined = "texts are joined by two dots: \"a\" .. \"b\"; \(SyntaxHints.formatted)"

    /// For a value behind `in` that is no iterator.
    private static func iterated(_ message: String) -> String {
        let type = message.dropFirst("attempt to call a ".count).prefix { $0 != " " }
        return switch type {
        case "tensor": "for i, part in ipairs(x) do walks the first dimension"
        case "parameters": "for name, p in pairs(net:parameters()) do"
        case "data_set": "for images, labels in set:batches{size = 4}:pass() do is one pass in batches"
        case "loader": "for images, labels in loader:pass() do is what is left of the epoch"
        case "number": "for i = 1, n do"
        default: "for i, value in ipairs(list) do, or for key, value in pairs(t) do"
        }
    }

    /// The name in "(global 'x')".
    private static func quoted(_ message: String, _ kind: String) -> String? {
        guard let start = message.firstRange(of: "(\(kind) '") else { return nil }
        let name = message[start.upperBound...].prefix { $0 != "'" }
        return name.isEmpty ? nil : String(name)
    }

    private static func missingModule(_ message: String) -> String? {
        let name = message.dropFirst("module '".count).prefix { $0 != "'" && $0 != "." }
        guard ["torch", "torchvision", "numpy", "matplotlib", "np"].contains(name) else { return nil }
        return "nothing has to be loaded: tensor, nn, optim, nas, data and plot are global; help \"pytorch\" tells what is called how"
    }

    // MARK: Globals

    private static func global(_ name: String, _ message: String, _ row: String, _ globals: [String]) -> String? {
        if message.hasPrefix("attempt to call a table value") {
            return name == "tensor" ? "a tensor of numbers is made by tensor.from{1, 2, 3}" : globals.contains(name) ? "\(name) is a module: help(\(name)) lists its functions" : nil
        }
        if message.hasPrefix("attempt to index a function value"), let here = pythonModules[name] { return "\(name) is a function here; Lua writes \(here)" }
        guard message.contains("nil value") else { return nil }
        if let here = pythonModules[name] { return "\(name) is Python's; Lua writes \(here)" }
        if PyTorchNames.Owner.allCases.contains(where: { $0.modules.contains(name) }) || name == "plt" { return python(name, row) }
        if ["f", "r", "b"].contains(name), row.contains(name + "\"") || row.contains(name + "'") { return SyntaxHints.formatted }
        if let here = builtins[name] { return "\(name) is Python's; Lua writes \(here)" }
        return Members.similar(name, among: globals).map { "did you mean \($0)?" }
    }

    /// What "torch.nn.functional.relu" on the line is called here.
    private static func python(_ name: String, _ row: String) -> String {
        if name == "plt" { return "pictures are drawn by plot: plot.line{...}, plot.images(images); help(plot)" }
        var path: [String] = []
        for token in LuaTokens.of(row) {
            if path.isEmpty ? token.text == name : token.kind == .name || token.kind == .keyword || token.isSymbol(".") {
                path.append(token.text)
            } else if !path.isEmpty {
                break
            }
        }
        let dotted = path.joined()
        if let here = PyTorchNames.here(path: dotted) { return "\(dotted) is here: \(here)" }
        return "\(name) is Python's: help \"pytorch\" tells what is called how here"
    }

    /// What is used of Python's modules, by their names.
    private static let pythonModules = [
        "sys": "arg for the arguments, io.stderr, os.exit(code)", "time": "os.time() and os.clock(); time(f) prints how long f takes", "datetime": "os.date(\"%Y-%m-%d\")",
        "random": "math.random(), math.random(first, last); tensor.rand for tensors", "json": "files.read_json(path) to read one", "pickle": "x:save(path) and tensor.load(path), or checkpoint.save",
        "tqdm": "progress.bar{total = n}", "cv2": imageFiles, "Image": imageFiles, "PIL": imageFiles, "imageio": imageFiles, "glob": "io.popen(\"ls *.png\"):lines(), or data.folder{...} for images",
        "shutil": "os.rename, os.remove, sh \"cp a b\"", "subprocess": "sh \"command\", or io.popen(command)", "argparse": "arg[1], arg[2], ...", "copy": "x:clone() of a tensor; a loop over pairs(t) of a table",
        "itertools": "loops", "functools": "functions in local variables", "collections": "tables", "logging": "io.stderr:write(text, \"\\n\")", "re": "text:match(pattern), text:gsub(pattern, new)",
        "Path": "texts joined by ..", "pathlib": "texts joined by ..", "pd": "tables, and io.lines(path) to read a file", "pandas": "tables, and io.lines(path) to read a file", "torchvision": "data and set:batches{...}",
    ]
    private static let imageFiles = "tensor.load(\"image.png\") and x:save(\"image.png\"); data.folder{...} for many"

    private static let builtins = [
        "len": "#x", "range": "for i = 1, n do", "enumerate": "for i, value in ipairs(list) do", "zip": "for i = 1, #a do local x, y = a[i], b[i]", "str": "tostring(x)",
        "int": "math.floor(x), or tonumber(text)", "float": "tonumber(x)", "isinstance": "type(x) == \"number\", or getmetatable(x) == \"tensor\"", "list": "a table: {1, 2, 3}", "dict": "a table: {a = 1}",
        "tuple": "a table: {1, 2}", "set": "a table: {[x] = true}", "sum": "x:sum(), or a loop", "max": "math.max(a, b), or x:max()", "min": "math.min(a, b), or x:min()", "abs": "math.abs(x), or x:abs()",
        "round": "math.floor(x + 0.5), or x:round()", "open": "io.open(path)", "input": "io.read()", "sorted": "table.sort(list)", "reversed": "for i = #list, 1, -1 do", "map": "a loop", "filter": "a loop",
        "hasattr": "x.name ~= nil", "getattr": "x[name]", "setattr": "x[name] = value", "super": "the function itself: base.f(self)", "any": "x:any()", "all": "x:all()", "dir": "help(x)", "vars": "pairs(x)",
        "id": "string.format(\"%p\", x)", "bool": "x ~= nil and x ~= false", "format": "string.format(\"%.3f\", x)", "exec": "load(text)()", "eval": "load(\"return \" .. text)()", "printf": "print(string.format(...))",
        "try": "local ok, err = pcall(function() ... end)", "except": "local ok, err = pcall(function() ... end)",
    ]

    // MARK: Methods

    /// A method of Python's lists, texts and dictionaries, or a field that was called.
    private static func called(_ name: String, _ message: String) -> String? {
        if message.hasPrefix("attempt to call a nil value") { return methods[name].map { "Lua writes \($0)" } }
        if name == "shape" { return "shape is a list: x.shape[1] is the first size, #x.shape the number of dimensions" }
        let isPlain = ["number", "string", "boolean"].contains { message.hasPrefix("attempt to call a \($0) value") }
        return isPlain ? "'\(name)' is a field, not a function: x.\(name) without brackets" : nil
    }

    private static let methods = [
        "append": "list[#list + 1] = x, or table.insert(list, x)", "extend": "table.move(more, 1, #more, #list + 1, list)", "insert": "table.insert(list, i, x)", "pop": "table.remove(list)", "remove": "table.remove(list, i)",
        "sort": "table.sort(list)", "reverse": "for i = #list, 1, -1 do", "index": "a loop over ipairs(list)", "items": "for key, value in pairs(t) do", "keys": "for key in pairs(t) do", "values": "for _, value in pairs(t) do",
        "get": "t[key] or default", "update": "for key, value in pairs(more) do t[key] = value end", "copy": "table.move(list, 1, #list, 1, {})", "join": "table.concat(list, \", \")", "split": "for word in text:gmatch(\"%S+\") do",
        "strip": "text:match(\"^%s*(.-)%s*$\")", "replace": "text:gsub(old, new)", "startswith": "text:sub(1, #start) == start", "endswith": "text:sub(-#tail) == tail", "count": "select(2, text:gsub(word, \"\"))",
        "encode": "the text itself: texts are bytes", "decode": "the text itself: texts are bytes", "title": "text:upper()", "isdigit": "tonumber(text)", "zfill": "string.format(\"%05d\", n)", "flush": "io.stdout:flush()",
        "listdir": "io.popen(\"ls\"):lines()", "makedirs": "files.make_directory(path)", "mkdir": "files.make_directory(path)", "system": "os.execute(command)", "getcwd": "os.getenv(\"PWD\")",
    ]
}
