"use strict";
// How far long work is, asked for every second; the page is loaded again once it has ended.

for (const box of document.querySelectorAll("[data-progress]")) {
  const bar = box.querySelector("progress");
  const told = box.querySelector("[data-told]");
  const look = async () => {
    try {
      const answer = await fetch(box.dataset.progress, { headers: { Accept: "application/json" } });
      const { state, done, total } = await answer.json();
      if (!answer.ok || state !== "running") {
        location.reload();
        return;
      }
      if (total > 0) {
        bar.max = total;
        bar.value = done;
        told.textContent = `${done} of ${total} projects and files looked at`;
      }
    } catch {
      // The server may be starting anew: the next look tells.
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
}
