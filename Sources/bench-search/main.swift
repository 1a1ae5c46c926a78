import Foundation
import Kernels
import LuaHost
import Networks
import Search
import Tensors

// Times a search step (a weight step and an architecture step) of a supernet; prints one JSON object. `scripts/bench search` runs it beside
// a PyTorch peer with the same sizes. `--lua FILE` runs a script first: one that defines operators, which `--operators` may name, or
// one that draws what was measured.

func text(_ name: String) -> String? {
    guard let i = CommandLine.arguments.firstIndex(of: "--" + name), i + 1 < CommandLine.arguments.count else { return nil }
    return CommandLine.arguments[i + 1]
}

func option(_ name: String, _ fallback: Int) -> Int { text(name).flatMap(Int.init) ?? fallback }

func peakMegabytes() -> Double {
    var usage = rusage()
    getrusage(0, &usage)  // RUSAGE_SELF
    return Double(usage.ru_maxrss) / 1024
}

func median(_ x: [Double]) -> Double { x.isEmpty ? 0 : x.sorted()[x.count / 2] }

/// The fastest of some runs, in seconds.
func fastest(_ runs: Int, _ body: () -> Void) -> Double {
    (0..<runs).map { _ in
        let start = PlanProfile.now()
        body()
        return PlanProfile.now() - start
    }.min() ?? .infinity
}

/// What the machine gives at best, with the threads of the run: a large matrix product in GFLOP/s, and a copy in GB/s of reading and writing.
func machine() -> (gflops: Double, bandwidth: Double) {
    let n = 1152
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 3 * n * n)
    memory.initialize(repeating: 0.5, count: 3 * n * n)
    let product = fastest(5) {
        Matrix.multiply(m: n, n: n, k: n, a: memory, lda: n, b: memory + n * n, ldb: n, c: memory + 2 * n * n, ldc: n)
    }
    memory.deallocate()
    let count = 1 << 24
    let long = UnsafeMutablePointer<Float>.allocate(capacity: 2 * count)
    long.initialize(repeating: 1, count: 2 * count)
    let pieces = 16
    let copy = fastest(5) {
        ThreadPool.run(pieces) { (long + count + $0 * count / pieces).update(from: long + $0 * count / pieces, count: count / pieces) }
    }
    long.deallocate()
    return (2 * pow(Double(n), 3) / product / 1e9, Double(2 * count * 4) / copy / 1e9)
}

func measure() throws {
    ThreadPool.threads = option("threads", 2)
    if let script = text("lua") {
        let host = try ScriptHost(Registry.standard)
        if case .failed(let error) = host.runFile(script, arguments: []) { throw error }
        if text("operators") == nil { return }
    }
    let atrous = CommandLine.arguments.contains("separable") ? "dil_conv" : "atrous_conv"
    let stock = ["none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", atrous + "_3x3", atrous + "_5x5"]
    let operators = text("operators").map { $0.split(separator: ",").map(String.init) } ?? stock
    var catalogue = OperatorCatalogue.standard
    for name in operators where !catalogue.contains(name) { try catalogue.add(name, cost: CustomCost { _ in .zero }) }
    let cell = try CellSpace(blocks: option("blocks", 5), operators: operators, catalogue: catalogue)
    let space = try TrellisSpace(layers: option("layers", 12), filters: option("filters", 8), cell: cell)
    let (crop, batch, classes) = (option("crop", 128), option("batch", 2), option("classes", 19))

    let net = try Supernet(space, classes: classes, seed: 1)
    if let level = text("recompute").flatMap(Recomputation.init) { net.recompute = level }
    let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.025, weightDecay: 3e-4, momentum: 0.9)], clip: 5)
    let adam = try Optimiser(.adam, [ParameterGroup(net.architecture(), rate: 3e-3, weightDecay: 1e-3)])
    let images = try Tensor.random(.normal(mean: 0, deviation: 1), [batch, 3, crop, crop], from: RandomState(seed: 2))
    let labels = try Tensor(ints: (0..<batch * crop * crop).map { Int32($0 * 7 / 3 % classes) }, shape: [batch, crop, crop])

    var report: [String: Any] = ["crop": crop, "layers": space.layers, "parameters": net.parameterCount]
    var start = PlanProfile.now()
    let plans = [try net.stepPlan(sgd, [images, labels]), try net.stepPlan(adam, [images, labels])]
    report["compile_ms"] = (PlanProfile.now() - start) * 1000
    report["kernels"] = plans.map(\.stepCount)
    report["arena_mb"] = plans.map { $0.arenaBytes >> 20 }

    let (steps, warmUp) = (option("steps", 5), option("warmup", 2))
    var (weightTimes, architectureTimes): ([Double], [Double]) = ([], [])
    var loss = 0.0
    for i in 0..<warmUp + steps {
        start = PlanProfile.now()
        loss = try net.step(sgd, [images, labels]).item()
        let middle = PlanProfile.now()
        try net.step(adam, [images, labels])
        if i >= warmUp {
            weightTimes.append((middle - start) * 1000)
            architectureTimes.append((PlanProfile.now() - middle) * 1000)
        }
    }
    report["loss"] = loss
    report["weight_ms"] = median(weightTimes)
    report["arch_ms"] = median(architectureTimes)
    let step = median(weightTimes) + median(architectureTimes)
    report["step_ms"] = step
    report["peak_mb"] = peakMegabytes()
    let (gflop, traffic) = (plans.reduce(0) { $0 + 2 * Double($1.multiplyAdds) / 1e9 }, plans.reduce(0) { $0 + Double($1.trafficBytes) / 1e9 })
    report["gflop"] = gflop
    report["traffic_gb"] = traffic
    report["gflops"] = step > 0 ? gflop / step * 1000 : 0
    if !CommandLine.arguments.contains("--no-peak") {
        let best = machine()
        report["peak_gflops"] = best.gflops
        report["bandwidth"] = best.bandwidth
    }
    if CommandLine.arguments.contains("--profile") {
        for (name, optimiser) in [("weight step", sgd), ("architecture step", adam)] {
            let profile = PlanProfile()
            _ = try profile.measure { try net.step(optimiser, [images, labels]) }
            print(name)
            for (label, entry) in profile.byOperation.prefix(24) {
                print(String(format: "  %9.2f ms %7d calls  ", entry.seconds * 1000, entry.calls) + label)
            }
        }
    }
    let data = try JSONSerialization.data(withJSONObject: report, options: [.sortedKeys])
    print(String(decoding: data, as: UTF8.self))
}

do {
    try measure()
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
