import CLua

/// What the functions of Lua's own library do, in a line each: https://www.lua.org/manual/5.4/.
enum LuaLibrary {
    /// Of "string.format", "print": signature, and what it does and where more is said of it.
    static func about(_ name: String) -> (signature: String, text: String)? {
        functions[name].map { ($0.signature, "\($0.summary)\nOf Lua's library: \(link(name))") }
    }

    static func signature(_ name: String) -> String? { functions[name]?.signature }

    /// Names with a word in them or in what they do, and what they do.
    static func search(_ has: (String) -> Bool) -> [(name: String, summary: String)] {
        functions.filter { has($0.key) || has($0.value.summary) }.map { ($0.key, $0.value.summary) }.sorted { $0.name < $1.name }
    }

    /// The functions of a library such as "string", a line each.
    static func members(of library: String) -> [(signature: String, summary: String)] {
        functions.filter { $0.key.hasPrefix(library + ".") }.sorted { $0.key < $1.key }.map { ($0.value.signature, $0.value.summary) }
    }

    static let names = functions.keys.sorted()

    static func link(_ name: String) -> String { "https://www.lua.org/manual/5.4/manual.html#pdf-" + name }

    /// The name under which the function at `index` stands in Lua's library; scripts that have put others there are believed.
    static func name(_ L: LuaThread, _ index: Int32) -> String? {
        let top = lua_gettop(L), index = lua_absindex(L, index)
        defer { lua_settop(L, top) }
        guard lua_checkstack(L, 4) != 0 else { return nil }
        return functions.keys.first { name in
            clua_push_globals(L)
            defer { lua_settop(L, top) }
            for part in name.split(separator: ".") {
                guard lua_type(L, -1) == LUA_TTABLE else { return false }
                Stack.rawGet(L, -1, String(part))
            }
            return lua_rawequal(L, -1, index) != 0
        }
    }

