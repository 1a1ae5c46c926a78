import CLua
import Networks
import Tensors

/// Parameters in order and by name: what `net:parameters()` returns and optimisers take.
public final class ParameterList: LuaObject {
    public let items: [Module.Named]
    private let positions: [String: Int]

    public init(_ items: [Module.Named]) {
        self.items = items
        positions = Dictionary(items.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    public var tensors: [Tensor] { items.map(\.tensor) }

    subscript(name: String) -> Tensor? { positions[name].map { items[$0].tensor } }

    public static let objectType = ObjectType(
        "parameters", of: ParameterList.self, summary: "Named tensors in order, as a module has them.",
        detail: "`p[1]` and `p[\"1.weight\"]` are tensors, `#p` their number; `pairs(p)` gives names and tensors in order, `ipairs(p)` positions and tensors.",
        methods: methods,
        fields: [Field("count", .integer, "Numbers in all tensors together.", of: { (p: ParameterList) in p.items.reduce(0) { $0 + $1.tensor.count } })],
        metamethods: [
            Binding(name: "__len", parameters: [Argument("p", .any)], returns: [Returns(.integer)], summary: "Number of tensors.") { call in
                call.push(try call.get(1, as: ParameterList.self).items.count)
            },
            Binding(
                name: "__pairs", parameters: [Argument("p", .object("parameters"))], returns: [Returns(.function)], summary: "Names and tensors in order."
            ) { call in
                let items = try call.get(1, as: ParameterList.self).items
                var next = 0
                return call.push(function: "next") { call in
                    guard next < items.count else { return call.pushNil() }
                    next += 1
                    return call.push(items[next - 1].name) + call.push(items[next - 1].tensor)
                }
            },
        ],
        index: { call in
            let list: ParameterList = try call.this()
            if let name = Stack.string(call.thread, 2) { return call.push(list[name]) }
            guard let position = Stack.integer(call.thread, 2) else { throw HostError("parameters are indexed by position or name") }
            let at = position < 0 ? list.items.count + position : position - 1
            return list.items.indices.contains(at) ? call.push(list.items[at].tensor) : call.pushNil()
        },
        mayLack: { _, _ in true },
        describe: { $0.text })

    private var text: String {
        let shapes = items.map { Shape.text($0.tensor.shape) }
        let width = items.map(\.name.count).max() ?? 0
        let total = items.reduce(0) { $0 + $1.tensor.count }
        let lines = zip(items, shapes).map { item, shape in "  " + item.name + String(repeating: " ", count: width - item.name.count + 2) + shape }
        return (["\(items.count) tensor\(items.count == 1 ? "" : "s"), \(total) numbers"] + lines).joined(separator: "\n")
    }

    private static let methods: [Binding] = [
        Binding(
            module: "parameters", name: "names", returns: [Returns(.list(.string))], summary: "The names in order.",
            example: "print(nn.linear(2, 3):parameters():names()[2])  --> bias"
        ) { call in call.push(try call.this(as: ParameterList.self).items.map(\.name)) },
        Binding(
            module: "parameters", name: "list", returns: [Returns(.list(.tensor))], summary: "The tensors in order, as a plain table.",
            example: "print(#nn.linear(2, 3):parameters():list())  --> 2"
        ) { call in call.push(try call.this(as: ParameterList.self).tensors) },
        Binding(
            module: "parameters", name: "filter",
            parameters: [Argument("keep", .union([.string, .function]), "a Lua pattern that the name has to match, or a function of name and tensor")],
            returns: [Returns(.object("parameters"))], summary: "Those with a certain name or property.", detail: "For parameter groups of an optimiser.",
            example: "print(#nn.linear(2, 3):parameters():filter('bias$'))  --> 1"
        ) { call in
            let list: ParameterList = try call.this()
            if let keep: LuaFunction = LuaFunction.read(call.thread, call.index(1)) {
                return call.push(ParameterList(try list.items.filter { name, tensor in
                    try keep.call(name, tensor).first.map { !$0.isNil && $0.boolean != false } ?? false
                }))
            }
            let find = try call.stringFind(call.get(1))
            return call.push(ParameterList(try list.items.filter { try find($0.name) }))
        },
        Binding(
            module: "parameters", name: "zero_grad", summary: "Forgets the gradients of all.",
            example: "nn.linear(2, 3):parameters():zero_grad()"
        ) { call in
            for tensor in try call.this(as: ParameterList.self).tensors { tensor.clearGradient() }
            return 0
        },
    ]
}

extension Call {
    /// Lua's string.find with a pattern, as a test of names.
    func stringFind(_ pattern: String) throws -> (String) throws -> Bool {
        clua_push_globals(thread)
        Stack.rawGet(thread, -1, "string")
        clua_remove(thread, -2)
        guard lua_type(thread, -1) == LUA_TTABLE else { throw HostError("string.find is missing") }
        Stack.rawGet(thread, -1, "find")
        clua_remove(thread, -2)
        defer { clua_pop(thread, 1) }
        guard let find = LuaFunction.read(thread, -1) else { throw HostError("string.find is missing") }
        return { name in try find.call(name, pattern).first.map { !$0.isNil } ?? false }
    }
}
