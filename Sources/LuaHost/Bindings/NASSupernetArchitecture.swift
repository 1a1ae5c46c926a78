import Networks
import Search
import Segmentation
import Tensors

/// Methods of supernets: one architecture at a time.
enum SupernetArchitectureMethods {
    private static let at = SupernetMethods.method(
        "at", [Argument("architecture", .object("architecture"), optional: true, "one of its space; nil: all of them again")], returns: [Returns(.object("supernet"), "itself")],
        "Makes it the network of one architecture: only that is computed, whatever else it holds.",
        """
        From then on steps, gradients, scores, predictions, the loss and calls are those of this architecture, with the supernet's weights: what it leaves out is nothing, not \
        zeros. One recording serves all architectures, beside that of the whole, so another architecture at each step costs nothing: single-path training, and evaluation of \
        thousands of architectures. A step gives gradients 0 to the weights that are off, and the optimiser leaves those alone (neither momentum nor decay moves them), as in a \
        network that has only what is on; logits get none. `scores`, `predict` and `metrics.evaluate` go by the batch's statistics, for the running ones of a supernet \
        mean nothing for one architecture, or after `recalibrate` by those. The network of a space of a function, space:network(a, {from = net}), gives the same numbers. An architecture of another space is an error that says what differs.
        """,
        example: """
            local sgd = optim.sgd(supernet:weights(), {lr = 0.025})
            local images, labels = tensor.randn(2, 3, 16, 16, {seed = 1}), tensor.full({2, 16, 16}, 1, {dtype = 'int32'})
            for i = 1, 5 do supernet:at(space:random{seed = i}):step(sgd, images, labels) end
            print(supernet:recordings())  --> 1
            print(table.concat(supernet:at(space:random{seed = 9}):scores(images).shape, ' '), supernet:recordings())  --> 2 3 16 16	2
            supernet:at(nil)
            """
    ) { call in
        let found: ArchitectureObject? = try call.get(ifPresent: 1), object = try call.this(as: SupernetObject.self)
        try object.net.at(found.map { try object.space.assignment(of: $0) })
        object.present = found
        return call.pushThis()
    }

    private static let recalibrate = SupernetMethods.method(
        "recalibrate", [Argument("batches", .union([.object("loader"), .list(.tensor)]), "what is left of a loader's epoch, or a list of images [N, 3, H, W] (what the space's networks take)")],
        returns: [Returns(.object("supernet"), "itself")], "Takes the running statistics of the architecture that it is at from images.",
        """
        A pass in which nothing is trained; statistics are the averages over the batches. Until the next `at` the architecture's scores go by them instead of each batch's own. \
        The supernet's running statistics stay as they are, and so do checkpoints. At no architecture it is an error.
        """,
        example: """
            local images = tensor.randn(4, 3, 16, 16, {seed = 1})
            supernet:at(space:random{seed = 1}):recalibrate{images, images}
            print((supernet:scores(images[{{1, 1}}]) - supernet:scores(images)[{{1, 1}}]):abs():max():item() < 1e-3)  --> true
            """
    ) { call in
        let net = try call.this(as: SupernetObject.self).net
        if let loader = LoaderObject.read(call.thread, call.index(1)) {
            let epoch = try loader.open().state.epoch
            try net.recalibrate { try loader.open().state.epoch == epoch ? try loader.next().images : nil }
        } else {
            let images: [Tensor] = try call.get(1)
            var next = 0
            try net.recalibrate {
                defer { next += 1 }
                return next < images.count ? images[next] : nil
            }
        }
        return call.pushThis()
    }

    private static let architecture = SupernetMethods.method(
        "present", returns: [Returns(.object("architecture"), "nil: all of them", optional: true)], "The architecture that it is at.",
        example: "supernet:at(space:random{seed = 3})\nprint(#supernet:present().path, supernet:at(nil):present())  --> 2\tnil"
    ) { call in
        call.push(try call.this(as: SupernetObject.self).present)
    }

    static let all = [at, recalibrate, architecture]
}
