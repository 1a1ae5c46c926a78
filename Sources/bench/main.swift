import Foundation
import Kernels

// Times kernels through their facade. Without input it prints a table; with `--serve` it answers requests of one line each,
// "class channels side pass milliseconds", by one line of sample times in microseconds: `scripts/bench kernels` alternates
// such requests with PyTorch's own measurements of the same row, so that both see the same noise of the machine.

/// Times single calls of `work` for about `milliseconds`, at least five; microseconds.
func samples(_ milliseconds: Double, _ work: () -> Void) -> [Double] {
    func now() -> UInt64 {
        var t = timespec()
        clock_gettime(CLOCK_MONOTONIC, &t)
        return UInt64(t.tv_sec) * 1_000_000_000 + UInt64(t.tv_nsec)
    }
    work()
    work()
    work()
    var times: [Double] = []
    let end = now() + UInt64(milliseconds * 1e6)
    while times.count < 5 || now() < end {
        let start = now()
        work()
        times.append(Double(now() - start) / 1000)
    }
    return times
}

func measure(_ row: Row, _ milliseconds: Double) -> [Double] {
    guard let work = row.work() else { return [] }
    return samples(milliseconds, work)
}

if CommandLine.arguments.dropFirst().first == "--serve" {
    while let line = readLine() {
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 5, let channels = Int(words[1]), let side = Int(words[2]), let time = Double(words[4]) else {
            print("[]")
            continue
        }
        let times = measure(Row(kind: words[0], channels: channels, side: side, pass: words[3]), time)
        print("[" + times.map { String(format: "%.2f", $0) }.joined(separator: ",") + "]")
        fflush(nil)
    }
} else {
    print("class        C   side pass      median    least us")
    for kind in Row.kinds {
        for channels in [8, 16, 32, 64] {
            for side in [11, 21, 41, 81] {
                for pass in ["forward", "backward"] {
                    let times = measure(Row(kind: kind, channels: channels, side: side, pass: pass), 30).sorted()
                    guard !times.isEmpty else { continue }
                    let name = kind.padding(toLength: 10, withPad: " ", startingAt: 0)
                    print(name + String(format: "%4d %6d ", channels, side) + pass.padding(toLength: 8, withPad: " ", startingAt: 0)
                        + String(format: "%8.1f %8.1f", times[times.count / 2], times[0]))
                    fflush(nil)
                }
            }
        }
    }
}
