import CLua
import Networks
import Search
import Tensors

/// The supernet of a space of decisions as Lua holds it.
public final class DecisionSupernetObject: LuaObject {
    public let net: DecisionNetwork
    let space: DecisionSpaceObject
    /// Of relaxations that are functions of a script.
    private let anchors: [LuaAnchor]
    private let losses: ScriptedLosses

    init(_ net: DecisionNetwork, space: DecisionSpaceObject, anchors: [LuaAnchor], losses: ScriptedLosses) {
        (self.net, self.space, self.anchors, self.losses) = (net, space, anchors + [losses.anchor], losses)
    }

    public static let objectType = ObjectType(
        "decision_supernet", of: DecisionSupernetObject.self, summary: "The network that holds every architecture of a space at once.",
        detail: "Alternate steps of the weights and of the logits, then `decode`. `net(images)` computes with a history; `step` runs as a plan, recorded once for each optimiser, loss and size of batch.",
        methods: DecisionSupernetMethods.all,
        fields: [
            Field("space", .object("decision_space"), "Its space.", of: { (s: DecisionSupernetObject) in s.space }),
            Field("seed", .integer, "What its initial weights came from.", of: { (s: DecisionSupernetObject) in s.net.seed }),
            Field("training", .boolean, "Whether calls use the batch's statistics; see train and eval.", of: { (s: DecisionSupernetObject) in s.net.isTraining }),
            Field("module", .object("module"), "The same network as a module.", of: { (s: DecisionSupernetObject) in s.net as Module }),
        ],
        metamethods: [
            Binding(
                name: "__call", parameters: [Argument("images", .tensor)], returns: Returns.tensor, summary: "What the network gives, with a history, operation by operation.",
                body: { call in
                    let net = try call.this(as: DecisionSupernetObject.self).net
                    return call.push(try call.contained(net) { try net(call.get(1)) })
                }),
        ],
        unique: true, anchors: { $0.anchors + $0.space.anchors + $0.net.luaAnchors + ($0.net.root.luaAnchors) }, describe: { try $0.net.overview() })

    /// The loss that is a function of a script.
    fileprivate func loss(_ function: LuaFunction, _ call: Call) -> DecisionNetwork.Loss {
        let (id, kept) = losses.kept(function, call)
        return DecisionNetwork.Loss(id: id) { [unowned self] _, inputs in
            try kept.call(self, inputs[0], inputs[1], returning: Tensor.self, expected: .tensor, from: "the loss")
        }
    }
}

/// Losses that are functions of scripts, told apart by their addresses; kept, so that an address stays one function's.
final class ScriptedLosses {
    /// What the functions hang on.
    let anchor: LuaAnchor
    private var known: [UInt: LuaFunction] = [:]

    init(_ call: Call) { anchor = LuaAnchor(call.thread) }

    func kept(_ function: LuaFunction, _ call: Call) -> (id: UInt, function: LuaFunction) {
        function.push(call.thread)
        let id = UInt(bitPattern: lua_topointer(call.thread, -1))
        clua_pop(call.thread, 1)
        let kept = known[id] ?? function.kept(by: anchor)
        known[id] = kept
        return (id, kept)
    }
}

extension DecisionNetwork {
    fileprivate func overview() throws -> String {
        let weights = weights()
        let rows = decisions.all.map { [$0.name, $0.domain.kind, "\($0.shape)", (try? relaxation(of: $0.name).name) ?? ""] }
        return """
            supernet(\(details)), seed \(seed)\(isTraining ? "" : ", evaluation mode")
            weights  \(Module.grouped(weights.reduce(0) { $0 + $1.tensor.count })) in \(Module.grouped(weights.count)) tensors
            \(alignColumns([["decision", "kind", "logits", "relaxation"]] + rows))
            """
    }
}

