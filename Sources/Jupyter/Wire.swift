import Base
import CZmq
import Glibc
import Tensors

/// The five sockets of a kernel and the thread that owns them. Nothing else touches them: what is to be sent is put into a queue, what has come for the
/// kernel is put into another one. The thread itself answers what must be answered while the kernel is busy: heartbeats, subscriptions, what comes by
/// `control`.
public final class Wire: @unchecked Sendable {
    /// What the thread asks of the kernel.
    public struct Handlers: Sendable {
        /// Interrupts what runs, if something runs; `atOnce`: also what would rather stop by itself.
        public var interrupt: @Sendable (_ atOnce: Bool) -> Void
        /// Asks for requests to subshells to be taken (`takeSubshellRequests`), also while something runs.
        public var look: @Sendable () -> Void
        /// The content of the reply to `kernel_info_request`.
        public var information: JSONValue
        /// Called some 20 times a second while `wakes` is asked for: bytes that were printed are to be sent.
        public var flush: @Sendable () -> Void

        public init(
            interrupt: @escaping @Sendable (_ atOnce: Bool) -> Void, look: @escaping @Sendable () -> Void, information: JSONValue,
            flush: @escaping @Sendable () -> Void
        ) {
            self.interrupt = interrupt
            self.look = look
            self.information = information
            self.flush = flush
        }
    }

    /// What has come for the kernel.
    public enum Event: Sendable {
        case request(Message)
        /// The kernel is to end.
        case shutdown
    }

    private let connection: ConnectionFile
    private let handlers: Handlers
    private let session = Identifier.make()
    private let user: String
    private var sockets: [ConnectionFile.Channel: UnsafeMutableRawPointer] = [:]
    private let wake: Int32
    private var thread = pthread_t()

    private let lock = Lock()
    private var outgoing: [(channel: ConnectionFile.Channel, message: Message)] = []
    private var wantsFlush = false
    private var isEnding = false
    private var monitor = Monitor()
    private var requests: [Event] = []
    private var answers: [Message] = []
    /// Of subshells, as front ends know them.
    private var subshellNames: [String] = []

    private static let order: [ConnectionFile.Channel] = [.control, .heartbeat, .shell, .stdin, .iopub]
    /// Milliseconds for which printed bytes are gathered.
    private static let flushesEvery: Int32 = 50

    /// Opens libzmq, binds the sockets and starts the thread.
    /// - Throws: `ConnectionError` when the library is missing, or an address is in use.
    public init(_ connection: ConnectionFile, _ handlers: Handlers) throws {
        if let why = czmq_open() {
            throw ConnectionError("libzmq and libsodium are needed to talk to Jupyter: \(String(cString: why)); `apt-get install libzmq5` brings both")
        }
        self.connection = connection
        self.handlers = handlers
        user = getenv("USER").map { String(cString: $0) } ?? "kernel"
        wake = czmq_event()
        for channel in Wire.order {
            let kind = channel == .heartbeat ? CZMQ_REP : channel == .iopub ? CZMQ_XPUB : CZMQ_ROUTER
            guard let socket = czmq_socket(Int32(kind), connection.curve?.publicKey, connection.curve?.secretKey) else {
                throw ConnectionError("no socket for '\(channel.rawValue)': \(String(cString: czmq_error()))")
            }
            sockets[channel] = socket
            guard czmq_bind(socket, connection.address(channel)) else {
                let why = String(cString: czmq_error())
                for socket in sockets.values { czmq_close(socket) }
                throw ConnectionError("'\(channel.rawValue)' cannot listen at \(connection.address(channel)): \(why)")
            }
        }
        try start()
    }

    private func start() throws {
        var all = sigset_t(), mine = sigset_t()
        sigfillset(&all)
        // Signals are for the thread that runs Lua.
        pthread_sigmask(SIG_SETMASK, &all, &mine)
        defer { pthread_sigmask(SIG_SETMASK, &mine, nil) }
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(&thread, nil, { context in
            if let context { Unmanaged<Wire>.fromOpaque(context).takeRetainedValue().loop() }
            return nil
        }, context)
        guard status == 0 else { throw ConnectionError("no thread for the sockets: \(String(cString: strerror(status)))") }
    }

    /// Why libzmq or libsodium cannot be opened; nil when they can.
    public static var missingLibrary: String? { czmq_open().map { String(cString: $0) } }

    /// Sends what is left and closes the sockets.
    public func end() {
        lock.held { isEnding = true }
        wakeUp()
        pthread_join(thread, nil)
        czmq_end()
    }

    private func wakeUp() {
        var one: UInt64 = 1
        _ = write(wake, &one, 8)
    }

