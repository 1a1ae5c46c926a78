import Base
import Glibc
import Tensors

/// A run that goes on: its directory, held against other processes, and what is written there as it goes.
///
/// `run.json` (`RunCard`) says what it is and how far it has come, `settings.json` the options it began with, `run.log` what was said, and event files hold numbers by
/// step for TensorBoard. One that its program leaves without a word is marked as stopped; one that is killed is known by its lock, which nobody holds.
public final class RunDirectory {
    public let path: String
    public private(set) var card: RunCard
    private let lock: DirectoryLock
    private let began = monotonicSeconds()
    /// Of its earlier starts.
    private let before: Double
    private var events: EventWriter?
    private let log: RunLog

    /// Those of this process, the latest last.
    nonisolated(unsafe) private static var open: [(run: () -> RunDirectory?, key: FileIdentity?)] = []
    private static let atExit: Void = { atexit { RunDirectory.endAll(.stopped) } }()

    /// What becomes of a run that is there.
    public enum Before: Sendable { case refuse, goOn, replace }

    /// Begins a run in a directory, which is made, or goes on with the one there.
    /// - Parameters:
    ///   - card: of a run that begins; one that goes on keeps its own but for versions and machine, how far it was to go, and a continuation more.
    ///   - settings: nil leaves none; a run that goes on keeps its own.
    /// - Throws: `FileError` where another process writes into it, there is a run already that is to be refused, or it cannot be written.
    public init(_ path: String, _ card: RunCard, settings: [JSONValue.Member]? = nil, before known: Before) throws {
        try Directory.make(path)
        self.path = path
        lock = try DirectoryLock(path)
        self.card = card
        log = try RunLog(path + "/" + Run.logName)
        let isThere = access(path + "/" + Run.cardName, F_OK) == 0
        guard !isThere || known != .refuse else {
            throw FileError(path, "holds a run already", remedy: "resume = true goes on with it, another directory begins a new one")
        }
        let goesOn = isThere && known == .goOn
        if goesOn {
            var old = try Run(path).card
            (old.versions, old.machine, old.planned) = (card.versions, card.machine, card.planned ?? old.planned)
            (old.status, old.reason, old.starts) = (.running, nil, old.starts + 1)
            old.continuations += card.continuations
            self.card = old
        }
        before = self.card.seconds
        if let settings, !goesOn {
            try AtomicFile.write((JSONValue.object(settings).text(width: 120) + "\n").utf8, to: path + "/" + Run.settingsName)
        }
        try writeCard()
        _ = RunDirectory.atExit
        RunDirectory.open.append(({ [weak self] in self }, FileIdentity(path)))
        Notice.witness(RunDirectory.heard)
    }

    deinit { close(as: .stopped) }

    // MARK: Those of this process

    /// The run that this process writes into a directory, if it does.
    public static func current(at path: String) -> RunDirectory? {
        let key = FileIdentity(path)
        return open.last { $0.key == key && $0.run() != nil }?.run()
    }

    /// Ends all runs of this process that go on: what ends it ends them.
    public static func endAll(_ status: RunCard.Status, because reason: String? = nil) {
        for entry in open { entry.run()?.close(as: status, because: reason) }
    }

    private static func heard(_ text: String) { for entry in open { entry.run()?.log.add("warning: " + text) } }

    // MARK: What is written

    /// As it stands.
    public var run: Run { Run(path, name: String(path.split(separator: "/").last ?? "/"), card: card) }

    public var isOpen: Bool { card.status == .running }

    private func requireOpen() throws {
        guard isOpen else { throw FileError(path, "the run has ended (\(card.status)), nothing can be added to it", remedy: "nas.run(DIR, {resume = true}) goes on with it") }
    }

    /// The events of this start.
    /// - Parameter step: of the first one.
    private func events(from step: Int) throws -> EventWriter {
        try requireOpen()
        if let events { return events }
        let made = try EventWriter(in: path, from: step)
        events = made
        return made
    }

    public func add(scalars: [(tag: String, value: Double)], step: Int) throws { try events(from: step).add(scalars: scalars, step: step) }

    public func add(histogram values: [Float], tag: String, step: Int) throws {
        guard let histogram = EventHistogram(values) else { return }
        try events(from: step).add(histogram: histogram, tag: tag, step: step)
    }

    public func add(png: [UInt8], width: Int, height: Int, channels: Int, tag: String, step: Int) throws {
        try events(from: step).add(png: png, width: width, height: height, channels: channels, tag: tag, step: step)
    }

    /// Lines of run.log.
    public func say(_ text: String) { log.add(text) }

    /// Changes the card and writes it, and what waits of the events.
    public func note(_ change: (inout RunCard) throws -> Void) throws {
        try requireOpen()
        var changed = card
        try change(&changed)
        card = changed
        try events?.flush()
        try writeCard()
    }

    /// Ends it well.
    public func finish() throws {
        try requireOpen()
        card.status = .done
        defer { leave() }
        try events?.flush()
        try writeCard()
    }

    /// Ends it otherwise; a second time does nothing. What cannot be written then is lost as by a kill.
    public func close(as status: RunCard.Status, because reason: String? = nil) {
        guard isOpen else { return }
        (card.status, card.reason) = (status, reason)
        if let reason { log.add("error: " + reason) }
        try? events?.flush()
        try? writeCard()
        leave()
    }

    private func leave() {
        events = nil
        lock.release()
        let key = FileIdentity(path)
        RunDirectory.open.removeAll { $0.key == key && ($0.run() == nil || $0.run() === self) }
    }

    private func writeCard() throws {
        // Milliseconds, as the file has it.
        card.seconds = ((before + monotonicSeconds() - began) * 1000).rounded() / 1000
        try AtomicFile.write((card.json.text(width: 120) + "\n").utf8, to: path + "/" + Run.cardName)
    }
}

/// What a run said, line by line with its time, in a file that grows.
private final class RunLog: @unchecked Sendable {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws(FileError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError(path, "cannot write", code: errno, remedy: "choose a directory you may write to") }
        self.path = path
    }

    deinit { close(descriptor) }

    /// From whatever thread; a full disk costs the line, not the run.
    func add(_ text: String) {
        let now = UTCTime.now
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { "\(now)  \($0)\n" }.joined()
        try? Appending.write(Array(lines.utf8), to: descriptor, path)
    }
}
