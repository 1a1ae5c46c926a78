import CLua
import Base
import Tensors

// What a function computes, as text: tells functions of scripts apart from run to run, which addresses cannot.
extension LuaFunction {
    /// The source of the function, and the numbers, texts and functions that it keeps from around it. Of a function of the host only that it is one.
    var recipe: String {
        guard let L = reference.thread else { return "?" }
        push(L)
        defer { clua_pop(L, 1) }
        var seen: Set<UnsafeRawPointer> = []
        return LuaFunction.recipe(L, lua_gettop(L), &seen).joined(separator: "\n")
    }

    private static func recipe(_ L: LuaThread, _ index: Int32, _ seen: inout Set<UnsafeRawPointer>) -> [String] {
        guard let address = lua_topointer(L, index), seen.insert(address).inserted, lua_checkstack(L, 8) != 0 else { return [] }
        var lines = [source(L, index)]
        var number: Int32 = 1
        while let name = lua_getupvalue(L, index, number) {
            let place = lua_gettop(L)
            switch lua_type(L, place) {
            case LUA_TNUMBER, LUA_TSTRING, LUA_TBOOLEAN: lines.append("\(String(cString: name)) = \(Stack.display(L, place))")
            case LUA_TFUNCTION: lines += recipe(L, place, &seen).map { "\(String(cString: name)): \($0)" }
            default: break
            }
            lua_settop(L, place - 1)
            number += 1
        }
        return lines
    }

    /// The text of the function at `index`: from `function` to `end`, where the file it came from still says it.
    private static func source(_ L: LuaThread, _ index: Int32) -> String {
        clua_push_copy(L, index)
        var record = lua_Debug()
        lua_getinfo(L, ">S", &record)
        let (first, last) = (Int(record.linedefined), Int(record.lastlinedefined))
        guard first > 0, let start = record.source else { return "a function of the host" }
        let chunk = String(decoding: UnsafeRawBufferPointer(start: start, count: record.srclen), as: UTF8.self)
        let text: String
        if chunk.hasPrefix("@") {
            guard let bytes = try? Files.contents(String(chunk.dropFirst())) else { return chunk }
            text = String(decoding: bytes, as: UTF8.self)
        } else {
            text = chunk
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard last <= lines.count else { return chunk }
        let piece = lines[first - 1..<last].joined(separator: "\n")
        let found = SourceScan(piece).functions(over: last - first + 1)
        return found.isEmpty ? piece : found.joined(separator: "\n")
    }
}

extension SourceScan {
    /// The functions that begin in the first of the text's lines and end in its last.
    fileprivate func functions(over lines: Int) -> [String] {
        let ends = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }
        let (firstEnd, lastStart) = (ends.first ?? bytes.count, lines > 1 ? ends.last ?? 0 : 0)
        return words.indices.compactMap { start in
            guard words[start].lowerBound < firstEnd, text(words[start]) == "function", let end = end(ofBlockAt: start), end > lastStart else { return nil }
            return text(words[start].lowerBound..<end)
        }
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// Where the block that begins with a word ends.
    private func end(ofBlockAt start: Int) -> Int? {
        var depth = 0
        for word in words[start...] {
            switch text(word) {
            case "function", "if", "do", "repeat": depth += 1
            case "end", "until": depth -= 1
            default: break
            }
            if depth == 0 { return word.upperBound }
        }
        return nil
    }
}
