import CLua
import Search
import Tensors

/// A relaxation as Lua holds it.
public final class RelaxationObject: LuaObject {
    public let relaxation: Relaxation
    init(_ relaxation: Relaxation) { self.relaxation = relaxation }

    public static let objectType = ObjectType(
        "relaxation", of: RelaxationObject.self, summary: "What makes weights of a decision's logits.",
        detail: "For space:supernet{relax = {[name or pattern] = relaxation}}. Its temperature is a stored number: `r.temperature = 3` makes no new recording.",
        fields: [
            Field("name", .string, "softmax, gumbel, ...", of: { (r: RelaxationObject) in r.relaxation.name }),
            Field("sparse", .boolean, "Whether weights can be exact zeros, which close what they multiply.", of: { (r: RelaxationObject) in r.relaxation.isSparse }),
            Field(
                "temperature", .number, "By which logits are divided; nil for a relaxation without.", optional: true,
                get: { call in
                    guard let tensor = try call.this(as: RelaxationObject.self).relaxation.temperature else { return call.pushNil() }
                    return call.push(Double(try tensor.item()))
                },
                set: { call in
                    let relaxation = try call.this(as: RelaxationObject.self).relaxation
                    guard let tensor = relaxation.temperature else { throw call.bad(1, "\(relaxation.name) has no temperature") }
                    let value: Double = try call.get(1)
                    guard value > 0, value.isFinite else { throw call.bad(1, "a temperature above 0 expected, got \(value)") }
                    try GradientMode.disabled { try tensor.assign(Tensor([Float(value)], shape: [1])) }
                    return 0
                }),
        ],
        unique: true, anchors: { ($0.relaxation as? ScriptedRelaxation).map { [$0.anchor] } ?? [] }, describe: { $0.relaxation.name })
}

/// A relaxation that is a Lua function.
final class ScriptedRelaxation: Relaxation {
    let anchor: LuaAnchor
    private let function: LuaFunction

    init(_ function: LuaFunction, isSparse: Bool, temperature: Double?, on anchor: LuaAnchor) throws {
        self.anchor = anchor
        self.function = function.kept(by: anchor)
        try super.init("relaxation", isSparse: isSparse, temperature: temperature)
    }

    override func weights(_ logits: Tensor, of decision: Decision) throws -> Weights {
        let object = DecisionObject(decision)
        let given: [any LuaPushable] = temperature.map { [logits, object, $0] } ?? [logits, object]
        let results = try function.call(all: given)
        guard let weights: Tensor = results.first?.object() else {
            throw HostError("a relaxation must return a tensor of weights, and of probabilities if they are others; got \(results.first?.typeName ?? "no value")")
        }
        return Weights(weights, probabilities: results.count > 1 ? results[1].object(as: Tensor.self) : nil)
    }
}

/// `nas.softmax` and its kin.
enum RelaxationBindings {
    static let all = [softmax, gumbel, sigmoid, sparsemax, oneActive, dirichlet, fixed, own]

    private static let temperature = Option("temperature", .number, default: 1, "by which logits are divided, above 0")

    private static func binding(
        _ name: String, _ parameters: [Argument] = [], _ options: [Option] = [], _ summary: String, _ detail: String, example: String? = nil,
        _ make: @escaping (Call) throws -> Relaxation
    ) -> Binding {
        Binding(
            module: "nas", name: name, parameters: parameters, options: options, returns: [Returns(.object("relaxation"))], summary: summary, detail: detail,
            example: example ?? "print(nas.\(name)().sparse)  --> \(name == "sparsemax")"
        ) { call in call.push(RelaxationObject(try make(call))) }
    }

    private static let softmax = binding(
        "softmax", [], [temperature], "Weights by softmax(z / temperature).",
        "Over the options of a decision; of paths over the arrows that leave a state (Auto-DeepLab, eq. 4 and 7), of branches over the options of each state. Of a subset, the probability that "
            + "an option is used is taken to be min(1, most · w)."
    ) { call in try Softmax(temperature: call.option("temperature")) }

