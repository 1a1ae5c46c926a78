import CKernels

/// The instruction-set level that the kernels of this process use, chosen once at start.
public enum InstructionSet: Int, Sendable {
    case v2 = 2, v3, v4

    /// What the processor offers, or less where `TRELLIS_CPU` says so. Tests set it, so that one process passes all levels.
    public internal(set) static var current: InstructionSet {
        get { level }
        set { level = newValue }
    }

    nonisolated(unsafe) private static var level = InstructionSet(rawValue: Int(trellis_cpu_level())) ?? .v2
}

/// The kernel of the level in use: `choose(KernelsV4.f, KernelsV3.f, KernelsV2.f)(arguments)`.
@inline(__always)
func choose<Kernel>(_ v4: Kernel, _ v3: Kernel, _ v2: Kernel) -> Kernel {
    switch InstructionSet.current {
    case .v4: v4
    case .v3: v3
    case .v2: v2
    }
}
