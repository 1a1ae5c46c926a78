import Networks
import Search
import Tensors

/// The option `second_order` of steps of a supernet.
enum SecondOrder {
    static let option = Option(
        "second_order", .union([.boolean, .table]),
        "{sgd, images, targets, rate =, loss =}: the loss is taken with the weights one step of sgd ahead on that batch; true: by the last step of the weights once more")

    static let detail = """
        With `second_order`, DARTS' step of the logits (Liu et al. 2019, eq. 7): it minimises the loss with the weights where one step of their optimiser would put them, as a function of \
        the logits, by exact second derivatives. `images` and `targets` are the training batch, `rate` is ξ (the optimiser's when left out), `loss` that of the training batch (the step's \
        own when left out). Momentum and weight decay count, clipping does not. Weights and running statistics stay as they are; decisions that are drawn are drawn once for both batches.
        """

    private static let fields = ["rate", "loss"]

    /// - Returns: nil for false.
    static func read(_ value: LuaValue, _ net: SupernetObject, _ call: Call) throws -> StepAhead? {
        if let isOn = value.boolean { return isOn ? try net.net.stepAheadAsBefore() : nil }
        guard let table = value.table, let optimiser: Optimiser = table[1].object(), table.list.count >= 2 else { throw misfit(call) }
        let inputs = try table.list.dropFirst().map { entry in
            guard let tensor: Tensor = entry.object() else { throw misfit(call) }
            return tensor
        }
        for name in table.fields.keys.sorted() where !fields.contains(name) {
            throw call.badOption(option.name, "has no field '\(name)'; it takes \(fields.joined(separator: " and ")) besides optimiser, images and targets")
        }
        let rate = table["rate"].number, function = table["loss"].function
        guard rate != nil || table["rate"].isNil, function != nil || table["loss"].isNil else { throw call.badOption(option.name, "rate is a number, and loss a function") }
        if let rate, !(rate >= 0 && rate.isFinite) { throw call.badOption(option.name, "the rate should be 0 or more, got \(rate)") }
        // Pixel cross entropy takes two; more need a loss of their own, which may take them all.
        guard inputs.count == 2 || function != nil || call.hasOption("loss") else { throw misfit(call) }
        return StepAhead(optimiser, inputs, loss: function.map { net.loss($0, call) }, rate: rate)
    }

    private static func misfit(_ call: Call) -> any Error {
        call.badOption(option.name, "{optimiser of the weights, images, targets} expected, as net:step(sgd, images, targets) would get them")
    }
}

/// `net:curvature`.
enum CurvatureBinding {
    static let curvature = SupernetDecisionMethods.method(
        "curvature", [Argument("name", .string, "of a decision, or a pattern of some (\"cell.*\"), whose logits are then taken together"), Argument("images", .tensor), Argument("targets", .tensor, variadic: true, "labels int32 [N, H, W], or what the loss takes")],
        options: [Option("loss", .function, "of the supernet, images and targets, returns one number; pixel cross entropy when left out")],
        returns: [Returns(.number, "dominant: of the larger absolute value"), Returns(.number, "largest"), Returns(.number, "smallest")],
        "Eigenvalues of the Hessian of the loss by the logits of a decision: the dominant one, and both ends.",
        """
        RobustDARTS (Zela et al. 2020) watches the largest on validation batches: where it grows, what is found generalises badly, and it is time to stop. By Lanczos' method on exact products of \
        the Hessian with vectors, each a run of one plan: at most as many as there are logits. By the batch's statistics; nothing changes.
        """,
        example: """
            local x, y = tensor.rand(1, 3, 4, 4, {seed = 1}), tensor.zeros(1, 4, 4, {dtype = 'int32'})
            local dominant, largest, smallest = net:curvature('op', x, y)
            print(largest >= smallest, dominant == largest or dominant == smallest)  --> true\ttrue
            """
    ) { net, call in
        let curvature = try net.net.curvature(call.get(1), call.stepInputs(hasLoss: call.hasOption("loss")), net.loss(call))
        return call.push(curvature.dominant) + call.push(curvature.largest) + call.push(curvature.smallest)
    }
}
