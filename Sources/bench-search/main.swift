import Foundation
import Kernels
import Networks
import Search
import Tensors

// Times a search step (a weight step and an architecture step) of a supernet; prints one JSON object. `scripts/bench search` runs it beside
// ../shared/reference/torch_search.py with the same sizes.

func option(_ name: String, _ fallback: Int) -> Int {
    guard let i = CommandLine.arguments.firstIndex(of: "--" + name), i + 1 < CommandLine.arguments.count else { return fallback }
    return Int(CommandLine.arguments[i + 1]) ?? fallback
}

func peakMegabytes() -> Double {
    var usage = rusage()
    getrusage(0, &usage)  // RUSAGE_SELF
    return Double(usage.ru_maxrss) / 1024
}

let (layers, blocks, filters) = (option("layers", 12), option("blocks", 5), option("filters", 8))
let (crop, batch, classes) = (option("crop", 128), option("batch", 2), option("classes", 19))
let (steps, warmUp) = (option("steps", 5), option("warmup", 2))
let separable = CommandLine.arguments.contains("separable")
ThreadPool.threads = option("threads", 2)

let atrous = separable ? "dil_conv" : "atrous_conv"
let cell = try CellSpace(
    blocks: blocks,
    operators: ["none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", atrous + "_3x3", atrous + "_5x5"])
let space = try TrellisSpace(layers: layers, filters: filters, cell: cell)
let net = try Supernet(space, classes: classes, seed: 1)
let sgd = try Optimiser(.sgd, [ParameterGroup(net.weights(), rate: 0.025, weightDecay: 3e-4, momentum: 0.9)], clip: 5)
let adam = try Optimiser(.adam, [ParameterGroup(net.architecture(), rate: 3e-3, weightDecay: 1e-3)])
let images = try Tensor.random(.normal(mean: 0, deviation: 1), [batch, 3, crop, crop], from: RandomState(seed: 2))
let labels = try Tensor(ints: (0..<batch * crop * crop).map { Int32($0 * 7 / 3 % classes) }, shape: [batch, crop, crop])

var report: [String: Any] = [:]
var start = PlanProfile.now()
let weightPlan = try net.stepPlan(sgd, images, labels)
let architecturePlan = try net.stepPlan(adam, images, labels)
report["compile_ms"] = (PlanProfile.now() - start) * 1000
report["kernels"] = [weightPlan.stepCount, architecturePlan.stepCount]
report["arena_mb"] = [weightPlan.arenaBytes >> 20, architecturePlan.arenaBytes >> 20]

var (weightTimes, architectureTimes): ([Double], [Double]) = ([], [])
for i in 0..<warmUp + steps {
    start = PlanProfile.now()
    try net.step(sgd, images, labels)
    let middle = PlanProfile.now()
    try net.step(adam, images, labels)
    if i >= warmUp {
        weightTimes.append((middle - start) * 1000)
        architectureTimes.append((PlanProfile.now() - middle) * 1000)
    }
}
func median(_ x: [Double]) -> Double { x.isEmpty ? 0 : x.sorted()[x.count / 2] }
report["weight_ms"] = median(weightTimes)
report["arch_ms"] = median(architectureTimes)
report["step_ms"] = median(weightTimes) + median(architectureTimes)
report["peak_mb"] = peakMegabytes()
report["parameters"] = net.parameterCount

if CommandLine.arguments.contains("--profile") {
    for (name, optimiser) in [("weight step", sgd), ("architecture step", adam)] {
        let profile = PlanProfile()
        PlanProfile.current = profile
        try net.step(optimiser, images, labels)
        PlanProfile.current = nil
        print(name)
        for (label, entry) in profile.sorted.prefix(24) {
            print(String(format: "  %9.2f ms %7d calls  ", entry.seconds * 1000, entry.calls) + label)
        }
    }
}
let data = try JSONSerialization.data(withJSONObject: report, options: [.sortedKeys])
print(String(decoding: data, as: UTF8.self))
