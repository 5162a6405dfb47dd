// Copying from the conversation: several messages become lines `[15:57] Ann: …`, a part of one
// message only its text. Buttons and other decoration are never copied.

import { $ } from "./dom.js";

const list = $("messages");
const BLOCKS = new Set(["P", "PRE", "LI", "BLOCKQUOTE", "UL", "OL"]);

// The text of a fragment, with a line for each block.
function words(node) {
  if (!node.childNodes.length) return node.nodeType === Node.TEXT_NODE ? node.data : "";
  let out = "";
  for (const child of node.childNodes) {
    const inside = words(child);
    const apart = out && BLOCKS.has(child.nodeName) && !out.endsWith("\n");
    out += apart && inside ? `\n${inside}` : inside;
  }
  return out;
}

// The selected part of a message's text.
function selected(range, body) {
  const part = range.cloneRange();
  if (!part.intersectsNode(body)) return "";
  const whole = document.createRange();
  whole.selectNodeContents(body);
  if (part.compareBoundaryPoints(Range.START_TO_START, whole) < 0) {
    part.setStart(whole.startContainer, whole.startOffset);
  }
  if (part.compareBoundaryPoints(Range.END_TO_END, whole) > 0) {
    part.setEnd(whole.endContainer, whole.endOffset);
  }
  return words(part.cloneContents());
}

document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (selection.isCollapsed || !selection.rangeCount || event.target.closest?.("textarea, input")) {
    return;
  }
  const range = selection.getRangeAt(0);
  if (!range.intersectsNode(list)) return;
  const parts = [];
  for (const row of list.children) {
    const body = row.querySelector(".body");
    const text = body && range.intersectsNode(row) ? selected(range, body) : "";
    if (text) parts.push({ row, text });
  }
  if (!parts.length) return;
  const text = parts.length === 1 ? parts[0].text : parts.map(({ row, text }) => {
    const [time, author] = [".by time", ".author"]
      .map((part) => row.querySelector(part).textContent);
    return `[${time}] ${author}: ${text}`;
  }).join("\n");
  event.clipboardData.setData("text/plain", text);
  event.preventDefault();
});
