// What all pages do with a script, each thing small and none of it needed: without scripts the pages read as well.
"use strict";

// Moments such as "4 min ago" grow older while a page is open. As templatetags/console.py says them.
function ago(seconds) {
  const size = Math.abs(seconds);
  if (size < 1) return "now";
  let said;
  if (size < 60) said = `${Math.floor(size)} s`;
  else if (size < 3600) said = `${Math.floor(size / 60)} min`;
  else if (size < 86400) said = `${Math.floor(size / 3600)} h`;
  else said = Math.floor(size / 86400) === 1 ? "1 day" : `${Math.floor(size / 86400)} days`;
  return seconds > 0 ? `${said} ago` : `in ${said}`;
}

function age() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(age, 1000);

// A form whose fields narrow a list sends itself; its button is for those without scripts.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-at-once]");
  if (form) form.requestSubmit();
});

// Where there is no room for all places and tabs, the one that one is at is in view.
for (const here of document.querySelectorAll(".places [aria-current], .tabs [aria-current]")) {
  here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 24;
}

// A button that copies the text of the element it names.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  navigator.clipboard.writeText(source.value ?? source.textContent).then(() => {
    const before = button.title;
    button.title = "Copied";
    button.dataset.done = "";
    setTimeout(() => { button.title = before; delete button.dataset.done; }, 1500);
  });
});
