"""JupyterLab in chromium: run, complete, tooltip, live figure, dashboard of a search, interrupt, restart. Writes screenshots into the folder given.

Needs jupyterlab and playwright, and Debian's chromium; the kernelspec `trellis` has to be on JUPYTER_PATH.
"""
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

from playwright.sync_api import sync_playwright

folder = os.path.abspath(sys.argv[1])
os.makedirs(folder, exist_ok=True)
os.environ["JUPYTER_CONFIG_DIR"] = os.path.join(folder, "config")

CELLS = [
    "print('hello from Lua')\nplot.line({1, 3, 2}, {title = 'a figure'})",
    "local losses = {}\nlocal live = plot.live(function() return plot.line(losses, {title = 'live'}) end, {every = 0.1})\n"
    "for i = 1, 20 do losses[i] = 1 / i; live:update(); local t = os.clock() while os.clock() < t + 0.05 do end end\nlive:finish()",
    "local bar = progress.bar{total = 50, label = 'steps'}\nfor i = 1, 50 do bar:update(i, {loss = 1 / i}); local t = os.clock() while os.clock() < t + 0.02 do end end\nbar:finish()",
    "nn.sequential{nn.conv2d(3, 8, {kernel = 3}), nn.relu()}:count{height = 96, width = 128}",
    "6 * 7",
    "space = nas.trellis{layers = 4, strides = {4, 8, 16}, filters = 2, cell = nas.cell{blocks = 2}}\n"
    "net = space:supernet{classes = 3, seed = 1}\nsgd = optim.sgd(net:weights(), {lr = 0.05, momentum = 0.9})\n"
    "adam = optim.adam(net:architecture(), {lr = 0.1})\n"
    "loader = data.shapes{images = 8, size = {32, 48}, classes = 3, seed = 1}:batches{size = 2, seed = 1}\n"
    "board = plot.dashboard(net, {total = 40, every = 0.5})\nfor i = 1, 40 do\n  local loss = net:step(sgd, loader:next()):item()\n"
    "  board:update(i, {{'loss', loss}, {'architecture loss', net:step(adam, loader:next()):item()}})\nend\nboard:finish()",
]


def notebook(path):
    cells = [{"cell_type": "code", "id": f"c{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": s} for i, s in enumerate(CELLS)]
    spec = {"name": "trellis", "display_name": "Trellis (Lua)", "language": "lua"}
    json.dump({"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}, open(path, "w"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def check(what, fine, got=""):
    print(("ok      " if fine else "FAILED  ") + what + (f": {got}" if got != "" else ""), flush=True)
    if not fine:
        failed.append(what)


failed = []
page = None
notebook(os.path.join(folder, "lab.ipynb"))
port = free_port()
server = subprocess.Popen(
    ["jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token=", "--ServerApp.password=",
     "--ServerApp.root_dir=" + folder, "--LabApp.news_url="],
    stdout=open(os.path.join(folder, "lab.log"), "w"), stderr=subprocess.STDOUT)
try:
    for _ in range(720):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api").read()
            break
        except OSError:
            time.sleep(0.25)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 1400})
        page.goto(f"http://127.0.0.1:{port}/lab/tree/lab.ipynb?reset")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60000)
        page.wait_for_function("() => document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status === 'idle'", timeout=60000)

        # What asks something before the notebook can be used.
        for dialog in page.locator(".jp-Dialog").all():
            print("a dialog:", dialog.inner_text())
            dialog.locator(".jp-mod-accept").click()

        def cell(i):
            return page.locator(".jp-Notebook .jp-CodeCell").nth(i)

        def number(i):
            return cell(i).locator(".jp-InputPrompt").first.inner_text().strip("[]: ")

        def run(i, limit=60):
            """Runs a cell; what is pressed right after opening can be lost, so it is pressed until the cell has a number that it had not."""
            before, end = number(i), time.time() + limit
            while time.time() < end:
                cell(i).locator(".cm-content").click()
                page.keyboard.press("Control+Enter")
                pressed = time.time()
                while time.time() < min(end, pressed + 3) or number(i) == "*":
                    time.sleep(0.2)
                    if number(i).isdigit() and number(i) != before:
                        time.sleep(0.5)
                        return

        def output(i):
            return cell(i).locator(".jp-OutputArea").first

        run(0)
        check("text and a figure", "hello from Lua" in output(0).inner_text() and output(0).locator("svg, img").count() > 0)
        run(1)
        check("one live figure", output(1).locator(".jp-OutputArea-output svg, .jp-OutputArea-output img").count() == 1)
        run(2)
        check("a progress bar", output(2).locator("progress").count() == 1 and "50/50" in output(2).inner_text(), output(2).inner_text()[:80])
        run(3)
        check("a table", output(3).locator("table").count() == 1)
        page.screenshot(path=os.path.join(folder, "lab-run.png"))
        run(5, 180)
        check("a dashboard in one display", output(5).locator(".jp-OutputArea-child").count() == 1 and output(5).locator("svg, img").count() == 1)
        cell(5).scroll_into_view_if_needed()
        page.screenshot(path=os.path.join(folder, "lab-dashboard.png"))

        def write(text):
            cell(4).locator(".cm-content").click()
            page.keyboard.press("Control+A")
            page.keyboard.type(text)

        write("tensor.ze")
        page.keyboard.press("Tab")
        time.sleep(2)
        shown = cell(4).locator(".cm-content").inner_text() + "".join(x.inner_text() for x in page.locator(".jp-Completer-item").all())
        check("completion", "zeros" in shown, shown[:60])
        page.keyboard.press("Escape")
        write("tensor.zeros")
        page.keyboard.press("Shift+Tab")
        page.wait_for_selector(".jp-Tooltip", timeout=10000)
        check("a tooltip", "tensor.zeros" in page.locator(".jp-Tooltip").inner_text())
        page.screenshot(path=os.path.join(folder, "lab-tooltip.png"))
        page.keyboard.press("Escape")
        write("kept = 41 while true do end")
        page.keyboard.press("Control+Enter")
        time.sleep(1)
        page.keyboard.press("Escape")
        page.keyboard.press("i")
        page.keyboard.press("i")
        time.sleep(1.5)
        check("interrupt", "interrupted" in output(4).inner_text(), output(4).inner_text()[:60])
        write("kept + 1")
        run(4)
        check("the session lives", "42" in output(4).inner_text(), output(4).inner_text()[:60])
        page.keyboard.press("Escape")
        page.keyboard.press("0")
        page.keyboard.press("0")
        page.locator(".jp-Dialog .jp-mod-accept").click()
        time.sleep(3)
        write("tostring(kept)")
        run(4)
        check("restart", "nil" in output(4).inner_text(), output(4).inner_text()[:60])
        page.screenshot(path=os.path.join(folder, "lab-end.png"))
        browser.close()
except Exception:
    if page:
        page.screenshot(path=os.path.join(folder, "lab-failed.png"))
    raise
finally:
    server.terminate()
    try:
        server.wait(60)
    except subprocess.TimeoutExpired:
        server.kill()
print(f"{len(failed)} failed" if failed else "all is well")
sys.exit(bool(failed))
