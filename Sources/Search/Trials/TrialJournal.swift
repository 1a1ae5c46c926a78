import Base
import Glibc

/// The events of trials in a directory that processes share, also from several machines.
///
/// ```
/// DIRECTORY/journal.jsonl   events, one a line (`TrialEvent`, `ChainedFile`)
/// DIRECTORY/journal.lock    held for the moment of a change (`LinkLock`)
/// DIRECTORY/workers/NAME    a process that takes part (`Presence`)
/// DIRECTORY/trials/0001     of each trial, for whoever works on it
/// ```
final class TrialJournal {
    let directory: String
    private let presence: Presence
    private let watch = PresenceWatch()
    private let file: ChainedFile
    private let lock: LinkLock
    /// Whether another object of this process took the directory.
    private var isOut = false

    /// The journals of this process, by directory.
    nonisolated(unsafe) private static var open: [String: Weak] = [:]
    private struct Weak { weak var journal: TrialJournal? }

    /// Takes part in a directory, which is made.
    /// - Parameters:
    ///   - lease: see `Presence`.
    ///   - isOnly: whether another journal of this process in the same directory takes part no more, so that its trials are free.
    init(_ directory: String, lease: Double, isOnly: Bool = true) throws {
        for part in ["", "/workers", "/trials"] { try Directory.make(directory + part) }
        self.directory = directory
        presence = try Presence(in: directory + "/workers", lease: lease)
        file = ChainedFile(directory + "/journal.jsonl")
        lock = LinkLock(directory + "/journal.lock", for: presence, watch: watch)
        guard isOnly else { return }
        let key = TrialJournal.real(directory)
        TrialJournal.open[key]?.journal?.leave()
        TrialJournal.open[key] = Weak(journal: self)
    }

    private static func real(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    var worker: String { presence.name }
    var path: String { file.path }

    private func leave() {
        isOut = true
        presence.release()
    }

    /// Runs `body`, in which `refresh` and `append` are allowed, while no other process does.
    func held<Result>(_ body: () throws -> Result) throws -> Result {
        guard !isOut else { throw FileError(directory, "these trials are over here: another nas.trials of this process goes on in the directory", remedy: "use that one") }
        return try lock.held(body)
    }

    /// What others wrote.
    func refresh() throws -> (events: [TrialEvent], isAll: Bool) {
        switch try file.refresh() {
        case .more(let texts): (try texts.map(event), false)
        case .all(let texts): (try texts.map(event), true)
        }
    }

    /// All that is known, for a strategy that begins anew.
    var events: [TrialEvent] { get throws { try file.texts.map(event) } }

    private func event(_ text: String) throws -> TrialEvent { try TrialEvent(JSONReader(try JSONValue.parse(text.utf8), at: path)) }

    /// - Returns: nil when another process wrote at the same time: `refresh`, and do it again.
    func append(_ kind: TrialEvent.Kind, trial: Int) throws -> TrialEvent? {
        let event = TrialEvent(kind, trial: trial, worker: worker, time: TrialJournal.time)
        return try file.append(event.json.text()) ? event : nil
    }

    var hasChanged: Bool { file.hasChanged }

    /// Whether a worker is gone, as far as can be told from here.
    func isGone(_ worker: String) -> Bool { worker != self.worker && watch.isGone(directory + "/workers/" + worker, worker) }

    /// Lets go of what a worker of another machine that is gone held of a trial: from here nobody can tell from the lock of its directory that no one holds it.
    func clear(_ worker: String, trial: Int) {
        if Presence.host(of: worker) == Presence.host(of: presence.name) { unlink(directory + "/workers/" + worker) } else { unlink(directory(of: trial) + "/run.lock") }
    }

    func directory(of trial: Int) -> String { directory + "/trials/" + (trial < 1000 ? String("000\(trial)".suffix(4)) : "\(trial)") }

    /// By this machine's clock; `TRELLIS_CLOCK` sets it, by so many seconds, for tests.
    private static var time: Int { Glibc.time(nil) + (getenv("TRELLIS_CLOCK").flatMap { Int(String(cString: $0)) } ?? 0) }
}
