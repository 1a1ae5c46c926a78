"""What a front end meets: interrupts, queues, order, input, ends. The kernelspec `trellis` has to be on JUPYTER_PATH; each check has a limit."""
import os
import signal
import sys
import time

from jupyter_client.manager import KernelManager

LIMIT = 20
# A debug build beside other work: times say little then.
SLOW = 10 if os.environ.get("TRELLIS_DEBUG_BUILD") else 1
failed = []


def check(what, fine, got=""):
    print(("ok      " if fine else "FAILED  ") + what + (f": {got}" if got != "" else ""), flush=True)
    if not fine:
        failed.append(what)


class Session:
    def __init__(self, **options):
        started = time.time()
        self.km = KernelManager(kernel_name="trellis", **options)
        self.km.start_kernel()
        self.kc = self.km.client()
        self.kc.start_channels()
        self.kc.wait_for_ready(timeout=LIMIT)
        self.ready = time.time() - started

    def run(self, code, **options):
        """The reply, and the (type, content) of what came out."""
        out = []
        reply = self.kc.execute_interactive(code, timeout=LIMIT, output_hook=lambda m: out.append((m["msg_type"], m["content"])), **options)
        return reply["content"], out

    def text(self, code, name="stdout"):
        return "".join(c["text"] for t, c in self.run(code)[1] if t == "stream" and c["name"] == name)

    def value(self, code):
        reply, out = self.run(code)
        return next((c["data"]["text/plain"] for t, c in out if t == "execute_result"), reply.get("evalue"))

    def reply_to(self, message):
        end = time.time() + LIMIT
        while time.time() < end:
            m = self.kc.get_shell_msg(timeout=LIMIT)
            if m["parent_header"].get("msg_id") == message:
                return m["content"]
        raise TimeoutError(message)

    def pid(self):
        return self.km.provisioner.pid

    def end(self):
        pid = self.pid()
        self.kc.stop_channels()
        self.km.shutdown_kernel()
        return pid


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def interrupts(s):
    def interrupted(what, code, wait=0.3, how=None, limit=0.3):
        message = s.kc.execute(code)
        time.sleep(wait)
        start = time.time()
        (how or s.km.interrupt_kernel)()
        reply = s.reply_to(message)
        took = time.time() - start
        check(f"interrupt of {what}", reply["status"] == "error" and reply["evalue"] == "interrupted" and took < limit * SLOW, f"{took * 1000:.1f} ms, {reply.get('evalue')}")
        check(f"  the session lives after {what}", s.value("kept + 1") == "42")

    s.run("kept = 41")
    interrupted("a tight loop", "while true do end")
    interrupted("a loop that prints", "while true do print(('x'):rep(60)) end")
    interrupted("a coroutine", "coroutine.wrap(function() while true do end end)()")
    interrupted("a loop in pcall", "while true do pcall(function() while true do end end) end")
    interrupted("a sleeping child", "os.execute('sleep 60')")
    interrupted("a tight loop, by signal", "while true do end", how=lambda: os.kill(s.pid(), signal.SIGINT))
    space = "space = nas.trellis{layers = 2, filters = 4, cell = nas.cell{blocks = 2}} net = space:supernet{classes = 3, seed = 1} sgd = optim.sgd(net:parameters(), {lr = 0.01})\n"
    s.run(space + "images, labels = tensor.randn(2, 3, 32, 32, {seed = 1}), tensor.zeros(2, 32, 32, {dtype = 'int32'})\nset = data.shapes{images = 8, size = {32, 32}, classes = 3, seed = 1}")
    interrupted("steps of a supernet", "while true do net:step(sgd, images, labels) end", wait=2, limit=3)
    interrupted("fit", "nn.conv2d(3, 3, {kernel = 3, padding = 1}):fit(set, {steps = 1000000, batch = 4})", wait=1, limit=2)

    def twice():
        s.km.interrupt_kernel()
        time.sleep(0.3)
        s.km.interrupt_kernel()
        time.sleep(0.3)
        s.km.interrupt_kernel()

    interrupted("a step, three times", "local a = tensor.randn(1500, 1500) for i = 1, 100 do a:matmul(a) end", how=twice, limit=10)
    s.km.interrupt_kernel()
    time.sleep(0.2)
    check("an idle interrupt does nothing", s.value("kept") == "41")
    message = s.kc.execute("io.read()", allow_stdin=True)
    s.kc.get_stdin_msg(timeout=LIMIT)
    start = time.time()
    s.km.interrupt_kernel()
    reply = s.reply_to(message)
    check("interrupt of io.read", reply["status"] == "error" and time.time() - start < 0.3 * SLOW, f"{(time.time() - start) * 1000:.1f} ms")
    check("  the session lives", s.value("kept") == "41")


