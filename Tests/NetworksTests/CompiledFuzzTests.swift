import Tensors
import XCTest

@testable import Networks

/// Random programs of reads, writes in place, views, chance, derivatives and steps, compiled and at once, with random changes of the world between the calls:
/// the same results, and the same world afterwards. Where a plan does not run the program it has to say so.
final class CompiledFuzzTests: XCTestCase {
    /// What a program can reach besides its argument.
    private final class World {
        let buffers: [Tensor]
        let views: [Tensor]
        let parameters: [Tensor]
        let norm: BatchNorm
        let drop: Module
        let optimiser: Optimiser

        init() throws {
            func random(_ shape: [Int], _ seed: UInt64) throws -> Tensor {
                try Tensor.random(.uniform(low: -1, high: 1), shape, from: RandomState(seed: seed))
            }
            let wide = try random([3, 3], 5)
            buffers = [try random([2, 3], 1), try random([2, 3], 2), wide]
            // Tensors over parts of a buffer: whole rows, and columns.
            views = [try wide.narrow(0, 1, 2), try random([3, 2], 6).permute([1, 0])]
            parameters = [try random([2, 3], 3).requireGrad(), try random([2, 3], 4).requireGrad()]
            norm = try BatchNorm(3)
            drop = try Layer.dropout(0.5)
            optimiser = try Optimiser(.sgd, [ParameterGroup(parameters.enumerated().map { ("p\($0)", $1) }, rate: 0.1, momentum: 0.9)])
        }

        var sources: [Tensor] { buffers.prefix(2) + views + parameters }

        /// All that a call may leave behind.
        var state: [(name: String, numbers: [Float]?)] {
            get throws {
                var all: [(String, [Float]?)] = []
                for (i, buffer) in (buffers + views).enumerated() { all.append(("buffer \(i)", try buffer.floats())) }
                for (i, parameter) in parameters.enumerated() {
                    all.append(("parameter \(i)", try parameter.floats()))
                    all.append(("gradient \(i)", try parameter.grad?.floats()))
                }
                for (name, buffer) in norm.ownBuffers { all.append((name, try buffer.floats())) }
                return all
            }
        }
    }

    private struct Draw {
        var state: UInt64
        mutating func below(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % n
        }
    }

    /// Whether the steps are printed, to look for a fault: TRELLIS_FUZZ_SEED names the program.
    private var tells: Bool { only != nil }
    private var only: UInt64? { ProcessInfo.processInfo.environment["TRELLIS_FUZZ_SEED"].flatMap { UInt64($0) } }

    private typealias Program = (World, Tensor) throws -> [Tensor]

    /// A program of `length` steps over values [2, 3]; what it does is fixed by the seed.
    private func program(_ seed: UInt64, length: Int) -> Program {
        { [tells] world, argument in
            var draw = Draw(state: seed)
            var pool = world.sources + [argument]
            var loss: Tensor?
            var hasStepped = false
            for _ in 0..<length {
                let (i, j, kind) = (draw.below(pool.count), draw.below(pool.count), draw.below(16))
                let (a, b) = (pool[i], pool[j])
                if tells { print("\(pool.count): step \(kind) of \(i), \(j)") }
                switch kind {
                case 0: pool.append(try a + b)
                case 1: pool.append(try a * b)
                case 2: pool.append(try (a - b).unary(.tanh))
                case 3: pool.append(try a * 1)
                case 4: pool.append(try a.clone())
                case 5: pool.append(try a.permute([1, 0]).reshape([6]).reshape([2, 3]))
                case 6: try GradientMode.disabled { try a.assign(b) }
                case 7: try GradientMode.disabled { try a.narrow(1, draw.below(2), 1).assign(b.narrow(1, draw.below(3), 1) * 0.5) }
                case 8: try GradientMode.disabled { try a.select(0, draw.below(2)).assign(Tensor.scalar(0.25)) }
                case 9: pool.append(try a + Tensor.random(.uniform(low: 0, high: 1), [2, 3]))
                case 10: pool.append(try a.gather(0, Tensor.permutation(2).reshape([2, 1]).expand([2, 3])))
                case 11: pool.append(try world.norm(a))
                case 12: pool.append(try world.drop(a))
                case 13: pool.append(try Tensor.concat([a.narrow(0, 0, 1), b.narrow(0, 1, 1)], 0))
                case 14:
                    // Data decides.
                    let limit: Float = 0.1
                    if try world.buffers[2].number(at: [0, 0]) > Double(limit) { pool.append(try a * 2) }
                default:
                    guard !hasStepped else { continue }
                    let value = try (a * b).sum()
                    guard value.requiresGrad else { continue }
                    if draw.below(2) == 0 { world.optimiser.zeroGrad() }
                    try value.backward()
                    loss = value
                    if draw.below(3) == 0, let gradient = try world.parameters[draw.below(2)].currentGradient() { pool.append(try gradient * 0.1) }
                }
            }
            if loss != nil, draw.below(2) == 0 {
                hasStepped = true
                try world.optimiser.step()
                if draw.below(2) == 0 { world.optimiser.zeroGrad() }
            }
            return Array(pool.suffix(3)) + [loss].compactMap { $0 }
        }
    }

