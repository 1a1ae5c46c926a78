"""Whether an HTML page is sound: page.py FILE. Every element closed in its order, ids once, links within the page lead somewhere, nothing
comes from elsewhere."""
import sys
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "link", "input", "path", "image"}


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.count = [], set(), set(), 0

    def handle_starttag(self, tag, attributes, closed=False):
        self.count += 1
        for name, value in attributes:
            if name == "id":
                assert value not in self.ids, f"id {value} twice"
                self.ids.add(value)
            elif name in ("src", "href", "xlink:href"):
                if value.startswith("#"):
                    self.links.add(value[1:])
                else:
                    assert value.startswith("data:"), f"{tag} {name}={value[:60]}"
            assert not name.startswith("on"), f"{tag} has {name}"
        assert tag not in ("script", "link", "iframe", "object"), tag
        if not closed and tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes, closed=True)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> in {self.open[-4:]} at line {self.getpos()[0]}"
        self.open.pop()


page = Page()
with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
page.feed(text)
page.close()
assert not page.open, page.open
assert page.links <= page.ids, page.links - page.ids
assert "http://" not in text and "https://" not in text
print(f"{sys.argv[1]}: {page.count} elements, {len(text) // 1000} kB, sound")
