import Glibc

/// A mutex and a condition at a fixed address, which pthreads require.
public final class Lock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    public init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` while no other thread holds the lock.
    public func held<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Inside `held`: sleeps, with the lock released, until `wake` is called.
    public func wait() { pthread_cond_wait(condition, mutex) }

    /// Inside `held`: the same, but for `milliseconds` at most.
    public func wait(milliseconds: Int) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let end = time.tv_nsec + milliseconds * 1_000_000
        time.tv_sec += end / 1_000_000_000
        time.tv_nsec = end % 1_000_000_000
        pthread_cond_timedwait(condition, mutex, &time)
    }

    /// Inside `held`: wakes whoever waits.
    public func wake() { pthread_cond_broadcast(condition) }
}
