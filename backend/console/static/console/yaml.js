// Colours YAML: splits a text into pieces with a class each. It never makes markup of it, only text nodes.
"use strict";

const YAML_PIECES = [
  ["y-expression", /\$\{\{.*?\}\}/y],
  ["y-comment", /(?<=^|\s)#.*/y],
  ["y-key", /(?<=^[\s-]*|[{,]\s*)(?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w$.\/-][^\s:#{}\[\],"']*)(?=:(?:\s|$))/y],
  ["y-text", /"(?:[^"\\]|\\.)*"|'[^']*'/y],
  ["y-number", /(?<=[\s:\[,])(?:-?\d+(?:\.\d+)?|true|false|null)(?=\s*(?:[,\]}]|$))/y],
];

function paintLine(text, into) {
  let plain = "";
  const flush = () => { if (plain) into.append(plain); plain = ""; };
  for (let at = 0; at < text.length;) {
    let found;
    // What is long is not worth the time.
    for (const [kind, pattern] of text.length < 2000 ? YAML_PIECES : []) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match && match[0]) { found = [kind, match[0]]; break; }
    }
    if (!found) { plain += text[at]; at += 1; continue; }
    flush();
    const piece = document.createElement("span");
    piece.className = found[0];
    piece.textContent = found[1];
    into.append(piece);
    at += found[1].length;
  }
  flush();
}

function paintYaml(text, into, wrong = 0) {
  const all = document.createDocumentFragment();
  text.split("\n").forEach((line, index) => {
    const span = document.createElement("span");
    if (index + 1 === wrong) span.className = "wrong";
    paintLine(line, span);
    all.append(span, "\n");
  });
  into.replaceChildren(all);
}

for (const block of document.querySelectorAll("[data-yaml]")) {
  const text = block.textContent;
  if (text.length < 200000) paintYaml(text, block);
}
