import Base
import CKernels
import Glibc
import Synchronization

/// The pool that every kernel's work is split over. Work is cut into pieces by its shape alone, never by the number of
/// threads, so that results are the same bits for any number.
///
/// Workers spin for a while after a job, because the next one usually follows within microseconds: a spinning worker takes
/// a piece in 0.2 us, a sleeping one in about 25 us (measured on a Zen 5 with a pool of the same design).
public enum ThreadPool {
    /// Number of threads that compute, the caller included: `TRELLIS_THREADS`, or the number of cores this process may
    /// use. May be set between runs; 1 needs no workers at all.
    public static var threads: Int {
        get { pool.threads }
        set { pool.resize(newValue) }
    }

    /// Calls `body` with each of 0 ..< `pieces` exactly once, on any of the threads, and returns when all calls have
    /// returned. The caller takes part. A call from inside a piece, or while another thread's run is under way, does its
    /// pieces itself, in order.
    @inline(__always)
    public static func run(_ pieces: Int, _ body: (Int) -> Void) {
        if pieces > 1 {
            pool.run(pieces, body)
        } else if pieces == 1 {
            body(0)
        }
    }

    static let pool = Pool()
}

/// What of which job is taken, in one word: the job's number, and how many of its pieces are taken from the front and from the back.
private struct Ticket: RawRepresentable, AtomicRepresentable {
    private static let bits: UInt64 = 18, mask: UInt64 = 1 << bits - 1
    /// Pieces that a job may have.
    static let most = 1 << 17

    let rawValue: UInt64

    var job: UInt64 { rawValue >> (2 * Ticket.bits) }
    /// That of the next job, of which nothing is taken.
    var next: Ticket { Ticket(rawValue: (job &+ 1) << (2 * Ticket.bits)) }
    /// Of which more is taken than any job has.
    var closed: Ticket { Ticket(rawValue: rawValue | Ticket.mask << Ticket.bits | Ticket.mask) }

    /// The next piece of `count` from an end and the ticket without it, if there is one.
    func take(of count: Int, fromFront: Bool) -> (piece: Int, rest: Ticket)? {
        let front = Int(rawValue >> Ticket.bits & Ticket.mask), back = Int(rawValue & Ticket.mask)
        guard front + back < count else { return nil }
        return fromFront ? (front, Ticket(rawValue: rawValue + 1 << Ticket.bits)) : (count - 1 - back, Ticket(rawValue: rawValue + 1))
    }
}

/// One job at a time. A thread takes a piece by compare-and-exchange of the whole ticket, so that one which overslept a job can never take a
/// piece of a later one with the earlier one's body.
///
/// The caller takes pieces from the front, the workers from the back: of two threads, each finds much of what it wrote in the last job in its
/// own cache, because most jobs go through their memory in the same order. Search steps take 2 to 8 % less time than with all from the front
/// (alternated within one process, 64x64 to 321x321). Going through every other job from its middle outwards, which should find the newest
/// memory first, is slower again. Not worth it were stores past the caches and fetching lines before they are stored to: both win a third where
/// nothing is cached, and lose it again in a step, whose next kernel reads what the last one wrote.
final class Pool: @unchecked Sendable {
    private let ticket = Atomic(Ticket(rawValue: 0))
    private let body = Atomic<UnsafeRawPointer?>(nil)
    private let pieces = Atomic<Int>(0)
    /// Finished pieces of the job: completion is counted by these and not by workers reporting, so a worker that does
    /// not get a core delays nothing.
    private let finished = Atomic<Int>(0)
    /// Bytes that a piece of the job had no memory for.
    private let missed = Atomic<Int64>(0)
    private let busy = Atomic<Bool>(false)
    /// The core that the caller of the last job ran on.
    private let callerCore = Atomic<Int32>(-1)
    private let size: Atomic<Int>
    private let started = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private let sleepers = Atomic<Int>(0)
    private let bed = Lock()
    /// Written only by the thread that holds `busy`.
    private var workers: [pthread_t] = []

    init() {
        size = Atomic(Pool.initialThreads())
    }

    private static func initialThreads() -> Int {
        if let text = getenv("TRELLIS_THREADS"), let wish = Int(String(cString: text)), wish >= 1 {
            return min(wish, 256)
        }
        return Int(trellis_cores())
    }

    var threads: Int { size.load(ordering: .relaxed) }

    func resize(_ count: Int) {
        precondition(count >= 1, "a pool of \(count) threads: at least the caller computes")
        while busy.exchange(true, ordering: .acquiring) { sched_yield() }
        stopWorkers()
        size.store(min(count, 256), ordering: .relaxed)
        busy.store(false, ordering: .releasing)
    }

    // MARK: The caller's side

    func run(_ count: Int, _ work: (Int) -> Void) {
        if count > Ticket.most {
            let together = (count + Ticket.most - 1) / Ticket.most
            run((count + together - 1) / together) { for piece in $0 * together..<min(count, ($0 + 1) * together) { work(piece) } }
            return
        }
        if size.load(ordering: .relaxed) == 1 || busy.exchange(true, ordering: .acquiring) {
            for piece in 0..<count { work(piece) }
            return
        }
        if started.load(ordering: .relaxed) == 0 { startWorkers() }
        withoutActuallyEscaping(work) { escapable in
            withUnsafePointer(to: escapable) { pointer in
                share(count, UnsafeRawPointer(pointer))
            }
        }
        busy.store(false, ordering: .releasing)
    }

