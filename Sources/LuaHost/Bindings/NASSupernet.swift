import CLua
import CLua
import Networks
import Search
import Segmentation
import Tensors

/// A supernet as Lua holds it.
public final class SupernetObject: LuaObject {
    public let net: Supernet
    let space: SpaceObject
    /// The architecture that it is at, as the script gave it.
    var present: ArchitectureObject?
    /// Of relaxations that are functions of a script.
    private let anchors: [LuaAnchor]
    private let losses: ScriptedLosses

    init(_ net: Supernet, space: SpaceObject, anchors: [LuaAnchor], losses: ScriptedLosses) {
        (self.net, self.space, self.anchors, self.losses) = (net, space, anchors + [losses.anchor], losses)
    }

    /// All that it leads to.
    var allAnchors: [LuaAnchor] { anchors + space.anchors + net.luaAnchors + net.root.luaAnchors }

    /// The option `loss`; pixel cross entropy when left out.
    func loss(_ call: Call) throws -> Supernet.Loss {
        let function: LuaFunction? = try call.option(ifPresent: "loss")
        return function.map { loss($0, call) } ?? .crossEntropy
    }

    /// The loss that is a function of a script.
    func loss(_ function: LuaFunction, _ call: Call) -> Supernet.Loss {
        let (id, kept) = losses.kept(function, call)
        return Supernet.Loss(id: id) { [unowned self] _, inputs in
            try kept.call(all: [self] + inputs, returning: Tensor.self, expected: .tensor, from: "the loss")
        }
    }

    public static let objectType = ObjectType(
        "supernet", of: SupernetObject.self, summary: "The network that holds every architecture of a space at once.",
        detail: """
            Alternate steps of the weights and of the logits (alpha and beta of nas.trellis), then `decode`. `supernet(images)` computes scores with a history for derivatives, operation by \
            operation; `step`, `scores` and `predict` run as plans, recorded once for each size of batch. `supernet.module` is the module that nn's functions take.
            """,
        methods: SupernetMethods.all,
        fields: [
            Field("space", .object("space"), "Its space.", of: { (s: SupernetObject) in s.space }),
            Field("classes", .integer, "Number of classes, where one was given.", optional: true, get: { call in call.push(try call.this(as: SupernetObject.self).net.classes) }),
            Field("seed", .integer, "What its initial weights came from.", of: { (s: SupernetObject) in s.net.seed }),
            Field("ignore", .integer, "Label of pixels that do not count.", of: { (s: SupernetObject) in s.net.ignore }),
            Field("training", .boolean, "Whether calls use the batch's statistics; see train and eval.", of: { (s: SupernetObject) in s.net.isTraining }),
            Field("module", .object("module"), "The same network as a module.", of: { (s: SupernetObject) in s.net as Module }),
        ],
        metamethods: [
            Binding(
                name: "__call", parameters: [Argument("inputs", .tensor, variadic: true, "[N, 3, H, W]; what the space's networks take")], returns: Returns.tensor,
                summary: "Class scores [N, classes, H, W]; what the space's networks give.",
                detail: "With a history, operation by operation; `supernet:scores` is the fast way when no derivative is wanted.",
                example: SupernetMethods.tiny + "print(table.concat(supernet(tensor.zeros(1, 3, 16, 16)).shape, ' '))  --> 1 3 16 16",
                body: { call in
                    let net = try call.this(as: SupernetObject.self).net
                    if call.count != 1, let root = net.root as? ScriptedModule { return try net.inOneComputation { try root.call(call) } }
                    return call.push(try call.contained(net) { try net(call.get(1)) })
                }),
        ],
        unique: true, anchors: { $0.allAnchors }, describe: { $0.net.summary })
}

