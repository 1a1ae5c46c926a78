import CLua
import Networks
import Segmentation
import Tensors

/// A call from Lua in progress: what a body reads its arguments from and pushes its results to.
///
/// Arguments count from 1 as Lua's messages do; in methods `this` is not counted. Nothing here raises a Lua error.
public struct Call {
    /// The thread of the call. For what `Call` does not offer; only functions of CLua that cannot raise may be used on it.
    public let thread: LuaThread
    unowned(unsafe) let function: NativeFunction
    /// Positional arguments, without self and options.
    public let count: Int
    /// Stack index of the options table, 0 if there is none.
    let optionsIndex: Int32

    @inline(__always)
    func index(_ argument: Int) -> Int32 { Int32(truncatingIfNeeded: argument) + function.base }

    /// Where what the script shows goes.
    public var output: any Output { host.output }

    /// Whose call it is.
    var host: ScriptHost { ScriptHost.of(thread) }

    // MARK: Arguments

    /// Whether argument `i` was given and is not nil.
    public func has(_ i: Int) -> Bool { i <= count && !clua_is_none_or_nil(thread, index(i)) }

    /// Argument `i`, or its declared default.
    /// - Throws: Lua's "bad argument" when it is missing or of another type.
    public func get<T: LuaReadable>(_ i: Int, as type: T.Type = T.self) throws -> T {
        if i <= count, let value = try readArgument(i, as: type) { return value }
        if !has(i), let value = function.defaultValue(i), let result: T = try readDefault(value) { return result }
        throw mismatch(index(i), expected: function.kind(i)?.words ?? "\(type)".lowercased())
    }

    /// Argument `i` if it was given.
    public func get<T: LuaReadable>(ifPresent i: Int, as type: T.Type = T.self) throws -> T? { has(i) ? try get(i, as: type) : nil }

    /// The object in argument `i`.
    public func object<T: LuaObject>(_ i: Int, as type: T.Type = T.self) throws -> T {
        if i <= count, let value = try T.read(thread, index(i)) { return value }
        throw mismatch(index(i), expected: T.objectType.name)
    }

    /// The arguments from `i` on, given one by one or as one list.
    public func rest<T: LuaReadable>(from i: Int, as type: T.Type = T.self) throws -> [T] {
        if i > count { return [] }
        if i == count, lua_type(thread, index(i)) == LUA_TTABLE { return try get(i, as: [T].self) }
        return try (i...count).map { try get($0, as: T.self) }
    }

    /// The object whose method this is.
    @inline(__always)
    public func this<T: LuaObject>(as type: T.Type = T.self) throws -> T {
        if let value = function.hasCheckedSelf(of: T.objectType) ? T.checked(thread, 1) : try T.read(thread, 1) { return value }
        throw mismatch(1, expected: T.objectType.name)
    }

    /// The type of argument `i` in Lua's words ("nil", "table", "tensor"; "no value" past the last).
    public func typeName(_ i: Int) -> String { i <= count ? Stack.typeName(thread, index(i)) : "no value" }

    /// Argument `i` as it is stored: tells 1 from 1.0.
    /// - Throws: for a table that cannot be read (`ValueError`), as a bad argument.
    public func value(_ i: Int) throws -> LuaValue { i <= count ? try readArgument(i, as: LuaValue.self) ?? .nil : .nil }

    /// Whether argument `i` is a table.
    public func isTable(_ i: Int) -> Bool { i <= count && lua_type(thread, index(i)) == LUA_TTABLE }

    /// Argument `i` if it is no table, which is not looked into.
    public func plain(_ i: Int) throws -> LuaValue {
        guard i <= count else { return .nil }
        do { return try LuaValue.plain(thread, index(i)) } catch { throw bad(i, "\(error)") }
    }

    private func readArgument<T: LuaReadable>(_ i: Int, as type: T.Type) throws -> T? {
        do { return try T.read(thread, index(i)) } catch let error as ValueError { throw bad(i, "\(error)") }
    }

    /// The error for argument `i`: "bad argument #i to 'name' (message)".
    public func bad(_ i: Int, _ message: String) -> any Error { ArgumentError(index: index(i), message: message) }

    // MARK: Options

    /// Whether option `name` was given.
    public func hasOption(_ name: String) -> Bool { withOption(name) { !clua_is_none_or_nil(thread, $0) } ?? false }

    /// Option `name`, or its declared default.
    public func option<T: LuaReadable>(_ name: String, as type: T.Type = T.self) throws -> T {
        if let value = try option(ifPresent: name, as: type) { return value }
        let declared = function.binding.options.first { $0.name == name }
        if let value = declared?.default, let result: T = try readDefault(value) { return result }
        throw badOption(name, "\(declared?.kind.words ?? "value") expected, got nothing")
    }

