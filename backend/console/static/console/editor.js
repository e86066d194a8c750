// The editor of definitions: colours, numbers of lines, checks a moment after the last key, and Tab for two spaces.
"use strict";

(() => {
  const text = document.getElementById("editor-source");
  if (!text) return;
  const editor = text.closest(".editor");
  const paint = editor.querySelector(".editor-paint");
  const lines = editor.querySelector(".editor-lines");
  const said = document.getElementById("editor-said");
  const LARGEST = 200000;
  let wrong = 0;
  let turn = 0;
  let waiting;
  let leaves = false;

  function show() {
    const large = text.value.length > LARGEST;
    editor.toggleAttribute("data-painted", !large);
    if (large) { paint.replaceChildren(); lines.replaceChildren(); return; }
    paintYaml(text.value, paint, wrong);
    const numbers = document.createDocumentFragment();
    for (let line = 1; line <= text.value.split("\n").length; line += 1) {
      const number = document.createElement("span");
      number.textContent = line;
      if (line === wrong) number.className = "wrong";
      numbers.append(number, "\n");
    }
    lines.replaceChildren(numbers);
    follow();
  }

  function follow() {
    paint.scrollTop = lines.scrollTop = text.scrollTop;
    paint.scrollLeft = text.scrollLeft;
    lines.style.height = `${text.offsetHeight}px`;
  }

  async function check() {
    const mine = ++turn;
    try {
      const answer = await fetch(editor.dataset.check, { method: "POST", body: new FormData(text.form), headers: { "HX-Request": "true" } });
      if (!answer.ok || mine !== turn) return;
      const part = new DOMParser().parseFromString(await answer.text(), "text/html").body;
      said.replaceChildren(...part.childNodes);
      wrong = Number(said.querySelector("[data-line]")?.dataset.line ?? 0);
      text.setAttribute("aria-invalid", said.querySelector(".is-bad") ? "true" : "false");
      show();
    } catch {
      // The next key asks again, and so does the button.
    }
  }

  text.addEventListener("input", () => {
    show();
    clearTimeout(waiting);
    waiting = setTimeout(check, 350);
  });
  text.addEventListener("scroll", follow);
  new ResizeObserver(follow).observe(text);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { leaves = true; return; }
    if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey && !leaves) {
      event.preventDefault();
      text.setRangeText("  ", text.selectionStart, text.selectionEnd, "end");
      text.dispatchEvent(new Event("input"));
    }
    if (event.key !== "Shift") leaves = false;
  });
  wrong = Number(said.querySelector("[data-line]")?.dataset.line ?? 0);
  show();
  if (!said.querySelector(".notice")) check();
})();