    // MARK: For the kernel's thread

    /// Waits for the next request.
    public func next() -> Event {
        monitor.wait(until: { [self] in lock.held { requests.isEmpty ? nil : requests.removeFirst() } })
    }

    /// Waits for the answer to a question put by `stdin`; nil when `gaveUp` says so meanwhile.
    public func answer(to question: String, gaveUp: () -> Bool) -> Message? {
        monitor.wait(milliseconds: 20, until: { [self] in
            if gaveUp() { return .some(nil) }
            return lock.held {
                guard let place = answers.firstIndex(where: { $0.parent["msg_id"].text == question || $0.parent["msg_id"] == nil }) else { return nil }
                return .some(answers.remove(at: place))
            }
        })
    }

    /// Forgets answers that nobody waits for.
    public func dropAnswers() { lock.held { answers = [] } }

    /// The requests to execute that have come for the shell and wait, taken out of the queue.
    public func takeWaitingExecutions() -> [Message] { take { $0.type == "execute_request" && $0.subshell == nil } }

    /// The requests to subshells that have come and wait, taken out of the queue.
    public func takeSubshellRequests() -> [Message] { take { $0.subshell != nil } }

    private func take(_ isMeant: (Message) -> Bool) -> [Message] {
        lock.held {
            var taken: [Message] = []
            requests.removeAll { event in
                guard case .request(let message) = event, isMeant(message) else { return false }
                taken.append(message)
                return true
            }
            return taken
        }
    }

    /// Subshells that front ends have opened and not closed.
    public var subshells: [String] { lock.held { subshellNames } }

    /// Asks for `flush` to be called soon. From whatever thread.
    public func wantFlush() {
        let isNew = lock.held { () -> Bool in
            defer { wantsFlush = true }
            return !wantsFlush
        }
        if isNew { wakeUp() }
    }

    /// Sends a message to all who listen; `parent`: the request that it belongs to.
    /// - Returns: its id.
    @discardableResult
    public func publish(_ type: String, _ content: JSONValue, parent: Message?, metadata: JSONValue? = nil) -> String {
        send(.iopub, type, content, parent: parent, identities: [Array("kernel.\(session).\(type)".utf8)], metadata: metadata)
    }

    /// Answers a request by the channel that it came by.
    public func reply(_ type: String, _ content: JSONValue, to request: Message) {
        send(.shell, type, content, parent: request, identities: request.identities)
    }

    /// Puts a question to who sent the request.
    /// - Returns: its id.
    public func ask(_ content: JSONValue, of request: Message) -> String {
        send(.stdin, "input_request", content, parent: request, identities: request.identities)
    }

    @discardableResult
    private func send(
        _ channel: ConnectionFile.Channel, _ type: String, _ content: JSONValue, parent: Message?, identities: [[UInt8]], metadata: JSONValue? = nil
    ) -> String {
        let header = newHeader(type)
        let message = Message(identities: identities, header: header, parent: parent?.header ?? Message.empty, metadata: metadata ?? Message.empty, content: content)
        lock.held { outgoing.append((channel, message)) }
        wakeUp()
        return message.id
    }

    private func newHeader(_ type: String) -> JSONValue {
        .object([
            .init("msg_id", .string(Identifier.make())), .init("session", .string(session)), .init("username", .string(user)), .init("date", .string(ISODate.now)),
            .init("msg_type", .string(type)), .init("version", .string(Message.version)),
        ])
    }

    // MARK: The thread

    private func loop() {
        let list = Wire.order.map { sockets[$0] }
        var flushAt: Int?
        // A front end that dies cannot end its kernel; who started us is another process then.
        let parent = getenv("JPY_PARENT_PID") == nil ? nil : getppid()
        while true {
            if let parent, getppid() != parent { _exit(1) }
            let wait = flushAt.map { max(0, Int32(clamping: $0 - Wire.milliseconds)) } ?? (parent == nil ? -1 : 1000)
            let ready = czmq_wait(list, Int32(list.count), wake, wait)
            if ready & 1 << UInt32(list.count) != 0 {
                var count: UInt64 = 0
                _ = read(wake, &count, 8)
            }
            for (index, channel) in Wire.order.enumerated() where ready & 1 << UInt32(index) != 0 { receive(channel) }
            if lock.held({ wantsFlush }), flushAt == nil { flushAt = Wire.milliseconds + Int(Wire.flushesEvery) }
            if let time = flushAt, Wire.milliseconds >= time {
                flushAt = nil
                lock.held { wantsFlush = false }
                handlers.flush()
            }
            sendAll()
            if lock.held({ isEnding && outgoing.isEmpty }) { break }
        }
        for socket in list { czmq_close(socket) }
        close(wake)
    }