extension Call {
    /// What a step is given after the optimiser, for its loss.
    func stepInputs(hasLoss: Bool) throws -> [Tensor] {
        let inputs = try (2...max(2, count)).map { try get($0, as: Tensor.self) }
        guard hasLoss || inputs.count == 2 else { throw bad(min(3, count + 1), "images and labels expected, got \(inputs.count) tensors; more of them need a loss of their own") }
        return inputs
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

extension Supernet {
    /// Counts the predictions of a batch, by the running statistics.
    /// - Parameters:
    ///   - images: [N, 3, H, W]; labels: int32 [N, H, W].
    public func evaluate(_ images: Tensor, _ labels: Tensor, into matrix: inout ConfusionMatrix) throws {
        guard images.rank == 4, labels.shape == [images.shape[0], images.shape[2], images.shape[3]] else {
            throw TensorError("evaluate", "labels \(labels.shape) do not fit images \(images.shape): expected [N, H, W] of [N, 3, H, W]")
        }
        try matrix.add(labels: labels.ints(), predictions: predict(images).ints(), count: labels.count, ignore: ignore)
    }
}

/// Methods of supernets: training.
enum SupernetMethods {
    static let all: [Binding] = training + SupernetArchitectureMethods.all + SupernetDecisionMethods.all + SupernetStateMethods.all + [ExportBinding.supernet]

    static let tiny = """
        local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'sep_conv_3x3'}}}
        local supernet = space:supernet{classes = 3, seed = 1}

        """

    /// A space of a function with one decision, `op`, and its supernet `net`.
    static let small = """
        local space = nas.space(function(c)
          local op = nas.choice('op', {'skip_connect', 'sep_conv_3x3'})
          local net = {mix = nas.mix(op, function(name) return nas.parts.operator(name, 3) end), head = nn.conv2d(3, c.classes, {kernel = 1})}
          function net.forward(self, x) return self.head(self.mix(x)) end
          return nn.module(net, {name = 'small'})
        end, {classes = 2})
        local net = space:supernet{seed = 1}

        """

    static func method(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], returns: [Returns] = [], _ summary: String, _ detail: String = "",
        example: String, body: @escaping Body
    ) -> Binding {
        Binding(
            module: "supernet", name: name, parameters: parameters, options: options, returns: returns, summary: summary, detail: detail,
            example: tiny + example, body: body)
    }

    private static let images = Argument("images", .tensor, "[N, 3, H, W]; what the space's networks take")
    private static let labels = Argument("labels", .tensor, "int32 [N, H, W], classes from 0; what a loss of one's own takes")

    private static let training: [Binding] = [
        method(
            "weights", returns: [Returns(.object("parameters"))], "What SGD trains: all parameters but the logits, alpha and beta of nas.trellis.",
            example: "print(supernet:weights():names()[1])  --> stem.1.conv.weight"
        ) { call in call.push(ParameterList(try call.this(as: SupernetObject.self).net.weights())) },
        method(
            "architecture", returns: [Returns(.object("parameters"))], "What Adam trains, the logits: of nas.trellis alpha [edges, operators] and beta [layers, strides, moves], else a tensor for each decision, by its name.",
            "Moves: to the finer stride, same, to the coarser. Entries of beta without an arrow do not matter.",
            example: "print(table.concat(supernet:architecture():names(), ' '))  --> alpha beta"
        ) { call in call.push(ParameterList(try call.this(as: SupernetObject.self).net.architecture())) },
        method(
            "step", [Argument("optimiser", .object("optimiser"), "of its weights or its architecture"), images, Argument("targets", .tensor, variadic: true, "labels int32 [N, H, W], or what the loss takes")],
            options: [Option("loss", .function, "of the supernet, images and targets, returns one number; pixel cross entropy when left out"), SecondOrder.option],
            returns: [Returns(.tensor, "the loss before the step")],
            "One step on a batch: loss, derivatives of the optimiser's parameters only, update.",
            """
            The computation is written down at the first step with an optimiser and a size of batch and runs as a plan from then on, without Lua. Batch norms use the batch's \
            statistics and move the running ones. The loss is the pixel cross entropy, mean over pixels whose label is not `ignore`. First order: a step of the architecture \
            computes no derivatives of weights, and the other way round. A loss or a gradient that is NaN or infinite is an error that says in which operation of which module it \
            began, or that the weights hold it; parameters and running statistics are as they were.

            """ + SecondOrder.detail,
            example: """
                local sgd = optim.sgd(supernet:weights(), {lr = 0.025, momentum = 0.9})
                local images, labels = tensor.randn(2, 3, 16, 16, {seed = 1}), tensor.full({2, 16, 16}, 1, {dtype = 'int32'})
                local first = supernet:step(sgd, images, labels):item()
                for i = 1, 5 do supernet:step(sgd, images, labels) end
                print(supernet:step(sgd, images, labels):item() < first)  --> true
                """
        ) { call in
            let object = try call.this(as: SupernetObject.self)
            let ahead = try call.option(ifPresent: SecondOrder.option.name, as: LuaValue.self).flatMap { try SecondOrder.read($0, object, call) }
            return call.push(try object.net.step(call.object(1, as: Optimiser.self), call.stepInputs(hasLoss: call.hasOption("loss")), object.loss(call), ahead: ahead))
        },
        method(
            "loss", [images, labels], returns: [Returns(.tensor)], "Pixel cross entropy of a batch, with a history for derivatives.", "What `step` minimises, operation by operation.",
            example: "local loss = supernet:loss(tensor.zeros(1, 3, 16, 16), tensor.zeros(1, 16, 16, {dtype = 'int32'}))\nloss:backward()\nprint(supernet:alpha{raw = true}.grad ~= nil)  --> true"
        ) { call in
            let net = try call.this(as: SupernetObject.self).net
            return call.push(try net.loss(call.get(1), call.get(2)))
        },
        method(
            "gradients", [Argument("optimiser", .object("optimiser")), images, labels], returns: [Returns(.tensor, "the loss")],
            "What `step` computes without the update: leaves the gradients at the optimiser's parameters; the same errors.",
            example: """
                local adam = optim.adam(supernet:architecture())
                supernet:gradients(adam, tensor.randn(1, 3, 16, 16), tensor.zeros(1, 16, 16, {dtype = 'int32'}))
                print(#supernet:alpha{raw = true}.grad.shape)  --> 2
                """
        ) { call in
            let net = try call.this(as: SupernetObject.self).net
            return call.push(try net.gradients(call.object(1, as: Optimiser.self), [call.get(2), call.get(3)]))
        },
        method(
            "scores", [images], options: [Option("training", .boolean, default: false, "by the batch's statistics, which then move the running ones")],
            returns: [Returns(.tensor, "[N, classes, H, W]")], "Class scores as a plan, without a history, by the running statistics.",
            example: "print(table.concat(supernet:scores(tensor.zeros(1, 3, 16, 16)).shape, ' '))  --> 1 3 16 16"
        ) { call in call.push(try call.this(as: SupernetObject.self).net.scores(call.get(1), training: call.option("training"))) },
        method(
            "predict", [images], returns: [Returns(.tensor, "int32 [N, H, W], classes from 0")], "The class of each pixel, as a plan, by the running statistics.",
            example: "print(supernet:predict(tensor.zeros(1, 3, 16, 16)).dtype)  --> int32"
        ) { call in call.push(try call.this(as: SupernetObject.self).net.predict(call.get(1))) },
    ]
}