    private func share(_ count: Int, _ pointer: UnsafeRawPointer) {
        close()
        finished.store(0, ordering: .relaxed)
        body.store(pointer, ordering: .releasing)
        pieces.store(count, ordering: .releasing)
        announce()
        takePieces(fromFront: true)
        var spins = 0
        while finished.load(ordering: .acquiring) != count {
            spins += 1
            // Whoever has the last piece may be waiting for this very core.
            if spins & 1023 == 0 { sched_yield() } else { trellis_pause() }
        }
        if missed.load(ordering: .relaxed) != 0 { trellis_memory_miss(Int(missed.exchange(0, ordering: .relaxed))) }
    }

    /// Ends the last job before its body and count are overwritten, under a number of its own. Else a worker that still holds the last
    /// ticket of a short job would find that a longer one has such a piece, and take it: it would be computed twice, and the count of finished
    /// pieces would never be met. Who reads the new body or count has to fail the exchange, hence release here and acquire there.
    private func close() {
        ticket.store(ticket.load(ordering: .relaxed).next.closed, ordering: .sequentiallyConsistent)
    }

    /// Opens the next job and wakes who sleeps. Sequentially consistent against `sleep`: either this thread sees the
    /// sleeper, or the sleeper sees the new job.
    private func announce() {
        callerCore.store(trellis_current_core(), ordering: .relaxed)
        ticket.store(ticket.load(ordering: .relaxed).next, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 { bed.held { bed.wake() } }
    }

    // MARK: Both sides

    private func takePieces(fromFront: Bool) {
        var seen = ticket.load(ordering: .acquiring)
        while let (piece, rest) = seen.take(of: pieces.load(ordering: .acquiring), fromFront: fromFront),
            let pointer = body.load(ordering: .acquiring) {
            let (taken, now) = ticket.compareExchange(expected: seen, desired: rest, ordering: .acquiringAndReleasing)
            if taken {
                perform(pointer, piece)
                finished.add(1, ordering: .releasing)
            }
            let next = taken ? ticket.load(ordering: .acquiring) : now
            if next.job != seen.job { return }
            seen = next
        }
    }

    /// A call of its own, so that the closure it loads is released before the piece counts as finished: the run may
    /// return at once after that, and `withoutActuallyEscaping` checks that nobody still holds the closure.
    @inline(never)
    private func perform(_ pointer: UnsafeRawPointer, _ piece: Int) {
        pointer.assumingMemoryBound(to: ((Int) -> Void).self).pointee(piece)
        if trellis_memory_missing() != 0 { missed.store(trellis_memory_take_missing(), ordering: .relaxed) }
    }

    // MARK: The workers' side

    private func startWorkers() {
        let count = size.load(ordering: .relaxed) - 1
        // Signals are the main thread's business: an interrupt must not run its handler on a worker.
        var before = sigset_t()
        trellis_block_signals(&before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        stopping.store(false, ordering: .relaxed)
        for _ in 0..<count {
            var thread = pthread_t()
            let me = Unmanaged.passRetained(self)
            let failure = pthread_create(&thread, nil, { argument in
                if let argument { Unmanaged<Pool>.fromOpaque(argument).takeRetainedValue().work() }
                return nil
            }, me.toOpaque())
            if failure == 0 { workers.append(thread) } else { me.release() }
        }
        // Without a single worker the caller does everything; it does not try again at every run.
        started.store(max(1, workers.count), ordering: .relaxed)
    }

    private func stopWorkers() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        close()
        body.store(nil, ordering: .relaxed)
        pieces.store(0, ordering: .relaxed)
        announce()
        for thread in workers { pthread_join(thread, nil) }
        workers = []
        started.store(0, ordering: .relaxed)
    }

    private func work() {
        var job = ticket.load(ordering: .acquiring).job
        takePieces(fromFront: false)
        while true {
            job = awaitJob(after: job)
            if stopping.load(ordering: .acquiring) { break }
            takePieces(fromFront: false)
        }
        trellis_workspace_free()
    }

    /// Spins for about 200 us (what 8192 hints take on a Zen 4), then sleeps. Returns the new job's number.
    ///
    /// A worker that shares the caller's core computes nothing, and the scheduler may leave it there for long, for a
    /// spinning thread is never woken and placed anew: it moves away by itself. A yield every 25 us or so is for the case
    /// that there is no other core. With one every 64 hints, runs on a busy machine were mostly as slow as on one thread.
    private func awaitJob(after job: UInt64) -> UInt64 {
        leaveCallerCore()
        for spin in 1...8192 {
            let now = ticket.load(ordering: .acquiring).job
            if now != job || stopping.load(ordering: .relaxed) { return now }
            if spin & 1023 == 0 {
                leaveCallerCore()
                sched_yield()
            } else {
                trellis_pause()
            }
        }
        sleepers.add(1, ordering: .sequentiallyConsistent)
        bed.held { while ticket.load(ordering: .sequentiallyConsistent).job == job { bed.wait() } }
        sleepers.subtract(1, ordering: .relaxed)
        return ticket.load(ordering: .acquiring).job
    }

    private func leaveCallerCore() {
        let core = callerCore.load(ordering: .relaxed)
        if trellis_current_core() == core { trellis_leave_core(core) }
    }
}
