import Base
import CKernels
import Kernels
import Networks
import Tensors
import XCTest
@testable import Segmentation

final class TrainerTests: TemporaryDirectoryTestCase {
    private let size = Size(height: 12, width: 14)

    private func options(steps: Int = 6, batch: Int = 4, rate: Double = 0.05) -> TrainingOptions {
        var options = TrainingOptions(
            steps: steps, batch: batch, schedule: .poly(from: rate, to: 0, steps: steps, power: 0.9),
            augmentation: Augmentation(crop: Size(height: 10, width: 10), scale: 0.5...2, flip: true, jitter: 0.1, pad: true), seed: 7)
        options.every = 2
        return options
    }

    private func data(_ images: Int = 10, classes: Int = 3, seed: UInt64 = 1) -> Pictures {
        .noise([Size](repeating: size, count: images), classes: classes, seed: seed)
    }

    private func bits(_ module: Module) throws -> [[UInt32]] { try module.state().map { try $0.tensor.floats().map(\.bitPattern) } }

    /// Gradients of parts, added up, are the gradient of the whole, though parts have different numbers of pixels that count.
    func testAccumulatedGradientIsThatOfTheBatch() throws {
        var draw = Draw(seed: 3)
        let images = try Tensor.random(.normal(mean: 0, deviation: 1), [4, 3, 8, 8], from: RandomState(seed: 1))
        let labels = try Tensor(ints: (0..<4 * 64).map { $0 < 100 || draw.chance(0.3) ? 255 : Int32(draw.below(3)) }, shape: [4, 8, 8])
        func gradients(_ parts: Int, _ weights: [Float]?) throws -> (Double, [[Float]]) {
            let net = try Nets.plain(3)
            let targets = net.parameters().map(\.tensor)
            let loss = try TrainingStep(net, targets: targets, names: ["images", "labels"], classWeights: weights, parts: parts)([images, labels])
            return (loss, try targets.map { try XCTUnwrap($0.grad).floats() })
        }
        for weights in [nil, [0.5, 1, 3]] as [[Float]?] {
            let (loss, whole) = try gradients(1, weights)
            let net = try Nets.plain(3)
            let direct = try net(images).resize(.bilinearAlignCorners, height: 8, width: 8)
                .crossEntropy(labels, weights: weights.map { try Tensor($0) }).item()
            XCTAssertEqual(loss, direct, accuracy: 1e-6)
            for parts in [2, 4] {
                let (sum, pieces) = try gradients(parts, weights)
                XCTAssertEqual(sum, loss, accuracy: 1e-6)
                for (a, b) in zip(whole.joined(), pieces.joined()) { XCTAssertEqual(a, b, accuracy: 1e-6) }
            }
        }
    }

    func testWithoutAPixelThatCountsNothingHappens() throws {
        let net = try Nets.plain(3)
        let before = try bits(net)
        let sample = Pictures.sample(size, colours: [Int](repeating: 0, count: size.count), labels: [UInt16](repeating: 255, count: size.count))
        var options = self.options(steps: 2, batch: 2)
        (options.accumulate, options.weightDecay) = (2, 0)
        let history = try Trainer(net, Pictures([sample, sample], classes: 3), options: options).run()
        XCTAssertEqual(history.rows.map(\.loss), [0])
        XCTAssertEqual(try bits(net), before)
    }

    /// Killed after any row and resumed on another number of threads, a run ends in the same bits; also if something is drawn at each row.
    func testResumesBitForBit() throws {
        struct Killed: Error {}
        var drawn: [Int: Set<String>] = [:]
        let threads = ThreadPool.threads
        defer { ThreadPool.threads = threads }
        func trainer(_ name: String) throws -> Trainer {
            var options = self.options()
            options.accumulate = 2
            let trainer = try Trainer(Nets.full(3), data(), validation: data(3, seed: 2), options: options)
            (trainer.checkpointPath, trainer.logPath) = (path(name + ".safetensors"), path(name + ".csv"))
            trainer.onRow = { row in
                let tensor = try Tensor.random(.uniform(low: 0, high: 1), [1]).item()
                drawn[row.step, default: []].insert("\(tensor) \(trellis_script_random_next())")
            }
            return trainer
        }
        ThreadPool.threads = 2
        let whole = try trainer("whole")
        try whole.run()
        XCTAssertEqual(whole.history.rows.map(\.step), [2, 4, 6])
        for kill in [1, 2, 3, 5] {
            ThreadPool.threads = 1
            let first = try trainer("killed")
            first.onStep = { step, _ in if step == kill { throw Killed() } }
            XCTAssertThrowsError(try first.run())
            ThreadPool.threads = 3
            let second = try trainer("killed")
            if kill > 2 { try second.resume(from: path("killed.safetensors")) }
            XCTAssertEqual(second.done, kill > 4 ? 4 : kill > 2 ? 2 : 0)
            try second.run()
            XCTAssertEqual(second.history, whole.history)
            XCTAssertEqual(try bits(second.network), try bits(whole.network))
            XCTAssertEqual(try Data(contentsOf: URL(fileURLWithPath: path("killed.safetensors"))), try Data(contentsOf: URL(fileURLWithPath: path("whole.safetensors"))))
            XCTAssertEqual(try String(contentsOfFile: path("killed.csv"), encoding: .utf8), whole.history.csv)
            // Resuming a run that is done does nothing more.
            let third = try trainer("killed")
            try third.resume(from: path("killed.safetensors"))
            XCTAssertEqual(try third.run(), whole.history)
            XCTAssertEqual(try bits(third.network), try bits(whole.network))
            let best = try [third, whole].map { trainer in
                Dictionary(try XCTUnwrap(trainer.best).map { ($0.name, try $0.tensor.floats()) }, uniquingKeysWith: { $1 })
            }
            XCTAssertEqual(best[0].count, 7)
            XCTAssertTrue(best[0] == best[1])
        }
        XCTAssertEqual(drawn.mapValues(\.count), [2: 1, 4: 1, 6: 1])
    }

