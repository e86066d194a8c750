// Keeps the log a window: it follows its end while that is in view, and forgets its oldest lines when there are many.
"use strict";

(() => {
  const MOST = 600;
  let following = true;

  function atEnd(log) {
    return log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  }

  function settle() {
    const log = document.getElementById("lines");
    if (!log) return;
    const lines = log.querySelectorAll(".line");
    if (following) {
      for (let number = 0; number < lines.length - MOST; number++) lines[number].remove();
      log.scrollTop = log.scrollHeight;
    }
  }

  document.addEventListener("scroll", (event) => {
    if (event.target.id === "lines") following = atEnd(event.target);
  }, { capture: true, passive: true });
  document.addEventListener("htmx:after:swap", settle);
  settle();
})();
