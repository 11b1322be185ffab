/* A button beside what is there to be copied. Without this script the field can be selected. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const field of document.querySelectorAll("[data-oauth-accounts-copy]")) {
    const button = document.createElement("button");
    const status = document.createElement("span");
    button.type = "button";
    button.className = "button";
    button.textContent = field.dataset.oauthAccountsCopy;
    status.setAttribute("role", "status");
    button.addEventListener("click", async () => {
      field.select();
      try {
        // Browsers have a clipboard on https and on this machine only.
        await navigator.clipboard.writeText(field.value);
        status.textContent = field.dataset.oauthAccountsCopied;
      } catch {
        status.textContent = document.execCommand("copy")
          ? field.dataset.oauthAccountsCopied
          : "";
      }
    });
    field.after(button, status);
  }
});
