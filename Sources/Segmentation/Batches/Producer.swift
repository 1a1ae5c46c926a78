import Base
import CKernels
import Glibc

/// The background thread of a `BatchLoader` and the queue between them.
///
/// The queue holds at most `ahead` results, in order. A consumer that asks for another position than the queue's first
/// (after a restore, or after an error) empties it and sets the thread to work from there.
final class Producer: @unchecked Sendable {
    private let maker: BatchMaker
    private let ahead: Int
    private let lock = Lock()
    private var thread: pthread_t?

    // Guarded by `lock`.
    private var queue: [(position: Position, result: Result<Batch, any Error>)] = []
    /// What the thread is making, while that is still wanted.
    private var inWork: Position?
    /// What it will make next; nil before the first request and after a failure.
    private var upcoming: Position?
    /// Raised whenever the thread's work in progress is no longer wanted.
    private var generation = 0
    private var stopping = false

    /// The order of the epoch in work, used by the one thread that makes batches.
    private var order: (epoch: Int, list: [Int]) = (-1, [])

    init(_ maker: BatchMaker, ahead: Int) {
        self.maker = maker
        self.ahead = ahead
    }

    /// The batch at `position`, waiting for it if need be.
    /// - Throws: what making it met; `Interrupted`, also while it is being made.
    func next(_ position: Position) throws -> Batch {
        guard ahead > 0 else { return try make(position) }
        if thread == nil { try start() }
        let result: Result<Batch, any Error> = try lock.held {
            // What the queue will give next, if nothing changes.
            if queue.first?.position ?? inWork ?? upcoming != position { redirect(to: position) }
            while queue.isEmpty {
                try checkInterrupt()
                // The thread may have met an interrupt that was over before this one looked: then it waits for a request.
                if inWork == nil, upcoming == nil { redirect(to: position) }
                lock.wait(milliseconds: 50)
            }
            let first = queue.removeFirst()
            lock.wake()
            return first.result
        }
        return try result.get()
    }

    /// Forgets what is queued and in work. Called with the lock held.
    private func redirect(to position: Position) {
        queue.removeAll()
        generation += 1
        inWork = nil
        upcoming = position
        lock.wake()
    }

    private func make(_ position: Position) throws -> Batch {
        if order.epoch != position.epoch { order = (position.epoch, maker.order(epoch: position.epoch)) }
        let batch = try maker.make(epoch: position.epoch, index: position.batch, order: order.list)
        try Memory.checkMissing("loader")
        return batch
    }

    private func run() {
        while true {
            let work: (position: Position, generation: Int)? = lock.held {
                while !stopping, upcoming == nil || queue.count >= ahead { lock.wait() }
                guard !stopping, let position = upcoming else { return nil }
                var following = position
                following.advance(maker.perEpoch)
                upcoming = following
                inWork = position
                return (position, generation)
            }
            guard let work else { return }
            let result = Result { try make(work.position) }
            lock.held {
                guard work.generation == generation else { return }
                inWork = nil
                switch result {
                case .success: queue.append((work.position, result))
                case .failure(let error):
                    // Wait until someone asks again. An interrupt is no property of the batch: who asks for it sees it himself.
                    upcoming = nil
                    if !(error is Interrupted) { queue.append((work.position, result)) }
                }
                lock.wake()
            }
        }
    }

    private func start() throws {
        // Signals belong to the thread that talks to the user.
        var before = sigset_t()
        trellis_block_signals(&before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var identity = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(&identity, nil, { context in
            guard let context else { return nil }
            Unmanaged<Producer>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw DataError("could not start a thread to prepare batches (error \(code))", remedy: "use a loader with ahead = 0")
        }
        thread = identity
    }

    /// Ends the thread, after the batch it has in work.
    func stop() {
        guard let thread else { return }
        lock.held {
            stopping = true
            lock.wake()
        }
        pthread_join(thread, nil)
        self.thread = nil
    }
}
