/// A parameter of a function. `variadic`: the last one, any number of times.
public struct Argument: Sendable {
    public let name: String
    public let kind: Kind
    public let optional: Bool
    public let `default`: LuaValue?
    public let variadic: Bool
    public let doc: String

    public init(
        _ name: String, _ kind: Kind, optional: Bool = false, default: LuaValue? = nil, variadic: Bool = false, _ doc: String = ""
    ) {
        self.name = name
        self.kind = kind
        self.optional = optional || `default` != nil || variadic
        self.default = `default`
        self.variadic = variadic
        self.doc = doc
    }
}

/// A field of the options table that a function takes last.
public struct Option: Sendable {
    public let name: String
    public let kind: Kind
    public let required: Bool
    public let `default`: LuaValue?
    public let doc: String

    public init(_ name: String, _ kind: Kind, required: Bool = false, default: LuaValue? = nil, _ doc: String = "") {
        self.name = name
        self.kind = kind
        self.required = required
        self.default = `default`
        self.doc = doc
    }
}

/// A value that a function returns.
public struct Returns: Sendable {
    public let kind: Kind
    public let doc: String
    public let optional: Bool

    public init(_ kind: Kind, _ doc: String = "", optional: Bool = false) {
        self.kind = kind
        self.doc = doc
        self.optional = optional
    }
}

/// The body of a binding: reads arguments from the call, pushes results, returns how many. It may throw anything; the error's
/// description becomes the Lua error, with the position of the user's line.
public typealias Body = (Call) throws -> Int

/// One function or method: from this come the Lua function, its checks, help, completion, the stub and the reference.
///
/// Bodies run on the thread of their Lua state only, which is why a binding may be shared though its body is not `Sendable`.
public struct Binding: @unchecked Sendable {
    /// The module ("tensor") or, for a method or metamethod, the type it belongs to.
    public let module: String
    /// The name in the module; a dot makes a table in the module ("gallery.load").
    public let name: String
    public let parameters: [Argument]
    /// Fields of the options table; empty when the function takes none.
    public let options: [Option]
    public let returns: [Returns]
    /// One line.
    public let summary: String
    /// Shapes, units, errors, the source or the paper's equation.
    public let detail: String
    public let example: String
    public let body: Body

    public init(
        module: String = "", name: String, parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [],
        summary: String, detail: String = "", example: String = "", body: @escaping Body
    ) {
        self.module = module
        self.name = name
        self.parameters = parameters
        self.options = options
        self.returns = returns
        self.summary = summary
        self.detail = detail
        self.example = example
        self.body = body
    }

    /// "conv2d(input, weight [, bias] [, options])".
    public var signature: String {
        var text = ""
        for parameter in parameters {
            let name = parameter.variadic ? parameter.name + ", ..." : parameter.name
            let item = (text.isEmpty ? "" : ", ") + name
            text += parameter.optional && !parameter.variadic ? " [" + item + "]" : item
        }
        if !options.isEmpty {
            let required = options.contains(where: \.required)
            let item = (text.isEmpty ? "" : ", ") + "options"
            text += required ? item : " [" + item + "]"
        }
        return name + "(" + (text.hasPrefix(" [") ? String(text.dropFirst()) : text) + ")"
    }
}

/// A value of a module that is not a function, made when it is first read.
public struct Constant: @unchecked Sendable {
    public let name: String
    public let kind: Kind
    public let summary: String
    /// Pushes the value.
    public let make: Body

    public init(_ name: String, _ kind: Kind, _ summary: String, make: @escaping Body) {
        self.name = name
        self.kind = kind
        self.summary = summary
        self.make = make
    }
}

/// A global table of the host, which `require` knows too.
public struct LuaModule: Sendable {
    public let name: String
    public let summary: String
    public let detail: String
    public let types: [ObjectType]
    public let bindings: [Binding]
    public let constants: [Constant]
    /// What calling the module does: `help(x)`.
    public let call: Binding?

    public init(
        _ name: String, summary: String, detail: String = "", types: [ObjectType] = [], bindings: [Binding] = [],
        constants: [Constant] = [], call: Binding? = nil
    ) {
        self.name = name
        self.summary = summary
        self.detail = detail
        self.types = types
        self.bindings = bindings
        self.constants = constants
        self.call = call
    }
}