    private func disturb(_ world: World, _ draw: inout Draw) throws {
        switch draw.below(8) {
        case 0: try world.buffers[draw.below(3)].setNumber(at: [0, draw.below(3)], Double(draw.below(5)) / 10)
        case 1: try world.parameters[draw.below(2)].requireGrad(draw.below(2) == 0)
        case 2: world.norm.train(draw.below(2) == 0)
        case 3: world.drop.train(draw.below(2) == 0)
        case 4: world.optimiser.rate = Double(1 + draw.below(3)) / 10
        case 5: world.parameters[draw.below(2)].grad = nil
        case 6: world.parameters[draw.below(2)].grad = try Tensor.ones([2, 3])
        default: break
        }
    }

    private func same(_ a: [Float]?, _ b: [Float]?, _ tolerance: Float) -> Bool {
        guard let a, let b else { return a == nil && b == nil }
        return a.count == b.count && zip(a, b).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) || abs($0 - $1) <= tolerance * max(1, abs($0)) }
    }

    /// One program: four calls in two worlds.
    private func check(_ seed: UInt64, optimises: Bool) throws -> Bool {
        let before = Plan.optimises
        Plan.optimises = optimises
        defer { Plan.optimises = before }
        let run = program(seed, length: 4 + Int(seed % 9))
        let worlds = [try World(), try World()]
        let compiled = Compiled { [world = worlds[1]] in try run(world, $0[0]) }
        for call in 0..<4 {
            let argument = try Tensor.random(.uniform(low: -1, high: 1), [2, 3], from: RandomState(seed: UInt64(call) + 50))
            var outcomes: [(values: [[Float]], state: [(name: String, numbers: [Float]?)], argument: [Float], draws: UInt64)] = []
            for (i, world) in worlds.enumerated() {
                (RandomState.global.seed, RandomState.global.draws) = (seed, UInt64(call) * 100)
                let own = try argument.clone()
                do {
                    let values = try (i == 0 ? run(world, own) : compiled([own])).map { try $0.detach().floats() }
                    outcomes.append((values, try world.state, try own.floats(), RandomState.global.draws))
                } catch let error as TensorError {
                    // At once: a derivative of what was overwritten. Compiled: what a plan does not do, in its own words.
                    let known = ["changed in place", "computed a second time", "comes last", "is not known while", "shares memory", "in place"]
                    XCTAssert(known.contains { error.description.contains($0) }, "seed \(seed): \(error)")
                    return false
                }
            }
            let tolerance: Float = optimises ? 1e-5 : 0
            for (j, (a, b)) in zip(outcomes[0].values, outcomes[1].values).enumerated() {
                XCTAssert(same(a, b, tolerance), "seed \(seed), optimised \(optimises), call \(call), result \(j): \(b), at once \(a)")
            }
            for (a, b) in zip(outcomes[0].state, outcomes[1].state) {
                XCTAssert(
                    same(a.numbers, b.numbers, tolerance),
                    "seed \(seed), optimised \(optimises), call \(call), \(a.name): \(b.numbers.map { "\($0)" } ?? "nil"), at once \(a.numbers.map { "\($0)" } ?? "nil")")
            }
            XCTAssert(same(outcomes[0].argument, outcomes[1].argument, tolerance), "seed \(seed), call \(call): the argument")
            XCTAssertEqual(outcomes[0].draws, outcomes[1].draws, "seed \(seed), call \(call): random numbers drawn")
            for world in worlds {
                var draw = Draw(state: seed &* 31 &+ UInt64(call))
                for _ in 0..<2 { try disturb(world, &draw) }
            }
        }
        return true
    }

    func testRandomPrograms() throws {
        let rounds = ProcessInfo.processInfo.environment["TRELLIS_FUZZ"].flatMap { UInt64($0) } ?? 400
        let random = (RandomState.global.seed, RandomState.global.draws)
        defer { (RandomState.global.seed, RandomState.global.draws) = random }
        var whole = 0
        if let only {
            for optimises in [false, true] { _ = try check(only, optimises: optimises) }
            return
        }
        for seed in 0..<rounds { for optimises in [false, true] where try check(seed, optimises: optimises) { whole += 1 } }
        XCTAssertGreaterThan(whole, Int(rounds))
    }
}