    private static var milliseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    private func sendAll() {
        let list = lock.held { () -> [(channel: ConnectionFile.Channel, message: Message)] in
            defer { outgoing = [] }
            return outgoing
        }
        for item in list { transmit(item.channel, item.message.parts(key: connection.key)) }
    }

    private func transmit(_ channel: ConnectionFile.Channel, _ parts: [[UInt8]]) {
        for (index, part) in parts.enumerated() {
            // Who has gone gets nothing; the rest of the message must not be taken for a new one.
            guard czmq_send(sockets[channel], part, part.count, index < parts.count - 1) else { return }
        }
    }

    private func receive(_ channel: ConnectionFile.Channel) {
        while let parts = parts(channel) {
            switch channel {
            case .heartbeat: transmit(.heartbeat, parts)
            case .iopub: welcome(parts)
            case .control, .shell, .stdin:
                if let message = Message(parts: parts, key: connection.key) { take(message, channel) }
            }
        }
    }

    private func parts(_ channel: ConnectionFile.Channel) -> [[UInt8]]? {
        var parts: [[UInt8]] = []
        while true {
            let more = withUnsafeMutablePointer(to: &parts) { list in
                czmq_receive(sockets[channel], list) { context, bytes, count in
                    context?.assumingMemoryBound(to: [[UInt8]].self).pointee.append(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
                }
            }
            if more < 0 { return nil }
            if more == 0 { return parts }
        }
    }

    /// Tells a new subscriber that it hears us (JEP 65). A subscription is a byte 1 and the topic.
    private func welcome(_ parts: [[UInt8]]) {
        guard let first = parts.first, first.first == 1 else { return }
        let topic = Array(first.dropFirst())
        let content = JSONValue.object([.init("subscription", .string(String(decoding: topic, as: UTF8.self)))])
        let message = Message(identities: [topic], header: newHeader("iopub_welcome"), parent: Message.empty, content: content)
        transmit(.iopub, message.parts(key: connection.key))
    }

    private func take(_ message: Message, _ channel: ConnectionFile.Channel) {
        switch channel {
        case .stdin:
            guard message.type == "input_reply" else { return }
            lock.held { answers.append(message) }
            monitor.signal()
        case .control: control(message)
        default:
            lock.held { requests.append(.request(message)) }
            monitor.signal()
            if message.subshell != nil { handlers.look() }
        }
    }

    /// Answers at once, also while a cell runs.
    private func control(_ message: Message) {
        let status = { [self] (state: String) in _ = publish("status", .object([.init("execution_state", .string(state))]), parent: message) }
        let answer = { [self] (content: JSONValue) in
            _ = send(.control, message.type.replacing("_request", with: "_reply"), content, parent: message, identities: message.identities)
        }
        let done = JSONValue.object([.init("status", .string("ok"))])
        status("busy")
        defer { status("idle") }
        switch message.type {
        case "kernel_info_request": answer(handlers.information)
        case "create_subshell_request":
            let name = Identifier.make()
            lock.held { subshellNames.append(name) }
            answer(.object([.init("status", .string("ok")), .init("subshell_id", .string(name))]))
        case "delete_subshell_request":
            lock.held { subshellNames.removeAll { $0 == message.content["subshell_id"].text } }
            answer(done)
        case "list_subshell_request":
            answer(.object([.init("status", .string("ok")), .init("subshell_id", .array(subshells.map { .string($0) }))]))
        case "interrupt_request":
            handlers.interrupt(false)
            monitor.signal()
            answer(done)
        case "shutdown_request":
            answer(.object([.init("restart", .bool(message.content["restart"].flag ?? false)), .init("status", .string("ok"))]))
            lock.held { requests.insert(.shutdown, at: 0) }
            handlers.interrupt(true)
            monitor.signal()
        default:
            let why = "the kernel does not know '\(message.type)'"
            answer(.object([
                .init("status", .string("error")), .init("ename", .string("error")), .init("evalue", .string(why)), .init("traceback", .array([])),
            ]))
        }
    }
}

/// A condition that one thread waits for and others change.
private final class Monitor: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
    private let changed: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    func signal() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }

    /// - Parameter milliseconds: after which `until` is asked again at the latest; a signal handler cannot tell us.
    func wait<Found>(milliseconds: Int = 1000, until: () -> Found?) -> Found {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let found = until() { return found }
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            let nanoseconds = time.tv_nsec + milliseconds % 1000 * 1_000_000
            time.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
            time.tv_nsec = nanoseconds % 1_000_000_000
            pthread_cond_timedwait(changed, mutex, &time)
        }
    }
}
