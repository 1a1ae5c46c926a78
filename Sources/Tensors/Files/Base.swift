import Base

/// What readers and writers of this module throw.
public typealias FileError = Base.FileError
/// How this module writes files.
public typealias AtomicFile = Base.AtomicFile