    private static let functions: [String: (signature: String, summary: String)] = [
        "assert": ("assert(v [, message])", "v and what follows it if it is neither false nor nil, else an error with the message."),
        "collectgarbage": ("collectgarbage([option [, argument]])", "Works the collector: \"collect\" runs it, \"count\" is Lua's memory in KB. Memory of tensors: tensor.memory()."),
        "dofile": ("dofile([path])", "Runs a file and returns what it returns."),
        "error": ("error(message [, level])", "Raises an error; a text gets the position in front, of the caller with level 2."),
        "getmetatable": ("getmetatable(object)", "The metatable, or what it has as __metatable."),
        "ipairs": ("ipairs(t)", "Walks positions 1, 2, ... until the first nil: for i, v in ipairs(t) do."),
        "load": ("load(chunk [, name [, mode [, env]]])", "Compiles a text, or what a function gives piece by piece; nil and a message if it does not compile."),
        "loadfile": ("loadfile([path [, mode [, env]]])", "Compiles a file."),
        "next": ("next(t [, key])", "The pair behind a key; nil at the end."),
        "pairs": ("pairs(t)", "Walks all keys and values, in no order: for k, v in pairs(t) do."),
        "pcall": ("pcall(f [, ...])", "Calls f; true and its results, or false and the error."),
        "print": ("print(...)", "Writes the values with tabs between them."),
        "rawequal": ("rawequal(a, b)", "Whether both are the same value, without metamethods."),
        "rawget": ("rawget(t, key)", "t[key] without metamethods."),
        "rawlen": ("rawlen(v)", "The length without metamethods."),
        "rawset": ("rawset(t, key, value)", "t[key] = value without metamethods."),
        "require": ("require(name)", "The value of a module, which is loaded once, from package.path."),
        "select": ("select(n, ...)", "The arguments from the n-th on; select(\"#\", ...) is their number."),
        "setmetatable": ("setmetatable(t, metatable)", "Sets the metatable and returns t."),
        "tonumber": ("tonumber(v [, base])", "The number that a text says; nil if it says none."),
        "tostring": ("tostring(v)", "The value as text."),
        "type": ("type(v)", "\"nil\", \"number\", \"string\", \"boolean\", \"table\", \"function\", \"thread\" or \"userdata\"; getmetatable(x) == \"tensor\" for a tensor."),
        "warn": ("warn(message, ...)", "Writes a warning, if warn \"@on\" was called or trellis -W."),
        "xpcall": ("xpcall(f, handler [, ...])", "As pcall; the handler makes the error of it where it was raised."),
        "coroutine.close": ("coroutine.close(co)", "Ends a coroutine and closes its variables."),
        "coroutine.create": ("coroutine.create(f)", "A coroutine that will run f."),
        "coroutine.isyieldable": ("coroutine.isyieldable([co])", "Whether it can yield."),
        "coroutine.resume": ("coroutine.resume(co [, ...])", "Goes on with a coroutine; true and what it yields or returns, or false and the error."),
        "coroutine.running": ("coroutine.running()", "The running coroutine, and whether it is the main one."),
        "coroutine.status": ("coroutine.status(co)", "\"running\", \"suspended\", \"normal\" or \"dead\"."),
        "coroutine.wrap": ("coroutine.wrap(f)", "A function that goes on with a coroutine at each call: iterators."),
        "coroutine.yield": ("coroutine.yield(...)", "Stops the coroutine; resume returns the values."),
        "debug.debug": ("debug.debug()", "Reads lines from standard input and runs them."),
        "debug.gethook": ("debug.gethook([thread])", "The hook with its mask and count."),
        "debug.getinfo": ("debug.getinfo([thread,] f [, what])", "A table about a function or a level of the stack: source, currentline, name, nparams."),
        "debug.getlocal": ("debug.getlocal([thread,] f, n)", "Name and value of a local variable."),
        "debug.getmetatable": ("debug.getmetatable(v)", "The metatable, without regard to __metatable."),
        "debug.getregistry": ("debug.getregistry()", "The registry."),
        "debug.getupvalue": ("debug.getupvalue(f, n)", "Name and value of an upvalue."),
        "debug.getuservalue": ("debug.getuservalue(u, n)", "A value that belongs to a userdata."),
        "debug.sethook": ("debug.sethook([thread,] hook, mask [, count])", "Calls hook at calls, returns, lines or each count instructions."),
        "debug.setlocal": ("debug.setlocal([thread,] level, n, value)", "Sets a local variable."),
        "debug.setmetatable": ("debug.setmetatable(v, metatable)", "Sets the metatable of any value."),
        "debug.setupvalue": ("debug.setupvalue(f, n, value)", "Sets an upvalue."),
        "debug.setuservalue": ("debug.setuservalue(u, value, n)", "Sets a value of a userdata."),
        "debug.traceback": ("debug.traceback([thread,] [message [, level]])", "The calls that are going on, as text."),
        "debug.upvalueid": ("debug.upvalueid(f, n)", "Tells upvalues apart."),
        "debug.upvaluejoin": ("debug.upvaluejoin(f, n, g, m)", "Lets an upvalue of f be one of g."),
        "io.close": ("io.close([file])", "Closes a file."),
        "io.flush": ("io.flush()", "Writes what is still kept back."),
        "io.input": ("io.input([file])", "The standard input file; sets it when given."),
        "io.lines": ("io.lines([path, ...])", "Walks the lines of a file: for line in io.lines(path) do."),
        "io.open": ("io.open(path [, mode])", "A file for \"r\", \"w\", \"a\", \"r+\", with \"b\"; nil and a message if it cannot be opened: assert(io.open(path))."),
        "io.output": ("io.output([file])", "The standard output file; sets it when given."),
        "io.popen": ("io.popen(command [, mode])", "Runs a command; a file to read its output or write its input."),
        "io.read": ("io.read(...)", "Reads from standard input: \"l\" a line, \"n\" a number, \"a\" all, a count of bytes."),
        "io.tmpfile": ("io.tmpfile()", "A file that is deleted at the end."),
        "io.type": ("io.type(v)", "\"file\", \"closed file\" or nil."),
        "io.write": ("io.write(...)", "Writes texts and numbers without anything between."),
        "math.abs": ("math.abs(x)", "Absolute value. Of a tensor: x:abs()."),
        "math.acos": ("math.acos(x)", "Arc cosine, in radians."),
        "math.asin": ("math.asin(x)", "Arc sine, in radians."),
        "math.atan": ("math.atan(y [, x])", "Arc tangent of y / x, in radians."),
        "math.ceil": ("math.ceil(x)", "Smallest integer not below x."),
        "math.cos": ("math.cos(x)", "Cosine, x in radians."),
        "math.deg": ("math.deg(x)", "Radians as degrees."),
        "math.exp": ("math.exp(x)", "e to the power of x."),
        "math.floor": ("math.floor(x)", "Largest integer not above x."),
        "math.fmod": ("math.fmod(x, y)", "Remainder of x / y, rounded towards 0."),
        "math.log": ("math.log(x [, base])", "Logarithm, natural without a base."),
        "math.max": ("math.max(x, ...)", "The largest. Of a tensor: x:max()."),
        "math.min": ("math.min(x, ...)", "The smallest. Of a tensor: x:min()."),
        "math.modf": ("math.modf(x)", "The part before the point and the fraction."),
        "math.rad": ("math.rad(x)", "Degrees as radians."),
        "math.random": ("math.random([m [, n]])", "A number in [0, 1), or an integer from 1 to m, or from m to n."),
        "math.randomseed": ("math.randomseed([x [, y]])", "Begins the random numbers. Those of tensors: tensor.manual_seed."),
        "math.sin": ("math.sin(x)", "Sine, x in radians."),
        "math.sqrt": ("math.sqrt(x)", "Square root."),
        "math.tan": ("math.tan(x)", "Tangent, x in radians."),
        "math.tointeger": ("math.tointeger(x)", "The integer that x is; nil if it is none."),
        "math.type": ("math.type(x)", "\"integer\", \"float\", or nil for what is no number."),
        "math.ult": ("math.ult(m, n)", "Whether m is below n as unsigned integers."),
        "os.clock": ("os.clock()", "Seconds of processor time that the program has used."),
        "os.date": ("os.date([format [, time]])", "A time as text, or with \"*t\" as a table."),
        "os.difftime": ("os.difftime(t2, t1)", "Seconds between two times."),
        "os.execute": ("os.execute([command])", "Runs a command of the shell; true or nil, \"exit\" or \"signal\", and the number."),
        "os.exit": ("os.exit([code [, close]])", "Ends the program."),
        "os.getenv": ("os.getenv(name)", "A variable of the environment; nil if it is not set."),
        "os.remove": ("os.remove(path)", "Deletes a file."),
        "os.rename": ("os.rename(from, to)", "Renames a file."),
        "os.setlocale": ("os.setlocale(locale [, category])", "Sets the locale."),
        "os.time": ("os.time([t])", "Seconds since 1970, of now or of a table with year, month, day."),
        "os.tmpname": ("os.tmpname()", "A name for a temporary file."),
        "package.loadlib": ("package.loadlib(path, name)", "A function of a C library."),
        "package.searchpath": ("package.searchpath(name, path)", "The file of a module along a path."),
        "string.byte": ("string.byte(s [, i [, j]])", "Codes of the bytes i to j."),
        "string.char": ("string.char(...)", "A text of bytes by their codes."),
        "string.dump": ("string.dump(f [, strip])", "A function as bytes, which load takes no more: text only."),
        "string.find": ("string.find(s, pattern [, init [, plain]])", "First and last position of a match, and its captures; nil without one."),
        "string.format": ("string.format(format, ...)", "A text with values in it: \"%d\" integer, \"%.3f\" three decimals, \"%s\" any, \"%q\" quoted, \"%5d\" in five columns."),
        "string.gmatch": ("string.gmatch(s, pattern [, init])", "Walks all matches: for word in s:gmatch(\"%a+\") do."),
        "string.gsub": ("string.gsub(s, pattern, replacement [, n])", "s with the matches replaced by a text, by a table's values or by what a function gives; and their number."),
        "string.len": ("string.len(s)", "Bytes; the same as #s."),
        "string.lower": ("string.lower(s)", "s in small letters."),
        "string.match": ("string.match(s, pattern [, init])", "The captures of the first match, or all of it; nil without one."),
        "string.pack": ("string.pack(format, ...)", "Values as bytes."),
        "string.packsize": ("string.packsize(format)", "How many bytes that are."),
        "string.rep": ("string.rep(s, n [, separator])", "s n times."),
        "string.reverse": ("string.reverse(s)", "The bytes in reverse."),
        "string.sub": ("string.sub(s, i [, j])", "Bytes i to j, negative from the end."),
        "string.unpack": ("string.unpack(format, s [, position])", "Values out of bytes."),
        "string.upper": ("string.upper(s)", "s in capitals."),
        "table.concat": ("table.concat(list [, separator [, i [, j]]])", "The elements as one text."),
        "table.insert": ("table.insert(list, [position,] value)", "Puts a value at the end, or at a position."),
        "table.move": ("table.move(from, first, last, at [, to])", "Copies elements within a list or into another one."),
        "table.pack": ("table.pack(...)", "The values as a list with their number in n."),
        "table.remove": ("table.remove(list [, position])", "Takes the last element out, or that at a position, and returns it."),
        "table.sort": ("table.sort(list [, less])", "Orders a list in place; less(a, b) says whether a comes first."),
        "table.unpack": ("table.unpack(list [, i [, j]])", "The elements as values."),
        "utf8.char": ("utf8.char(...)", "A text of characters by their codes."),
        "utf8.codepoint": ("utf8.codepoint(s [, i [, j]])", "Codes of the characters."),
        "utf8.codes": ("utf8.codes(s)", "Walks the characters: for position, code in utf8.codes(s) do."),
        "utf8.len": ("utf8.len(s [, i [, j]])", "Characters; nil and a position where s is no UTF-8."),
        "utf8.offset": ("utf8.offset(s, n [, i])", "The byte at which the n-th character begins."),
    ]
}
