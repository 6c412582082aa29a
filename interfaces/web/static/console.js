// An answer to a script without what was asked for takes nothing from the page: it says so below.
"use strict";

(() => {
  function say(words) {
    const line = document.getElementById("trouble");
    if (line.textContent !== words) {
      line.textContent = words; // set anew, a screen reader would read it at every poll
    }
  }

  function wordsOf(answer, status) {
    const told = answer.querySelectorAll("#main [role=alert] :is(h1, p:not(.small))");
    if (told.length > 0) {
      return Array.from(told, (one) => one.textContent.trim().replace(/[^.!?]$/, "$&.")).join(" ");
    }
    return `The server gave no page (${status}). What is shown may be out of date.`;
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig, shouldSwap, target } = event.detail;
    const asking = requestConfig.elt;
    const answer = new DOMParser().parseFromString(xhr.responseText, "text/html");
    const part = shouldSwap ? answer.querySelector(asking.getAttribute("hx-select")) : null;
    say(part === null ? wordsOf(answer, xhr.status) : "");
    // What a poll finds unchanged stays, and so do the focus and what is selected in it.
    if (part === null || (target === asking && target.innerHTML === part.innerHTML)) {
      event.detail.shouldSwap = false;
    }
  });

  for (const lost of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(lost, () => {
      say("The server does not answer. What is shown may be out of date.");
    });
  }
})();