    func testResumingAnotherRunIsAnErrorThatChangesNothing() throws {
        let first = try Trainer(Nets.plain(3), data(), options: options())
        first.checkpointPath = path("run.safetensors")
        try first.run()
        func resumed(_ net: Module, _ change: (inout TrainingOptions) -> Void = { _ in }) throws -> Trainer {
            var options = self.options()
            change(&options)
            let trainer = try Trainer(net, data(), options: options)
            let before = try bits(net)
            do { try trainer.resume(from: path("run.safetensors")) } catch {
                XCTAssertEqual(try bits(net), before)
                throw error
            }
            return trainer
        }
        _ = try resumed(Nets.plain(3))
        assertThrows("weight decay 4e-05, not 0.1") { try resumed(Nets.plain(3)) { $0.weightDecay = 0.1 } }
        assertThrows("seed 7, not 8") { try resumed(Nets.plain(3)) { $0.seed = 8 } }
        assertThrows("'network': the checkpoint is of another network") { try resumed(Nets.full(3)) }
        try "nothing".write(toFile: path("run.safetensors"), atomically: true, encoding: .utf8)
        assertThrows("run.safetensors") { try resumed(Nets.plain(3)) }
    }

    func testKeepsTheBest() throws {
        let net = try Nets.full(3)
        var kept: [(Trainer.Keep, Int)] = []
        let trainer = try Trainer(net, data(), validation: data(3, seed: 2), options: options(steps: 12))
        var atBest: [[UInt32]] = []
        trainer.onKeep = { keep, row in
            kept.append((keep, row.step))
            if keep == .best { atBest = try self.bits(net) }
        }
        let history = try trainer.run()
        let best = try XCTUnwrap(history.best)
        XCTAssertEqual(best.measured[0], history.rows.compactMap { $0.measured[0] }.max())
        XCTAssertEqual(kept.last { $0.0 == .best }?.1, best.step)
        XCTAssertEqual(kept.filter { $0.0 == .last }.map(\.1), [2, 4, 6, 8, 10, 12])
        try trainer.useBest()
        XCTAssertEqual(try bits(net), atBest)
        let again = try Evaluator.run(Segmenter(net), data(3, seed: 2))
        XCTAssertEqual(again.meanIoU, best.measured[0])
    }

    /// Said once where the loss falls and the validation, by running statistics that lag behind, sees one class everywhere.
    func testAValidationThatSeesOneClassIsExplained() throws {
        let colours = (0..<size.count).map { $0 / 7 % 3 }
        let sample = Pictures.sample(size, colours: colours, labels: colours.map(UInt16.init))
        let pictures = Pictures([sample, sample, sample, sample], classes: 3)
        func train(lags: Bool) throws -> [String] {
            let net = Sequential([
                try Conv2d(3, 3, kernel: (1, 1), random: RandomState(seed: 1)), try BatchNorm(3), Lambda("late") { x, module in module.isTraining || !lags ? x : try x * 0 },
            ])
            var options = TrainingOptions(steps: 12, batch: 2, schedule: .constant(0.1), seed: 7)
            options.every = 2
            return try Notice.gathered { try Trainer(net, pictures, validation: pictures, options: options).run() }
        }
        XCTAssertEqual(try train(lags: false), [])
        let said = try train(lags: true)
        XCTAssertEqual(said.count, 1)
        XCTAssertTrue(said.first?.contains("takes every pixel for 'class 0', though the loss has fallen: it goes by the running statistics") ?? false, "\(said)")
    }