    /// Option `name` if it was given.
    public func option<T: LuaReadable>(ifPresent name: String, as type: T.Type = T.self) throws -> T? {
        try withOption(name) { index in
            if clua_is_none_or_nil(thread, index) { return nil }
            do {
                if let value = try T.read(thread, index) { return value }
            } catch let error as ValueError {
                throw badOption(name, "\(error)")
            }
            let kind = function.binding.options.first { $0.name == name }?.kind
            throw badOption(name, mismatchMessage(index, expected: kind?.words ?? "\(type)".lowercased()))
        } ?? nil
    }

    /// The error for option `name`.
    public func badOption(_ name: String, _ message: String) -> any Error {
        ArgumentError(index: optionsIndex > 0 ? optionsIndex : index(count + 1), message: "option '\(name)': \(message)")
    }

    private func withOption<R>(_ name: String, _ body: (Int32) throws -> R) rethrows -> R? {
        guard optionsIndex > 0 else { return nil }
        Stack.rawGet(thread, optionsIndex, name)
        defer { clua_pop(thread, 1) }
        return try body(-1)
    }

    private func readDefault<T: LuaReadable>(_ value: LuaValue) throws -> T? {
        value.push(thread)
        defer { clua_pop(thread, 1) }
        return try T.read(thread, -1)
    }

    // MARK: Results

    /// Pushes one result; returns 1, so that a body may end in `return call.push(x)` or in a sum of pushes.
    @discardableResult @inline(__always)
    public func push<T: LuaPushable>(_ value: T) -> Int {
        value.push(thread)
        return 1
    }

    @discardableResult
    public func pushNil() -> Int {
        clua_push_nil(thread)
        return 1
    }

    /// Pushes a list of values that are not of one type.
    @discardableResult
    public func push(all values: [any LuaPushable]) -> Int {
        guard clua_room(thread, Int32(clamping: values.count) + Stack.slack) else { return 0 }
        for value in values { value.push(thread) }
        return values.count
    }

    /// Pushes argument `i` itself.
    @discardableResult
    public func push(argument i: Int) -> Int {
        if i <= count { clua_push_copy(thread, index(i)) } else { clua_push_nil(thread) }
        return 1
    }

    /// Pushes the object whose method this is: for methods that can be chained.
    @discardableResult
    public func pushThis() -> Int {
        clua_push_copy(thread, 1)
        return 1
    }

    /// Pushes a function made of a Swift closure; Lua owns it.
    /// - Parameter captured: an object in the closure that leads to Lua values.
    @discardableResult
    public func push<T: LuaObject>(function name: String, holding captured: T, body: @escaping Body) -> Int {
        push(function: name, body: body)
        if let anchors = T.objectType.anchors { NativeFunction.hang(thread, -1) { anchors(captured) } }
        return 1
    }

    /// The same for a closure that captures nothing of the kind.
    @discardableResult
    public func push(function name: String, body: @escaping Body) -> Int {
        NativeFunction.push(thread, Binding(name: name, summary: "", body: body))
        return 1
    }

    /// Empties the userdata whose method this is: later uses are errors ("tensor used after free").
    public func freeThis() {
        if clua_to_any_box(thread, 1) != nil { clua_free_box(thread, 1) }
    }

    // MARK: Failures

    func mismatch(_ index: Int32, expected: String) -> any Error {
        ArgumentError(index: index, message: mismatchMessage(index, expected: expected))
    }

    func mismatchMessage(_ index: Int32, expected: String) -> String {
        if let box = clua_to_any_box(thread, index), box.pointee.object == nil {
            return "\(Stack.typeName(thread, index)) used after free"
        }
        if lua_type(thread, index) == LUA_TSTRING, let bytes = Stack.bytes(thread, index), bytes.contains(0) {
            return "\(expected) without NUL expected, got '\(FileName.escaped(bytes))'; names of files and C's texts end at a NUL"
        }
        if lua_type(thread, index) == LUA_TSTRING, let bytes = Stack.bytes(thread, index), String(validating: bytes, as: UTF8.self) == nil {
            return "\(expected) expected, got '\(FileName.escaped(bytes))', which is not UTF-8; if it names a file, rename that"
        }
        return "\(expected) expected, got \(Stack.typeName(thread, index))" + remedy(index, expected)
    }

    /// What follows such a message where the slip is a known one.
    private func remedy(_ index: Int32, _ expected: String) -> String {
        let binding = function.binding
        if Tensor.read(thread, index) != nil, binding.module == "nn", case .object("module")? = binding.returns.first?.kind {
            return "; nn.\(binding.name)(...) makes a layer, and the layer computes: nn.\(binding.name)(...)(x)"
        }
        if Module.read(thread, index) != nil, expected.hasPrefix("parameters") { return "; its parameters are net:parameters()" }
        return ""
    }
}
