"use strict";
// What makes the pages nicer; each works without it.

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  const before = [...button.childNodes];
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(button.dataset.copy));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => {
      button.replaceChildren(...before);
    }, 2000);
  });
}
