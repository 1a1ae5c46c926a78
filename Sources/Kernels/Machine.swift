import CKernels
import Glibc
import KernelsV2
import KernelsV3
import KernelsV4

/// What this machine can do at best, measured: for shares of it in benchmarks.
public enum Machine {
    /// Floating-point operations (a multiply-add is two) that one core does in a nanosecond with the instructions that the kernels use: the best of
    /// some twenty loops, 20 ms in all. Instructions without a fused multiply-add do half as much.
    public static func peakGFLOPS() -> Double {
        let loop = choose(KernelsV4.peakLoop, KernelsV3.peakLoop, KernelsV2.peakLoop)
        let lanes = choose(16, 8, 4)
        let steps = 40_000
        var best = Double.infinity
        var sink: Float = 0
        for _ in 0..<20 {
            let start = now()
            sink += loop(steps)
            best = min(best, now() - start)
        }
        // The sum never is this number; the compiler does not know.
        return sink == 12345 ? 0 : Double(steps * 12 * lanes * 2) / best * 1e-9
    }

    private static func now() -> Double {
        var t = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t)
        return Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9
    }
}
