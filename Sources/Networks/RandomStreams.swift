import CKernels
import Tensors

/// Where the streams of random numbers stand: the library's own (`RandomState.global`), and that of `math.random` in scripts.
public struct RandomStreams: Equatable, Sendable {
    /// Of `RandomState.global`.
    public var seed: UInt64
    public var draws: UInt64
    /// The four words of math.random's generator; nil: left as they are.
    public var script: [UInt64]?

    public init(seed: UInt64, draws: UInt64, script: [UInt64]?) {
        self.seed = seed
        self.draws = draws
        self.script = script
    }

    public static var current: RandomStreams {
        var words = [UInt64](repeating: 0, count: 4)
        trellis_script_random_save(&words)
        return RandomStreams(seed: RandomState.global.seed, draws: RandomState.global.draws, script: words)
    }

    /// Continues where these streams stand.
    public func resume() {
        RandomState.global.seed = seed
        RandomState.global.draws = draws
        if let script, script.count == 4 { trellis_script_random_restore(script) }
    }

    /// Starts both streams anew from one seed; math.random then gives what it gives after `math.randomseed(seed)`.
    public static func start(seed: UInt64) {
        RandomState.global.seed = seed
        RandomState.global.draws = 0
        trellis_script_random_seed(seed, 0)
    }

    /// Runs `body` and puts the streams back.
    public static func keeping<T>(_ body: () throws -> T) rethrows -> T {
        let before = current
        defer { before.resume() }
        return try body()
    }

    /// Numbers that scripts have drawn from math.random since the process began: whether a piece of a script drew any.
    public static var scriptDraws: UInt64 { trellis_script_random_draws() }
}
