// Looks at the page in the frame: every text that can be seen, and whether any two of them overlap.
addEventListener("load", () => {
  const frame = document.querySelector("iframe");
  const inside = frame.contentDocument, view = frame.contentWindow;
  const faults = [];
  inside.querySelectorAll("details").forEach((details) => { details.open = true; });
  if (inside.documentElement.scrollWidth > view.innerWidth) {
    faults.push(`the page is ${inside.documentElement.scrollWidth} wide in ${view.innerWidth}`);
  }
  // The part of a rectangle that no scrolling frame around it hides.
  const visible = (rect, element) => {
    let { left, right, top, bottom } = rect;
    for (let at = element; at && at !== inside.body; at = at.parentElement) {
      const style = view.getComputedStyle(at);
      if (style.visibility === "hidden" || style.display === "none") return null;
      if (style.overflowX !== "visible" && !(at instanceof view.SVGElement)) {
        const frame = at.getBoundingClientRect();
        left = Math.max(left, frame.left); right = Math.min(right, frame.right);
        top = Math.max(top, frame.top); bottom = Math.min(bottom, frame.bottom);
      }
    }
    return right - left > 0.5 && bottom - top > 0.5 ? { left, right, top, bottom } : null;
  };
  const texts = [];
  const walker = inside.createTreeWalker(inside.body, view.NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement, name = parent.localName;
    if (!node.data.trim() || ["style", "script", "title", "desc"].includes(name)) continue;
    if (parent.closest(".skip")) continue;
    const range = inside.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      // Lines of one text may touch: what is drawn is lower than its line.
      const air = rect.height * 0.18;
      const drawn = { left: rect.left + 0.5, right: rect.right - 0.5, top: rect.top + air, bottom: rect.bottom - air };
      const seen = visible(drawn, parent);
      if (seen) texts.push({ ...seen, node, text: node.data.trim().slice(0, 60) });
      const picture = parent.closest("svg");
      if (picture && seen) {
        const box = picture.getBoundingClientRect();
        if (rect.left < box.left - 1 || rect.right > box.right + 1 || rect.top < box.top - 2 || rect.bottom > box.bottom + 2) {
          faults.push(`"${node.data.trim()}" leaves its picture: ${[rect.left - box.left, rect.right - box.right, rect.top - box.top, rect.bottom - box.bottom].map((n) => n.toFixed(1))}`);
        }
      }
    }
  }
  texts.sort((a, b) => a.top - b.top);
  for (let i = 0; i < texts.length; i++) {
    for (let j = i + 1; j < texts.length && texts[j].top < texts[i].bottom; j++) {
      const a = texts[i], b = texts[j];
      if (a.node !== b.node && a.left < b.right && b.left < a.right) {
        faults.push(`"${a.text}" and "${b.text}" overlap at ${a.left.toFixed(0)}, ${a.top.toFixed(0)}`);
      }
    }
  }
  const scheme = view.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.getElementById("found").textContent =
    [`${texts.length} texts, ${view.innerWidth} wide, ${scheme}`, ...faults.slice(0, 20)].join("\n");
});
