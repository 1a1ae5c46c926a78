import CLua
import Notebook

/// A Swift class whose instances Lua holds as userdata.
public protocol LuaObject: AnyObject, LuaReadable, LuaPushable {
    static var objectType: ObjectType { get }
}

/// A property of a userdata type.
public struct Field: @unchecked Sendable {
    public let name: String
    public let kind: Kind
    public let doc: String
    /// Whether nil may be assigned, and read.
    public let optional: Bool
    let get: Body
    let set: Body?

    /// `get` reads `call.this` and pushes one value; `set` reads argument 1.
    public init(_ name: String, _ kind: Kind, _ doc: String = "", optional: Bool = false, get: @escaping Body, set: Body? = nil) {
        self.name = name
        self.kind = kind
        self.doc = doc
        self.optional = optional
        self.get = get
        self.set = set
    }

    /// A property that only is read.
    public init<T: LuaObject, V: LuaPushable>(_ name: String, _ kind: Kind, _ doc: String = "", of get: @escaping (T) throws -> V) {
        self.init(name, kind, doc, get: { call in call.push(try get(call.this(as: T.self))) })
    }

    /// A property that is read and written.
    public init<T: LuaObject, V: LuaPushable & LuaReadable>(
        _ name: String, _ kind: Kind, _ doc: String = "", of get: @escaping (T) throws -> V, set: @escaping (T, V) throws -> Void
    ) {
        self.init(
            name, kind, doc, get: { call in call.push(try get(call.this(as: T.self))) },
            set: { call in
                try set(call.this(as: T.self), call.get(1))
                return 0
            })
    }
}

/// What Lua knows of a Swift class: its name in messages, methods, fields, metamethods.
///
/// Immutable; the address is the tag in every userdata of the type, so a type lives as long as the process (a `static let`).
public final class ObjectType: @unchecked Sendable {
    public let name: String
    public let summary: String
    public let detail: String
    public let methods: [Binding]
    public let fields: [Field]
    /// Named as in Lua ("__add"), parameters in Lua's order; operands are checked against them.
    public let metamethods: [Binding]
    /// Reads of keys that are neither methods nor fields: argument 1 is the key.
    let index: Body?
    /// Writes of keys that are not fields: arguments 1 and 2 are key and value.
    let newindex: Body?
    /// Which names an object may have nothing under, so that reading one gives nil; of all others it is an error.
    private let mayLack: (AnyObject, String) -> Bool
    /// Whether an object keeps one userdata while that lives, so that it can be a table key. Costs 60 ns a push.
    let unique: Bool
    /// The anchors of all Lua values that an object can lead to; nil for a type that leads to none.
    let anchors: ((AnyObject) -> [LuaAnchor])?
    let swiftType: ObjectIdentifier
    let describe: Body
    /// The object's picture, table or other forms beside its text; their `plain` is left empty.
    let rich: ((AnyObject) throws -> MIMEBundle)?

    /// - Parameters:
    ///   - name: the word in messages ("tensor expected, got nil"): lower-case, an identifier.
    ///   - mayLack: whether an object may have nothing under a name that is neither method nor field.
    ///   - freeable: adds the method `free`.
    ///   - anchors: those of the object and of all that it holds; see `LuaAnchor`.
    ///   - rich: further forms for pages and notebooks: a picture, a table; `plain` is filled in.
    ///   - describe: what `tostring` and the prompt print.
    public convenience init<T: LuaObject>(
        _ name: String, of type: T.Type, summary: String, detail: String = "", methods: [Binding] = [], fields: [Field] = [],
        metamethods: [Binding] = [], index: Body? = nil, newindex: Body? = nil, mayLack: @escaping (T, String) -> Bool = { _, _ in false },
        unique: Bool = false, freeable: Bool = false, anchors: ((T) -> [LuaAnchor])? = nil, rich: ((T) throws -> MIMEBundle)? = nil,
        describe: @escaping (T) throws -> String
    ) {
        self.init(
            name, of: type, summary: summary, detail: detail, methods: methods, fields: fields, metamethods: metamethods, index: index, newindex: newindex,
            mayLack: mayLack, unique: unique, freeable: freeable, anchors: anchors, rich: rich, describing: { object, _ in try describe(object) })
    }

    /// The same for a type whose text depends on where it goes.
    public init<T: LuaObject>(
        _ name: String, of type: T.Type, summary: String, detail: String = "", methods: [Binding] = [], fields: [Field] = [],
        metamethods: [Binding] = [], index: Body? = nil, newindex: Body? = nil, mayLack: @escaping (T, String) -> Bool = { _, _ in false },
        unique: Bool = false, freeable: Bool = false, anchors: ((T) -> [LuaAnchor])? = nil, rich: ((T) throws -> MIMEBundle)? = nil,
        describing describe: @escaping (T, any Output) throws -> String
    ) {
        self.name = name
        self.summary = summary
        self.detail = detail
        self.methods = methods + (freeable ? [ObjectType.free] : [])
        self.fields = fields
        self.metamethods = metamethods
        self.index = index
        self.newindex = newindex
        self.mayLack = { object, name in (object as? T).map { mayLack($0, name) } ?? false }
        self.unique = unique
        self.anchors = anchors.map { anchors in { object in (object as? T).map(anchors) ?? [] } }
        self.swiftType = ObjectIdentifier(type)
        self.describe = { call in call.push(try describe(call.this(as: T.self), call.output)) }
        self.rich = rich.map { rich in { object in try (object as? T).map(rich) ?? MIMEBundle(plain: "") } }
    }

    /// Reads of keys that have nothing: arguments 1 and 2 are the key and whether it is to be called as a method.
    func readNothing(_ call: Call) throws -> Int {
        guard let name = Stack.string(call.thread, 2) else { throw HostError(Members.noPositions(self)) }
        if lua_toboolean(call.thread, 3) == 0, let box = clua_to_any_box(call.thread, 1), let object = box.pointee.object,
            mayLack(Unmanaged<AnyObject>.fromOpaque(object).takeUnretainedValue(), name)
        {
            return call.pushNil()
        }
        throw HostError(Members.missing(name, of: self))
    }

    /// The tag in userdata of this type.
    var tag: UnsafeRawPointer { UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()) }

    private static let free = Binding(
        name: "free", summary: "Gives the memory back at once.",
        detail: "Any later use of this value is an error. What shares its storage keeps it alive.",
        body: { call in
            call.freeThis()
            return 0
        })

    /// The name of the class in LuaCATS: "batch_norm" is BatchNorm.
    static func className(_ name: String) -> String {
        name.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}