/// Methods of supernets of decisions.
enum DecisionSupernetMethods {
    private static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "", example: String,
        body: @escaping (DecisionSupernetObject, Call) throws -> Int
    ) -> Binding {
        Binding(
            module: "decision_supernet", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
            example: sample + example, body: { call in try body(call.this(as: DecisionSupernetObject.self), call) })
    }

    static let sample = """
        local space = nas.space(function(c)
          local op = nas.choice('op', {'skip_connect', 'sep_conv_3x3'})
          local net = {mix = nas.mix(op, function(name) return nas.parts.operator(name, 3) end), head = nn.conv2d(3, c.classes, {kernel = 1})}
          function net.forward(self, x) return self.head(self.mix(x)) end
          return nn.module(net, {name = 'small'})
        end, {classes = 2})
        local net = space:supernet{seed = 1}

        """

    private static let state: [Binding] = [
        method("state", returns: [Returns(.table, "tensors by path")], "Copies of all parameters, logits and running statistics.", example: "print(net:state()['logits.op']:size(1))  --> 2") { net, call in
            call.push(try net.net.stateCopies())
        },
        method("load_state", [Argument("state", .table, "what `state` returned")], returns: [LoadReport.returns], "Copies stored values in.", "Names and shapes must agree.", example: "net:load_state(net:state())") { net, call in
            call.push(try net.net.load(call.namedTensors(1)).value)
        },
    ]

    private static let name = Argument("name", .string, "of a decision")
    private static let self_ = [Returns(.object("decision_supernet"))]
    private static let input = Option("input", .list(.integer), required: true, "shape of the input")

    static let all: [Binding] = training + reading + finding + state

    private static let training: [Binding] = [
        method("weights", returns: [Returns(.object("parameters"))], "What is trained but for the logits.", example: "print(net:weights():names()[1])  --> head.weight") { net, call in
            call.push(ParameterList(net.net.weights()))
        },
        method("architecture", returns: [Returns(.object("parameters"))], "The logits of all decisions, by name.", example: "print(net:architecture():names()[1])  --> op") { net, call in
            call.push(ParameterList(net.net.architecture()))
        },
        method("parameters", returns: [Returns(.object("parameters"))], "Weights and logits.", example: "print(#net:parameters() - #net:weights())  --> 1") { net, call in
            call.push(ParameterList(net.net.parameters()))
        },
        method("buffers", returns: [Returns(.object("parameters"))], "Running statistics.", example: "print(#net:buffers())  --> 4") { net, call in call.push(ParameterList(net.net.buffers())) },
        method(
            "step", [Argument("optimiser", .object("optimiser"), "of its weights or its logits"), Argument("images", .tensor), Argument("targets", .tensor)],
            options: [Option("loss", .function, "of the supernet, images and targets, returns one number; pixel cross entropy when left out")], returns: [Returns(.tensor, "the loss before the step")],
            "One step on a batch: loss, derivatives of the optimiser's parameters only, update.",
            "Written down once for each optimiser, loss and size of batch; from then on no Lua runs. A loss or a gradient that is NaN or infinite is an error that says where it began; nothing has changed then.",
            example: """
                local sgd = optim.sgd(net:weights(), {lr = 0.1})
                local x, y = tensor.ones(1, 3, 4, 4), tensor.zeros(1, 4, 4, {dtype = 'int32'})
                local first = net:step(sgd, x, y):item()
                print(net:step(sgd, x, y):item() < first, net:recordings())  --> true\t1
                """
        ) { net, call in
            let function: LuaFunction? = try call.option(ifPresent: "loss")
            let loss = function.map { net.loss($0, call) } ?? .crossEntropy
            return call.push(try net.net.step(call.object(1, as: Optimiser.self), [call.get(2), call.get(3)], loss))
        },
        method("recordings", returns: [Returns(.integer)], "How often a computation of it was written down.", example: "print(net:recordings())  --> 0") { net, call in call.push(net.net.recordingCount) },
        method("train", [Argument("on", .boolean, default: true)], returns: self_, "Calls use the batch's statistics.", example: "print(net:train(false).training)  --> false") { net, call in
            net.net.train(try call.get(1))
            return call.pushThis()
        },
        method("eval", returns: self_, "Calls use the running statistics.", example: "print(net:eval().training)  --> false") { net, call in
            net.net.eval()
            return call.pushThis()
        },
        method(
            "at", [Argument("architecture", .object("assignment"), optional: true, "nil: all of it again")], returns: self_, "The supernet at an architecture: only that is computed.",
            "Weights of options become stored zeros and ones, so one recording serves all architectures. Derivatives of what is off are 0. Its network with the same weights, "
                + "space:network(a, {from = net}), gives the same numbers.",
            example: "local a = space:random{seed = 1}\nlocal x = tensor.ones(1, 3, 4, 4)\nprint(net:at(a):eval()(x):allclose(space:network(a, {from = net}):eval()(x), {atol = 1e-5}))  --> true"
        ) { net, call in
            try net.net.at(call.has(1) ? call.get(1, as: AssignmentObject.self).assignment : nil)
            return call.pushThis()
        },
        method(
            "scores", [Argument("images", .tensor)], options: [Option("training", .boolean, "by the batch's statistics, which then move the running ones; its mode when left out")], returns: [Returns(.tensor)],
            "What the network gives, as a plan, without a history.",
            "At an architecture by the batch's statistics, unless said otherwise: running ones of a supernet mean nothing for one architecture.", example: "print(net:scores(tensor.ones(1, 3, 4, 4)):size(2))  --> 2"
        ) { net, call in
            call.push(try net.net.scores(call.get(1), training: call.option(ifPresent: "training")))
        },
    ]

    private static let reading: [Binding] = [
        method("logits", [name], returns: [Returns(.tensor)], "The logits of a decision, a parameter.", example: "print(net:logits('op'):size(1))  --> 2") { net, call in
            call.push(try net.net.logits(call.get(1)))
        },
        method("probabilities", [name], returns: [Returns(.tensor)], "How probable each option is under its relaxation, noise aside.", "Of paths with one arrow a layer: among the arrows that leave a state.",
            example: "print(net:probabilities('op'):sum():item())  --> 1.0") { net, call in call.push(try net.net.probabilities(call.get(1))) },
        method("entropy", [Argument("name", .string, optional: true, "of a decision; the mean of all when left out")], returns: [Returns(.number, "nats"), Returns(.number, "relative: 1 undecided, 0 decided")],
            "How undecided the logits are.", example: "print(string.format('%.2f', select(2, net:entropy('op'))))  --> 1.00") { net, call in
            if call.has(1) {
                let (mean, relative) = try net.net.entropy(call.get(1))
                return call.push(mean) + call.push(relative)
            }
            let all = try net.net.decisions.decisions.map { try net.net.entropy($0.name) }
            let count = Double(max(all.count, 1))
            return call.push(all.reduce(0) { $0 + $1.mean } / count) + call.push(all.reduce(0) { $0 + $1.relative } / count)
        },
        method(
            "cost", [CostBindings.kind], options: [input], returns: [Returns(.tensor, "one number, with a history")], "What it costs: expected under the relaxations, or at the architecture that it computes.",
            "Σ over the parts of the network of cost · probability that the part is used; a tensor of parameters counts once. Decisions count as independent; of branches every edge counts.",
            example: "print(net:cost(nas.cost.multiply_adds, {input = {1, 3, 4, 4}}):item() > 0)  --> true"
        ) { net, call in call.push(try net.net.cost(CostBindings.kind(call, 1), input: call.option("input"))) },
    ]

    private static let finding: [Binding] = [
        method("sample", options: [Option("seed", .integer, default: 0)], returns: [Returns(.object("assignment"))], "An architecture drawn with the probabilities of the relaxations.", example: "print(net:sample{seed = 1}.op ~= nil)  --> true") { net, call in
            call.push(AssignmentObject(try net.net.sample(seed: call.option("seed")), of: net.net.space.record))
        },
        method(
            "decode",
            options: [
                Option("count", .integer, "the so many best as a list of {architecture =, score =, cost =}"), Option("budget", .table, "{cost = kind, limit = number, input = shape}: only what costs no more"),
                Option("within", .object("decision_space"), "a space that `fix` or `where` made of this one"),
            ], returns: [Returns(.object("assignment"), "with count a list"), Returns(.number, "its score: the logarithm of its probability", optional: true)], "The most probable architecture.",
            "Exact by the structure of the decisions: choices by sorting, paths by dynamic programming, several paths over sets of states, k best by lists, budgets by labels of score and cost. Of equal ones the lower option first.",
            example: "print(net:decode().op ~= nil)  --> true"
        ) { net, call in
            let smaller: DecisionSpaceObject? = try call.option(ifPresent: "within")
            let count: Int? = try call.option(ifPresent: "count")
            let budget = try call.option(ifPresent: "budget", as: LuaValue.self).map { try Self.budget($0, net, call) }
            let found = try net.net.decode(count: count ?? 1, budget: budget, within: smaller?.decisions ?? net.space.decisions, accept: smaller?.filter ?? net.space.filter)
            if count == nil, let best = found.first { return call.push(AssignmentObject(best.assignment, of: net.net.space.record)) + call.push(best.score) }
            return call.push(LuaValue.table(LuaTable(list: found.map { one in
                .table(LuaTable(fields: ["architecture": .object(AssignmentObject(one.assignment, of: net.net.space.record)), "score": .number(one.score), "cost": .number(one.cost)]))
            })))
        },
    ]

    private static func budget(_ value: LuaValue, _ net: DecisionSupernetObject, _ call: Call) throws -> Budget {
        guard let table = value.table, let limit = table["limit"].number, let kind: CostKindObject = table["cost"].object() else {
            throw call.badOption("budget", "{cost = nas.cost.multiply_adds, limit = number, input = shape} expected")
        }
        let input = table["input"].table?.list.compactMap(\.integer)
        return try net.net.budget(kind.kind, limit: limit, input: input)
    }
}

extension DecisionSupernetObject: EvaluatedNetwork {
    func evaluationScores(_ images: Tensor) throws -> Tensor { try net.scores(images, training: net.assignment == nil ? false : nil) }
}
