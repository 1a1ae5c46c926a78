import CKernels

/// The instruction-set level that the kernels of this process use, chosen once at start.
public enum InstructionSet: Int, Sendable {
    case v2 = 2, v3, v4

    public static let current = InstructionSet(rawValue: Int(trellis_cpu_level())) ?? .v2
}
