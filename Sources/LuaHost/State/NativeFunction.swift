import Base
import CKernels
import CLua
import Glibc
import Networks
import Tensors

/// A binding made ready for a host: its checks compiled, its name where C can read it.
final class NativeFunction {
    let binding: Binding
    /// 1 for methods: self stands before the arguments.
    let base: Int32
    /// What the trampoline and messages need, where C can read it.
    let record: UnsafeMutablePointer<clua_function>
    private let body: Body
    private let selfCheck: Check?
    private let checks: [Check]
    /// The fast part of self's check, if there is one, and of each parameter's.
    private let fastSelf: FastCheck?
    private let fastChecks: UnsafeMutableBufferPointer<FastCheck>
    private let variadic: Bool
    private let required: Int
    private let optionChecks: [String: Check]
    private let requiredOptions: [Option]
    private let takesOptions: Bool
    private let rule: RecordingRule
    /// Whether it changes something that a job may stand on, apart from numbers of tensors.
    fileprivate let changes: Bool

    /// - Parameters:
    ///   - owner: name of the type or module that it belongs to.
    ///   - skipping: stack slots before the first argument, when there is no type to check them against.
    init(
        _ binding: Binding, methodOf type: ObjectType? = nil, owner: String? = nil, role: RecordingRule.Role = .function, skipping: Int32 = 0,
        style: Int = CLUA_FUNCTION, registry: Registry
    ) {
        self.binding = binding
        rule = RecordingRule(owner ?? type?.name ?? binding.module, binding.name, role)
        changes = LookRule.changes(owner ?? type?.name ?? binding.module, binding.name, role)
        body = binding.body
        base = type == nil ? skipping : 1
        record = .allocate(capacity: 1)
        selfCheck = type.map { Check(.object($0.name), optional: false, registry: registry) }
        checks = binding.parameters.map { Check($0.kind, optional: $0.optional && !$0.variadic, registry: registry) }
        fastSelf = selfCheck?.fast
        fastChecks = .allocate(capacity: checks.count)
        for (position, check) in checks.enumerated() { fastChecks.initializeElement(at: position, to: check.fast) }
        variadic = binding.parameters.last?.variadic ?? false
        required = binding.parameters.count(where: { !$0.optional })
        requiredOptions = binding.options.filter(\.required)
        takesOptions = !binding.options.isEmpty
        optionChecks = Dictionary(
            binding.options.map { ($0.name, Check($0.kind, optional: false, registry: registry)) }, uniquingKeysWith: { $1 })
        record.initialize(to: clua_function(
            module: duplicate(type?.name ?? binding.module), name: duplicate(binding.name), style: Int32(style),
            object: Unmanaged.passUnretained(self).toOpaque()))
    }

    deinit {
        free(UnsafeMutablePointer(mutating: record.pointee.module))
        free(UnsafeMutablePointer(mutating: record.pointee.name))
        record.deallocate()
        fastChecks.deallocate()
    }

    func kind(_ argument: Int) -> Kind? {
        let parameters = binding.parameters
        return argument <= parameters.count ? parameters[argument - 1].kind : variadic ? parameters.last?.kind : nil
    }

    func defaultValue(_ argument: Int) -> LuaValue? {
        argument <= binding.parameters.count ? binding.parameters[argument - 1].default : nil
    }

    // MARK: Calls

    func call(_ L: LuaThread) throws -> Int {
        let given = lua_gettop(L)
        let options = takesOptions ? optionsIndex(L, given) : 0
        let count = Int(given - base) - (options > 0 ? 1 : 0)
        let call = Call(thread: L, function: self, count: max(count, 0), optionsIndex: options)
        try check(call)
        if Recording.isActive { return try record(call) }
        return try body(call)
    }

    private static let afterStep = "cannot be called in a compiled function after an optimiser's step, which is made at the end of a run; call it outside"

    /// The same while a function is recorded.
    @inline(never)
    private func record(_ call: Call) throws -> Int {
        guard let recording = Recording.current else { return try body(call) }
        switch rule {
        case .written: break
        case .once:
            if recording.hasEffects { throw Recording.refused(binding.name, NativeFunction.afterStep) }
            recording.mustNotRepeat("it calls \(binding.module.isEmpty ? binding.name : binding.module + "." + binding.name)")
        case .property, .stepped:
            if rule == .stepped, recording.hasEffects { throw Recording.refused(binding.name, NativeFunction.afterStep) }
            let count = try body(call)
            try noteProperty(call, recording)
            return count
        case .setting:
            if recording.hasEffects {
                throw Recording.refused(binding.name, "cannot be set in a compiled function after an optimiser's step, which is made at the end of a run; set it outside")
            }
            recording.mustNotRepeat("it sets '\(binding.name)'")
        }
        return try body(call)
    }