def queues(s):
    wait = "local t = os.time() while os.time() < t + 2 do end "
    messages = [s.kc.execute(code) for code in (wait + "error('boom')", "x1 = 1", "y1 = 1")]
    replies = {}
    while len(replies) < 3:
        m = s.kc.get_shell_msg(timeout=LIMIT)
        replies[m["parent_header"]["msg_id"]] = m["content"]["status"]
    check("an error aborts what waits", [replies[m] for m in messages] == ["error"] * 3 and s.value("tostring(x1)") == "nil", [replies[m] for m in messages])
    message = s.kc.execute("error('boom')")
    s.reply_to(message)
    check("what is sent after the error's reply runs", s.value("1 + 1") == "2")
    messages = [s.kc.execute("error('boom')", stop_on_error=False), s.kc.execute("z1 = 1")]
    check("stop_on_error = False aborts nothing", s.reply_to(messages[1])["status"] == "ok")


def outputs(s):
    kinds = [(t, c.get("text", c.get("data", {}).get("text/plain"))) for t, c in s.run(
        "print('a') io.write('b\\n') io.stdout:write('c\\n') os.execute('echo d') io.stderr:write('e\\n') display('f') local h = io.popen('cat', 'w') h:write('g\\n') h:close() print('h')")[1]
        if t in ("stream", "display_data")]
    check("order of print, children, errors and displays", kinds == [("stream", "a\nb\nc\nd\n"), ("stream", "e\n"), ("display_data", "f"), ("stream", "g\nh\n")], kinds)
    start = time.time()
    out = [c for t, c in s.run("for i = 1, 20000 do print('line ' .. i) end")[1] if t == "stream"]
    took = time.time() - start
    whole = "".join(c["text"] for c in out)
    check("20000 prints", whole == "".join(f"line {i}\n" for i in range(1, 20001)) and len(out) < 50 and took < 0.3 * SLOW, f"{took:.2f} s, {len(out)} messages")
    out = [c["text"] for t, c in s.run("for i = 1, 300 do io.write('é€𝄞') io.stdout:flush() if i % 100 == 0 then local t = os.clock() while os.clock() < t + 0.06 do end end end")[1] if t == "stream"]
    check("characters stay whole", "".join(out) == "é€𝄞" * 300 and len(out) > 1, len(out))
    check("bytes that are no UTF-8", s.text("io.write('a\\xffb')") == "a\ufffdb")
    start = time.time()
    size = sum(len(c["text"]) for t, c in s.run("local s = ('x'):rep(999) .. '\\n' for i = 1, 100000 do io.write(s) end")[1] if t == "stream")
    check("100 MB printed are cut", 8_000_000 < size < 9_000_000, f"{size} bytes, {time.time() - start:.1f} s")
    out = [(t, c) for t, c in s.run("local d = display('1', {id = 'x'}) for i = 2, 4 do d:update(tostring(i)) end")[1] if "display" in t]
    check("displays change", [t for t, _ in out] == ["display_data"] + ["update_display_data"] * 3 and {c["transient"]["display_id"] for _, c in out} == {"x"})
    start = time.time()
    out = s.run("local b = progress.bar{total = 200} for i = 1, 200 do b:update(i) local t = os.clock() while os.clock() < t + 0.005 do end end b:finish()")[1]
    check("progress changes a display, seldom", 2 <= len([t for t, _ in out if "display" in t]) <= 4 * (time.time() - start) + 3 and "stream" not in [t for t, _ in out], len(out))
    reply, out = s.run("1 + 1", silent=True)
    check("silent", reply["status"] == "ok" and {t for t, _ in out} <= {"status"}, out)
    count = s.run("1")[0]["execution_count"]
    check("store_history", s.run("1", store_history=False)[0]["execution_count"] == count and s.run("1")[0]["execution_count"] == count + 1)
    found = s.run("1", user_expressions={"a": "6 * 7", "b": "error('no')"})[0]["user_expressions"]
    check("user_expressions", found["a"]["data"]["text/plain"] == "42" and found["b"]["status"] == "error", found)
    reply, out = s.run("local t = {}\nprint(t.x.y)")
    error = next(c for t, c in out if t == "error")
    check("an error shows the line and a caret", "  2 | print(t.x.y)" in error["traceback"] and error["traceback"][-1].strip() == "^", error["traceback"])
    check("os.exit is an error", "os.exit" in s.run("os.exit(0)")[0]["evalue"])