    private static let gumbel = binding(
        "gumbel", [],
        [
            temperature, Option("hard", .boolean, default: false, "1 for what was drawn and 0 for the others, with the derivative of the soft weights (straight-through)"),
            Option("estimator", .choice(Gumbel.Estimator.allCases.map(\.rawValue)), default: "selected", "of hard weights: compute what was drawn only, or every option"),
        ], "Weights by softmax((z + Gumbel noise) / temperature), drawn anew at each run.",
        "Jang and others, Maddison and others (2017); hard with `selected` is GDAS (Dong and Yang, 2019): only what was drawn is computed."
    ) { call in
        try Gumbel(
            temperature: call.option("temperature"), isHard: call.option("hard"), estimator: Gumbel.Estimator(rawValue: call.option("estimator")) ?? .selected)
    }

    private static let sigmoid = binding("sigmoid", [], [temperature], "Weights by σ(z / temperature), each option by itself.", "As FairDARTS (Chu and others, 2020) and DCNAS have it.") { call in
        try Sigmoid(temperature: call.option("temperature"))
    }

    private static let sparsemax = binding(
        "sparsemax", [], [temperature], "Weights by the Euclidean projection onto the simplex: weak options get exactly 0.", "Martins and Astudillo (2016). What has 0 is not computed."
    ) { call in try Sparsemax(temperature: call.option("temperature")) }

    private static let oneActive = binding(
        "one_active", [], [], "Independent arrows given that one of a layer is on: s / (1 - Π(1 - s)), s = σ(z).", "DiNTS (He and others, 2021). Of other decisions: given that one option is on."
    ) { _ in try OneActive() }

    private static let dirichlet = binding(
        "dirichlet", [], [], "Weights drawn from a Dirichlet distribution with concentration 1 + elu(z), anew at each run.", "DrNAS (Chen and others, 2021)."
    ) { _ in try Dirichlet() }

    private static let fixed = binding(
        "fixed", [Argument("weights", .tensor, "of the decision's shape")], [], "Given weights instead of learned ones; writing into the tensor changes them.", "",
        example: "print(nas.fixed(tensor.ones(2)).sparse)  --> false"
    ) { call in try Fixed(call.get(1)) }

    private static let own = binding(
        "relaxation", [Argument("weights", .function, "of logits, the decision and the temperature, if there is one; returns weights, and probabilities where those are others")],
        [Option("hard", .boolean, default: false, "weights can be exact zeros, which close what they multiply"), Option("temperature", .number, "one number, a tensor [1] for the function")],
        "A relaxation of one's own.", "It runs while a computation is written down, so it costs nothing at run time. It returns the logits' shape.",
        example: "print(nas.relaxation(function(z, d) return z:softmax(1) end).name)  --> relaxation"
    ) { call in
        try ScriptedRelaxation(call.get(1), isSparse: call.option("hard"), temperature: call.option(ifPresent: "temperature"), on: LuaAnchor(call.thread))
    }

    /// The option `relax`: a table from names and patterns to relaxations, functions, or tables with `weights`.
    static func relaxations(_ call: Call, _ value: LuaValue?) throws -> (Relaxations, [LuaAnchor]) {
        var anchors: [LuaAnchor] = []
        func relaxation(_ value: LuaValue, _ name: String) throws -> Relaxation {
            if let object: RelaxationObject = value.object() {
                if let scripted = object.relaxation as? ScriptedRelaxation { anchors.append(scripted.anchor) }
                return object.relaxation
            }
            let anchor = LuaAnchor(call.thread)
            if let function = value.function {
                anchors.append(anchor)
                return try ScriptedRelaxation(function, isSparse: false, temperature: nil, on: anchor)
            }
            if let table = value.table, let function = table["weights"].function {
                anchors.append(anchor)
                return try ScriptedRelaxation(function, isSparse: table["hard"].boolean ?? false, temperature: table["temperature"].number, on: anchor)
            }
            throw call.badOption("relax", "'\(name)': a relaxation, or a function of the logits, expected, got \(value.typeName)")
        }
        guard let table = value?.table else { return (try Relaxations(), []) }
        let rules = try table.fields.sorted { $0.key < $1.key }.map { (pattern: $0.key, relaxation: try relaxation($0.value, $0.key)) }
        return (try Relaxations(rules), anchors)
    }
}