    /// The recording holds while the property that is on top is what it is, if it is a plain value.
    private func noteProperty(_ call: Call, _ recording: Recording) throws {
        let L = call.thread, value = try LuaValue.value(L, -1), source = value.source
        guard value.isPlain, let box = clua_to_any_box(L, 1), let object = box.pointee.object else { return }
        let owner = Unmanaged<AnyObject>.fromOpaque(object).takeUnretainedValue(), host = ScriptHost.of(L), name = binding.name
        recording.depends(atEachCall: true) { [self] in
            guard let L = host.thread, let object = owner as? any LuaObject else { return "the Lua state was closed" }
            let top = lua_gettop(L)
            defer { lua_settop(L, top) }
            clua_push_function(L, record)
            object.push(L)
            guard clua_pcall(L, 1, 1) == LUA_OK, (try? LuaValue.value(L, -1))?.source == source else { return "'\(name)' has changed" }
            return nil
        }
    }

    /// Which argument is the options table: the one after all parameters, or a last table that no parameter there can mean.
    private func optionsIndex(_ L: LuaThread, _ given: Int32) -> Int32 {
        let count = Int(given - base)
        guard count > required, count > 0 else { return 0 }
        if !variadic {
            if count == checks.count + 1 { return clua_is_none_or_nil(L, given) ? 0 : given }
            guard count <= checks.count, lua_type(L, given) == LUA_TTABLE else { return 0 }
            let kind = binding.parameters[count - 1].kind
            if !kind.acceptsTable { return given }
            // In the place of a list that may be left out, names are options: x:sum{keep = true}.
            return kind.acceptsNames || !hasNamesOnly(L, given) ? 0 : given
        }
        guard lua_type(L, given) == LUA_TTABLE else { return 0 }
        guard kind(count)?.acceptsTable == true else { return given }
        // A list has an element 1; the options have none.
        let isList = lua_rawgeti(L, given, 1) != LUA_TNIL
        clua_pop(L, 1)
        return isList || (count == 1 && lua_rawlen(L, given) == 0 && !hasFields(L, given)) ? 0 : given
    }

    private func hasNamesOnly(_ L: LuaThread, _ index: Int32) -> Bool {
        defer { clua_pop(L, 1) }
        return lua_rawgeti(L, index, 1) == LUA_TNIL && hasFields(L, index)
    }

    private func hasFields(_ L: LuaThread, _ index: Int32) -> Bool {
        lua_pushnil(L)
        guard lua_next(L, index) != 0 else { return false }
        clua_pop(L, 2)
        return true
    }

    @inline(__always)
    private func check(_ call: Call) throws {
        let L = call.thread
        if let fastSelf, !fastSelf.accepts(L, 1) { try checkSelf(call) }
        let count = fastChecks.count
        var position = 0
        while position < count {
            let index = Int32(truncatingIfNeeded: position + 1) + base
            // The options are not an argument of the last parameter that was left out.
            if position >= call.count || !fastChecks[position].accepts(L, index) { try checkSlowly(call, position, index) }
            position += 1
        }
        if variadic, let last = checks.last {
            for argument in stride(from: count + 1, through: call.count, by: 1) where !last.accepts(L, call.index(argument)) {
                throw last.failure(call, call.index(argument))
            }
        }
        if takesOptions { try checkOptions(call) }
    }

    /// Whether what stands at 1 is known to be a box of `type`, freed perhaps.
    @inline(__always)
    func hasCheckedSelf(of type: ObjectType) -> Bool { fastSelf?.tag == type.tag }

    @inline(never)
    private func checkSelf(_ call: Call) throws {
        if let selfCheck, !selfCheck.accepts(call.thread, 1) { throw selfCheck.failure(call, 1) }
    }

    @inline(never)
    private func checkSlowly(_ call: Call, _ position: Int, _ index: Int32) throws {
        let check = checks[position]
        if position >= call.count {
            if !check.optional, !(variadic && position == checks.count - 1) { throw check.missing(call, index) }
        } else if !check.accepts(call.thread, index) {
            throw check.failure(call, index)
        }
    }

