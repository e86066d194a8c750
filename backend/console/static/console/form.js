// The form that starts a workflow: fields that depend on others are asked for again, pages are turned, and what is wrong
// is where one lands. Without scripts all pages stand below each other and buttons ask again.
"use strict";

(() => {
  const form = document.getElementById("start-form");
  if (!form) return;
  let at = 1;

  form.addEventListener("change", (event) => {
    if (event.target.closest("[data-decides]")) form.dispatchEvent(new CustomEvent("again"));
  });

  function turnTo(number, focus) {
    const pages = [...form.querySelectorAll(".form-page")];
    at = Math.min(Math.max(1, number), pages.length);
    pages.forEach((page, index) => { page.hidden = pages.length > 1 && index + 1 !== at; });
    for (const link of form.querySelectorAll("[data-page]")) {
      if (Number(link.dataset.page) === at) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
    }
    const turns = form.querySelector(".form-turn");
    turns.hidden = pages.length < 2;
    turns.querySelector('[data-turn="-1"]').disabled = at === 1;
    turns.querySelector('[data-turn="1"]').disabled = at === pages.length;
    if (focus) pages[at - 1]?.querySelector("input:not([type=hidden]), select, textarea")?.focus();
  }

  function pageOf(element) {
    return [...form.querySelectorAll(".form-page")].indexOf(element?.closest(".form-page")) + 1;
  }

  form.addEventListener("click", (event) => {
    const turn = event.target.closest("[data-turn]");
    const link = event.target.closest("a[href^='#']");
    if (turn) turnTo(at + Number(turn.dataset.turn), true);
    else if (link?.dataset.page) { event.preventDefault(); turnTo(Number(link.dataset.page), true); }
    else if (link) {
      const field = document.getElementById(link.hash.slice(1));
      if (!field) return;
      event.preventDefault();
      if (pageOf(field)) turnTo(pageOf(field), false);
      field.focus();
    }
  });

  document.addEventListener("htmx:after:swap", () => turnTo(at, false));
  turnTo(pageOf(form.querySelector(".field.wrong")) || 1, false);
  document.querySelector("[data-focus]")?.focus();
})();