def questions(s):
    s.run("tbl = {alpha = 1, alps = 2}")
    reply = s.reply_to(s.kc.complete("x = '€' .. tbl.al", 17))
    check("completion counts code points", reply["matches"] == ["alpha", "alps"] and reply["cursor_start"] == 15, reply)
    reply = s.reply_to(s.kc.complete("tensor.zer"))
    types = reply["metadata"]["_jupyter_types_experimental"]
    check("completion has types and signatures", types[0]["type"] == "function" and types[0]["signature"].startswith("("), types)
    s.run("function twice(x)\n  return 2 * x\nend")
    found = s.reply_to(s.kc.inspect("twice(3)", 3, detail_level=1))
    check("inspection shows the source", found["found"] and "return 2 * x" in found["data"]["text/plain"], found)
    found = s.reply_to(s.kc.inspect("nothing_at_all", 3))
    check("inspection of nothing", found["found"] is False and found["status"] == "ok")
    reply = s.reply_to(s.kc.is_complete("for i = 1, 2 do"))
    check("is_complete has an indent", reply == {"indent": "  ", "status": "incomplete"}, reply)
    comm = s.kc.session.send(s.kc.shell_channel.socket, "comm_open", {"comm_id": "c1", "target_name": "none", "data": {}})
    end = time.time() + 5
    closed = False
    while not closed and time.time() < end:
        m = s.kc.get_iopub_msg(timeout=5)
        closed = m["msg_type"] == "comm_close" and m["content"]["comm_id"] == "c1" and m["parent_header"]["msg_id"] == comm["header"]["msg_id"]
    check("a comm to nobody is closed", closed)


