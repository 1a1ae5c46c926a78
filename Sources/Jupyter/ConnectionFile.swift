import Base
import Tensors

/// Where a kernel listens and what it signs with: the file that a front end writes before it starts one.
/// https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files
public struct ConnectionFile: Sendable {
    public enum Channel: String, CaseIterable, Sendable {
        case shell, iopub, stdin, control
        case heartbeat = "hb"
    }

    let transport: String
    let ip: String
    let ports: [Channel: Int]
    /// Empty: messages are not signed.
    let key: [UInt8]
    /// Of CURVE, public and secret; nil: not encrypted.
    let curve: (publicKey: String, secretKey: String)?

    /// - Throws: `FileError` when it cannot be read; `ConnectionError` with what is wrong in it.
    public init(path: String) throws {
        let json = try Files.json(path, limit: 1 << 20)
        func text(_ name: String) throws -> String {
            guard case .string(let text)? = json[name] else { throw ConnectionError("\(path): expected a text '\(name)'") }
            return text
        }
        transport = try text("transport")
        guard transport == "tcp" || transport == "ipc" else { throw ConnectionError("\(path): expected transport 'tcp' or 'ipc', got '\(transport)'") }
        ip = try text("ip")
        key = Array(try text("key").utf8)
        var ports: [Channel: Int] = [:]
        for channel in Channel.allCases {
            guard case .integer(let port)? = json[channel.rawValue + "_port"], (0...65535).contains(port) else {
                throw ConnectionError("\(path): expected a port '\(channel.rawValue)_port'")
            }
            ports[channel] = port
        }
        self.ports = ports
        let scheme = try text("signature_scheme")
        guard key.isEmpty || scheme == "hmac-sha256" else { throw ConnectionError("\(path): expected signature_scheme 'hmac-sha256', got '\(scheme)'") }
        if case .string(let publicKey)? = json["curve_publickey"], case .string(let secretKey)? = json["curve_secretkey"] {
            guard publicKey.utf8.count == 40, secretKey.utf8.count == 40 else { throw ConnectionError("\(path): expected CURVE keys of 40 characters") }
            curve = (publicKey, secretKey)
        } else {
            curve = nil
        }
    }

    /// What a channel's socket binds to.
    func address(_ channel: Channel) -> String {
        let port = ports[channel] ?? 0
        return transport == "ipc" ? "ipc://\(ip)-\(port)" : "tcp://\(ip):\(port)"
    }
}

/// Why a kernel cannot be connected.
public struct ConnectionError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