    private func checkOptions(_ call: Call) throws {
        let L = call.thread, index = call.optionsIndex
        if index > 0 {
            guard lua_type(L, index) == LUA_TTABLE else {
                let example = requiredOptions.first ?? binding.options[0]
                throw ArgumentError(index: index, message: "table of options expected, got \(Stack.typeName(L, index)); options have names: {\(example.name) = ...}")
            }
            try Stack.forEach(L, index) {
                guard let name = Stack.string(L, -2) else {
                    throw ArgumentError(index: index, message: "options have names, got the key \(Stack.display(L, -2))")
                }
                guard let check = optionChecks[name] else { throw ArgumentError(index: index, message: unknownOption(name)) }
                if !check.accepts(L, -1) { throw call.badOption(name, check.message(call, lua_gettop(L))) }
            }
        }
        for option in requiredOptions where !call.hasOption(option.name) {
            throw call.badOption(option.name, "\(option.kind.words) expected, got nothing")
        }
    }

    private func unknownOption(_ name: String) -> String {
        let names = binding.options.map(\.name)
        if let here = PyTorchNames.options[name]?.first(where: names.contains) { return "unknown option '\(name)', here it is '\(here)'" }
        if let near = nearestName(to: name, in: names) { return "unknown option '\(name)', did you mean '\(near)'?" }
        return "unknown option '\(name)', there \(names.count == 1 ? "is" : "are") \(names.joined(separator: ", "))"
    }

    // MARK: Functions of Lua

    /// Pushes a function that Lua owns.
    static func push(_ L: LuaThread, _ binding: Binding) {
        let function = NativeFunction(binding, registry: ScriptHost.of(L).registry)
        _ = Unmanaged.passRetained(function)
        clua_push_owning_function(L, function.record)
    }

    /// Lets a function that Lua owns hold the anchors of what its closure captured.
    static func hang(_ L: LuaThread, _ index: Int32, _ anchors: () -> [LuaAnchor]) {
        clua_need(L, 1)
        guard lua_getupvalue(L, index, 1) != nil else { return }
        LuaAnchor.hang(L, -1, anchors)
        clua_pop(L, 1)
    }

    /// The record behind a function of ours at `index`.
    static func at(_ L: LuaThread, _ index: Int32) -> NativeFunction? {
        clua_function_context(L, index).map { Unmanaged<NativeFunction>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// A copy of `text` that C may keep.
private func duplicate(_ text: String) -> UnsafePointer<CChar> { UnsafePointer(strdup(text)) }

/// What the C trampoline calls. Whatever the body throws is left on the stack for it to raise.
func dispatch(_ L: LuaThread, _ context: UnsafeMutableRawPointer) -> Int32 {
    let function = Unmanaged<NativeFunction>.fromOpaque(context)
    do {
        let results = try function._withUnsafeGuaranteedRef { try $0.call(L) }
        if trellis_memory_missing() != 0 { try Memory.checkMissing(function._withUnsafeGuaranteedRef { $0.binding.name }) }
        return Int32(truncatingIfNeeded: results)
    } catch {
        return prepare(error, L)
    }
}

/// The same while somebody looks into what runs: what would change it is an error.
func dispatchInLook(_ L: LuaThread, _ context: UnsafeMutableRawPointer) -> Int32 {
    let function = Unmanaged<NativeFunction>.fromOpaque(context).takeUnretainedValue()
    guard function.changes else { return dispatch(L, context) }
    return prepare(ReadOnly.refusal(function.binding.name), L)
}

private func prepare(_ error: any Error, _ L: LuaThread) -> Int32 {
    clua_need(L, 8)
    if trellis_interrupt_pending() || error is Interrupted { return Int32(CLUA_INTERRUPTED) }
    switch error {
    case let error as TensorError:
        // Inside a module's function that is written in Lua the path of the module outside would be lost.
        Stack.push(L, "\(ModulePath.complete(error))")
        return Int32(CLUA_MESSAGE)
    case let error as ArgumentError:
        Stack.push(L, error.message)
        clua_push_integer(L, Int64(error.index))
        return Int32(CLUA_ARGUMENT)
    case let error as LuaError:
        error.value.push(L)
        if let traceback = error.traceback {
            Stack.push(L, traceback)
            clua_keep_traceback(L)
        }
        return Int32(CLUA_VALUE)
    default:
        Stack.push(L, "\(error)")
        return Int32(CLUA_MESSAGE)
    }
}