class Subshell:
    """Looks into the cell that runs."""

    def __init__(self, s):
        self.s = s
        self.id = self.control("create_subshell_request")["subshell_id"]

    def control(self, kind, **content):
        kc = self.s.kc
        message = kc.session.msg(kind, content)
        kc.control_channel.send(message)
        while True:
            m = kc.get_control_msg(timeout=LIMIT)
            if m["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return m["content"]

    def run(self, code):
        """What came out of a look: its value, what it printed, or its error; and the seconds that it took."""
        kc = self.s.kc
        message = kc.session.msg("execute_request", {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False})
        message["header"]["subshell_id"] = self.id
        start, found, ended = time.time(), [], False
        kc.shell_channel.send(message)
        while not ended and time.time() < start + LIMIT:
            m = kc.get_iopub_msg(timeout=LIMIT)
            if m["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            c = m["content"]
            ended = m["msg_type"] == "status" and c["execution_state"] == "idle"
            found += [c["text"]] if m["msg_type"] == "stream" else [c["evalue"]] if m["msg_type"] == "error" else []
            found += [c["data"].get("image/svg+xml", c["data"]["text/plain"])] if "data" in c else []
        self.s.reply_to(message["header"]["msg_id"])
        return "".join(found), time.time() - start


def looks(s):
    check("subshells are announced", "kernel subshells" in s.reply_to(s.kc.kernel_info())["supported_features"])
    look = Subshell(s)
    check("subshells are listed", look.control("list_subshell_request")["subshell_id"] == [look.id])
    s.run("n, kept = 0, 1")
    busy = s.kc.execute("for i = 1, 1 << 60 do n = n + 1 end")
    time.sleep(0.3)
    first, took = look.run("n")
    second, _ = look.run("n")
    check("a look into a tight loop, which goes on", 0 < int(first) < int(second) and took < 0.3 * SLOW, f"{first}, {second}, {took * 1000:.1f} ms")
    check("  it has variables of its own", look.run("kept = 2; mine = 3\nkept + mine")[0] == "5" and look.run("mine")[0] == "3")
    check("  what it prints is its own", look.run("print('here')")[0] == "here\n")
    s.km.interrupt_kernel()
    check("  the loop is interrupted as ever", s.reply_to(busy)["evalue"] == "interrupted" and s.value("kept, tostring(mine)") == "1\tnil")
    s.run("space = nas.trellis{layers = 3, strides = {4, 8}, filters = 4, cell = nas.cell{blocks = 2}} net = space:supernet{classes = 3, seed = 1}\n"
          "sgd = optim.sgd(net:weights(), {lr = 0.01}) set = data.shapes{images = 8, size = {32, 32}, classes = 3, seed = 1} loader = set:batches{size = 2, seed = 1}")
    s.run("net:step(sgd, loader:next())")
    busy = s.kc.execute("steps = 0 while true do net:step(sgd, loader:next()) steps = steps + 1 end")
    time.sleep(0.5)
    first = int(look.run("steps")[0])
    check("a look into a search draws beta", look.run("plot.trellis(net)")[0].lstrip().startswith(("<?xml", "<svg")))
    check("  and decodes", look.run("net:decode()")[0] != "")
    for code in ("net:weights():list()[1]:detach():zero_()", "sgd:step()", "net:load_state(net:state())", "net:step(sgd, loader:next())", "sgd.lr = 1"):
        found = look.run(code)[0]
        check(f"  but not {code}", "a look changes nothing" in found, found)
    time.sleep(0.2)
    check("  and the search goes on", int(look.run("steps")[0]) > first)
    s.km.interrupt_kernel()
    check("  until it is interrupted", s.reply_to(busy)["evalue"] == "interrupted")
    s.run("conv = nn.conv2d(3, 3, {kernel = 3, padding = 1})")
    busy = s.kc.execute("conv:fit(set, {steps = 1000000, batch = 4})")
    time.sleep(0.5)
    found, took = look.run("conv:state().weight:size(1)")
    check("a look into fit", found == "3" and took < 1 * SLOW, f"{found}, {took * 1000:.1f} ms")
    hung = s.kc.session.msg("execute_request", {"code": "while true do end", "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False})
    hung["header"]["subshell_id"] = look.id
    s.kc.shell_channel.send(hung)
    time.sleep(0.3)
    s.km.interrupt_kernel()
    check("  an interrupt ends a look that hangs", s.reply_to(hung["header"]["msg_id"])["evalue"] == "interrupted")
    check("    and not the cell", look.run("1 + 1")[0] == "2")
    s.km.interrupt_kernel()
    reply = s.reply_to(busy)
    check("fit stops after its step", reply["evalue"] == "interrupted", reply.get("evalue"))
    busy = s.kc.execute("conv:fit(set, {steps = 1000000, batch = 4, resume = true})")
    time.sleep(0.3)
    s.km.interrupt_kernel()
    check("  and goes on", s.reply_to(busy)["evalue"] == "interrupted")
    check("a look while nothing runs", look.run("kept, n > 0")[0] == "2\ttrue")
    look.control("delete_subshell_request", subshell_id=look.id)
    check("a subshell ends", look.control("list_subshell_request")["subshell_id"] == [])


def input_(s):
    def answer(code, *values):
        message = s.kc.execute(code, allow_stdin=True)
        for value in values:
            s.kc.get_stdin_msg(timeout=LIMIT)
            s.kc.input(value)
        return s.reply_to(message)["status"]

    check("io.read of several kinds", answer("a, b = io.read('n', 'l') c = io.read()", "12 rest", "next") == "ok" and s.value("a, b, c") == "12\t rest\tnext", s.value("a, b, c"))
    check("io.lines", answer("n = 0 for line in io.lines() do n = n + #line end", "ab", "cde", "\x04") == "ok" and s.value("n") == "5")
    reply, _ = s.run("io.read()", allow_stdin=False)
    check("nobody to be asked is an error", reply["status"] == "error" and "allow_stdin" in reply["evalue"], reply.get("evalue"))
    check("  and no more than that", s.value("1") == "1")


def odd(s):
    session = s.kc.session
    key, session.key = session.key, b"wrong"
    s.kc.execute("signed = true")
    session.key = key
    time.sleep(0.2)
    check("a bad signature is passed over", s.value("tostring(signed)") == "nil")
    pid = s.pid()

    def memory():
        return int(open(f"/proc/{pid}/statm").read().split()[1]) * 4096 / 1e6

    for i in range(200):
        s.run(f"cell = {i}", store_history=False)
    before = memory()
    for i in range(1000):
        s.run(f"local v = tensor.zeros(100, 100) print({i})", store_history=False)
    check("1000 cells without growth", memory() - before < 20, f"{before:.0f} MB, then {memory():.0f} MB")


def ends(s):
    s.run("kept = 1")
    s.km.restart_kernel(now=False)
    s.kc.wait_for_ready(timeout=LIMIT)
    check("restart", s.value("tostring(kept)") == "nil")
    s.kc.execute("while true do end")
    time.sleep(0.3)
    start = time.time()
    pid = s.end()
    check("the end of a busy kernel", time.time() - start < 3 * SLOW and not alive(pid), f"{time.time() - start:.1f} s")


def main():
    s = Session()
    check("a kernel is ready", s.ready < 1.5 * SLOW, f"{s.ready:.2f} s")
    times = []
    for _ in range(20):
        start = time.time()
        s.run("return 1", store_history=False)
        times.append(time.time() - start)
    check("a round trip", sorted(times)[10] < 0.05 * SLOW, f"{sorted(times)[10] * 1000:.1f} ms")
    for part in (interrupts, queues, outputs, questions, looks, input_, odd, ends):
        part(s)
    for options in ({"transport": "ipc"}, {"transport_encryption": "required"}):
        s = Session(**options)
        check(f"a kernel with {options}", s.value("6 * 7") == "42")
        pid = s.end()
        check("  leaves no process", not alive(pid))
    print(f"{len(failed)} failed: {failed}" if failed else "all is well")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
