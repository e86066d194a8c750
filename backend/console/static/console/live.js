// Keeps a page up to date: <body data-stream="…"> names a stream, and whenever it says that something has happened,
// the body gets an event `news`, on which htmx fetches the parts that changed (hx-trigger="news from:body").
//
// The stream carries no content, so nothing can be missed: what a part shows is asked for afresh. After a lost
// connection, and when a hidden page is looked at again, everything is asked for once.
"use strict";

(() => {
  const address = document.body.dataset.stream;
  if (!address || !window.EventSource) return;
  let source = null;
  let retry = 0;

  function show(state) {
    for (const element of document.querySelectorAll(".live")) {
      element.dataset.live = state;
      element.querySelector("[data-live-word]").textContent = { on: "Live", lost: "Reconnecting…", over: "" }[state];
    }
  }

  function news() {
    document.body.dispatchEvent(new CustomEvent("news"));
  }

  function connect() {
    clearTimeout(retry);
    if (source) source.close();
    source = new EventSource(address);
    source.onopen = () => { show("on"); news(); };
    source.onmessage = news;
    source.addEventListener("end", () => { news(); });
    source.addEventListener("refused", () => { source.close(); location.reload(); });
    source.onerror = () => {
      show("lost");
      // A browser gives up by itself where the answer is an error; we do not.
      if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, 3000);
    };
  }

  // A browser has few connections to one server: a page that nobody looks at gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { clearTimeout(retry); if (source) source.close(); }
    else connect();
  });
  // What was asked for meanwhile found no way, even where the stream itself lived on.
  window.addEventListener("online", () => { if (!document.hidden) connect(); });
  window.addEventListener("pagehide", () => { clearTimeout(retry); if (source) source.close(); });
  if (!document.hidden) connect();
})();