    func testEndsEarly() throws {
        var options = self.options(steps: 50, rate: 0)
        (options.patience, options.weightDecay, options.momentum) = (3, 0, 0)
        let history = try Trainer(Nets.plain(3), data(), validation: data(3, seed: 2), options: options).run()
        XCTAssertEqual(history.rows.map(\.step), [2, 4, 6, 8])
        XCTAssertEqual(history.stopped, "no better in 3 validations")
        XCTAssertTrue(history.summary.hasSuffix("ended early: no better in 3 validations"), history.summary)
    }

    func testWarmUpAndWeightDecayOfKernelsOnly() throws {
        var options = self.options(steps: 4)
        options.schedule = .warmUp(steps: 2, then: .constant(0.1))
        XCTAssertEqual((0..<4).map { options.rate($0) }, [0.05, 0.1, 0.1, 0.1])
        let trainer = try Trainer(Nets.full(3), data(), options: options)
        XCTAssertEqual(trainer.optimiser.groups.map(\.weightDecay), [4e-5, 0])
        XCTAssertEqual(trainer.optimiser.groups[1].parameters.map(\.name), ["2.weight", "2.bias", "5.bias"])
    }

    func testErrorsBeforeAnyWork() throws {
        func start(_ net: Module, _ data: any DataSet, _ change: (inout TrainingOptions) -> Void = { _ in }) throws -> Trainer {
            var options = self.options()
            change(&options)
            return try Trainer(net, data, options: options)
        }
        assertThrows("the network tells 3 classes apart, pictures has 4") { try start(Nets.plain(3), data(classes: 4)) }
        assertThrows("expected 3 class weights") { try start(Nets.plain(3), data()) { $0.classWeights = [1] } }
        assertThrows("class weights of 0 or more and not all 0") { try start(Nets.plain(3), data()) { $0.classWeights = [0, 0, 0] } }
        assertThrows("does not come apart into 3 equal parts") { try start(Nets.plain(3), data()) { $0.accumulate = 3 } }
        assertThrows("steps of 1 or more, got 0") { try start(Nets.plain(3), data()) { $0.steps = 0 } }
        assertThrows("learning rates of 0 or more") { try start(Nets.plain(3), data()) { $0.schedule = .constant(-1) } }
        assertThrows("crop 20x20 is larger than picture 0 (12x14)") {
            try start(Nets.plain(3), data()) { $0.augmentation = Augmentation(crop: Size(height: 20, width: 20)) }
        }
        assertThrows("no paths to drop") { try start(Nets.plain(3), data()) { $0.dropPath = 0.2 } }
        assertThrows("clip above 0") { try start(Nets.plain(3), data()) { $0.clip = 0 } }
        assertThrows("no parameters to train") { try start(Lambda("x") { x, _ in x }, data()) }
        assertThrows("the validation set pictures has 4") {
            try Trainer(Nets.plain(3), data(), validation: data(classes: 4), options: options())
        }
        assertThrows("the loss is", "lower the learning rate") { try start(Nets.plain(3), data()) { $0.schedule = .constant(1e30) }.run() }
    }

    func testHistoryReadsAsItWasWritten() throws {
        var history = TrainingHistory(steps: 10)
        XCTAssertEqual(history.summary, "nothing done of 10 steps")
        history.rows = [
            TrainingHistory.Row(step: 4, epoch: 1.0 / 3, rate: 0.05, loss: 1.25, measured: [.nan, 0.5]),
            TrainingHistory.Row(step: 8, epoch: 2, rate: 1e-7, loss: 0.1, measured: [0.4125, 1]),
            TrainingHistory.Row(step: 10, epoch: 2.5, rate: 0, loss: 123456789),
        ]
        history.stopped = "it was enough"
        let read = try XCTUnwrap(TrainingHistory(JSONValue.parse(history.json.text().utf8), measures: .segmentation))
        XCTAssertEqual(read.csv, history.csv)
        XCTAssertEqual(read.stopped, history.stopped)
        XCTAssertEqual(history.csv.split(separator: "\n").map(String.init), [
            "step,epoch,lr,loss,miou,accuracy", "4,0.333333,0.05,1.25,,0.5", "8,2,1e-07,0.1,0.4125,1", "10,2.5,0,123456789,,",
        ])
        XCTAssertEqual(history.best?.step, 8)
        XCTAssertTrue(history.table().contains("41.3"))
        history.rows = (1...50).map { TrainingHistory.Row(step: $0, epoch: 1, rate: 1, loss: 1) }
        XCTAssertTrue(history.table().contains("... 30 more"))
    }
}
