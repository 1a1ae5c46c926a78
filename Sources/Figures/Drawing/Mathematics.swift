#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// The C library's functions under names that do not need an import in every file.
func sineOf(_ angle: Double) -> Double { sin(angle) }
func cosineOf(_ angle: Double) -> Double { cos(angle) }
func logarithm10(_ value: Double) -> Double { log10(value) }
func power10(_ exponent: Double) -> Double { pow(10, exponent) }
