// A button to copy what a block of text holds.
export function buttons(inside) {
  if (!navigator.clipboard) return; // not over plain http from another machine
  for (const text of inside.querySelectorAll("pre[data-copy]")) {
    if (text.previousElementSibling?.matches("button.copy")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${text.dataset.copy}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select and copy";
        getSelection().selectAllChildren(text);
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    text.before(button);
  }
}
